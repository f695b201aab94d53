package feed

import (
	"context"
	"errors"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"dynascope/sources"
)

// Events are found by asking the past, never by comparing with what an earlier
// tick saw: the console that was just opened, one that went back in time and a
// recording tell the same ones.

const (
	// eventLead is how much is asked before the span that is shown: a worker
	// is new when it was not there for so long.
	eventLead = presenceWindow
	// mostEventColumns bounds the work of the first question over a span; the
	// later ones ask for its newest columns only.
	mostEventColumns = 600
)

// The questions from which events are read, however many workers there are.
var (
	pastIdentity = sources.Need{Key: "worker.identity", Form: sources.FormNow, By: "instance,worker_hex,namespace,component"}
	pastUptime   = sources.Need{Key: "worker.uptime", Form: sources.FormNow, By: "instance"}
	pastListed   = sources.Need{Key: "router.registered", Form: sources.FormNow, By: "instance,worker_id,worker_type"}
	pastModels   = sources.Need{Key: "model.block_size", Form: sources.FormNow, By: "instance,model"}
	pastDecode   = sources.Need{Key: "planner.decode_replicas", Form: sources.FormNow, By: "instance"}
	pastPrefill  = sources.Need{Key: "planner.prefill_replicas", Form: sources.FormNow, By: "instance"}
	// pastUp is no metric of the catalogue: every store has it.
	pastUp = sources.Need{Key: "up"}

	pastNeeds = [...]sources.Need{pastUp, pastIdentity, pastUptime, pastListed, pastModels, pastDecode, pastPrefill}
)

// reading says when a new run of a series begins, besides after a gap.
type reading int

const (
	byPresence reading = iota // the value says nothing
	byValue
	byUptime // the value fell: another process
)

func readingOf(n sources.Need) reading {
	switch n {
	case pastUp, pastDecode, pastPrefill:
		return byValue
	case pastUptime:
		return byUptime
	}
	return byPresence
}

// stretch is a time during which a series was there and said the same; both
// ends are columns, in milliseconds.
type stretch struct {
	from, to int64
	v        float64 // of a byValue series; of a byUptime one the newest uptime, or less
	start    float64 // of a byUptime series: the earliest start of its process, in seconds
}

// line is one series as stretches, oldest first.
type line struct {
	labels sources.Labels
	runs   []stretch
}

// pastKey names one question about the past.
type pastKey struct {
	expr string
	step time.Duration
}

// pastRuns is the memo of a question: every column from first to last is in it.
type pastRuns struct {
	first, last int64
	lines       map[string]*line
	used        time.Time // by the clock
	hung        time.Time // by the clock
}

// happening is one look for events.
type happening struct {
	*tick
	from   int64 // of the span shown
	first  int64 // of what is asked
	last   int64
	step   int64
	scrape int64 // the longest interval
	lines  map[sources.Need][]*line
}

// events begins to look for events beside the other questions. The function
// returned waits for the answers and reads them.
func (t *tick) events(ctx context.Context) func() ([]sources.Event, string) {
	if t.Events <= 0 || t.have <= 0 {
		return func() ([]sources.Event, string) { return nil, "" }
	}
	h := &happening{tick: t, lines: map[sources.Need][]*line{}}
	var instances []string
	longest := time.Second
	for _, g := range t.targets {
		instances = append(instances, g.Instance)
		longest = max(longest, g.Interval)
	}
	slices.Sort(instances)
	// A young store is asked for what it has, in finer columns.
	const round = 10 * time.Minute
	span := min(t.Events+eventLead, (t.have/round+1)*round)
	step := max(longest, span/mostEventColumns).Truncate(time.Second)
	if step*mostEventColumns < span || step < longest {
		step += time.Second
	}
	h.step, h.scrape = step.Milliseconds(), longest.Milliseconds()
	h.last = t.At.UnixMilli() / h.step * h.step
	h.first = h.last - span.Milliseconds()/h.step*h.step
	h.from = t.At.Add(-t.Events).UnixMilli()

	var mu sync.Mutex
	var failed error
	var work sync.WaitGroup
	work.Go(func() {
		t.each(len(pastNeeds), func(i int) {
			n := pastNeeds[i]
			expr := upOf(instances)
			if n != pastUp {
				q, err := t.cat.Query(n, step, t.Scope)
				if err != nil {
					return // a catalogue without it has no such events
				}
				expr = q.Expr
			}
			lines, err := h.ask(ctx, expr, readingOf(n))
			mu.Lock()
			defer mu.Unlock()
			h.lines[n] = lines
			if err != nil && failed == nil {
				failed = err
			}
		})
	})
	return func() ([]sources.Event, string) {
		work.Wait()
		note := ""
		if failed != nil {
			note = "ask what happened: " + failure(failed, t.limit())
		}
		return h.read(), note
	}
}

// upOf asks for the health of the targets, of a server's thousands only those
// that are watched.
func upOf(instances []string) string {
	if len(instances) == 0 || len(instances) > 1000 {
		return "max by (instance) (up)"
	}
	quoted := make([]string, len(instances))
	for i, in := range instances {
		quoted[i] = regexp.QuoteMeta(in)
	}
	return "max by (instance) (up{instance=~" + strconv.Quote(strings.Join(quoted, "|")) + "})"
}

// ask returns a question's series as stretches. Only columns newer than the
// memo's are asked for, and those of the newest scrape again, which may have
// been under way.
func (h *happening) ask(ctx context.Context, expr string, as reading) ([]*line, error) {
	key := pastKey{expr, time.Duration(h.step) * time.Millisecond}
	h.Feed.mu.Lock()
	memo := h.past[key]
	h.Feed.mu.Unlock()
	from := h.first
	switch {
	case memo == nil || h.last < memo.last || h.first < memo.first || memo.last < h.first:
		memo = &pastRuns{lines: map[string]*line{}}
	case memo.last == h.last:
		memo.used = time.Now()
		return memo.copy(), nil
	default:
		again := (2*h.scrape + h.step - 1) / h.step * h.step
		from = max(h.first, memo.last-again)
	}
	memo.used = time.Now()
	if h.live && !memo.hung.IsZero() && memo.used.Sub(memo.hung) < h.rest() {
		return memo.copy(), context.DeadlineExceeded
	}
	h.count()
	asked, cancel := context.WithTimeout(ctx, h.limit())
	defer cancel()
	step := time.Duration(h.step) * time.Millisecond
	got, err := h.store.Range(asked, expr, sources.Span{From: time.UnixMilli(from), To: time.UnixMilli(h.last), Step: step})
	memo.hung = time.Time{}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		memo.hung = memo.used
	}
	if err == nil {
		memo.cut(h.first, from, h.step, h.scrape, as)
		for _, s := range got {
			memo.add(s, h.step, h.scrape, as)
		}
		memo.first, memo.last = h.first, h.last
	}
	h.Feed.mu.Lock()
	h.past[key] = memo
	h.Feed.mu.Unlock()
	return memo.copy(), err
}

// cut drops what is before first and from on.
func (m *pastRuns) cut(first, from, step, scrape int64, as reading) {
	for k, l := range m.lines {
		l.runs = slices.DeleteFunc(l.runs, func(r stretch) bool { return r.to < first || r.from >= from })
		for i := range l.runs {
			r := &l.runs[i]
			r.from = max(r.from, first)
			if r.to >= from {
				// What the uptime was there is not known any more; it was no less.
				if as == byUptime {
					r.v -= float64(r.to-from+step+2*scrape) / 1000
				}
				r.to = from - step
			}
		}
		if len(l.runs) == 0 {
			delete(m.lines, k)
		}
	}
}

// add appends the columns of a series to its stretches. Registrations at 0 are
// none.
func (m *pastRuns) add(s sources.Series, step, scrape int64, as reading) {
	key := s.Labels.Key()
	l := m.lines[key]
	if l == nil {
		l = &line{labels: s.Labels}
		m.lines[key] = l
	}
	for _, p := range s.Points {
		if math.IsNaN(p.V) {
			continue
		}
		n := len(l.runs)
		var last *stretch
		if n > 0 {
			last = &l.runs[n-1]
		}
		next := stretch{from: p.T, to: p.T, v: p.V, start: float64(p.T)/1000 - p.V}
		gap := last == nil || p.T-last.to > step
		same := last != nil
		if same {
			switch as {
			case byValue:
				same = last.v == p.V
			case byUptime:
				late := float64(2*(scrape+step))/1000 + 1
				same = p.V >= last.v && (!gap || next.start <= last.start+late)
			}
		}
		if gap || !same {
			l.runs = append(l.runs, next)
			if same && as == byUptime { // the same process after a gap
				l.runs[n].start = min(last.start, next.start)
			}
			continue
		}
		last.to, last.v, last.start = p.T, p.V, min(last.start, next.start)
	}
	if len(l.runs) == 0 {
		delete(m.lines, key)
	}
}

// copy hands the stretches out: the memo changes with the next tick.
func (m *pastRuns) copy() []*line {
	keys := make([]string, 0, len(m.lines))
	for k := range m.lines {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, strings.Compare)
	out := make([]*line, 0, len(keys))
	for _, k := range keys {
		l := m.lines[k]
		out = append(out, &line{labels: l.labels, runs: slices.Clone(l.runs)})
	}
	return out
}

// prunePast forgets memos that no recent tick used. The caller holds f.mu.
func (f *Feed) prunePast() {
	for k, m := range f.past {
		if time.Since(m.used) > time.Minute {
			delete(f.past, k)
		}
	}
}
