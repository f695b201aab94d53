//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"dynascope/bench/sim/scenario"
	"dynascope/bench/sim/world"
)

// Two looks at the simulated deployment, and when the first is taken.
const (
	pagesFrom = 60 * time.Second
	pagesGap  = 20 * time.Second
)

// deployment describes one frontend, its workers and the exporters of their
// hosts, under a load that grows with it.
const deployment = `description: a page source
duration: 2m
seed: 5
deployment:
  pools:
    - workers: %d
load:
  - rate: %g
    isl: {dist: lognormal, mean: 1700, stddev: 1100, min: 64, max: 12000}
    osl: {dist: lognormal, mean: 240, stddev: 140, min: 8, max: 1500}
`

// templates simulates a deployment of n targets and keeps their pages.
func templates(n int) ([]*template, error) {
	text := fmt.Sprintf(deployment, n, min(1.5*float64(n), 60))
	sc, err := scenario.Parse("cost.yaml", []byte(text))
	if err != nil {
		return nil, err
	}
	w, err := world.New(world.Config{Scenario: sc, Start: time.Now()})
	if err != nil {
		return nil, err
	}
	ends := pick(w.Endpoints(), n)
	look := func(at time.Duration) [][]byte {
		w.Advance(at)
		out := make([][]byte, len(ends))
		for i, e := range ends {
			out[i] = append([]byte(nil), w.Page(e.Name).Body...)
		}
		return out
	}
	first, second := look(pagesFrom), look(pagesFrom+pagesGap)
	out := make([]*template, n)
	for i := range out {
		out[i] = newTemplate(first[i], second[i], pagesGap.Seconds())
	}
	return out, nil
}

// pick takes the frontend, and of workers and exporters as many as stand
// together on hosts.
func pick(all []world.Endpoint, n int) []world.Endpoint {
	var out []world.Endpoint
	hosts := 1
	for len(out) < n {
		out = out[:0]
		for _, e := range all {
			if len(out) < n && (e.Role == world.RoleFrontend || e.Host < hosts) {
				out = append(out, e)
			}
		}
		hosts++
	}
	return out
}

// served is what the page server says once it listens.
type served struct {
	URLs  []string
	Bytes int // of all pages together
	Lines int
}

// servePages is the page server, a process of its own: each target on a port
// of its own, each page printed once a second however often it is asked for.
func servePages(ctx context.Context, n int) error {
	pages, err := templates(n)
	if err != nil {
		return err
	}
	began := time.Now()
	var said served
	var servers []*http.Server
	var work sync.WaitGroup
	for _, p := range pages {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("listen for a target: %w", err)
		}
		var mu sync.Mutex
		var body []byte
		second := -1
		page := func() []byte {
			mu.Lock()
			defer mu.Unlock()
			if now := int(time.Since(began).Seconds()); now != second {
				body, second = p.at(make([]byte, 0, len(body)+256), float64(now)), now
			}
			return body
		}
		s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
			_, _ = w.Write(page()) // a scraper that went away is no error of the server
		})}
		servers = append(servers, s)
		work.Go(func() { _ = s.Serve(l) }) // ends with the error that it was closed
		said.URLs = append(said.URLs, "http://"+l.Addr().String()+"/metrics")
		said.Bytes += len(page())
		for _, c := range page() {
			if c == '\n' {
				said.Lines++
			}
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(said); err != nil {
		return fmt.Errorf("name the pages: %w", err)
	}
	<-ctx.Done()
	var errs []error
	for _, s := range servers {
		errs = append(errs, s.Close())
	}
	work.Wait()
	return errors.Join(errs...)
}
