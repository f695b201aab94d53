package engine

import "time"

// GPU is what a GPU monitor shows of each GPU of the engine: shares between 0
// and 1, power in watts.
type GPU struct {
	SM     float64 // time with a kernel running
	Tensor float64 // of the tensor cores' peak
	Memory float64 // of the memory bandwidth's peak
	Watts  float64
}

const (
	slot  = 50 * time.Millisecond
	slots = 20 // one second
)

// window keeps the last second of GPU activity in slots. Each slot holds sums
// of activity × seconds; watts above idle.
type window struct {
	idleWatts float64
	ring      [slots + 1]GPU
	last      int64 // number of the newest slot in the ring
}

// roll makes slot n the newest, emptying those in between.
func (w *window) roll(n int64) {
	if n-w.last > slots {
		w.ring = [slots + 1]GPU{}
	} else {
		for i := w.last + 1; i <= n; i++ {
			w.ring[i%(slots+1)] = GPU{}
		}
	}
	w.last = max(w.last, n)
}

// add books activity g between two times.
func (w *window) add(from, to time.Duration, g GPU) {
	if to <= from {
		return
	}
	w.roll(int64(to / slot))
	w.sum(from, to, g, func(n int64, part GPU) {
		s := &w.ring[n%(slots+1)]
		s.SM += part.SM
		s.Tensor += part.Tensor
		s.Memory += part.Memory
		s.Watts += part.Watts
	})
}

// sum cuts activity into the ring's slots.
func (w *window) sum(from, to time.Duration, g GPU, put func(n int64, part GPU)) {
	from = max(from, time.Duration(w.last-slots)*slot)
	for n := int64(from / slot); from < to; n++ {
		end := min(to, time.Duration(n+1)*slot)
		s := (end - from).Seconds()
		put(n, GPU{SM: g.SM * s, Tensor: g.Tensor * s, Memory: g.Memory * s, Watts: (g.Watts - w.idleWatts) * s})
		from = end
	}
}

// GPU returns the mean over the last second (aligned to 50 ms), the step under
// way included.
func (e *Engine) GPU(now time.Duration) GPU {
	e.see(now)
	w := e.gpu // a copy: asking changes nothing
	if e.doing > waking {
		w.add(e.from, min(now, e.busyTo), e.p.activity(e.work, e.busyTo-e.from))
	}
	w.roll(int64(now / slot))
	var g GPU
	first, seconds := w.last-slots, float64(slots)*slot.Seconds()
	for n := max(0, first); n < w.last; n++ {
		s := w.ring[n%(slots+1)]
		g.SM += s.SM
		g.Tensor += s.Tensor
		g.Memory += s.Memory
		g.Watts += s.Watts
	}
	// The slots' sums may be over a second by rounding.
	return GPU{SM: min(1, g.SM/seconds), Tensor: min(1, g.Tensor/seconds), Memory: min(1, g.Memory/seconds), Watts: w.idleWatts + g.Watts/seconds}
}
