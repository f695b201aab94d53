package main

import (
	"context"
	"encoding/json"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	config_util "github.com/prometheus/common/config"

	"dynascope/profiling/doctor"
	"dynascope/sources"
	"dynascope/sources/discover"
	"dynascope/sources/prom"
	"dynascope/sources/text"
)

// gatherRemote asks a server that scrapes, and beside it the pages that were
// named or run on this host.
func gatherRemote(ctx context.Context, s settings, g *doctor.Gathered) (err error) {
	named := s.targets
	s.targets, s.files = nil, nil
	o, err := openRemote(ctx, s, g.Catalog)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := o.Close(); err == nil {
			err = cerr
		}
	}()
	options, err := s.remote.options(g.Catalog)
	if err != nil {
		return err
	}
	r := &doctor.Remote{URL: s.remote.url}
	if at := strings.LastIndex(r.URL, "@"); at >= 0 {
		r.URL = r.URL[at+1:] // credentials are never shown
	}
	g.Remote = r
	if err := o.fill(ctx, s.wait); err != nil {
		return context.Canceled
	}
	ask(ctx, s, g, o, g.Catalog)
	r.Warning = o.warning()
	askServer(ctx, options, r)
	if len(g.Endpoints) == 0 && r.Warning != "" {
		r.Err, r.Warning = r.Warning, ""
	}
	if r.Err == "" {
		sample(ctx, o.store, g)
	}
	nearby(ctx, s, named, g)
	g.Processes = processes(ctx, g.Snap, o)
	return nil
}

// askServer asks what the API tells of the server itself: its build, its
// clock, and every address it scrapes.
func askServer(ctx context.Context, o prom.Options, r *doctor.Remote) {
	c := config_util.DefaultHTTPClientConfig // a copy
	c.FollowRedirects, c.EnableHTTP2 = false, false
	switch {
	case o.Bearer != "" || o.BearerFile != "":
		c.Authorization = &config_util.Authorization{Type: "Bearer", Credentials: config_util.Secret(o.Bearer), CredentialsFile: o.BearerFile}
	case o.Username != "":
		c.BasicAuth = &config_util.BasicAuth{Username: o.Username, Password: config_util.Secret(o.Password), PasswordFile: o.PasswordFile}
	}
	c.TLSConfig = config_util.TLSConfig{CAFile: o.CAFile, CertFile: o.CertFile, KeyFile: o.KeyFile, InsecureSkipVerify: o.InsecureTLS}
	reader := pageReader{conf: c, headers: o.Headers}
	base := strings.TrimSuffix(strings.TrimRight(strings.TrimSpace(o.URL), "/"), "/api/v1")

	var build struct {
		Data struct {
			Version string `json:"version"`
		} `json:"data"`
	}
	p := reader.get(ctx, base+"/api/v1/status/buildinfo", 64<<10)
	r.Date, r.Sent, r.Got = p.date, p.sent, p.got
	if p.err == nil && json.Unmarshal(p.body, &build) == nil {
		r.Version = text.Clean(build.Data.Version, 40)
	}
	var list struct {
		Data struct {
			ActiveTargets []struct {
				Labels    map[string]string `json:"labels"`
				ScrapeURL string            `json:"scrapeUrl"`
			} `json:"activeTargets"`
		} `json:"data"`
	}
	if p = reader.get(ctx, base+"/api/v1/targets?state=active", 32<<20); p.err != nil || json.Unmarshal(p.body, &list) != nil {
		return // Thanos, Mimir and VictoriaMetrics' clusters have no list
	}
	r.Listed = true
	for _, t := range list.Data.ActiveTargets {
		for _, a := range []string{addressOf(t.ScrapeURL), t.Labels["instance"]} {
			if a != "" && !slices.Contains(r.Scraped, a) {
				r.Scraped = append(r.Scraped, a)
			}
		}
	}
}

// sample asks the server for what tells labels and releases.
func sample(ctx context.Context, store sources.Store, g *doctor.Gathered) {
	index := doctor.NewIndex(g.Catalog)
	pages := map[string]*doctor.Page{}
	at := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, q := range index.Samples() {
		got, err := store.Instant(ctx, q.Expr, at)
		if err != nil {
			continue // the screens say so for every figure
		}
		index.Sampled(pages, q, got)
	}
	for i := range g.Endpoints {
		g.Endpoints[i].Page = pages[g.Endpoints[i].Instance]
	}
}

// nearby looks at the pages that were named, or else at those of this host.
func nearby(ctx context.Context, s settings, named []string, g *doctor.Gathered) {
	if len(named) == 0 {
		report := discover.Local(ctx, discover.Options{Catalog: g.Catalog})
		found(g, report)
		for _, f := range report.Found {
			if f.Scrapes() && !f.Gone {
				g.Nearby = append(g.Nearby, doctor.Nearby{URL: f.URL, Address: f.Addr, Role: f.Role, WorkerID: f.WorkerID})
			}
		}
		return
	}
	index := doctor.NewIndex(g.Catalog)
	g.Nearby = make([]doctor.Nearby, len(named))
	each(len(named), func(i int) {
		n := doctor.Nearby{Address: addressOf(named[i])}
		n.URL = "http://" + n.Address
		p := newPageReader(s.auth, true).get(ctx, named[i], s.auth.bodyLimit)
		if p.err == nil {
			var page *doctor.Page
			page, p.err = index.Read(p.body)
			n.Role, n.WorkerID = page.Role(), page.WorkerID
		}
		if p.err != nil {
			n.Err = text.Safe(p.err.Error(), 300)
		}
		g.Nearby[i] = n
	})
}

// addressOf is host:port of a URL, without anything secret.
func addressOf(raw string) string {
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}
