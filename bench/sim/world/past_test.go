package world

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"dynascope/bench/sim/scenario"
)

// span is a stretch of a scenario.
type span struct{ from, to time.Duration }

// lookEvery is how often the pages are looked at within a span.
const lookEvery = 10 * time.Second

// served is one request in the truth, from its arrival to its end.
type served struct {
	Status                  string
	Model                   string
	ISL, Tokens, Migrations int
	Stream                  bool
	Arrived, Ended, TTFT    float64
	Preprocessed            float64
	First                   float64 `json:"first_token"`
	Last                    float64 `json:"last_token"`
	Main, Prefill           *leg
}

// leg is one half of a request, or the whole of one that is not split.
type leg struct {
	Worker                             string
	Asked, Routed, Received, Scheduled float64
	Cached                             int `json:"cached_tokens"`
}

// itl is the mean time between the tokens of one request, in seconds.
func (r *served) itl() float64 { return (r.Last - r.First) / float64(r.Tokens-1) }

// binding is a resource and the stretch of time in which it bound.
type binding struct {
	what, who string
	from, to  float64
}

// past is what happened in one span of a run: in truth, and on the pages.
type past struct {
	sc      *scenario.Scenario
	seconds float64
	served  []*served // that arrived in it
	bound   []binding // cut to it
	looks   []look
}

// look is all pages at one moment, parsed when they are asked for.
type look struct {
	t      *testing.T
	bodies map[string][]byte
	pages  map[string]samples
}

func lookAt(t *testing.T, w *World) look {
	l := look{t, map[string][]byte{}, map[string]samples{}}
	for _, e := range w.Endpoints() {
		if p := w.Page(e.Name); p.State == PageOK {
			l.bodies[e.Name] = p.Body
		}
	}
	return l
}

// page is nil when there was none.
func (l look) page(name string) samples {
	if body, ok := l.bodies[name]; ok {
		l.pages[name] = parse(l.t, body)
		delete(l.bodies, name)
	}
	return l.pages[name]
}

// figure is a number of a span; NaN when there is nothing to take it of.
type figure func(p *past) float64

// book is a run of a scenario, by spans: before, during and after what it
// tells of.
type book struct{ before, during, after *past }

// fact says what must be true of a run, with room: from lo to hi.
type fact struct {
	what   string
	of     func(b *book) float64
	lo, hi float64
}

var inf = math.Inf(1)

func before(f figure) func(*book) float64 { return func(b *book) float64 { return f(b.before) } }
func during(f figure) func(*book) float64 { return func(b *book) float64 { return f(b.during) } }
func after(f figure) func(*book) float64  { return func(b *book) float64 { return f(b.after) } }

// grows is how many times as much it is during as before, adds how much more.
func grows(f figure) func(*book) float64 {
	return func(b *book) float64 { return f(b.during) / f(b.before) }
}
func adds(f figure) func(*book) float64 {
	return func(b *book) float64 { return f(b.during) - f(b.before) }
}

// settles is how many times as much it is after as before.
func settles(f figure) func(*book) float64 {
	return func(b *book) float64 { return f(b.after) / f(b.before) }
}

// over divides two figures of one span.
func over(a, b figure) figure { return func(p *past) float64 { return a(p) / b(p) } }

// some picks requests: nil is all.
type some func(r *served) bool

func on(worker string) some {
	return func(r *served) bool { return r.Main != nil && r.Main.Worker == worker }
}
func off(worker string) some {
	return func(r *served) bool { return r.Main != nil && r.Main.Worker != worker }
}
func asking(model string) some { return func(r *served) bool { return r.Model == model } }

// mean is the mean over those requests for which v is a number.
func mean(which some, v func(r *served) float64) figure {
	return func(p *past) float64 {
		sum, n := 0.0, 0.0
		for _, r := range p.served {
			if x := v(r); (which == nil || which(r)) && !math.IsNaN(x) {
				sum, n = sum+x, n+1
			}
		}
		return sum / n
	}
}

func timeToFirst(r *served) float64 {
	if r.Tokens == 0 {
		return math.NaN()
	}
	return r.TTFT
}

// ttft and itl are means in truth, in seconds.
func ttft(which some) figure { return mean(which, timeToFirst) }
func itl(which some) figure {
	return mean(which, func(r *served) float64 {
		if r.Tokens < 2 {
			return math.NaN()
		}
		return r.itl()
	})
}

// ttftQuantile is a quantile of TTFT in truth.
func ttftQuantile(which some, q float64) figure {
	return func(p *past) float64 {
		var all []float64
		for _, r := range p.served {
			if x := timeToFirst(r); (which == nil || which(r)) && !math.IsNaN(x) {
				all = append(all, x)
			}
		}
		if len(all) == 0 {
			return math.NaN()
		}
		slices.Sort(all)
		return all[min(int(q*float64(len(all))), len(all)-1)]
	}
}

// waited is the mean wait in the engines' queues, held the one before a worker
// was chosen.
func waited(which some) figure {
	return mean(which, func(r *served) float64 {
		m := r.Main
		if r.Prefill != nil {
			m = r.Prefill
		}
		if m == nil || m.Scheduled == 0 {
			return math.NaN()
		}
		return m.Scheduled - m.Received
	})
}

func held(r *served) float64 {
	m := r.Main
	if r.Prefill != nil {
		m = r.Prefill
	}
	if m == nil || m.Routed == 0 {
		return math.NaN()
	}
	return m.Routed - m.Asked
}

// is is 1 for those for which it holds, so that its mean is their share.
func is(f func(r *served) bool) func(r *served) float64 {
	return func(r *served) float64 {
		if f(r) {
			return 1
		}
		return 0
	}
}

// kept is the share of the requests for which the scenario's promise was kept;
// a failed one broke it, one whose client went away is not counted.
func kept(which some) figure {
	return func(p *past) float64 {
		sla := &p.sc.SLA
		return mean(which, func(r *served) float64 {
			switch {
			case r.Status == "cancelled":
				return math.NaN()
			case r.Status != "success", sla.TTFT > 0 && r.TTFT > sla.TTFT.Seconds(),
				sla.ITL > 0 && r.Tokens > 1 && r.itl() > sla.ITL.Seconds():
				return 0
			}
			return 1
		})(p)
	}
}

// ending is the share of the requests that ended so.
func ending(status string, which some) figure {
	return mean(which, is(func(r *served) bool { return r.Status == status }))
}

// arrivals are those requests per second.
func arrivals(which some) figure {
	return func(p *past) float64 {
		n := 0
		for _, r := range p.served {
			if which == nil || which(r) {
				n++
			}
		}
		return float64(n) / p.seconds
	}
}

// binds is the share of the span in which it bound; who "" is anyone.
func binds(what, who string) figure {
	return func(p *past) float64 {
		sum := 0.0
		for _, b := range p.bound {
			if b.what == what && (who == "" || b.who == who) {
				sum += b.to - b.from
			}
		}
		return sum / p.seconds
	}
}

// gauge is the mean over the looks at a page, peak the largest.
func gauge(page, name string, labels ...string) figure {
	return func(p *past) float64 {
		sum, n := 0.0, 0.0
		for _, l := range p.looks {
			if v := l.page(page).of(name, labels...); !math.IsNaN(v) {
				sum, n = sum+v, n+1
			}
		}
		return sum / n
	}
}

func peak(page, name string, labels ...string) figure {
	return func(p *past) float64 {
		top := math.NaN()
		for _, l := range p.looks {
			if v := l.page(page).of(name, labels...); !math.IsNaN(v) && !(v <= top) {
				top = v
			}
		}
		return top
	}
}

// rate is a counter's increase per second, from the first look to the last.
func rate(page, name string, labels ...string) figure {
	return func(p *past) float64 {
		first, last := p.looks[0].page(page), p.looks[len(p.looks)-1].page(page)
		s := stretch{map[string]samples{page: first}, map[string]samples{page: last}}
		return s.rise(page, name, labels...) / p.seconds
	}
}

// average is the mean of a page's histogram over the span.
func average(page, name string, labels ...string) figure {
	return over(rate(page, name+"_sum", labels...), rate(page, name+"_count", labels...))
}

// sumOf adds figures; one is a number.
func sumOf(fs ...figure) figure {
	return func(p *past) float64 {
		sum := 0.0
		for _, f := range fs {
			sum += f(p)
		}
		return sum
	}
}

func one(v float64) figure { return func(*past) float64 { return v } }

// beyond is the share of a histogram's observations above a bucket's edge, as
// the page writes it.
func beyond(page, name, le string) figure {
	within := over(rate(page, name+"_bucket", `le="`+le+`"`), rate(page, name+"_count"))
	return func(p *past) float64 { return 1 - within(p) }
}

// computed are the prompt tokens that were computed, per second; cachedShare is
// the share of all prompt tokens that were not.
func computed(p *past) float64 {
	n := 0
	for _, r := range p.served {
		if r.Main != nil {
			n += r.ISL - r.Main.Cached
		}
	}
	return float64(n) / p.seconds
}

func cachedShare(p *past) float64 {
	all := 0
	for _, r := range p.served {
		all += r.ISL
	}
	return 1 - computed(p)*p.seconds/float64(all)
}

// has is the share of the looks at which a page has a family.
func has(page, name string) figure {
	return func(p *past) float64 {
		n := 0
		for _, l := range p.looks {
			if l.page(page).has(name) {
				n++
			}
		}
		return float64(n) / float64(len(p.looks))
	}
}

// changes counts the looks at which a gauge is not what it was at the look
// before.
func changes(page, name string) figure {
	return func(p *past) float64 {
		n := 0.0
		for i := range p.looks[1:] {
			if p.looks[i].page(page).of(name) != p.looks[i+1].page(page).of(name) {
				n++
			}
		}
		return n
	}
}

// answers is the share of the looks at which the page was readable.
func answers(page string) figure {
	return func(p *past) float64 {
		n := 0
		for _, l := range p.looks {
			if l.page(page) != nil {
				n++
			}
		}
		return float64(n) / float64(len(p.looks))
	}
}

// read runs a scenario over its spans.
func read(t *testing.T, sc *scenario.Scenario, spans [3]span) *book {
	var log bytes.Buffer
	w := build(t, Config{Scenario: sc, Truth: &log})
	w.truth.brief = true
	b := &book{}
	into := []**past{&b.before, &b.during, &b.after}
	for i, s := range spans {
		if s.to == 0 {
			continue
		}
		p := &past{sc: sc, seconds: (s.to - s.from).Seconds()}
		*into[i] = p
		for at := s.from; ; at = min(at+lookEvery, s.to) {
			w.Advance(at)
			p.looks = append(p.looks, lookAt(t, w))
			if at == s.to {
				break
			}
		}
	}
	// Let what has arrived end.
	w.Advance(w.Now() + 40*time.Second)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	sort := &sorter{spans: spans, into: into}
	for line := range bytes.Lines(log.Bytes()) {
		sort.line(t, line)
	}
	sort.bind(binding{}, w.Now().Seconds())
	return b
}

// sorter puts the lines of a truth log into the spans.
type sorter struct {
	spans [3]span
	into  []**past
	now   binding
}

func (s *sorter) line(t *testing.T, line []byte) {
	var l struct {
		T          float64
		Request    *served
		Bound, Who string
		Event      string
	}
	if err := json.Unmarshal(line, &l); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	switch {
	case l.Request != nil:
		for i, p := range s.spans {
			if l.Request.Arrived >= p.from.Seconds() && l.Request.Arrived < p.to.Seconds() {
				(*s.into[i]).served = append((*s.into[i]).served, l.Request)
			}
		}
	case l.Bound != "":
		s.bind(binding{what: l.Bound, who: l.Who}, l.T)
	}
}

// bind closes what bound until now.
func (s *sorter) bind(next binding, at float64) {
	for i, p := range s.spans {
		from, to := max(s.now.from, p.from.Seconds()), min(at, p.to.Seconds())
		if from < to {
			(*s.into[i]).bound = append((*s.into[i]).bound, binding{s.now.what, s.now.who, from, to})
		}
	}
	s.now, s.now.from = next, at
}
