package prom

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"dynascope/sources"
	"dynascope/sources/text"
)

// Store is a remote server. Its methods may be called from any goroutine.
type Store struct {
	opts  Options
	shown string // the server's address, fit to be printed
	api   v1.API
	http  *client
	now   func() time.Time

	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc
	work   sync.WaitGroup
	asking sync.WaitGroup
	gate   sync.RWMutex // guards closed against asking
	closed bool

	mu       sync.Mutex
	view     view      // of the targets, as last looked at
	oldest   time.Time // zero: unknown, or long enough ago
	broken   string    // why the last look failed
	warnings []said    // of answers, newest last
	infos    []string  // of answers, each once
	doubled  string    // an instance that is scraped twice
}

var _ sources.Store = (*Store)(nil)

var errClosed = errors.New("ask the remote server: the connection is closed")

// said is one warning of the server.
type said struct {
	text string
	at   time.Time
}

const (
	warningLife = 2 * time.Minute // how long a warning of an answer is shown
	keepInfos   = 20
	// noteBytes of a warning are looked at: every answer may bring the same ones,
	// of any length.
	noteBytes = 1 << 10
)

// Open checks the options and returns at once: the server is first asked in
// the background. Its state shows in Targets and Warning. The context bounds
// only the call.
func Open(ctx context.Context, o Options) (*Store, error) {
	s, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	s.work.Go(s.look)
	return s, nil
}

// open is Open without the look in the background.
func open(ctx context.Context, o Options) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open the remote server: %w", err)
	}
	u, err := o.complete()
	if err != nil {
		return nil, err
	}
	s := &Store{opts: o, shown: text.Clean(o.URL, 120), now: time.Now}
	s.view.every = o.Refresh
	if s.http, err = newClient(&s.opts, u, s.noteInfos); err != nil {
		return nil, err
	}
	s.api = v1.NewAPI(s.http)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Close ends what is being asked, waits for it, and closes the connections.
// Closing twice is fine.
func (s *Store) Close() error {
	s.gate.Lock()
	s.closed = true
	s.gate.Unlock()
	s.cancel()
	s.asking.Wait()
	s.work.Wait()
	s.http.CloseIdleConnections()
	return nil
}

func (s *Store) enter() bool {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return false
	}
	s.asking.Add(1)
	return true
}

// Name is how the store is shown.
func (s *Store) Name() string { return "prometheus" }

// URL is the server's address without credentials.
func (s *Store) URL() string { return s.shown }

// Oldest is the time of the first sample of the present targets where that is
// less than two hours ago; zero where it is longer ago or unknown.
func (s *Store) Oldest() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.oldest
}

// Warning says in one line what is wrong: that the server cannot be asked, or
// else the newest warning of an answer. Empty when all is well.
func (s *Store) Warning() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != "" {
		return s.broken
	}
	if n := len(s.warnings); n > 0 && s.now().Sub(s.warnings[n-1].at) < warningLife {
		return "prometheus: " + s.warnings[n-1].text
	}
	return s.doubled
}

// Infos are the remarks that the server made on questions, each once, newest
// last. They are about how a question is put (a counter whose name does not
// end in _total) and no reason for doubt, so Warning leaves them out.
func (s *Store) Infos() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.infos)
}

func (s *Store) noteInfos(infos []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range infos[:min(len(infos), keepInfos)] {
		if i = text.Safe(i[:min(len(i), noteBytes)], lineLength); i != "" && !slices.Contains(s.infos, i) {
			s.infos = append(s.infos, i)
		}
	}
	s.infos = s.infos[max(0, len(s.infos)-keepInfos):]
}

// warn notes the warnings of an answer.
func (s *Store) warn(texts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range texts[:min(len(texts), keepInfos)] {
		if t = text.Safe(t[:min(len(t), noteBytes)], lineLength); t != "" {
			s.warnings = append(s.warnings, said{t, s.now()})
		}
	}
	s.warnings = slices.Clone(s.warnings[max(0, len(s.warnings)-keepInfos):])
}
