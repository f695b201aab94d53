//go:build linux && cgo

package gpu

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// worker is one GPU and the goroutine that asks it. All fields but asks are
// the sampler's, guarded by its paging lock.
type worker struct {
	s    *Sampler
	asks chan ask // never blocks: one is under way at a time
	wait chan reading

	asked   time.Time // when the one under way was asked
	overdue bool      // it was not answered in the page that asked
	latest  reading

	device *device // the goroutine's
}

type ask struct {
	at    time.Time
	reply chan<- reading // has room for it
}

// reading is what a GPU answered.
type reading struct {
	at      time.Time // when it was asked
	labels  string
	samples []sample
	state   GPUState
}

func newWorker(s *Sampler, index int, driver string, wg *sync.WaitGroup) *worker {
	w := &worker{s: s, asks: make(chan ask, 1), device: newDevice(s, index, driver, wg)}
	w.latest = reading{labels: anonymous(index, s.o.Hostname, driver), state: GPUState{
		Index: index, Code: Starting, Why: "the GPU has not answered yet", Hint: "compare with nvidia-smi",
	}}
	return w
}

// run answers until ctx ends.
func (w *worker) run(ctx context.Context) {
	defer w.device.release()
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-w.asks:
			a.reply <- w.device.read(ctx, a.at)
			if w.s.seam.answered != nil {
				w.s.seam.answered(w.device.index)
			}
		}
	}
}

// request asks the GPU, unless it still owes an answer.
func (w *worker) request(at time.Time) {
	if w.wait != nil {
		w.glance(at)
	}
	if w.wait != nil {
		return
	}
	w.wait = make(chan reading, 1)
	w.asked, w.overdue = at, false
	w.asks <- ask{at, w.wait}
}

// await waits for the answer of this round and says whether time is over.
func (w *worker) await(ctx context.Context, budget <-chan time.Time, began time.Time) (late bool) {
	for w.wait != nil {
		select {
		case r := <-w.wait:
			if w.take(r, began) {
				continue // an old answer, and a new question
			}
			return false
		case <-budget:
			late = true
		case <-ctx.Done():
			late = true
		}
		if late {
			w.glance(began)
			return true
		}
	}
	return false
}

// glance takes the answer if it is there.
func (w *worker) glance(began time.Time) {
	if w.wait == nil {
		return
	}
	select {
	case r := <-w.wait:
		w.take(r, began)
	default:
		w.overdue = true
	}
}

// take keeps an answer. One that was asked for a former page holds the values
// of then: the GPU is asked again, which take reports.
func (w *worker) take(r reading, began time.Time) (again bool) {
	w.wait, w.overdue = nil, false
	if r.at.Before(began) {
		w.request(began)
		return true
	}
	w.latest = r
	return false
}

// reading is the GPU's part of this page.
func (w *worker) reading(now time.Time) reading {
	r := w.latest
	if !w.overdue {
		return r
	}
	r.samples = nil
	r.state.Code = NotAnswering
	r.state.Why = fmt.Sprintf("a call into the driver has not returned for %s", now.Sub(w.asked).Round(100*time.Millisecond))
	r.state.Hint = "compare with nvidia-smi, and look for NVRM and XID in the kernel log"
	return r
}
