package triage

import (
	"fmt"
	"math"
	"time"

	"dynascope/sources"
	"dynascope/sources/stat"
)

// Comparing two windows: which numbers differ by more than they do from one
// window to the next anyway. Each kind of number has its test, named with the
// answer.

// Direction is what a comparison says of a number.
type Direction int

// The directions. A number of which neither end is good only Differs.
const (
	Unclear   Direction = iota // one side has no number, or too little for the test
	NoChange                   // within noise
	ForBetter                  // larger than noise, the good way
	ForWorse                   // larger than noise, the bad way
	Differs                    // larger than noise
)

// measure is how a number is compared.
type measure int

const (
	byCourse   measure = iota // a mean, rate or gauge: its course in sub-windows
	byCount                   // rare events
	byQuantile                // the bucket it lies in
	byShare                   // the share within the limit
)

// Compared is one number in both windows.
type Compared struct {
	ID, Title, Unit, Better string
	// Need is the question behind it, for both moments.
	Need sources.Need
	// Before and Now are the values; where they are known as ranges (a
	// quantile, a share), Lo and Hi differ.
	Before, Now Ranged
	Direction   Direction
	// Test says in words what was tested and with what result.
	Test string
	// P is the test's probability of such a difference without any change; NaN
	// where the test has none.
	P float64
}

// Ranged is a number, or the range it is known to lie in.
type Ranged struct {
	Status sources.Status
	Has    bool
	Lo, Hi float64
	Bounds sources.Bounds // of a quantile
	N      float64        // observations, where they are counted
}

// Exact says whether the number is known and not only a range.
func (r Ranged) Exact() bool { return r.Has && r.Lo == r.Hi }

// Ratio is now over before; ok is false where either is a range, and for a
// before of 0.
func (c Compared) Ratio() (float64, bool) {
	if !c.Before.Exact() || !c.Now.Exact() || c.Before.Lo == 0 {
		return 0, false
	}
	return c.Now.Lo / c.Before.Lo, true
}

// at returns the same standing with another value.
func (r Ranged) at(v float64) Ranged {
	r.Lo, r.Hi = v, v
	return r
}

// subWindows is into how many parts a window is cut for a test.
const subWindows = 20

// subStep is the length of one of them.
func subStep(window time.Duration) time.Duration {
	return max(window/subWindows, time.Second).Truncate(time.Second)
}

// headline is a number that a comparison looks at.
type headline struct {
	id, title string
	key       string
	form      sources.Form
	as        measure
	q         float64
	limit     func(ttft, itl time.Duration) time.Duration
	// instead is left out where the other one has a number.
	instead string
}

func ofTTFT(ttft, _ time.Duration) time.Duration { return ttft }
func ofITL(_, itl time.Duration) time.Duration   { return itl }

// headlines in the order of the table. Gauges are means over the window.
var headlines = []headline{
	{id: "ttft", title: "TTFT mean", key: "frontend.ttft", form: sources.FormMean},
	{id: "ttft.p95", title: "TTFT p95", key: "frontend.ttft", form: sources.FormBuckets, as: byQuantile, q: 0.95},
	{id: "ttft.sla", title: "TTFT in SLA", key: "frontend.ttft", form: sources.FormBuckets, as: byShare, limit: ofTTFT},
	{id: "itl", title: "ITL mean", key: "frontend.itl", form: sources.FormMean},
	{id: "itl.p99", title: "ITL p99", key: "frontend.itl", form: sources.FormBuckets, as: byQuantile, q: 0.99},
	{id: "itl.sla", title: "ITL in SLA", key: "frontend.itl", form: sources.FormBuckets, as: byShare, limit: ofITL},
	{id: "e2e", title: "E2E mean", key: "frontend.e2e", form: sources.FormMean},
	{id: "engine.ttft", title: "engine TTFT mean", key: "engine.ttft", form: sources.FormMean, instead: "ttft"},
	{id: "engine.ttft.p95", title: "engine TTFT p95", key: "engine.ttft", form: sources.FormBuckets, as: byQuantile, q: 0.95, instead: "ttft"},
	{id: "engine.itl", title: "engine ITL mean", key: "engine.itl", form: sources.FormMean, instead: "itl"},
	{id: "tokens", title: "output tok/s", key: "frontend.output_tokens", form: sources.FormRate},
	{id: "requests", title: "req/s", key: "requests.done", form: sources.FormRate},
	{id: "engine.tokens", title: "engine tok/s", key: "engine.decode_tokens", form: sources.FormRate, instead: "tokens"},
	{id: "inflight", title: "in the frontend", key: "frontend.active", form: sources.FormNow},
	{id: "running", title: "running", key: "engine.running", form: sources.FormNow},
	{id: "queue", title: "queue", key: "engine.waiting", form: sources.FormNow},
	{id: "kv", title: "KV used", key: "engine.kv_usage", form: sources.FormNow},
	{id: "hit", title: "prefix cache hits", key: "engine.hit_ratio", form: sources.FormExpr},
	{id: "errors", title: "failed", key: "requests.failed", form: sources.FormIncrease, as: byCount},
	{id: "rejected", title: "shed", key: "requests.rejected", form: sources.FormIncrease, as: byCount},
	{id: "preemptions", title: "preempted, retracted", key: "engine.preemptions", form: sources.FormIncrease, as: byCount},
	{id: "stage.preprocess", title: "· preprocess mean", key: "stage.preprocess", form: sources.FormMean},
	{id: "stage.route", title: "· route mean", key: "stage.route", form: sources.FormMean},
	{id: "stage.transport", title: "· transport mean", key: "stage.transport", form: sources.FormMean},
	{id: "stage.queue", title: "· engine queue mean", key: "engine.queue_time", form: sources.FormMean},
	{id: "stage.prefill", title: "· prefill mean", key: "engine.prefill_time", form: sources.FormMean},
	{id: "stage.decode", title: "· decode mean", key: "engine.decode_time", form: sources.FormMean},
}

func (h headline) need(window time.Duration) sources.Need {
	n := sources.Need{Key: h.key, Form: h.form}
	if h.form != sources.FormNow {
		n.Window = window
	}
	return n
}

func (h headline) course(window time.Duration) sources.Need {
	step := subStep(window)
	return sources.Need{Key: h.key, Form: h.form}.Over(step*(window/step), step)
}

// CompareNeeds are the instant questions of a comparison over a window, and
// the courses; both are asked at both moments.
func CompareNeeds(window time.Duration) (instant, courses []sources.Need) {
	for _, h := range headlines {
		instant = append(instant, h.need(window))
		if h.as == byCourse || h.as == byShare {
			courses = append(courses, h.course(window))
		}
	}
	return instant, courses
}

// Compare compares the window of a snapshot with that of its baseline. Numbers
// that neither has are left out. The level of all tests is that of one table:
// without any change, one in twenty tables says there is one.
func Compare(now *sources.Snapshot, ttft, itl time.Duration) []Compared {
	if now == nil || now.Baseline == nil {
		return nil
	}
	before := now.Baseline
	w := before.Window
	var out []Compared
	has := map[string]bool{}
	for _, h := range headlines {
		if has[h.instead] {
			continue
		}
		c := h.compare(now, before, w, ttft, itl)
		if !c.Before.Has && !c.Now.Has {
			continue
		}
		has[h.id] = true
		out = append(out, c)
	}
	return out
}

// ranksLevel is what the test by ranks must reach beside Welch's.
const ranksLevel = 0.05

// level is the probability below which a difference is called larger than
// noise: 5 % for the whole table, shared by its rows (Bonferroni).
func level() float64 { return 0.05 / float64(len(headlines)) }

func (h headline) compare(now, before *sources.Snapshot, w, ttft, itl time.Duration) Compared {
	n := h.need(w)
	a, b := now.Figure(n), before.Figure(n)
	c := Compared{ID: h.id, Title: h.title, Need: n, Unit: a.Unit, Better: a.Better, P: math.NaN()}
	limit := time.Duration(0)
	if h.limit != nil {
		limit = h.limit(ttft, itl)
	}
	c.Now, c.Before = h.ranged(a, limit), h.ranged(b, limit)
	if h.as == byShare {
		c.Unit, c.Better = "ratio", "higher"
	}
	switch {
	case !c.Now.Has || !c.Before.Has:
		c.Test = "only one window has a number"
		return c
	case c.Now.Status != sources.StatusOK:
		c.Test = "the number of now is old"
		return c
	}
	switch h.as {
	case byCourse:
		a, b := subSamples(now.Figure(h.course(w))), subSamples(before.Figure(h.course(w)))
		if h.form == sources.FormNow && len(a) > 0 && len(b) > 0 {
			// One look at a gauge is no window: the means of what is tested.
			c.Now, c.Before = c.Now.at(stat.Mean(a, 0.95).Value), c.Before.at(stat.Mean(b, 0.95).Value)
		}
		c.courses(a, b)
	case byCount:
		c.counts(a.Window, b.Window)
	case byQuantile:
		c.quantiles(a, b, h.q)
	case byShare:
		c.shares(shareSamples(now.Figure(h.course(w)), limit), shareSamples(before.Figure(h.course(w)), limit))
	}
	return c
}

// ranged reads a figure's value.
func (h headline) ranged(f *sources.Figure, limit time.Duration) Ranged {
	r := Ranged{Status: f.Status}
	switch h.as {
	case byQuantile, byShare:
		b, ok := f.Buckets()
		if !ok || b.N <= 0 {
			return r
		}
		r.N = b.N
		if h.as == byQuantile {
			r.Bounds, r.Has = b.Quantile(h.q)
			r.Lo, r.Hi = r.Bounds.Lo, r.Bounds.Hi
			return r
		}
		if limit > 0 {
			r.Lo, r.Hi, r.Has = b.Within(limit.Seconds())
		}
		return r
	}
	v, ok := f.Value()
	if f.Status == sources.StatusIdle && h.as == byCount {
		v, ok = 0, true // the family is there and counted nothing
		r.Status = sources.StatusOK
	}
	if ok && !math.IsNaN(v) {
		r.Has, r.Lo, r.Hi = true, v, v
	}
	return r
}

// decide turns a probability and the sign of the difference into a direction.
func (c *Compared) decide(p, diff float64) {
	c.P = p
	switch {
	case math.IsNaN(p):
		c.Direction = Unclear
	case p >= level():
		c.Direction = NoChange
	case c.Better == "lower" && diff < 0 || c.Better == "higher" && diff > 0:
		c.Direction = ForBetter
	case c.Better == "":
		c.Direction = Differs
	default:
		c.Direction = ForWorse
	}
}

// courses tests the sub-windows of a mean, a rate or a gauge.
func (c *Compared) courses(now, before []float64) {
	w := stat.WelchOfCourses(now, before)
	u := stat.MannWhitney(now, before)
	if math.IsNaN(w.P) || min(len(now), len(before)) < 4 {
		c.Test = fmt.Sprintf("too few sub-windows for Welch's t: %d and %d", len(before), len(now))
		c.Direction = Unclear
		return
	}
	c.Test = fmt.Sprintf("%s Welch's t, %s Mann-Whitney's U, of %d and %d sub-windows", probability(w.P), probability(u.P), len(before), len(now))
	c.decide(w.P, c.Now.Lo-c.Before.Lo)
	// One wild sub-window moves a mean: the ranks must agree, at a level that
	// few sub-windows can reach.
	if c.Direction > NoChange && !(u.P < ranksLevel) {
		c.Direction = NoChange
	}
}

// counts tests rare events.
func (c *Compared) counts(now, before time.Duration) {
	a, b := int(math.Round(c.Now.Lo)), int(math.Round(c.Before.Lo))
	if a == 0 && b == 0 {
		c.Direction, c.Test = NoChange, "none in either window"
		return
	}
	t := stat.PoissonRates(a, now.Seconds(), b, before.Seconds())
	c.Test = probability(t.P) + " two Poisson rates, exact"
	c.decide(t.P, c.Now.Lo-c.Before.Lo)
}

// quantiles calls a quantile changed only where the buckets are apart for all
// that the samples allow: those of the ranks within which the true quantile
// lies, with a bucket between them.
func (c *Compared) quantiles(now, before *sources.Figure, q float64) {
	a, b := c.Now.Bounds, c.Before.Bounds
	if !a.Enough || !b.Enough {
		c.Test = fmt.Sprintf("too few samples: p%g wants %.0f in each window", q*100, sources.LeastSamples(q))
		return
	}
	al, ah := rankBounds(now, q)
	bl, bh := rankBounds(before, q)
	c.Test = "buckets of the quantile's ranks overlap or touch"
	c.Direction = NoChange
	if al > bh || ah < bl {
		c.Test = "buckets of the quantile's ranks are apart"
		c.decide(0, al-bl)
		c.P = math.NaN()
	}
}

// rankBounds is the range of a quantile that chance leaves open: from the
// bucket of the lower to that of the upper rank at the table's level.
func rankBounds(f *sources.Figure, q float64) (lo, hi float64) {
	b, _ := f.Buckets()
	half := -stat.NormalQuantile(level()/2) * math.Sqrt(q*(1-q)/b.N)
	l, _ := b.Quantile(max(q-half, 0))
	h, _ := b.Quantile(min(q+half, 1))
	return l.Lo, h.Hi
}

// shares tests the share within the limit. Where the limit lies between two
// edges both shares are ranges, and only their nearest ends count.
func (c *Compared) shares(now, before []float64) {
	a, b := c.Now, c.Before
	c.Test, c.Direction = "the ranges of the shares overlap", NoChange
	var pa, pb float64
	switch {
	case a.Lo > b.Hi:
		pa, pb = a.Lo, b.Hi
	case a.Hi < b.Lo:
		pa, pb = a.Hi, b.Lo
	default:
		return
	}
	t := stat.Proportions(pa*a.N, a.N, pb*b.N, b.N)
	// Requests of one burst are slow together: the sub-windows must differ too.
	w := stat.WelchOfCourses(now, before)
	if math.IsNaN(t.P) || math.IsNaN(w.P) {
		c.Direction, c.Test = Unclear, "two proportions: too few samples"
		return
	}
	p := max(t.P, w.P)
	c.Test = probability(p) + " two proportions at their nearest bounds, and Welch's t of the sub-windows"
	c.decide(p, pa-pb)
}

// subSamples are the values of a course whose look-backs do not overlap.
func subSamples(f *sources.Figure) []float64 {
	if f == nil || len(f.Series) == 0 || f.Need.Step <= 0 {
		return nil
	}
	stride := int64(1)
	if f.Window > f.Need.Step {
		stride = int64((f.Window + f.Need.Step - 1) / f.Need.Step)
	}
	var out []float64
	points := f.Series[0].Points
	last := int64(math.MaxInt64)
	for i := len(points) - 1; i >= 0; i-- {
		p := points[i]
		if last != math.MaxInt64 && last-p.T < stride*f.Need.Step.Milliseconds() || math.IsNaN(p.V) {
			continue
		}
		out, last = append(out, p.V), p.T
	}
	return reversed(out)
}

// shareSamples are the shares within a limit of a histogram's course, in the
// middle of what is known of each.
func shareSamples(f *sources.Figure, limit time.Duration) []float64 {
	if f == nil || len(f.Series) == 0 || f.Need.Step <= 0 || limit <= 0 {
		return nil
	}
	stride := max(int64(1), int64((f.Window+f.Need.Step-1)/f.Need.Step))
	at := map[int64][]sources.Series{}
	var newest int64
	for _, s := range f.Series {
		for _, p := range s.Points {
			at[p.T] = append(at[p.T], sources.Series{Labels: s.Labels, Points: []sources.Point{p}})
			newest = max(newest, p.T)
		}
	}
	var out []float64
	step := f.Need.Step.Milliseconds() * stride
	for t := newest; t > newest-f.Need.Span.Milliseconds(); t -= step {
		b, ok := sources.BucketsOf(at[t])
		if !ok {
			continue
		}
		if lo, hi, ok := b.Within(limit.Seconds()); ok {
			out = append(out, (lo+hi)/2)
		}
	}
	return reversed(out)
}

func reversed(xs []float64) []float64 {
	for i, j := 0, len(xs)-1; i < j; i, j = i+1, j-1 {
		xs[i], xs[j] = xs[j], xs[i]
	}
	return xs
}

func probability(p float64) string {
	switch {
	case math.IsNaN(p):
		return "no answer"
	case p < 0.0001:
		return "p < 0.0001"
	default:
		return fmt.Sprintf("p = %.2g", p)
	}
}
