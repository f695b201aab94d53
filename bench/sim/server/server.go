package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"dynascope/bench/sim/world"
)

// Options are what HTTP adds to the world.
type Options struct {
	// Frontend is the address of the first frontend, "127.0.0.1:8000" say;
	// empty takes a port from the kernel, as all other endpoints do. It must
	// be on loopback.
	Frontend string
	// ProfileDir is where traces go when a start names no output_dir; empty is
	// a folder of the server's own, removed at Close.
	ProfileDir string
	// OldEngineRoutes puts Dynamo's engine routes under /engine/ instead of
	// /engine/control/, as before June 2026.
	OldEngineRoutes bool
	// NoProfileRoutes hides them, as an operator can.
	NoProfileRoutes bool
	// Ready makes mockers' workers say ready on their own /health; real mockers
	// say notready while they serve.
	Ready bool
}

// Endpoint is an address of the simulation.
type Endpoint struct {
	Name      string `json:"name"`
	Role      string `json:"role"` // frontend, router, worker, dcgm, kvbm, planner
	URL       string `json:"url"`
	Metrics   string `json:"metrics"`             // the page's address
	WorkerID  string `json:"worker_id,omitempty"` // hexadecimal
	Namespace string `json:"namespace,omitempty"`
	Component string `json:"component,omitempty"`
	Model     string `json:"model,omitempty"`
	Host      int    `json:"host"`
}

// Server is a world behind HTTP.
type Server struct {
	opt    Options
	world  *world.World
	driver *driver
	late   lateness
	page   int // tokens of a KV page

	ctx    context.Context
	cancel context.CancelFunc
	gate   gate

	ends   []*listening
	ids    atomic.Uint64
	ownDir bool

	closeOnce sync.Once
	closeErr  error
}

// listening is one endpoint with its listener.
type listening struct {
	world.Endpoint
	door     *door
	http     *http.Server
	profiler *profiler // nil without the routes
}

// Start builds the world, lets it begin now, and listens. The simulation runs
// until Close, or until ctx ends.
func Start(ctx context.Context, c world.Config, opt Options) (*Server, error) {
	c.Start = time.Now()
	w, err := world.New(c)
	if err != nil {
		return nil, err
	}
	s := &Server{opt: opt, world: w, driver: newDriver(w, c.Start)}
	s.page = w.PageSize(w.Models()[0])
	s.ctx, s.cancel = context.WithCancel(ctx)
	if opt.ProfileDir == "" {
		if s.opt.ProfileDir, err = os.MkdirTemp("", "dynascope-sim-"); err != nil {
			s.cancel()
			return nil, fmt.Errorf("make a folder for traces: %w", err)
		}
		s.ownDir = true
	}
	for i, e := range w.Endpoints() {
		l := &listening{Endpoint: e}
		addr := ""
		if i == 0 {
			addr = opt.Frontend
		}
		if l.door, err = newDoor(addr, &s.gate); err != nil {
			s.stop()
			return nil, fmt.Errorf("listen for %s: %w", e.Name, err)
		}
		l.http = &http.Server{
			Handler:           s.guard(l, s.handler(l)),
			ReadHeaderTimeout: 10 * time.Second,
			BaseContext:       func(net.Listener) context.Context { return s.ctx },
			ConnContext:       withConn,
		}
		s.ends = append(s.ends, l)
	}
	s.driver.after = s.followConditions
	s.gate.wait.Go(func() { s.driver.run(s.ctx) })
	for _, l := range s.ends {
		s.gate.wait.Go(func() { _ = l.http.Serve(l.door) }) // always ends with an error: that it was closed
	}
	return s, nil
}

// Endpoints lists every address. Worker ids are those of now.
func (s *Server) Endpoints() []Endpoint {
	ids := map[string]uint64{}
	s.driver.look(func() {
		for _, e := range s.world.Endpoints() {
			ids[e.Name] = e.WorkerID
		}
	})
	out := make([]Endpoint, len(s.ends))
	for i, l := range s.ends {
		out[i] = Endpoint{
			Name: l.Name, Role: string(l.Role), URL: l.door.url(), Metrics: l.door.url() + "/metrics", Namespace: l.Namespace,
			Component: l.Component, Model: l.Model, Host: l.Host,
		}
		if id := ids[l.Name]; id != 0 {
			out[i].WorkerID = strconv.FormatUint(id, 16)
		}
	}
	return out
}

// Lateness is the server's own delay so far.
func (s *Server) Lateness() Lateness { return s.late.read() }

// Close stops the simulation, cuts every connection, waits for everything it
// started and flushes the truth log.
func (s *Server) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.stop() })
	return s.closeErr
}

func (s *Server) stop() error {
	s.cancel()
	var errs []error
	for _, l := range s.ends {
		if err := l.http.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
		_ = l.door.Close() // closed by the server already, once it served
	}
	s.gate.close()
	s.driver.look(func() {
		if err := s.world.Flush(); err != nil {
			errs = append(errs, fmt.Errorf("write the truth: %w", err))
		}
	})
	if s.ownDir {
		if err := os.RemoveAll(s.opt.ProfileDir); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// followConditions shuts the doors of processes that are not there. It runs
// under the simulation's lock.
func (s *Server) followConditions() {
	for _, l := range s.ends {
		dead := s.world.Condition(l.Name) == world.Dead
		if l.door.shut.Swap(dead) != dead && dead && l.profiler != nil {
			l.profiler.forget()
		}
	}
}

// guard lets a request through to a process that is there and awake.
func (s *Server) guard(l *listening, next http.Handler) http.Handler {
	return s.gate.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for {
			var c world.Condition
			s.driver.look(func() { c = s.world.Condition(l.Name) })
			switch c {
			case world.Up:
				next.ServeHTTP(w, r)
				return
			case world.Dead:
				sever(w)
				return
			}
			if !s.pause(r.Context(), 50*time.Millisecond) { // it stands still, and so do its connections
				return
			}
		}
	}))
}

// pause waits; false when ctx ended first.
func (s *Server) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// sever breaks the connection without an answer.
func sever(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // which breaks it too
	}
	reset(c)
}

// handler are an endpoint's routes.
func (s *Server) handler(l *listening) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", s.metrics(l))
	switch {
	case l.Role == world.RoleFrontend:
		s.frontendRoutes(mux, l)
	case l.Role == world.RoleRouter:
		s.systemRoutes(mux, l, nil)
	case l.Role == world.RoleWorker && s.world.Plain():
		s.sglangRoutes(mux, l)
	case l.Role == world.RoleWorker:
		s.workerRoutes(mux, l)
	}
	return mux
}

// metrics answers a scrape as the world says.
func (s *Server) metrics(l *listening) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var p world.Scrape
		s.driver.look(func() { p = s.world.Page(l.Name) })
		if p.Delay > 0 && !s.pause(r.Context(), p.Delay) {
			return
		}
		switch p.State {
		case world.PageDown:
			sever(w)
			return
		case world.PageHang:
			<-r.Context().Done()
			return
		case world.PageGarbage:
			w.Header().Set("Content-Type", "text/html")
		default:
			w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		}
		_, _ = w.Write(p.Body) // a scraper that went away is no error of the server
	}
}

func (s *Server) nextID() string {
	return fmt.Sprintf("chatcmpl-%08x-0000-4000-8000-%012x", uint32(s.driver.start.UnixNano()), s.ids.Add(1))
}

// profilerFor makes the profiler of a worker and hears of its steps.
func (s *Server) profilerFor(l *listening) *profiler {
	p := &profiler{s: s, worker: l.Name, ranks: max(l.TP, 1), dp: max(l.DP, 1)}
	l.profiler = p
	s.world.Watch(l.Name, func(st world.Step) {
		if p.step(st) {
			s.gate.wait.Go(func() { _ = p.export(s.ctx) }) // nobody waits for this answer; the files are the result
		}
	})
	return p
}
