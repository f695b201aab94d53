package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// PollerOptions is which server to ask and how. Only URL is required.
type PollerOptions struct {
	URL         string // http://host:30000, also with /metrics
	Credentials Credentials
	// Interval between two requests for the load, default 2 s, at least 1 s.
	// It grows to at most 10 s for a slow server.
	Interval time.Duration
	// Transport for servers that need TLS settings; nil asks directly.
	Transport http.RoundTripper

	now func() time.Time
}

// RouteState is how the questions of one kind go, for a screen that shows what
// dynascope asks and costs.
type RouteState struct {
	Route    Route // the dialect in use
	Last     time.Time
	Wait     time.Duration // the server's time of the last answer
	Interval time.Duration // in force
	Slowed   bool
	Missing  bool // the server knows no dialect of it
	Err      string
}

// Poller asks one plain SGLang server for what its metrics do not hold, at
// gentle intervals, and gives the answers as a page. It asks only while Page
// runs: it owns no goroutine.
type Poller struct {
	c    *client
	base time.Duration
	now  func() time.Time
	turn chan struct{} // held by the Page that asks

	mu        sync.Mutex // guards the rest
	questions []*question
	loads     *Loads
	info      *ServerInfo
	model     ModelInfo
	models    []Model
	page      []byte
	err       error
}

// question is one kind of question and where we are with it.
type question struct {
	dialects []Route
	at       int // the dialect in use
	missing  bool
	asked    bool
	next     time.Time
	interval time.Duration
	waits    []time.Duration
	fails    int
	state    RouteState
	take     func(body []byte) error
}

// Waits between questions that failed.
const (
	authPause = 30 * time.Second // a refused key will be refused again
	maxPause  = 10 * time.Minute // of the questions that are asked each minute
)

// NewPoller prepares to ask a server; it sends nothing yet.
func NewPoller(opt PollerOptions) (*Poller, error) {
	c, err := newClient(opt.URL, opt.Credentials, opt.Transport)
	if err != nil {
		return nil, err
	}
	p := &Poller{c: c, base: 2 * time.Second, now: opt.now, turn: make(chan struct{}, 1)}
	if opt.Interval > 0 {
		p.base = max(time.Second, opt.Interval)
	}
	if p.now == nil {
		p.now = time.Now
	}
	p.questions = []*question{
		{dialects: dialects("loads"), interval: p.base, take: func(b []byte) error {
			l, err := decodeLoads(b)
			if err == nil {
				p.loads = &l
			}
			return err
		}},
		{dialects: dialects("server"), take: func(b []byte) (err error) {
			info, err := DecodeServerInfo(b)
			if err == nil {
				p.info = info
			}
			return err
		}},
		{dialects: dialects("model"), take: func(b []byte) error {
			m, err := decodeModelInfo(b)
			if err == nil {
				p.model = m
			}
			return err
		}},
		{dialects: dialects("models"), take: func(b []byte) error {
			m, err := decodeModels(b)
			if err == nil {
				p.models = m
			}
			return err
		}},
	}
	for _, q := range p.questions[1:] {
		q.interval = q.dialects[0].Interval
	}
	return p, nil
}

// Page asks what is due and gives all that is known as a page in the text
// format 0.0.4. Called sooner than Interval after the last time, it asks
// nothing and gives the same page again, which is never older than Interval.
// An error says why there is no load to tell; it names the route and holds no
// secret. The slow questions share what time the context leaves, and never
// make the page fail.
func (p *Poller) Page(ctx context.Context) ([]byte, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the last question to %s: %w", p.c.base, ctx.Err())
	}
	fresh := false
	if q := p.questions[0]; p.due(q) {
		fresh = true
		err := p.ask(ctx, q)
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return nil, fmt.Errorf("ask %s: %w", p.c.base, ctx.Err())
		}
		p.mu.Lock()
		p.err = err
		p.mu.Unlock()
	}
	for _, q := range p.questions[1:] {
		if p.down() || !p.due(q) {
			continue
		}
		within, cancel := halfOf(ctx)
		err := p.ask(within, q)
		cancel()
		fresh = fresh || err == nil
		if ctx.Err() != nil {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	loads := p.questions[0]
	switch {
	case p.err != nil && !loads.missing:
		p.page = nil
		return nil, p.err
	case loads.missing && p.info == nil && p.model == (ModelInfo{}) && p.models == nil:
		return nil, fmt.Errorf("ask %s: it knows none of SGLang's routes; hint: only an SGLang launch_server has them", p.c.base)
	}
	if fresh || p.page == nil {
		p.page = p.write()
	}
	return slices.Clone(p.page), nil
}

// down says that nothing answers: the other questions would only add to it.
func (p *Poller) down() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err != nil && !p.questions[0].missing
}

// halfOf leaves half of the remaining time to what follows.
func halfOf(ctx context.Context) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok {
		return context.WithTimeout(ctx, time.Until(end)/2)
	}
	return context.WithCancel(ctx)
}

// due leaves some slack: a caller's ticks are never quite even.
func (p *Poller) due(q *question) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !q.missing && (!q.asked || !p.now().Before(q.next.Add(-min(q.interval/10, time.Second/2))))
}

// ask asks one question in the dialect that the server knows.
func (p *Poller) ask(ctx context.Context, q *question) error {
	for {
		p.mu.Lock()
		r := q.dialects[q.at]
		timeout := max(r.Timeout, min(q.interval/2, 5*time.Second))
		p.mu.Unlock()
		body, wait, err := p.c.get(ctx, r, timeout)

		p.mu.Lock()
		if unknownRoute(err, r) && q.at+1 < len(q.dialects) {
			q.at++
			p.mu.Unlock()
			continue
		}
		if err == nil {
			err = q.take(body)
		}
		if err != nil {
			err = fmt.Errorf("ask %s%s: %w", p.c.base, r.Path, err)
		}
		p.note(q, r, wait, err)
		p.mu.Unlock()
		return err
	}
}

// unknownRoute says that a server does not know a route, or, where the route
// has parameters, refuses those.
func unknownRoute(err error, r Route) bool {
	var s statusError
	if !errors.As(err, &s) {
		return false
	}
	switch s {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return true
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return len(r.Path) > 0 && slices.Contains([]byte(r.Path), '?')
	}
	return false
}

// note writes down how a question went and decides when it comes again; p.mu
// is held.
func (p *Poller) note(q *question, r Route, wait time.Duration, err error) {
	now, first := p.now(), q == p.questions[0]
	base := r.Interval
	if first {
		base = max(p.base, r.Interval)
		if r.Interval == q.dialects[0].Interval {
			base = p.base
		}
	}
	q.interval = max(q.interval, base)
	q.asked = true
	var s statusError
	switch {
	case unknownRoute(err, r):
		q.missing = true
		q.next = now
	case errors.As(err, &s) && (s == http.StatusUnauthorized || s == http.StatusForbidden):
		q.next = now.Add(max(authPause, q.interval))
	case errors.Is(err, syscall.ECONNREFUSED):
		// It stopped, and may come back as another release: all is open again.
		for _, o := range p.questions {
			o.missing, o.at, o.asked, o.fails, o.waits = false, 0, false, 0, nil
		}
		p.info, p.model, p.models = nil, ModelInfo{}, nil
		q.asked = true
		q.next = now.Add(q.interval)
	case first:
		q.waits = append(q.waits, wait)
		if n := len(q.waits); n > shrinkAfter {
			q.waits = q.waits[n-shrinkAfter:]
		}
		if d := nextInterval(base, q.interval, q.waits); d != q.interval {
			q.interval, q.waits = d, nil
		}
		q.next = now.Add(q.interval)
	default:
		// A question of a minute that fails, or takes 5 % of its minute, waits
		// longer each time.
		if q.fails++; err == nil && wait.Seconds() <= maxShare*q.interval.Seconds() {
			q.fails, q.interval = 0, base
		} else {
			q.interval = min(maxPause, base<<min(q.fails-1, 8))
		}
		q.next = now.Add(q.interval)
	}
	q.state = RouteState{Route: r, Last: now, Wait: wait, Interval: q.interval, Slowed: q.interval > base, Missing: q.missing}
	if err != nil {
		q.state.Err = err.Error()
	}
}

// Interval is how often Page should be called: the time between two questions
// for the load now in force.
func (p *Poller) Interval() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.questions[0].interval
}

// Info is what the server last said of its flags, for Question.Info; nil when
// it has not.
func (p *Poller) Info() *ServerInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.info
}

// Models are what the server last listed.
func (p *Poller) Models() []Model {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.models)
}

// Routes is how the questions go, one for each kind that was asked.
func (p *Poller) Routes() []RouteState {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []RouteState
	for _, q := range p.questions {
		if q.asked {
			out = append(out, q.state)
		}
	}
	return out
}

// Close lets go of the connection to the server.
func (p *Poller) Close() { p.c.http.CloseIdleConnections() }

// write puts all that is known on a page; p.mu is held.
func (p *Poller) write() []byte {
	var out page
	info := p.info
	if info == nil {
		info = &ServerInfo{}
	}
	field := func(name string) string { v, _ := info.Field(name); return v }
	served := firstOf(field("served_model_name"), p.model.ServedName)
	if served == "" && len(p.models) > 0 {
		served = p.models[0].ID
	}
	served = firstOf(served, field("model_path"), p.model.Path)
	model := pair{"model_name", label(served)}

	version, accelerator := info.Version, ""
	if p.loads != nil && !p.questions[0].missing {
		version, accelerator = firstOf(version, p.loads.Version), p.loads.Accelerator
		for _, r := range p.loads.Ranks {
			rank := pair{"dp_rank", strconv.Itoa(r.Rank)}
			for name, v := range r.Values {
				out.add(name, v, model, rank)
			}
			if _, ok := r.Values["kv_capacity_tokens"]; !ok && info.MaxTotal > 0 {
				out.add("kv_capacity_tokens", info.MaxTotal, model, rank)
			}
			if _, ok := r.Values["max_running_requests"]; !ok && info.MaxRunning > 0 {
				out.add("max_running_requests", info.MaxRunning, model, rank)
			}
		}
	}
	for name, gauge := range map[string]string{"page_size": "page_size_tokens", "context_length": "context_length_tokens"} {
		if v, err := strconv.ParseFloat(field(name), 64); err == nil && v > 0 {
			out.add(gauge, v, model)
		} else if name == "context_length" && len(p.models) > 0 && p.models[0].MaxLength > 0 {
			out.add(gauge, p.models[0].MaxLength, model)
		}
	}
	if info.Version != "" || p.model != (ModelInfo{}) || p.models != nil || version != "" {
		out.add("info", 1, model, pair{"version", version}, pair{"accelerator", accelerator}, pair{"weight_version", p.model.WeightVersion},
			pair{"tp", label(field("tp_size"))}, pair{"dp", label(field("dp_size"))}, pair{"pp", label(field("pp_size"))}, pair{"ep", label(field("ep_size"))},
			pair{"page_size", label(field("page_size"))}, pair{"kv_dtype", label(field("kv_cache_dtype"))},
			pair{"disaggregation", label(field("disaggregation_mode"))}, pair{"attention_backend", label(field("attention_backend"))})
	}
	out.add("poll_interval_seconds", p.questions[0].interval.Seconds())
	for _, q := range p.questions {
		if q.asked && !q.missing {
			out.add("poll_wait_seconds", q.state.Wait.Seconds(), pair{"route", q.state.Route.Reads})
		}
	}
	return out.bytes()
}

func firstOf(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}
