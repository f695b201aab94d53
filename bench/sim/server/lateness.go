package server

import (
	"math"
	"sync/atomic"
	"time"
)

// lateness counts how late tokens were written, in buckets that grow by 5 %
// from 1 µs to beyond a minute. Its counters may be used from many goroutines.
type lateness struct {
	buckets [400]atomic.Uint64
	worst   atomic.Int64
}

const latenessGrowth = 1.05

var logGrowth = math.Log(latenessGrowth)

func (l *lateness) add(d time.Duration) {
	i := 0
	if us := float64(d) / 1e3; us > 1 {
		i = min(1+int(math.Log(us)/logGrowth), len(l.buckets)-1)
	}
	l.buckets[i].Add(1)
	for {
		w := l.worst.Load()
		if int64(d) <= w || l.worst.CompareAndSwap(w, int64(d)) {
			return
		}
	}
}

// Lateness is the server's own delay: from the time at which a token was due
// to the reading of the clock just before it was written. Quantiles are upper
// bounds, at most 5 % above the true value.
type Lateness struct {
	Tokens          uint64
	P50, P99, Worst time.Duration
}

func (l *lateness) read() Lateness {
	var counts [len(l.buckets)]uint64
	out := Lateness{Worst: time.Duration(l.worst.Load())}
	for i := range counts {
		counts[i] = l.buckets[i].Load()
		out.Tokens += counts[i]
	}
	quantile := func(q float64) time.Duration {
		rank, cum := uint64(math.Ceil(q*float64(out.Tokens))), uint64(0)
		for i, n := range counts {
			if cum += n; cum >= rank && n > 0 {
				return min(time.Duration(math.Pow(latenessGrowth, float64(i))*1e3), out.Worst)
			}
		}
		return 0
	}
	out.P50, out.P99 = quantile(0.5), quantile(0.99)
	return out
}
