package discover

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"dynascope/sources/catalog"
	"dynascope/sources/text"
)

// Options of a scan. The zero value looks at this host.
type Options struct {
	Catalog *catalog.Catalog // catalog.Default()
	// Interval of Watch, 15 s; held between 10 and 30 s.
	Interval time.Duration
	// Skip are addresses (host:port) not to be asked: what is a target already.
	Skip func(addr string) bool

	// For tests: where processes are listed ("/proc"), what opens connections,
	// and the documented ports (Ports()).
	Proc  string
	Dial  func(ctx context.Context, network, addr string) (net.Conn, error)
	Ports []Port

	after func(time.Duration) <-chan time.Time
}

// Bounds of a scan.
const (
	scanTime    = 2 * time.Second
	requestTime = 300 * time.Millisecond
	atOnce      = 4   // requests
	maxPorts    = 256 // addresses asked in one scan
	forgetAfter = 15 * time.Minute
)

// Scanner finds what runs on this host, and remembers what it found: a later
// scan only connects to what was identified, and asks what is new. It is not
// safe for concurrent use.
type Scanner struct {
	opts  Options
	tab   tables
	pages *classifier
	known map[string]*Found // by address
	asked map[int]time.Time // by port: last asked, so that a scan cut short goes on where it stopped
}

// New makes a scanner that knows nothing yet.
func New(o Options) *Scanner {
	if o.Catalog == nil {
		o.Catalog = catalog.Default()
	}
	if o.Interval == 0 {
		o.Interval = 15 * time.Second
	}
	o.Interval = min(max(o.Interval, 10*time.Second), 30*time.Second)
	o.Proc = cmp.Or(o.Proc, "/proc")
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.Ports == nil {
		o.Ports = Ports()
	}
	if o.after == nil {
		o.after = time.After
	}
	return &Scanner{
		opts: o, tab: builtin(), pages: newClassifier(o.Catalog, builtin().families),
		known: map[string]*Found{}, asked: map[int]time.Time{},
	}
}

// Local is one scan of this host.
func Local(ctx context.Context, o Options) Report { return New(o).Scan(ctx) }

// Watch scans at once and then every interval, and hands each report to fn in
// turn. It returns when ctx ends; the caller runs it in a goroutine and waits
// for it.
func (s *Scanner) Watch(ctx context.Context, fn func(Report)) {
	for {
		r := s.Scan(ctx)
		if ctx.Err() != nil {
			return
		}
		fn(r)
		select {
		case <-ctx.Done():
			return
		case <-s.opts.after(s.opts.Interval):
		}
	}
}

// Scan looks once, in at most two seconds.
func (s *Scanner) Scan(ctx context.Context) Report {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, scanTime)
	defer cancel()
	r := Report{At: start}
	var todo []candidate
	r.Programs, todo, r.Notes = s.tab.search(ctx, s.opts.Proc)
	todo = s.order(merge(todo, s.opts.Ports))
	s.unnamed(todo)
	if len(todo) > maxPorts {
		r.Notes = append(r.Notes, fmt.Sprintf("%d of %d ports were left out; hint: name them with --target or --targets", len(todo)-maxPorts, len(todo)))
		todo = todo[:maxPorts]
	}
	r.Tried = s.ask(ctx, todo, start)
	s.forget(start)
	for _, f := range s.known {
		r.Found = append(r.Found, *f)
		f.Body = nil // the report has it
	}
	slices.SortFunc(r.Found, func(a, b Found) int {
		return cmp.Or(cmp.Compare(len(a.Addr), len(b.Addr)), cmp.Compare(a.Addr, b.Addr))
	})
	r.Took = time.Since(start)
	return r
}

// unnamed marks as gone what no process names any more: its port may belong to
// anything now, so it is not even connected to.
func (s *Scanner) unnamed(todo []candidate) {
	for addr, f := range s.known {
		_, port, _ := net.SplitHostPort(addr)
		if !slices.ContainsFunc(todo, func(c candidate) bool { return strconv.Itoa(c.port) == port }) {
			f.Gone = true
		}
	}
}

// merge joins what processes name with what is documented, a candidate a
// port, processes first: they know better how to ask.
func merge(named []candidate, documented []Port) []candidate {
	var out []candidate
	at := map[int]int{}
	add := func(c candidate) {
		i, ok := at[c.port]
		if !ok {
			at[c.port] = len(out)
			out = append(out, c)
			return
		}
		have := &out[i]
		if len(have.why) < 8 && !slices.Contains(have.why, c.why[0]) {
			have.why = append(have.why, c.why...)
		}
		have.frontend = have.frontend || c.frontend
		have.prefix = cmp.Or(have.prefix, c.prefix)
	}
	for _, c := range named {
		add(c)
	}
	for _, p := range documented {
		for i := range p.Count {
			add(candidate{
				port: p.Port + i, ask: p.Ask, then: p.Then, page: pathMetrics,
				why: []Reason{{Rule: byTable, What: p.What}},
			})
		}
	}
	return out
}

// order puts what a process names first, then what was not asked for longest.
func (s *Scanner) order(cs []candidate) []candidate {
	slices.SortStableFunc(cs, func(a, b candidate) int {
		table := func(c candidate) int {
			if c.why[0].Rule == byTable {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(table(a), table(b)), s.asked[a.port].Compare(s.asked[b.port]))
	})
	return cs
}

// visited is what became of one candidate.
type visited struct {
	tried []Tried
	found *Found // new, or known and refreshed
}

// ask visits the candidates, a few at a time.
func (s *Scanner) ask(ctx context.Context, todo []candidate, now time.Time) []Tried {
	allowed := map[int]bool{}
	for _, c := range todo {
		allowed[c.port] = true
	}
	a := newAsker(s.opts.Dial, allowed, requestTime)
	results := make([]visited, len(todo))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(atOnce, len(todo)) {
		wg.Go(func() {
			for i := range next {
				results[i] = s.visit(ctx, a, todo[i])
			}
		})
	}
	for i := range todo {
		next <- i // with ctx over, visits return at once
	}
	close(next)
	wg.Wait()

	var tried []Tried
	for i, v := range results {
		tried = append(tried, v.tried...)
		for _, t := range v.tried {
			if t.Outcome != OutcomeNotTried {
				s.asked[todo[i].port] = now
			}
			if k := s.known[t.Addr]; k != nil && t.Outcome == OutcomeRefused {
				k.Gone = true
			}
		}
		if f := v.found; f != nil {
			f.seen = now
			if f.Since.IsZero() {
				f.Since = now
			}
			s.known[f.Addr] = f
		}
	}
	return tried
}

// visit asks a port on 127.0.0.1 and, where that is refused, on ::1. It reads
// the scanner and does not change it: visits run side by side.
func (s *Scanner) visit(ctx context.Context, a *asker, c candidate) visited {
	var v visited
	for _, host := range []string{"127.0.0.1", "::1"} {
		addr := net.JoinHostPort(host, strconv.Itoa(c.port))
		if s.opts.Skip != nil && s.opts.Skip(addr) {
			return visited{}
		}
		t := Tried{Addr: addr, Why: c.why}
		if ctx.Err() != nil {
			t.Outcome, t.Detail = OutcomeNotTried, "the time of the scan was over"
			v.tried = append(v.tried, t)
			return v
		}
		if k := s.known[addr]; k != nil && !k.Gone {
			v.found = s.revisit(ctx, a, *k, &t)
		} else {
			v.found = s.identify(ctx, a, c, &t)
		}
		v.tried = append(v.tried, t)
		if t.Outcome != OutcomeRefused {
			return v
		}
	}
	if s.known[v.tried[0].Addr] == nil && s.known[v.tried[1].Addr] == nil {
		v.tried = v.tried[:1]
		v.tried[0].Addr = "localhost:" + strconv.Itoa(c.port)
	}
	return v
}

// revisit only connects, and reads a frontend's list of workers anew.
func (s *Scanner) revisit(ctx context.Context, a *asker, f Found, t *Tried) *Found {
	if f.Role == roleFrontend {
		return s.health(ctx, a, &f, t)
	}
	if err := a.listens(ctx, f.Addr); err != nil {
		t.Outcome, t.Detail = failure(err)
		return nil
	}
	t.Outcome, t.Detail = OutcomeSame, strings.TrimSpace(f.Role+" "+f.Engine)
	return &f
}

// identify asks an address what it is.
func (s *Scanner) identify(ctx context.Context, a *asker, c candidate, t *Tried) *Found {
	limit := maxPage
	if c.ask == pathModels {
		limit = maxModels
	}
	r := a.get(ctx, t.Addr, c.ask, limit)
	switch {
	case r.err != nil:
		t.Outcome, t.Detail = failure(r.err)
		return nil
	case r.status == 404 && c.then == pathModels:
		return withoutMetrics(a.get(ctx, t.Addr, c.then, maxModels), t)
	case r.status != 200:
		t.Outcome, t.Detail = refusal(r)
		return nil
	}
	f := &Found{Addr: t.Addr, URL: "http://" + t.Addr + c.page, Why: c.why}
	if c.ask == pathModels {
		if _, ok := models(r.body); !ok {
			t.Outcome = OutcomeNotMetrics
			return nil
		}
		// Only a program whose page lies elsewhere is asked this way.
		f.Role, f.Note = roleWorker, "its page was not asked yet"
		t.Outcome, t.Detail = OutcomeFound, f.Role
		return f
	}
	id := s.pages.page(r.body)
	if c.frontend && (id.role == "" || id.role == "router") && id.series > 0 {
		// Renamed by a metrics prefix, or so new that the catalogue lacks it.
		id.role = roleFrontend
	}
	switch {
	case id.series == 0:
		t.Outcome, t.Detail = OutcomeNotMetrics, looksLike(r)
		return nil
	case id.role == "":
		t.Outcome, t.Detail = OutcomeOther, fmt.Sprintf("%d series, none known; hint: --target http://%s", id.series, t.Addr)
		return nil
	}
	f.Role, f.Engine, f.WorkerID = id.role, id.engine, id.workerID
	if r.whole {
		f.Body = r.body
	}
	if f.Role == roleFrontend {
		f.Prefix = c.prefix
		return s.health(ctx, a, f, t)
	}
	t.Outcome, t.Detail = OutcomeFound, strings.TrimSpace(f.Role+" "+f.Engine)
	return f
}

// health asks a frontend for its workers.
func (s *Scanner) health(ctx context.Context, a *asker, f *Found, t *Tried) *Found {
	again := !f.Since.IsZero()
	r := a.get(ctx, f.Addr, pathHealth, maxHealth)
	f.Note = ""
	switch list, err := instances(r.body); {
	case r.err != nil:
		outcome, detail := failure(r.err)
		if again && outcome == OutcomeRefused {
			t.Outcome = outcome
			return nil
		}
		f.Note = strings.TrimSpace("/health: " + string(outcome) + " " + detail)
	case !r.whole:
		f.Note = "/health: the answer is cut"
	case err != nil && r.status == 200:
		f.Note = err.Error()
	case err != nil:
		f.Note = fmt.Sprintf("/health: answered %d", r.status)
	default:
		f.Instances = list
	}
	t.Outcome, t.Detail = OutcomeFound, f.Role
	if again {
		t.Outcome = OutcomeSame
	}
	return f
}

func withoutMetrics(r reply, t *Tried) *Found {
	t.Outcome, t.Detail = OutcomeStatus, "404 to "+pathMetrics
	if r.err == nil && r.status == 200 {
		if names, ok := models(r.body); ok {
			t.Outcome = OutcomeNoMetrics
			t.Detail = strings.Join(names, ", ") + "; hint: an SGLang server needs --enable-metrics"
		}
	}
	return nil
}

// looksLike tells what a body is that is no page of metrics.
func looksLike(r reply) string {
	start := strings.ToLower(text.CleanBytes(r.body, 64))
	switch {
	case len(r.body) == 0:
		return "an empty page"
	case strings.HasPrefix(start, "<!doctype html"), strings.HasPrefix(start, "<html"):
		return "HTML"
	case strings.HasPrefix(start, "{"), strings.HasPrefix(start, "["):
		return "JSON"
	}
	return ""
}

// forget drops what has been gone for long.
func (s *Scanner) forget(now time.Time) {
	maps.DeleteFunc(s.known, func(_ string, f *Found) bool { return now.Sub(f.seen) > forgetAfter })
}
