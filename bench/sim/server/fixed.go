package server

import (
	"container/heap"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// FixedOptions are a constant schedule: a request's token k is due TTFT + k·ITL
// after its body was read.
type FixedOptions struct {
	TTFT, ITL time.Duration
	Model     string // what /v1/models lists; any model is answered
	Addr      string // as Options.Frontend
}

// FixedRecord is what was sent in answer to one request. Only streamed answers
// have stamps.
type FixedRecord struct {
	ID string
	// Arrived is when the body had been read.
	Arrived time.Time
	// Writes are the readings of the clock just before each token was written;
	// tokens written at once have the same.
	Writes []time.Time
	// Done: the answer was written to its end.
	Done bool
}

// Fixed is a server that answers by a constant schedule, in independent phase,
// and keeps when it wrote: the ground truth for a load generator.
type Fixed struct {
	opt    FixedOptions
	driver *driver
	sched  *schedule
	late   lateness
	ids    atomic.Uint64
	door   *door
	http   *http.Server
	gate   gate
	cancel context.CancelFunc

	mu      sync.Mutex
	records []*FixedRecord
}

// StartFixed listens; the server runs until Close, or until ctx ends.
func StartFixed(ctx context.Context, opt FixedOptions) (*Fixed, error) {
	if opt.TTFT < 0 || opt.ITL < 0 {
		return nil, fmt.Errorf("start a fixed schedule: ttft %v, itl %v; hint: neither below 0", opt.TTFT, opt.ITL)
	}
	f := &Fixed{opt: opt, sched: &schedule{}}
	f.driver = newDriver(f.sched, time.Now())
	var err error
	if f.door, err = newDoor(opt.Addr, &f.gate); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	ctx, f.cancel = context.WithCancel(ctx)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", f.answers("chat_completions"))
	mux.HandleFunc("POST /v1/completions", f.answers("completions"))
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, 200, map[string]any{"object": "list", "data": []any{map[string]any{
			"id": opt.Model, "object": "model", "created": f.driver.start.Unix(), "owned_by": "nvidia",
		}}})
	})
	f.http = &http.Server{
		Handler: f.gate.guard(mux), ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: withConn,
	}
	f.gate.wait.Go(func() { f.driver.run(ctx) })
	f.gate.wait.Go(func() { _ = f.http.Serve(f.door) }) // always ends with an error: that it was closed
	return f, nil
}

// URL is the server's address.
func (f *Fixed) URL() string { return f.door.url() }

// Lateness is the server's own delay so far.
func (f *Fixed) Lateness() Lateness { return f.late.read() }

// Records are all answers so far, in the order of their arrival.
func (f *Fixed) Records() []FixedRecord {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]FixedRecord, len(f.records))
	for i, r := range f.records {
		out[i] = *r
		out[i].Writes = slices.Clone(r.Writes)
	}
	return out
}

// Close cuts every connection and waits for everything it started.
func (f *Fixed) Close() error {
	f.cancel()
	err := f.http.Close()
	f.gate.close()
	return err
}

func (f *Fixed) answers(endpoint string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a, err := readAsk(r)
		if err != nil {
			writeFailure(w, 400, err.Error())
			return
		}
		arrived := time.Now()
		rec := &FixedRecord{ID: fmt.Sprintf("fixed-%d", f.ids.Add(1)), Arrived: arrived}
		f.mu.Lock()
		f.records = append(f.records, rec)
		f.mu.Unlock()
		n, _ := tokens(a.text(), 1<<30)
		st := newStream(f.driver)
		job := &scheduled{st: st, due: arrived.Sub(f.driver.start) + f.opt.TTFT, itl: f.opt.ITL, left: a.osl(), at: -1}
		begin := func() { f.driver.post(func() { heap.Push(f.sched, job) }) }
		out := writer{
			late: &f.late, start: f.driver.start, w: w, rc: http.NewResponseController(w), ask: &a, st: st,
			chat: endpoint == "chat_completions", prompt: n, id: rec.ID, http11: r.ProtoAtLeast(1, 1),
			stamped: func(n int, at time.Time) {
				f.mu.Lock()
				defer f.mu.Unlock()
				for range n {
					rec.Writes = append(rec.Writes, at)
				}
			},
			done: func() {
				f.mu.Lock()
				defer f.mu.Unlock()
				rec.Done = true
			},
		}
		cancel := func() { f.driver.post(func() { f.sched.drop(job) }) }
		if a.Stream {
			out.stream(r.Context(), begin, cancel)
		} else {
			out.whole(r.Context(), begin, cancel)
		}
	}
}

// schedule is the simulation of a fixed server: answers by their next token's
// time.
type schedule struct{ jobs []*scheduled }

// scheduled is an answer under way.
type scheduled struct {
	st   *stream
	due  time.Duration
	itl  time.Duration
	left int
	at   int // place in the heap
}

// Next is when the next token is due.
func (s *schedule) Next() (time.Duration, bool) {
	if len(s.jobs) == 0 {
		return 0, false
	}
	return s.jobs[0].due, true
}

// Advance hands out every token due up to a time.
func (s *schedule) Advance(to time.Duration) {
	for len(s.jobs) > 0 && s.jobs[0].due <= to {
		j := s.jobs[0]
		j.st.token(1, j.due)
		if j.left--; j.left <= 0 {
			j.st.end(nil)
			heap.Pop(s)
			continue
		}
		j.due += j.itl
		heap.Fix(s, 0)
	}
}

func (s *schedule) drop(j *scheduled) {
	if j.at >= 0 {
		heap.Remove(s, j.at)
	}
}

// Len, Less, Swap, Push and Pop are the heap's.
func (s *schedule) Len() int           { return len(s.jobs) }
func (s *schedule) Less(i, j int) bool { return s.jobs[i].due < s.jobs[j].due }

// Swap exchanges two places.
func (s *schedule) Swap(i, j int) {
	s.jobs[i], s.jobs[j] = s.jobs[j], s.jobs[i]
	s.jobs[i].at, s.jobs[j].at = i, j
}

// Push appends an answer.
func (s *schedule) Push(x any) {
	j := x.(*scheduled)
	j.at = len(s.jobs)
	s.jobs = append(s.jobs, j)
}

// Pop removes the last place.
func (s *schedule) Pop() any {
	last := len(s.jobs) - 1
	j := s.jobs[last]
	s.jobs[last] = nil
	s.jobs = s.jobs[:last]
	j.at = -1
	return j
}
