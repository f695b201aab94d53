package world

import (
	"bytes"
	"strings"
	"time"

	"dynascope/bench/sim/page"
	"dynascope/bench/sim/scenario"
)

// PageState is how an endpoint answers a scrape.
type PageState uint8

// The states of a page.
const (
	PageOK        PageState = iota
	PageDown                // nothing listens
	PageHang                // accepted, never answered
	PageTruncated           // the body ends in the middle of a line
	PageGarbage             // the body is no metrics page
	PageHuge                // the body is larger than a scraper should read
)

// Scrape is an endpoint's answer to one scrape.
type Scrape struct {
	Body  []byte
	State PageState
	Delay time.Duration // before it is answered
}

// Role is what an endpoint is.
type Role string

// The roles of endpoints.
const (
	RoleFrontend Role = "frontend"
	RoleRouter   Role = "router" // a standalone one
	RoleWorker   Role = "worker"
	RoleDCGM     Role = "dcgm"
	RoleKVBM     Role = "kvbm"
	RolePlanner  Role = "planner"
)

// Endpoint is a process that can be asked over HTTP. WorkerID is that of a
// worker or a standalone router, 0 for a worker that has not started yet and
// for other roles.
type Endpoint struct {
	Name      string
	Role      Role
	WorkerID  uint64
	Namespace string
	Component string // of workers: backend or prefill; of standalone routers: router
	Model     string
	Host      int
	TP, DP    int
}

// endpoint is an Endpoint with what makes its page.
type endpoint struct {
	Endpoint
	kind   scenario.TargetKind
	number int
	worker *worker
	inside bool // the router is part of it
	render func(*bytes.Buffer)
	size   int // of the last page
}

// Endpoints lists every endpoint, in a fixed order.
func (w *World) Endpoints() []Endpoint {
	out := make([]Endpoint, 0, len(w.ends))
	for _, e := range w.ends {
		x := e.Endpoint
		if e.worker != nil {
			x.WorkerID = e.worker.id
		}
		out = append(out, x)
	}
	return out
}

// addEndpoints is done once all processes are there.
func (w *World) addEndpoints() {
	d := &w.sc.Deployment
	add := func(e *endpoint) {
		e.Namespace = d.Namespace
		w.ends = append(w.ends, e)
		w.byName[e.Name] = e
	}
	for _, f := range w.frontends {
		if f.book == nil {
			continue
		}
		add(&endpoint{
			Endpoint: Endpoint{Name: f.name, Role: RoleFrontend}, kind: scenario.TargetFrontend, number: f.number, inside: len(w.routers) == 0,
			render: func(b *bytes.Buffer) {
				f.refresh()
				write(b, &f.book.Page)
			},
		})
	}
	for _, q := range w.routers {
		add(q.endpoint())
	}
	for _, k := range w.workers {
		add(&endpoint{
			Endpoint: Endpoint{
				Name: k.name, Role: RoleWorker, Component: k.pool.component, Model: k.pool.model.name, Host: k.host,
				TP: k.pool.params.TP, DP: k.pool.params.DP,
			},
			kind: scenario.TargetWorker, number: k.number, worker: k,
			render: func(b *bytes.Buffer) {
				if k.book != nil {
					k.book.refresh()
					write(b, &k.book.page.Page)
				}
			},
		})
		if k.kvbm != nil {
			add(&endpoint{
				Endpoint: Endpoint{Name: k.kvbm.name, Role: RoleKVBM, Host: k.host}, kind: scenario.TargetKVBM, number: k.number, worker: k,
				render: func(b *bytes.Buffer) { write(b, &k.kvbm.book.Page) },
			})
		}
	}
	for _, x := range w.exporters {
		add(&endpoint{
			Endpoint: Endpoint{Name: x.name, Role: RoleDCGM, Host: x.number}, kind: scenario.TargetDCGM, number: x.number,
			render: func(b *bytes.Buffer) { write(b, &x.book.Page) },
		})
	}
	if w.planner != nil {
		add(&endpoint{
			Endpoint: Endpoint{Name: "planner", Role: RolePlanner}, kind: scenario.TargetPlanner,
			render: func(b *bytes.Buffer) { write(b, &w.planner.book.Page) },
		})
	}
}

func write(b *bytes.Buffer, p *page.Page) {
	_, _ = p.WriteTo(b) // a buffer takes everything
}

// Page renders an endpoint's page as it is now, with what faults do to it. The
// body is the caller's.
func (w *World) Page(name string) Scrape {
	e := w.byName[name]
	if e == nil {
		return Scrape{State: PageDown}
	}
	if e.worker != nil && e.worker.dead {
		return Scrape{State: PageDown}
	}
	if e.worker != nil && e.worker.frozen > e.worker.exporting {
		return Scrape{State: PageHang}
	}
	s := Scrape{}
	var missing []string
	frozen := false
	for _, a := range w.active {
		if !e.metBy(a.f) {
			continue
		}
		switch a.f.Kind {
		case scenario.MetricsDown:
			return Scrape{State: PageDown}
		case scenario.MetricsHang:
			s.State = PageHang
		case scenario.MetricsSlow:
			s.Delay += a.f.Delay
		case scenario.MetricsTruncated:
			s.State = PageTruncated
		case scenario.MetricsGarbage:
			s.State = PageGarbage
		case scenario.MetricsHuge:
			s.State = PageHuge
		case scenario.MetricsFrozen:
			frozen = true
		case scenario.MetricsMissing:
			missing = append(missing, a.f.Families...)
		}
	}
	switch {
	case s.State == PageHang:
		return s
	case frozen && w.frozenPages[name] != nil:
		s.Body = bytes.Clone(w.frozenPages[name])
	default:
		var b bytes.Buffer
		b.Grow(e.size + 1024)
		e.render(&b)
		e.size = b.Len()
		s.Body = b.Bytes()
	}
	if len(missing) > 0 {
		s.Body = without(s.Body, missing)
	}
	switch s.State {
	case PageTruncated:
		s.Body = truncated(s.Body)
	case PageGarbage:
		s.Body = []byte("<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head>\n<body>{\"status\": \"\\u0000\x00\xff not metrics</body></html>\n")
	case PageHuge:
		s.Body = huge(s.Body)
	}
	return s
}

func (e *endpoint) metBy(f *scenario.Fault) bool {
	for _, t := range f.Target {
		if t.Is(e.kind, e.number) || e.inside && t.Is(scenario.TargetRouter, e.number) {
			return true
		}
		if e.kind == scenario.TargetWorker && t.Worker(e.number, e.worker.pool.name, e.worker.inPool) {
			return true
		}
	}
	return false
}

// truncated ends a page in the middle of a line, about two thirds in.
func truncated(body []byte) []byte {
	n := len(body) * 2 / 3
	for n > 1 && n < len(body) && (body[n-1] == '\n' || body[n] == '\n') {
		n--
	}
	return body[:n]
}

// hugeBytes is more than a scraper should read of one page.
const hugeBytes = 80 << 20

// huge repeats a family of very many series behind the page.
func huge(body []byte) []byte {
	out := make([]byte, 0, hugeBytes+256)
	out = append(out, body...)
	out = append(out, "# HELP runaway_label_total A label with a value for each request\n# TYPE runaway_label_total counter\n"...)
	for n := uint64(1); len(out) < hugeBytes; n++ {
		out = append(out, `runaway_label_total{request_id="`...)
		for x, i := mix(n), 0; i < 16; i++ {
			out = append(out, "0123456789abcdef"[x>>(4*i)&15])
		}
		out = append(out, "\"} 1\n"...)
	}
	return out
}

// without leaves out the families whose names begin so.
func without(body []byte, prefixes []string) []byte {
	out := body[:0:0]
	for line := range bytes.Lines(body) {
		name := string(line)
		if rest, ok := strings.CutPrefix(name, "# "); ok {
			if _, after, ok := strings.Cut(rest, " "); ok {
				name = after
			}
		}
		drop := false
		for _, p := range prefixes {
			drop = drop || strings.HasPrefix(name, p)
		}
		if !drop {
			out = append(out, line...)
		}
	}
	return out
}
