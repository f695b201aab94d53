package triage

import (
	"math"
	"time"

	"dynascope/sources"
)

// Promise is what users were promised; zero promises nothing.
type Promise struct {
	TTFT, ITL time.Duration
	// Objective is the share of requests that must keep it, 0…1; zero is
	// UsualObjective.
	Objective float64
}

// UsualObjective is the usual reading of a promise without a percentile.
const UsualObjective = 0.95

// Kept is the share of observations within a promised latency in one window,
// as far as the buckets tell. A promise between two edges gives a range.
type Kept struct {
	Key      string // "frontend.ttft", "frontend.itl"
	Promised time.Duration
	Lo, Hi   float64 // share, 0…1; NaN without a number
	N        float64 // observations: requests for TTFT, gaps between tokens for ITL
	Window   time.Duration
	Status   sources.Status
	Need     sources.Need
}

// Goodput is how much of the work kept the promise.
type Goodput struct {
	TTFT, ITL Kept
	// Requests is the rate of requests whose first token came in time, in
	// requests per second, as a range; NaN without a promise or a number.
	RequestsLo, RequestsHi float64
}

// The windows over which burning is judged: the long one says that it matters,
// the short one that it still goes on (Google's SRE workbook, chapter 5).
const (
	BurnShort = 5 * time.Minute
	BurnLong  = time.Hour
)

func keptNeed(key string, window time.Duration) sources.Need {
	return sources.Need{Key: key, Form: sources.FormBuckets, Window: window}
}

// GoodputNeeds are the figures that GoodputOf reads; a zero window is the
// frame's.
func GoodputNeeds(window time.Duration) []sources.Need {
	return []sources.Need{keptNeed("frontend.ttft", window), keptNeed("frontend.itl", window)}
}

// GoodputOf reads a snapshot whose tick asked GoodputNeeds. The histogram of
// ITL counts gaps and not requests, so that the shares of the two promises are
// not joined into one.
func GoodputOf(s *sources.Snapshot, p Promise, window time.Duration) Goodput {
	g := Goodput{
		TTFT: keptOf(s, "frontend.ttft", p.TTFT, window), ITL: keptOf(s, "frontend.itl", p.ITL, window),
		RequestsLo: math.NaN(), RequestsHi: math.NaN(),
	}
	if w := g.TTFT.Window.Seconds(); w > 0 {
		g.RequestsLo, g.RequestsHi = g.TTFT.Lo*g.TTFT.N/w, g.TTFT.Hi*g.TTFT.N/w
	}
	return g
}

func keptOf(s *sources.Snapshot, key string, promised, window time.Duration) Kept {
	n := keptNeed(key, window)
	f := s.Figure(n)
	k := Kept{Key: key, Promised: promised, Lo: math.NaN(), Hi: math.NaN(), Window: f.Window, Status: f.Status, Need: n}
	b, ok := f.Buckets()
	if !ok {
		return k
	}
	k.N = b.N
	if lo, hi, ok := b.Within(promised.Seconds()); ok && promised > 0 {
		k.Lo, k.Hi = lo, hi
	}
	return k
}

// Burn is how fast a promise's error budget is used up: the share that missed
// over the share that may. 1 uses it up exactly.
type Burn struct {
	Kept
	Objective float64
	Lo, Hi    float64 // NaN without a number
	// Part says that the store holds less than half of the window asked for:
	// a burn of five minutes is no burn of an hour.
	Part bool
}

// Burning is the burn of one promise over both windows.
type Burning struct{ Short, Long Burn }

// Surely says that the budget is used up faster than it may be, in both
// windows and whatever lies within the buckets. A long window that the store
// does not fill speaks for itself: then Short and Long are nearly one.
func (b Burning) Surely() bool { return b.Short.Lo > 1 && b.Long.Lo > 1 }

// BurnNeeds are the figures that BurnOf reads.
func BurnNeeds() []sources.Need {
	return append(GoodputNeeds(BurnShort), GoodputNeeds(BurnLong)...)
}

// BurnOf reads the burn of a promised TTFT and ITL from a snapshot whose tick
// asked BurnNeeds.
func BurnOf(s *sources.Snapshot, p Promise) (ttft, itl Burning) {
	over := func(key string, promised time.Duration) Burning {
		return Burning{burnOf(s, key, promised, p.Objective, BurnShort), burnOf(s, key, promised, p.Objective, BurnLong)}
	}
	return over("frontend.ttft", p.TTFT), over("frontend.itl", p.ITL)
}

func burnOf(s *sources.Snapshot, key string, promised time.Duration, objective float64, window time.Duration) Burn {
	if !(objective > 0 && objective < 1) {
		objective = UsualObjective
	}
	b := Burn{Kept: keptOf(s, key, promised, window), Objective: objective}
	b.Lo, b.Hi = (1-b.Kept.Hi)/(1-objective), (1-b.Kept.Lo)/(1-objective)
	b.Part = b.Window < window/2
	return b
}
