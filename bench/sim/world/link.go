package world

import "time"

// link is a prefill rank's way out for KV caches: one transfer after the
// other, the pages held meanwhile.
type link struct {
	queue []*attempt // the first is under way
	begun time.Duration
	slow  float64 // what faults make of the time of the one under way
	done  event   // its end
}

// waiting is how many requests the link keeps longer than their own transfer
// takes: those behind another, and under a fault the one under way.
func (l *link) waiting(slow float64) int {
	n := len(l.queue)
	if n > 0 && slow <= 1 {
		n--
	}
	return n
}

// send takes a prompt's KV cache to where it is decoded.
func (r *rank) send(a *attempt) {
	l := &r.link
	if l.queue = append(l.queue, a); len(l.queue) == 1 {
		r.sendNext(r.w.clock.now)
	}
}

func (r *rank) sendNext(now time.Duration) {
	l, p := &r.link, r.engine.Params()
	l.begun, l.slow = now, max(r.worker.fault.transfer, 1e-3)
	took := float64(p.TransferTime(l.queue[0].isl)) * l.slow
	r.w.clock.set(&l.done, now+time.Duration(took))
}

// relink lets a change of the fault meet what is left of the transfer under
// way; those behind it take the time that holds when they begin.
func (r *rank) relink() {
	l, slow := &r.link, max(r.worker.fault.transfer, 1e-3)
	if len(l.queue) == 0 || slow == l.slow {
		return
	}
	now := r.w.clock.now
	left := float64(l.done.at-now) * slow / l.slow
	l.slow = slow
	r.w.clock.set(&l.done, now+time.Duration(left))
}

// sent ends the transfer under way.
func (r *rank) sent(now time.Duration) {
	l := &r.link
	a := l.queue[0]
	copy(l.queue, l.queue[1:])
	l.queue[len(l.queue)-1] = nil
	l.queue = l.queue[:len(l.queue)-1]
	if r.worker.dead || r.id != r.worker.id {
		l.queue = nil // the process is gone, and its KV with it
		return
	}
	r.engine.Release(now, a.id)
	r.w.rearm(r)
	r.worker.book.transferred(r, a, l.begun-a.out, now-a.out)
	r.w.transferred(a.r)
	if len(l.queue) > 0 {
		r.sendNext(now)
	}
}
