package scenario

import (
	"math"
	"math/rand/v2"
	"sort"
	"time"
)

// Active reports whether requests of the segment start at a time of the
// scenario: From ≤ t < To.
func (s *Segment) Active(t time.Duration) bool { return s.From <= t && t < s.To }

// RateAt returns the expected arrivals per second at a time of the scenario; 0
// outside the segment and for a closed loop.
func (s *Segment) RateAt(t time.Duration) float64 {
	if s.Rate == nil || !s.Active(t) {
		return 0
	}
	return s.Rate.At(t-s.From, s.To-s.From)
}

// UsersAt returns the number of users at a time of the scenario, rounded to
// the nearest; 0 outside the segment and for an open loop.
func (s *Segment) UsersAt(t time.Duration) int {
	if s.Concurrency == nil || !s.Active(t) {
		return 0
	}
	return int(math.Round(s.Concurrency.At(t-s.From, s.To-s.From)))
}

// ThinkTime draws one pause of a user of a closed loop, exponentially
// distributed around Think.
func (s *Segment) ThinkTime(rng *rand.Rand) time.Duration {
	if s.Think <= 0 {
		return 0
	}
	return time.Duration(rng.ExpFloat64() * float64(s.Think))
}

// Arrivals are the arrival times of an open segment, ascending.
type Arrivals struct {
	s    *Segment
	rng  *rand.Rand
	last time.Duration // of the arrival before, since the segment's start
	area float64       // under the rate up to the next arrival
}

// Arrivals starts the arrival process. Equal generators give equal times. The
// generator must not be used for anything else meanwhile, or the times depend
// on how the two interleave.
func (s *Segment) Arrivals(rng *rand.Rand) *Arrivals { return &Arrivals{s: s, rng: rng} }

// Next returns the next arrival as a time of the scenario; ok is false after
// the last.
//
// Gaps with mean 1 are drawn in operational time, in which the rate is 1, and
// carried back through the area under the rate. This holds for every process
// and every shape: a Poisson process so becomes the same time-varying Poisson
// process that thinning gives, and constant and gamma gaps keep their evenness
// under a varying rate, which thinning would destroy.
func (a *Arrivals) Next() (at time.Duration, ok bool) {
	if a.s.Rate == nil {
		return 0, false
	}
	length := a.s.To - a.s.From
	a.area += a.gap()
	if !(a.s.Rate.Area(length, length) > a.area) {
		return 0, false
	}
	a.last = a.s.Rate.reach(a.area, a.last, length)
	return a.s.From + a.last, true
}

// gap draws one gap with mean 1.
func (a *Arrivals) gap() float64 {
	switch a.s.Arrival.Process {
	case "constant":
		return 1
	case "gamma":
		k := 1 / (a.s.Arrival.CV * a.s.Arrival.CV)
		return gamma(a.rng, k) / k
	default:
		return a.rng.ExpFloat64()
	}
}

// reach returns the first time, from a given one on and within the length, at
// which the area under the shape reaches a value that it does reach. It ends
// at the clock's resolution, 1 ns.
func (s *Shape) reach(area float64, from, length time.Duration) time.Duration {
	// Widen from where the last one was: the next is near.
	step := time.Duration(1e9 / (s.Max() + 1e-9))
	hi := from
	for hi < length && s.Area(hi, length) < area {
		hi, step = min(hi+step, length), min(2*step, length)
	}
	return from + time.Duration(sort.Search(int(hi-from), func(i int) bool {
		return s.Area(from+time.Duration(i), length) >= area
	}))
}

// gamma draws from the gamma distribution with shape k and scale 1 by
// Marsaglia and Tsang's method (2000), with their boost below 1.
func gamma(rng *rand.Rand, k float64) float64 {
	if k < 1 {
		return gamma(rng, k+1) * math.Pow(rng.Float64(), 1/k)
	}
	d := k - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := rng.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-rng.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// Request is what one client asks.
type Request struct {
	ISL, OSL int // tokens
	// Group is the number of its shared prefix, -1 without one; prefixes are
	// the same where PrefixSet and Group are. PrefixTokens ≤ ISL.
	PrefixSet    string
	Group        int
	PrefixTokens int
	Stream       bool
	// CancelAfter is after how many output tokens the client goes away; -1 when
	// it stays. It may be beyond OSL: then it stays too.
	CancelAfter int
	Model       string
}

// Requests draws what the clients of a segment ask.
type Requests struct {
	s      *Segment
	models []string
	zipf   []float64 // cumulative weights of the prefix groups; nil when even
}

// Requests prepares drawing from a segment of the scenario.
func (s *Scenario) Requests(segment int) *Requests {
	r := &Requests{s: &s.Load[segment], models: s.Deployment.Models}
	if r.s.Model != "" {
		r.models = []string{r.s.Model}
	}
	if p := r.s.Prefix; p.Share > 0 && p.Skew > 0 {
		r.zipf = make([]float64, p.Groups)
		sum := 0.0
		for i := range r.zipf {
			sum += math.Pow(float64(i+1), -p.Skew)
			r.zipf[i] = sum
		}
	}
	return r
}

// Draw draws one request. Equal generators give equal requests.
func (r *Requests) Draw(rng *rand.Rand) Request {
	s := r.s
	q := Request{ISL: s.ISL.Sample(rng), OSL: s.OSL.Sample(rng), Group: -1, CancelAfter: -1}
	if s.Prefix.Share > 0 && rng.Float64() < s.Prefix.Share {
		q.PrefixSet, q.Group = s.Prefix.Set, r.group(rng)
		q.PrefixTokens = min(s.Prefix.Tokens, q.ISL)
	}
	q.Stream = rng.Float64() < s.Stream
	if s.Cancel.Share > 0 && rng.Float64() < s.Cancel.Share {
		q.CancelAfter = s.Cancel.After.Sample(rng)
	}
	q.Model = r.models[0]
	if len(r.models) > 1 {
		q.Model = r.models[rng.IntN(len(r.models))]
	}
	return q
}

func (r *Requests) group(rng *rand.Rand) int {
	if r.zipf == nil {
		return rng.IntN(r.s.Prefix.Groups)
	}
	u := rng.Float64() * r.zipf[len(r.zipf)-1]
	return min(sort.SearchFloat64s(r.zipf, u), len(r.zipf)-1)
}
