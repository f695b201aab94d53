package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/fileutil"
	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"

	"dynascope/sources"
)

// A recording is a directory with a TSDB whose samples outlive the process:
// every commit reaches the write-ahead log before it counts, so a killed
// recorder loses nothing that was committed, and a machine that loses power
// about the last recordEvery. Beside the TSDB lies what a replay must know and
// no series tells: the targets, and how long a sample counts.

const (
	recordFile    = "recording.json"
	recordLock    = "recorder.lock"
	recordVersion = 1
	recordEvery   = 10 * time.Second // the description is written and the log flushed
	recordMost    = 8 << 20          // bytes of a description

	recordRetention = 24 * time.Hour
	recordBytes     = 4 << 30
	recordLeast     = 32 << 20 // MaxBytes below which a recording cannot breathe
	recordSegment   = 4 << 20  // of the log; small, since it is shortened by whole segments
	recordWindow    = 2 * time.Minute
)

// description is recording.json.
type description struct {
	Version int                `json:"version"`
	Started time.Time          `json:"started"`
	Written time.Time          `json:"written"`
	Ended   bool               `json:"ended"` // the recorder went in peace
	Targets []recordedTarget   `json:"targets"`
	Slowest []recordedInterval `json:"slowest"` // see lookback
}

// recordedTarget is a target as the recorder knew it. It holds no credentials:
// its URL is the one that is shown.
type recordedTarget struct {
	Instance string    `json:"instance"`
	URL      string    `json:"url"`
	Role     string    `json:"role,omitempty"`
	Interval int64     `json:"interval_ms"` // in force
	Base     int64     `json:"base_interval_ms"`
	Insecure bool      `json:"insecure,omitempty"`
	First    time.Time `json:"first"` // good scrape, zero when none
	Last     time.Time `json:"last"`  // good scrape
	Attempt  time.Time `json:"attempt"`
	Health   string    `json:"health"`
	Error    string    `json:"error,omitempty"`
	Samples  int       `json:"samples"`
	Bytes    int64     `json:"bytes"`
	Took     float64   `json:"took_s"`
	Gone     bool      `json:"gone,omitempty"` // no longer a target
}

type recordedInterval struct {
	From     time.Time `json:"from"` // zero: since ever
	Interval int64     `json:"interval_ms"`
}

// recording is the writing side of a recording.
type recording struct {
	lock fileutil.Releaser
	kick chan struct{} // the targets changed

	mu   sync.Mutex // one writer of the description
	desc description
}

// claim takes a directory for recording: it must be empty or a recording, and
// no other recorder may write there.
func (s *Store) claim() error {
	fail := func(err error) error { return fmt.Errorf("record into %s: %w", oneLine(s.dir), err) }
	if s.dir == "" {
		return errors.New("record: no directory is named; hint: give one with --data DIR")
	}
	if s.opts.MaxBytes < recordLeast {
		return fail(fmt.Errorf("%d bytes are too few; hint: allow %d MB or more", s.opts.MaxBytes, recordLeast>>20))
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fail(err)
	}
	desc, err := readDescription(s.dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		entries, err := os.ReadDir(s.dir)
		if err != nil {
			return fail(err)
		}
		if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() != recordLock }) {
			return fail(errors.New("the directory holds other things than a recording; hint: name a new or an empty one"))
		}
		if err := os.Chmod(s.dir, 0o700); err != nil {
			return fail(err)
		}
		desc = description{Version: recordVersion, Started: time.Now()}
	case err != nil:
		return fail(err)
	}
	lock, _, err := fileutil.Flock(filepath.Join(s.dir, recordLock))
	if err != nil {
		return fail(errors.New("another recorder writes there; hint: end it, or name another directory; to look at the recording, leave record away"))
	}
	for i := range desc.Targets {
		desc.Targets[i].Gone = true
	}
	s.record = &recording{lock: lock, kick: make(chan struct{}, 1), desc: desc}
	for _, e := range desc.Slowest {
		s.slowest = append(s.slowest, slowestAt{e.From, time.Duration(e.Interval) * time.Millisecond})
	}
	return nil
}

// recordOptions are those of a TSDB that outlives the process.
func (s *Store) recordOptions(o *tsdb.Options) {
	// Short blocks: what is not in one yet is what a reader must take from the
	// log when it opens. They are merged later.
	block := min(max(s.opts.Retention/96, 10*time.Minute), 2*time.Hour)
	o.WALSegmentSize, o.WALCompression = recordSegment, compression.Snappy
	// A segment takes its full size while a block is written: a sixteenth of what
	// the directory may hold is what it may take on top for that moment.
	o.MaxBlockChunkSegmentSize = min(o.MaxBlockChunkSegmentSize, max(s.opts.MaxBytes/16, 1<<20))
	o.MinBlockDuration = block.Milliseconds()
	o.MaxBlockDuration = max(block, s.opts.Retention/10).Milliseconds()
}

// keepRecord writes the description and flushes the log, often.
func (s *Store) keepRecord() {
	tick := time.NewTicker(recordEvery)
	defer tick.Stop()
	for {
		s.writeRecord(false)
		s.syncLog()
		select {
		case <-s.ctx.Done():
			return
		case <-s.record.kick:
		case <-tick.C:
		}
	}
}

// noteTargets makes a recorder describe its targets soon.
func (s *Store) noteTargets() {
	if s.record == nil {
		return
	}
	select {
	case s.record.kick <- struct{}{}:
	default:
	}
}

// writeRecord writes the description as of now.
func (s *Store) writeRecord(ended bool) {
	r := s.record
	r.mu.Lock()
	defer r.mu.Unlock()
	d := &r.desc
	d.Written, d.Ended = time.Now(), ended
	for i := range d.Targets {
		d.Targets[i].Gone = true
	}
	for _, t := range s.Targets() {
		i := slices.IndexFunc(d.Targets, func(x recordedTarget) bool { return x.Instance == t.Instance })
		if i < 0 {
			i = len(d.Targets)
			d.Targets = append(d.Targets, recordedTarget{Instance: t.Instance})
		}
		d.Targets[i].take(t)
	}
	oldest := s.oldest()
	d.Targets = slices.DeleteFunc(d.Targets, func(t recordedTarget) bool { return t.Gone && t.Last.UnixMilli() < oldest })
	s.mu.Lock()
	d.Slowest = d.Slowest[:0]
	for _, e := range s.slowest {
		d.Slowest = append(d.Slowest, recordedInterval{e.from, e.interval.Milliseconds()})
	}
	s.mu.Unlock()
	if err := writeDescription(s.dir, *d); err != nil {
		s.warn(warnRecord, fmt.Sprintf("write %s: %v", recordFile, err))
		return
	}
	s.warn(warnRecord, "")
}

func (r *recordedTarget) take(t sources.Target) {
	if r.First.IsZero() {
		r.First = t.LastGood
	}
	if t.LastGood.After(r.Last) {
		r.Last = t.LastGood
	}
	r.URL, r.Role, r.Insecure, r.Gone = t.URL, t.Role, t.Insecure, false
	r.Interval, r.Base = t.Interval.Milliseconds(), t.BaseInterval.Milliseconds()
	r.Attempt, r.Health, r.Error = t.LastScrape, t.Health.String(), t.Error
	r.Samples, r.Bytes, r.Took = t.Samples, t.Bytes, t.Took.Seconds()
}

func readDescription(dir string) (description, error) {
	f, err := os.Open(filepath.Join(dir, recordFile))
	if err != nil {
		return description{}, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, recordMost))
	if err != nil {
		return description{}, err
	}
	return parseDescription(raw)
}

func parseDescription(raw []byte) (description, error) {
	var d description
	if err := json.Unmarshal(raw, &d); err != nil {
		return d, fmt.Errorf("read %s: %w; hint: the file is damaged; restore it from a copy", recordFile, err)
	}
	if d.Version != recordVersion {
		return d, fmt.Errorf("read %s: it is of version %d, this program knows %d; hint: use the program that wrote it", recordFile, d.Version, recordVersion)
	}
	return d, nil
}

// writeDescription replaces the description at once, or not at all.
func writeDescription(dir string, d description) error {
	raw, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, recordFile+".tmp")
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(raw, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, recordFile))
}

// syncLog brings the log to the disk itself, for the day the power goes.
func (s *Store) syncLog() {
	wal := filepath.Join(s.dir, "wal")
	_, last, err := wlog.Segments(wal)
	if err != nil || last < 0 {
		return
	}
	f, err := os.Open(wlog.SegmentName(wal, last))
	if err != nil {
		return // shortened meanwhile
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		s.warn(warnRecord, fmt.Sprintf("flush the write-ahead log: %v", err))
	}
}

// keepWithin holds a recording within MaxBytes, the log and what is not in
// blocks yet included. The engine drops blocks only when it writes one, and
// counts the log then; in between the log grows.
func (s *Store) keepWithin() {
	head := s.db.Head()
	inHead := head.Size()
	used := inHead
	for _, b := range s.db.Blocks() {
		used += b.Size()
	}
	if used <= s.opts.MaxBytes {
		return
	}
	from, cut := head.MinTime(), head.MaxTime()-recordWindow.Milliseconds()
	if inHead > s.opts.MaxBytes/2 && cut-from > 2*recordWindow.Milliseconds() {
		// A block before its time: it takes a fraction of the log's bytes.
		if err := s.db.CompactHead(tsdb.NewRangeHead(head, from, cut-1)); err != nil {
			s.warn(warnRecord, fmt.Sprintf("write a block: %v", err))
		}
		return
	}
	// Not for late samples, but because it looks at the blocks anew and drops
	// the oldest.
	if err := s.db.CompactOOOHead(s.ctx); err != nil && s.ctx.Err() == nil {
		s.warn(warnRecord, fmt.Sprintf("drop the oldest block: %v", err))
	}
}
