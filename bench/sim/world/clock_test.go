package world

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Events happen in the order of their times, those of one time in the order in
// which they were scheduled, whatever was moved or dropped before.
func TestClockOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var c clock
		type seen struct {
			at  time.Duration
			seq uint64
		}
		var got []seen
		var es []*event
		for range 60 {
			var e *event
			e = c.at(time.Duration(r.IntN(20)), func(now time.Duration) {
				if now != e.at || c.now != now {
					t.Fatalf("at %v for an event of %v (clock %v)", now, e.at, c.now)
				}
				got = append(got, seen{now, e.seq})
			})
			es = append(es, e)
		}
		for range 40 {
			c.set(es[r.IntN(60)], time.Duration(r.IntN(20)))
		}
		want := len(es)
		for range 15 {
			e := es[r.IntN(60)]
			if e.pos >= 0 {
				want--
			}
			c.drop(e)
		}
		c.advance(7)
		if at, ok := c.next(); ok && at <= 7 {
			t.Fatal("an event of the past is left")
		}
		c.advance(30)
		sorted := slices.IsSortedFunc(got, func(a, b seen) int {
			if a.at != b.at {
				return int(a.at - b.at)
			}
			return int(a.seq) - int(b.seq)
		})
		if !sorted || len(got) != want || c.now != 30 || len(c.heap) != 0 {
			t.Fatalf("sorted %v, %d of %d, now %v", sorted, len(got), want, c.now)
		}
	}
}

// An event may schedule others, also for its own time or the past.
func TestClockFromInside(t *testing.T) {
	var c clock
	var got []time.Duration
	c.at(5, func(now time.Duration) {
		c.at(5, func(now time.Duration) { got = append(got, now) })
		c.at(1, func(now time.Duration) { got = append(got, now) })
		c.after(2, func(now time.Duration) { got = append(got, now) })
	})
	c.advance(10)
	if !slices.Equal(got, []time.Duration{5, 5, 7}) {
		t.Errorf("%v", got)
	}
}
