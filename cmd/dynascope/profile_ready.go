package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"dynascope/bench/load"
	"dynascope/profiling"
	"dynascope/sources"
	"dynascope/sources/feed"
)

// trafficLook is how long a worker's page is watched before a profile.
const trafficLook = 3 * time.Second

// key is what is sent to the worker, and to nobody else.
func (p *profiler) key() (string, error) {
	if p.keyFile == "" {
		return os.Getenv(engineKeyEnv), nil
	}
	raw, err := os.ReadFile(p.keyFile)
	if err != nil {
		return "", fmt.Errorf("read the key: %w", err)
	}
	key := string(bytes.TrimSpace(raw))
	if key == "" || strings.ContainsAny(key, "\r\n") {
		return "", fmt.Errorf("read the key: %s holds no single line", p.keyFile)
	}
	return key, nil
}

// traffic looks whether the worker is stepping, gives the plan a burst where
// it is not, and says which.
func (p *profiler) traffic(ctx context.Context) (string, error) {
	flows, models, unknown := p.watched(ctx)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	p.plan.Traffic = func(context.Context) (bool, error) { return flows, unknown }
	switch {
	case unknown == nil && flows:
		return "there is traffic", nil
	case p.burst == "" && unknown == nil:
		return "", errors.New("profile a worker: there is no traffic, and steps advance only with batches; hint: --burst URL of a frontend sends a few requests")
	case p.burst == "":
		return "whether there is traffic is not known: " + unknown.Error(), nil
	}
	model := p.model
	if model == "" {
		if len(models) != 1 {
			return "", fmt.Errorf("plan a burst: the worker's page names %d models; hint: --model NAME", len(models))
		}
		model = models[0]
	}
	p.plan.Burst = profileBurst{load.Plan{URL: p.burst, Model: model, Requests: 200, Duration: 30 * time.Second, Concurrency: 8, ISL: 256, OSL: 64,
		Stream: true, Seed: time.Now().UnixNano()}}
	return "no traffic is seen: a burst keeps it stepping", nil
}

// watched scrapes the worker's page for a moment. The error says why nothing
// is known.
func (p *profiler) watched(ctx context.Context) (flows bool, models []string, err error) {
	s := p.settings
	s.targets, s.interval, s.window = []string{p.plan.Worker.URL}, time.Second, 10*time.Second
	cat, err := s.catalogue()
	if err != nil {
		return false, nil, err
	}
	o, err := openOrigin(ctx, s, cat)
	if err != nil {
		return false, nil, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	if err := o.fill(ctx, trafficLook); err != nil {
		return false, nil, err
	}
	needs := []sources.Need{{Key: "engine.running", Form: sources.FormNow}, {Key: "engine.decode_tokens", Form: sources.FormRate}, {Key: "worker.inflight", Form: sources.FormNow}}
	snap := o.feed(cat).Tick(ctx, feed.Ask{Needs: needs, Window: s.window})
	known := false
	for _, n := range needs {
		f := snap.Figure(n)
		known = known || f.Live() || f.Status == sources.StatusIdle
		if v, ok := f.Value(); ok && f.Live() && v > 0 {
			flows = true
		}
	}
	if !known {
		return false, snap.Models, errors.New("its page shows no load")
	}
	return flows, snap.Models, nil
}

// profileBurst is the small client as a session takes it.
type profileBurst struct{ plan load.Plan }

func (b profileBurst) Run(ctx context.Context) error {
	_, err := load.New().Run(ctx, b.plan)
	return err
}

func (b profileBurst) String() string {
	p := b.plan
	return fmt.Sprintf("POST %s: up to %d chat requests to %s, %d at once, %d tokens in and %d out, for at most %s or until the steps are recorded",
		p.URL, p.Requests, p.Model, p.Concurrency, p.ISL, p.OSL, p.Duration)
}

var _ profiling.Burst = profileBurst{}

// isLocal says whether an address is this host's: then the files may be here.
func isLocal(raw string) bool {
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	host := u.Hostname()
	if name, err := os.Hostname(); host == "localhost" || err == nil && host == name {
		return true
	}
	ip := net.ParseIP(host)
	if ip == nil {
		return false
	}
	if ip.IsLoopback() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ip) {
			return true
		}
	}
	return false
}
