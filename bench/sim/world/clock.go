package world

import "time"

// event is something that happens at a time. Events are kept by whoever
// reschedules them (a rank's step) or are made once and dropped.
type event struct {
	at  time.Duration
	seq uint64 // ties are broken by who was scheduled first: histories repeat
	pos int    // place in the heap, -1 outside
	fn  func(now time.Duration)
}

// clock is a heap of events. It never goes back: an event for a time that has
// passed happens now.
type clock struct {
	now  time.Duration
	seq  uint64
	heap []*event
}

// at schedules fn once.
func (c *clock) at(t time.Duration, fn func(now time.Duration)) *event {
	e := &event{fn: fn, pos: -1}
	c.set(e, t)
	return e
}

func (c *clock) after(d time.Duration, fn func(now time.Duration)) *event {
	return c.at(c.now+d, fn)
}

// set schedules an event, or moves it when it is scheduled already.
func (c *clock) set(e *event, t time.Duration) {
	t = max(t, c.now)
	if e.pos >= 0 && e.at == t {
		return
	}
	c.seq++
	e.at, e.seq = t, c.seq
	if e.pos < 0 {
		e.pos = len(c.heap)
		c.heap = append(c.heap, e)
		c.up(e.pos)
		return
	}
	if !c.up(e.pos) {
		c.down(e.pos)
	}
}

// drop unschedules an event; it may be outside already.
func (c *clock) drop(e *event) {
	if e == nil || e.pos < 0 {
		return
	}
	c.remove(e.pos)
}

func (c *clock) remove(i int) {
	last := len(c.heap) - 1
	c.heap[i].pos = -1
	if i != last {
		c.heap[i] = c.heap[last]
		c.heap[i].pos = i
	}
	c.heap[last] = nil
	c.heap = c.heap[:last]
	if i != last && !c.up(i) {
		c.down(i)
	}
}

func (c *clock) next() (time.Duration, bool) {
	if len(c.heap) == 0 {
		return 0, false
	}
	return c.heap[0].at, true
}

// advance runs every event up to and at t, in order, and leaves the clock at t.
func (c *clock) advance(t time.Duration) {
	for len(c.heap) > 0 && c.heap[0].at <= t {
		e := c.heap[0]
		c.remove(0)
		c.now = e.at
		e.fn(e.at)
	}
	c.now = max(c.now, t)
}

func (c *clock) before(i, j int) bool {
	a, b := c.heap[i], c.heap[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

func (c *clock) swap(i, j int) {
	c.heap[i], c.heap[j] = c.heap[j], c.heap[i]
	c.heap[i].pos, c.heap[j].pos = i, j
}

func (c *clock) up(i int) (moved bool) {
	for i > 0 {
		parent := (i - 1) / 2
		if !c.before(i, parent) {
			break
		}
		c.swap(i, parent)
		i, moved = parent, true
	}
	return moved
}

func (c *clock) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(c.heap) {
			return
		}
		if child+1 < len(c.heap) && c.before(child+1, child) {
			child++
		}
		if !c.before(child, i) {
			return
		}
		c.swap(i, child)
		i = child
	}
}
