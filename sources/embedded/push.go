package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// feeding is the time of a store whose targets are fed by hand.
type feeding struct {
	newest  atomic.Int64 // milliseconds of the newest page, zero before the first
	samples atomic.Int64 // since full chunks were moved out of memory
}

// moveEvery is after how many samples they are: virtual hours pass in less than
// the minute in which maintain does it.
const moveEvery = 1 << 20

// Pushed is a target that is fed by hand.
type Pushed struct {
	s *Store
	t *target

	mu   sync.Mutex // one page at a time
	in   *intake
	last int64 // milliseconds
}

// Push lists a target whose pages come through Pushed.Page, at the times given
// there, instead of being scraped: simulations and tests in virtual time. Its
// series, the scrapes' reports on themselves and the target's status are those
// that scraping the same pages at these times gives, the zeros before a first
// burst and the stale markers of a failed scrape included. Nothing is ever
// fetched from the URL; it names the target.
//
// spec.Interval is the interval at which the pages will come: how long a sample
// counts follows from it. It is never lengthened.
//
// The time of such a store is that of its newest page; it may lie anywhere in
// the past or future of the clock on the wall. All targets of a store must
// advance together: a page more than some minutes behind the newest page of
// another target may be refused, one of more than two hours is. So a store that
// is fed scrapes nothing, and the other way round.
func (s *Store) Push(spec TargetSpec) (*Pushed, error) {
	if !s.enter(&s.appending) {
		return nil, errors.New("add target: the store is closed")
	}
	defer s.appending.Done()
	t, err := s.register(spec, true)
	if err != nil {
		return nil, err
	}
	return &Pushed{s: s, t: t, in: newIntake(s, t)}, nil
}

// Instance is the target's instance label.
func (p *Pushed) Instance() string { return p.t.instance }

// Page stores one scrape that got an answer: body, in the text format 0.0.4,
// after took. A page that a scrape would refuse (a limit, a line that cannot be
// read, an answer that took longer than the timeout) is a failed scrape, told by
// the target's status and no error here. An error says that the store did not
// take the samples: time went back, or the store is closed. The body is not
// kept.
func (p *Pushed) Page(at time.Time, body []byte, took time.Duration) error {
	if limit := scrapeTimeout(p.t.spec.Timeout, p.t.base); took > limit {
		return p.store(at, answer{err: context.DeadlineExceeded}, limit)
	}
	return p.store(at, p.t.whole(body, "text/plain; version=0.0.4"), took)
}

// Fail stores one scrape that failed with err: up is 0, every series of the
// target ends.
func (p *Pushed) Fail(at time.Time, err error) error {
	if err == nil {
		err = errors.New("the scrape failed")
	}
	took := time.Duration(0)
	if errors.Is(err, context.DeadlineExceeded) {
		took = scrapeTimeout(p.t.spec.Timeout, p.t.base)
	}
	return p.store(at, answer{err: err}, took)
}

func (p *Pushed) store(at time.Time, a answer, took time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ms := p.s, at.UnixMilli()
	if !s.enter(&s.appending) {
		return fmt.Errorf("feed %s: the store is closed", p.t.instance)
	}
	defer s.appending.Done()
	switch {
	case p.t.isRemoved():
		return fmt.Errorf("feed %s: the target was removed", p.t.instance)
	case ms <= p.last:
		return fmt.Errorf("feed %s: a page of %v after one of %v; hint: times of a target must rise by a millisecond or more",
			p.t.instance, at.UTC(), time.UnixMilli(p.last).UTC())
	}
	for newest := s.fed.newest.Load(); ms > newest && !s.fed.newest.CompareAndSwap(newest, ms); {
		newest = s.fed.newest.Load()
	}
	p.last = ms
	if err := p.in.scrape(s.ctx, ms, a, func() time.Duration { return took }); err != nil {
		return fmt.Errorf("feed %s: %w", p.t.instance, err)
	}
	if n := int64(len(p.in.before)); s.fed.samples.Add(n) >= moveEvery {
		s.fed.samples.Store(0)
		s.moveChunks(at)
	}
	return nil
}

func (t *target) isRemoved() bool {
	t.writing.Lock()
	defer t.writing.Unlock()
	return t.removed
}

// now is the present of the store: that of the pages where it is fed, else the
// clock's.
func (s *Store) now() time.Time {
	if ms := s.fed.newest.Load(); ms != 0 {
		return time.UnixMilli(ms)
	}
	return time.Now()
}

// since is when what is decided now begins to hold. A store that has not been
// fed yet does not know its present; for it everything holds since ever.
func (s *Store) since(fed bool) time.Time {
	if fed && s.fed.newest.Load() == 0 {
		return time.Time{}
	}
	return s.now()
}
