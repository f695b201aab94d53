package world

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	"dynascope/bench/sim/scenario"
)

// segmentLoad is one segment of the load in one round of the scenario.
type segmentLoad struct {
	w      *World
	s      *scenario.Segment
	offset time.Duration // of this round
	draw   *scenario.Requests
	rand   *rand.Rand // of what is asked
	pauses *rand.Rand // of think times

	arrivals *scenario.Arrivals
	users    int // of a closed loop, now
}

// user is one client of a closed loop.
type user struct {
	l *segmentLoad
}

const (
	// watchUsers is how often a closed loop follows its number of users.
	watchUsers = 250 * time.Millisecond
	// userSpacing keeps new users of a closed loop from starting at one
	// instant, which no client does.
	userSpacing = 2 * time.Millisecond
	// failurePause is what a client takes to see a failure and ask again.
	failurePause = 5 * time.Millisecond
)

// startLoad begins one round of the load.
func (w *World) startLoad(round int, offset time.Duration) {
	for i := range w.sc.Load {
		stream := uint64(round)<<32 | uint64(i)<<8
		l := &segmentLoad{
			w: w, s: &w.sc.Load[i], offset: offset, draw: w.sc.Requests(i),
			rand: w.stream(streamLoad | stream), pauses: w.stream(streamThink | stream),
		}
		if l.s.Kind == "closed" {
			w.clock.at(offset+l.s.From, l.follow)
		} else {
			l.arrivals = l.s.Arrivals(w.stream(streamArrivals | stream))
			l.next()
		}
	}
}

// next schedules an open loop's next arrival.
func (l *segmentLoad) next() {
	if at, ok := l.arrivals.Next(); ok {
		l.w.clock.at(l.offset+at, func(time.Duration) {
			l.ask(nil)
			l.next()
		})
	}
}

// follow brings a closed loop to its number of users.
func (l *segmentLoad) follow(now time.Duration) {
	t := now - l.offset
	if !l.s.Active(t) {
		return
	}
	want := l.s.UsersAt(t)
	for i := 0; l.users < want; i++ {
		l.users++
		u := &user{l}
		l.w.clock.after(time.Duration(i)*userSpacing, u.ask)
	}
	l.w.clock.after(watchUsers, l.follow)
}

// ask sends the user's next request, or ends the user.
func (u *user) ask(now time.Duration) {
	l := u.l
	t := now - l.offset
	if !l.s.Active(t) || l.users > l.s.UsersAt(t) {
		l.users--
		return
	}
	l.ask(u)
}

// done is the end of a user's request.
func (u *user) done(r *request) {
	pause := u.l.s.ThinkTime(u.l.pauses)
	if r.outcome != "" {
		pause = max(pause, failurePause)
	}
	u.l.w.clock.after(pause, u.ask)
}

// ask draws a request and sends it to the next frontend.
func (l *segmentLoad) ask(u *user) {
	w := l.w
	q := l.draw.Draw(l.rand)
	m := w.modelNamed(q.Model)
	if m == nil {
		return // a scenario is checked; no pool is left out
	}
	r := &request{
		m: m, endpoint: "chat_completions", stream: q.Stream, isl: q.ISL, osl: max(q.OSL, 1), user: u,
		cancelAfter: q.CancelAfter,
	}
	if r.cancelAfter >= r.osl {
		r.cancelAfter = -1
	}
	w.turn++
	r.f = w.frontends[w.turn%len(w.frontends)]
	if share := r.f.fault.cancel.share; share > 0 && r.cancelAfter < 0 && r.f.fault.cancel.of(m) && w.faultRand.Float64() < share {
		r.cancelAfter = w.faultRand.IntN(r.osl)
	}
	r.prefix, r.shared = w.prefixOf(&q, m.page)
	w.arrive(r)
	if r.cancelAfter == 0 {
		// Before the first token: while it waits for it.
		w.clock.after(time.Duration(w.faultRand.Int64N(int64(earlyCancel))), func(time.Duration) {
			if !r.over {
				w.cancel(r)
			}
		})
	}
}

// earlyCancel is within how long a client that goes away before the first
// token does so.
const earlyCancel = 50 * time.Millisecond

// prefixOf hashes the full pages of a prompt: those of a shared prefix alike in
// all requests that have it, the rest its own.
func (w *World) prefixOf(q *scenario.Request, page int) (out []uint64, shared int) {
	n := q.ISL / page
	out = make([]uint64, n)
	i := 0
	if q.Group >= 0 {
		h := fnv.New64a()
		h.Write([]byte(q.PrefixSet)) // a hash takes everything
		seed := h.Sum64() ^ mix(uint64(q.Group)+1)
		for ; i < q.PrefixTokens/page; i++ {
			out[i] = mix(seed + uint64(i)*0x9e3779b97f4a7c15)
		}
	}
	shared = i
	w.prompts++
	own := mix(w.prompts ^ 0xa5a5a5a5a5a5a5a5)
	for ; i < n; i++ {
		out[i] = mix(own + uint64(i)*0x9e3779b97f4a7c15)
	}
	return out, shared
}

// mix spreads a number over 64 bits (the finaliser of splitmix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
