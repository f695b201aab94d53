package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	config_util "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"dynascope/sources"
)

const (
	job       = "dynascope" // the job label of every scraped series
	userAgent = "dynascope"
	// oooWindow is how far behind the newest sample one may be and still be
	// taken. Two hours let the store survive a clock that jumps ahead and
	// comes back: without a window, one sample from the future makes the head
	// refuse every later scrape while the target still counts as up.
	oooWindow = 2 * time.Hour
	// maxQueries run at once; the others wait. Queries, not scrapes, are what
	// costs, and two keep both a tick and a key press moving.
	maxQueries = 2
)

// Options configure a Store; the zero value is good for use.
type Options struct {
	// Dir holds the samples and must belong to this store alone. Empty means a
	// private directory under os.TempDir(), mode 0700, removed by Close.
	Dir string
	// Record makes Dir a recording: it outlives the store (OpenRecording reads
	// it, also while the store writes), is continued by a later one, and belongs
	// to one recorder at a time. Dir must be new, empty or a recording.
	Record bool
	// KeepNames are the metric names to keep; nil keeps all. up and the
	// scrape_* series that describe a scrape are always kept.
	KeepNames []string
	// Retention is how far back questions reach, default 2 h; of a recording
	// 24 h.
	Retention time.Duration
	// MaxBytes bounds the blocks on disk, default 1 GiB. The newest part, up to
	// 3/8 of the retention, is not in blocks yet and comes on top. Of a recording
	// it bounds everything, the write-ahead log included; default 4 GiB, at least
	// 32 MiB.
	MaxBytes int64
	// QueryTimeout bounds one query, waiting included, default 10 s.
	QueryTimeout time.Duration
	// Log gets the engine's own complaints; nil discards them.
	Log *slog.Logger
}

// Store is a private Prometheus. Its methods may be called from any goroutine.
type Store struct {
	opts    Options
	log     *slog.Logger
	dir     string
	private bool // dir is ours to remove
	opened  time.Time

	base    *config.Config // what config.Load makes of nothing; the manager takes no other
	db      *tsdb.DB
	data    storage.Queryable // what questions are asked of: db, and more for a replay
	record  *recording        // nil: not a recording
	birth   sync.Mutex        // held while a series is created, see appendTo
	probing sync.Mutex        // held while a probe's page is stored
	manager *scrape.Manager
	engine  *promql.Engine
	conns   *connTracker
	http    []config_util.HTTPClientOption
	free    func(dir string) (uint64, error)
	steady  bool    // tests: never change an interval
	fed     feeding // by Push

	ctx     context.Context // ends when Close begins
	cancel  context.CancelFunc
	work    sync.WaitGroup // the store's own goroutines
	kick    chan struct{}  // wakes the reconciler
	sets    chan map[string][]*targetgroup.Group
	planned chan struct{} // closed when the reconciler ended

	queries   chan struct{}  // one token a running query
	gate      sync.RWMutex   // guards closed against the two groups below
	closed    bool           //
	asking    sync.WaitGroup // queries in flight
	appending sync.WaitGroup // appenders in flight

	mu      sync.Mutex
	targets []*target // in the order added
	lastID  int
	byID    map[string]*target
	pools   map[string]*pool
	slowest []slowestAt // see lookback

	fullDisk atomic.Bool // history is no longer written
	warnMu   sync.Mutex
	warnings [3]string // by warnDisk …
}

var _ sources.Store = (*Store)(nil)

var errClosed = errors.New("ask the embedded store: it is closed")

// Open starts an empty store. It returns within some milliseconds: nothing is
// scraped yet, targets come with Add. The context bounds only the start.
func Open(ctx context.Context, o Options) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open the embedded store: %w", err)
	}
	retention, most := 2*time.Hour, int64(1<<30)
	if o.Record {
		retention, most = recordRetention, recordBytes
	}
	fill(&o.Retention, retention)
	fill(&o.MaxBytes, most)
	fill(&o.QueryTimeout, 10*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		opts: o, log: o.Log, dir: o.Dir, opened: time.Now(),
		conns: newConnTracker(), free: freeBytes,
		kick: make(chan struct{}, 1), sets: make(chan map[string][]*targetgroup.Group), planned: make(chan struct{}),
		queries: make(chan struct{}, maxQueries),
		byID:    map[string]*target{}, pools: map[string]*pool{},
	}
	s.http = []config_util.HTTPClientOption{
		config_util.WithDialContextFunc(s.conns.dial),
		config_util.WithHTTP2Disabled(), // one request a connection at a time, so that its wait can be timed
		config_util.WithUserAgent(userAgent),
	}
	if err := s.openDir(); err != nil {
		return nil, err
	}
	if err := s.openEngine(); err != nil {
		s.removeDir()
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.own(func() { _ = s.manager.Run(s.sets) })
	s.own(func() { defer close(s.planned); s.reconcile() })
	s.own(s.maintain)
	if s.record != nil {
		s.own(s.keepRecord)
	}
	return s, nil
}

func (s *Store) openDir() error {
	if s.opts.Record {
		return s.claim()
	}
	if s.dir != "" {
		if err := os.MkdirAll(s.dir, 0o700); err != nil {
			return fmt.Errorf("open the embedded store: %w", err)
		}
		return nil
	}
	sweep(os.TempDir(), time.Now())
	dir, err := os.MkdirTemp("", dirPrefix+"*") // mode 0700
	if err != nil {
		return fmt.Errorf("open the embedded store: %w; hint: point TMPDIR at a directory with space", err)
	}
	s.dir, s.private = dir, true
	return nil
}

func (s *Store) openEngine() error {
	// One registry an engine: two on one panic, and without one the scrape
	// manager panics.
	reg := prometheus.NewRegistry()

	block := min(max(s.opts.Retention/4, 10*time.Minute), 2*time.Hour)
	o := tsdb.DefaultOptions()
	o.WALSegmentSize = -1 // this store ends with the process; a WAL would cost four times the disk
	o.OutOfOrderTimeWindow = oooWindow.Milliseconds()
	o.MinBlockDuration, o.MaxBlockDuration = block.Milliseconds(), block.Milliseconds()
	o.RetentionDuration, o.MaxBytes = s.opts.Retention.Milliseconds(), s.opts.MaxBytes
	o.MaxBlockChunkSegmentSize = 32 << 20    // preallocated at each block write
	o.BlockReloadInterval = 1000 * time.Hour // see maintain
	if s.record != nil {
		s.recordOptions(o)
	}
	db, err := tsdb.Open(s.dir, s.log, reg, o, nil)
	if err != nil {
		return fmt.Errorf("open the embedded store in %s: %w; hint: the directory must be writable and used by one store only", filepath.Base(s.dir), err)
	}
	s.db, s.data = db, db

	if s.base, err = config.Load("", s.log); err != nil {
		_ = db.Close()
		return fmt.Errorf("start the scrape manager: %w", err)
	}
	s.manager, err = scrape.NewManager(&scrape.Options{
		DiscoveryReloadInterval:  model.Duration(50 * time.Millisecond),
		DiscoveryReloadOnStartup: true,
		PassMetadataInContext:    true, // how the appender learns target and TYPE
		HTTPClientOptions:        s.http,
	}, s.log, nil, nil, appendable{s}, reg)
	if err != nil {
		_ = db.Close()
		return fmt.Errorf("start the scrape manager: %w", err)
	}
	s.engine = promql.NewEngine(promql.EngineOpts{
		Logger: s.log, Reg: reg, MaxSamples: 50_000_000, Timeout: s.opts.QueryTimeout,
		LookbackDelta: minLookback, EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return 1000 },
		Parser:                   parser.NewParser(parser.Options{EnableExperimentalFunctions: true}),
	})
	return nil
}

// own runs f in a goroutine that Close waits for.
func (s *Store) own(f func()) {
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		f()
	}()
}

// Close stops scraping and querying, waits for both, and removes a private
// directory. It cuts connections first, so that no hanging target holds it
// up. Closing twice is fine.
func (s *Store) Close() error {
	s.gate.Lock()
	if s.closed {
		s.gate.Unlock()
		return nil
	}
	s.closed = true
	s.gate.Unlock()

	s.cancel()
	s.conns.closeAll()
	<-s.planned
	// An empty set keeps a reload that is due from starting a pool behind
	// Stop's back. The manager takes the second only once the first is in force.
	s.sets <- nil
	s.sets <- nil
	s.manager.Stop()
	s.asking.Wait()
	s.appending.Wait() // before work: a late Add may just be starting its probe
	s.work.Wait()
	if s.record != nil {
		s.writeRecord(true)
	}
	err := errors.Join(s.engine.Close(), s.db.Close())
	if rerr := s.removeDir(); err == nil {
		err = rerr
	}
	if err != nil {
		return fmt.Errorf("close the embedded store: %w", err)
	}
	return nil
}

func (s *Store) removeDir() error {
	if s.record != nil {
		return s.record.lock.Release()
	}
	if !s.private {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// enter registers a user of the database in g; it refuses once Close began.
func (s *Store) enter(g *sync.WaitGroup) bool {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return false
	}
	g.Add(1)
	return true
}

// Name is how the store is shown.
func (s *Store) Name() string { return "embedded" }

// Oldest is the time of the oldest sample that is kept; before the first
// sample, the time the store was opened.
func (s *Store) Oldest() time.Time {
	if !s.enter(&s.asking) {
		return s.opened
	}
	defer s.asking.Done()
	if t := time.UnixMilli(s.oldest()); !t.After(s.now()) {
		return t
	}
	return s.opened
}

// oldest is the time of the oldest sample in milliseconds, the largest number
// when there is none.
func (s *Store) oldest() int64 {
	oldest := s.db.Head().MinTime()
	if b := s.db.Blocks(); len(b) > 0 {
		oldest = min(oldest, b[0].Meta().MinTime)
	}
	return oldest
}

// Warning says in one line what is wrong with the store itself, such as a full
// disk; empty when all is well.
func (s *Store) Warning() string {
	s.warnMu.Lock()
	defer s.warnMu.Unlock()
	for _, w := range s.warnings {
		if w != "" {
			return w
		}
	}
	return ""
}

const (
	warnDisk = iota
	warnWrite
	warnRecord
)

// warn sets what Warning says of one subject; empty takes it back.
func (s *Store) warn(about int, text string) {
	s.warnMu.Lock()
	defer s.warnMu.Unlock()
	s.warnings[about] = oneLine(text)
}
