//go:build linux && cgo

package gpu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// Sampler reads the GPUs of this host. Its methods may be called from several
// goroutines; pages are made one at a time.
//
// One goroutine owns the library and each GPU has one of its own, since a call
// into an unwell driver can block for seconds, or for ever. Nothing can
// interrupt such a call: its goroutine, and the system thread under it, stay
// until the call returns or the process exits, which they do not delay.
type Sampler struct {
	lib  nvml.Interface
	o    Options
	seam seam

	cancel  context.CancelFunc
	started chan struct{} // the library has answered, or failed
	ended   chan struct{} // every goroutine is gone

	paging sync.Mutex // one page at a time

	mu      sync.Mutex
	state   State
	workers []*worker // set before started is closed
	closed  bool
	since   time.Time // of Open
}

// seam is what tests put in the place of the world.
type seam struct {
	now       func() time.Time
	after     func(time.Duration) <-chan time.Time
	process   func(pid uint32) string
	eventWait time.Duration
	answered  func(index int) // a reading lies ready
}

// Open loads NVML and begins to watch its GPUs. It always returns a sampler,
// to be closed; where State says that the library is not there, its pages are
// errors. It waits for the library no longer than o.OpenWait or ctx, and then
// goes on starting in the background.
func Open(ctx context.Context, o Options) (*Sampler, State) {
	return open(ctx, nvml.New(), o, seam{now: time.Now, after: time.After, process: processName, eventWait: 250 * time.Millisecond})
}

func open(ctx context.Context, lib nvml.Interface, o Options, m seam) (*Sampler, State) {
	o = o.defaults()
	if o.Hostname == "" {
		o.Hostname, _ = os.Hostname()
	}
	own, cancel := context.WithCancel(context.Background())
	s := &Sampler{
		lib: lib, o: o, seam: m, cancel: cancel, started: make(chan struct{}), ended: make(chan struct{}), since: m.now(),
		state: State{Built: true, Code: Starting, Why: "the NVIDIA library has not answered yet",
			Hint: "the driver may be waking GPUs: nvidia-persistenced keeps them awake; compare with nvidia-smi"},
	}
	go s.own(own)
	wait := m.after(o.OpenWait)
	select {
	case <-s.started:
		// A first round fills in which GPUs there are, and what activity over
		// time is measured from.
		s.paging.Lock()
		s.round(ctx, wait)
		s.paging.Unlock()
	case <-wait:
	case <-ctx.Done():
	}
	return s, s.State()
}

// own is the goroutine that owns the library: it starts it, has a worker for
// each GPU, and shuts it down when the last of them is gone.
func (s *Sampler) own(ctx context.Context) {
	defer close(s.ended)
	if ret := s.lib.Init(); ret != nvml.SUCCESS {
		s.set(failed(s.lib, ret))
		close(s.started)
		return
	}
	state := greet(s.lib)
	var wg sync.WaitGroup
	for i := range state.Devices {
		w := newWorker(s, i, state.Driver, &wg)
		s.workers = append(s.workers, w)
		state.GPUs = append(state.GPUs, w.latest.state)
		wg.Go(func() { w.run(ctx) })
	}
	s.set(state)
	close(s.started)
	<-ctx.Done()
	wg.Wait()
	s.lib.Shutdown()
}

func (s *Sampler) set(state State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
}

// State is what the library and each GPU were like at the newest page.
func (s *Sampler) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.state
	out.GPUs = slices.Clone(out.GPUs)
	if s.closed {
		out.Code, out.Why, out.Hint = Closed, "the sampler was closed", ""
	}
	return out
}

// Page reads every GPU and returns the present values in the text format
// 0.0.4. A GPU that has not answered within the budget, or by the end of ctx,
// is on it with its state only. Values that are asked for less often than a
// page (see fields.go) repeat in between. An error says that there is no page:
// the library is not there, not there yet, or closed.
func (s *Sampler) Page(ctx context.Context) ([]byte, error) {
	s.paging.Lock()
	defer s.paging.Unlock()
	budget := s.seam.after(s.o.Budget)
	select {
	case <-s.started:
	default:
		select {
		case <-s.started:
		case <-budget:
		case <-ctx.Done():
		}
	}
	if err := s.missing(); err != nil {
		return nil, err
	}
	return write(s.round(ctx, budget)), nil
}

// missing is why there can be no page.
func (s *Sampler) missing() error {
	state := s.State()
	select {
	case <-s.started:
		if len(s.workers) > 0 && state.Code != Closed {
			return nil
		}
	default:
	}
	if state.Code == Starting {
		return fmt.Errorf("read the GPUs: the NVIDIA library has not answered for %s; hint: %s", s.seam.now().Sub(s.since).Round(time.Second), state.Hint)
	}
	if state.Hint == "" {
		return fmt.Errorf("read the GPUs: %s", state.Why)
	}
	return fmt.Errorf("read the GPUs: %s; hint: %s", state.Why, state.Hint)
}

// round asks every GPU at once and gathers what has come by the end of the
// budget.
func (s *Sampler) round(ctx context.Context, budget <-chan time.Time) []part {
	began := s.seam.now()
	for _, w := range s.workers {
		w.request(began)
	}
	late := false
	parts := make([]part, 0, len(s.workers))
	states := make([]GPUState, 0, len(s.workers))
	for _, w := range s.workers {
		if !late {
			late = w.await(ctx, budget, began)
		} else {
			w.glance(began)
		}
		r := w.reading(s.seam.now())
		states = append(states, r.state)
		parts = append(parts, part{
			labels:  r.labels,
			samples: append([]sample{{"dynascope_gpu_state", label("state", string(r.state.Code)), 1}}, r.samples...),
		})
	}
	s.mu.Lock()
	s.state.GPUs = states
	s.mu.Unlock()
	return parts
}

// Close ends the sampler and waits, no longer than CloseWait, for calls that
// are under way. An error says that the driver holds one: what runs it is left
// behind, the library stays loaded, and the process may exit all the same.
func (s *Sampler) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	select {
	case <-s.ended:
		return nil
	case <-s.seam.after(s.o.CloseWait):
	}
	select {
	case <-s.ended:
		return nil
	default:
		return errors.New("close the GPU sampler: a call into the driver does not return; hint: look for NVRM in the kernel log")
	}
}

// anonymous are the labels of a GPU that has never answered.
func anonymous(index int, host, driver string) string {
	return label("gpu", strconv.Itoa(index)) + label("device", "nvidia"+strconv.Itoa(index)) + label("Hostname", host) + label("DCGM_FI_DRIVER_VERSION", driver)
}
