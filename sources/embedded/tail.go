package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/record"
	"github.com/prometheus/prometheus/tsdb/wlog"
)

// tail follows the write-ahead log of a recording that another process may be
// writing, and appends what it reads to a private head. It opens files for
// reading and does nothing else to them. The engine's own read-only database
// replays the whole log at each look, links the head's files into a directory
// of its own, and gives up at a record that is being written; the tail reads
// each byte once.
//
// It serves one goroutine at a time.
type tail struct {
	dir    string // of the log
	seg    int    // segment that is being read, -1 before the first
	file   *os.File
	reader *wlog.LiveReader
	broken bool  // nothing more can be read from this segment
	damage error // why something could not be read, ever

	decoder record.Decoder
	refs    map[chunks.HeadSeriesRef]*tailed
	samples []record.RefSample
	series  []record.RefSeries

	from    int64 // milliseconds; older samples that came on time are in blocks
	newest  int64 // milliseconds of the newest sample read
	unknown int   // samples of series that the log did not introduce
}

// tailed is a series of the log.
type tailed struct {
	ref    storage.SeriesRef // in the private head, zero before the first sample
	labels labels.Labels
	last   int64 // milliseconds of its newest sample
}

// errLost says that the log went on without the tail: what it reads has been
// removed or replaced, and only reading anew helps.
var errLost = errors.New("the write-ahead log was replaced")

// tailLate is how many milliseconds behind the newest sample of the log one
// still counts as on time. A later one may not be in the block of its time:
// such come in blocks of their own, some time.
const tailLate = 60_000

// tailBatch is how many samples are committed at once.
const tailBatch = 20_000

func newTail(dir string) *tail {
	return &tail{dir: filepath.Join(dir, "wal"), seg: -1, decoder: record.NewDecoder(labels.NewSymbolTable(), nil), refs: map[chunks.HeadSeriesRef]*tailed{}}
}

func (t *tail) close() {
	if t.file != nil {
		_ = t.file.Close()
		t.file = nil
	}
}

// sink takes samples in batches.
type sink struct {
	open    func() storage.AppenderV2
	between func(samples int) // after each batch
	app     storage.AppenderV2
	n       int
}

func (k *sink) append(x *tailed, at int64, v float64) {
	if k.app == nil {
		k.app = k.open()
	}
	// Refused are samples that are too old or there already: both are fine.
	if ref, err := k.app.Append(x.ref, x.labels, 0, at, v, nil, nil, storage.AOptions{}); err == nil {
		x.ref = ref
	}
	k.n++
}

func (k *sink) flush(least int) error {
	if k.app == nil || k.n < least {
		return nil
	}
	app, n := k.app, k.n
	k.app, k.n = nil, 0
	if err := app.Commit(); err != nil {
		return err
	}
	k.between(n)
	return nil
}

// read appends what the log holds beyond what was read before. After an error
// other than the context's the tail is of no more use.
func (t *tail) read(ctx context.Context, k *sink) error {
	if t.seg < 0 {
		if err := t.begin(ctx, k); err != nil {
			return err
		}
		t.unknown = 0
	}
	if t.seg < 0 {
		return nil // there is no log, perhaps not yet
	}
	if err := t.still(); err != nil {
		return err
	}
	for {
		// A segment is complete once the next one exists: look before reading.
		_, err := os.Stat(wlog.SegmentName(t.dir, t.seg+1))
		last := err != nil
		if !t.broken {
			if err := t.drain(ctx, k); err != nil {
				return err
			}
		}
		if last {
			return k.flush(0)
		}
		if err := t.open(t.seg + 1); err != nil {
			return err
		}
	}
}

// begin reads the newest checkpoint, which stands for the segments that were
// removed, and opens the segment after it.
func (t *tail) begin(ctx context.Context, k *sink) error {
	first, _, err := wlog.Segments(t.dir)
	switch {
	case errors.Is(err, os.ErrNotExist), err == nil && first < 0:
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", errLost, err)
	}
	checkpoint, index, err := wlog.LastCheckpoint(t.dir)
	switch {
	case errors.Is(err, record.ErrNotFound):
		return t.open(first)
	case err != nil:
		return err
	}
	segments, err := wlog.NewSegmentsReader(checkpoint)
	if err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	defer segments.Close()
	r := wlog.NewReader(segments)
	for r.Next() {
		if err := t.take(ctx, k, r.Record()); err != nil {
			return err
		}
	}
	if err := r.Err(); err != nil {
		t.damage = err // the segments are read all the same
	}
	return t.open(index + 1)
}

// open begins to read a segment.
func (t *tail) open(seg int) error {
	f, err := os.Open(wlog.SegmentName(t.dir, seg))
	if err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	t.close()
	t.seg, t.file, t.broken = seg, f, false
	t.reader = wlog.NewLiveReader(nil, wlog.NewLiveReaderMetrics(nil), f)
	return nil
}

// still says whether the open segment is the one that its name stands for.
func (t *tail) still() error {
	mine, err := t.file.Stat()
	if err != nil {
		return err
	}
	named, err := os.Stat(wlog.SegmentName(t.dir, t.seg))
	if err != nil || !os.SameFile(mine, named) {
		return errLost
	}
	return nil
}

// drain reads the open segment up to its present end.
func (t *tail) drain(ctx context.Context, k *sink) error {
	for t.reader.Next() {
		if err := t.take(ctx, k, t.reader.Record()); err != nil {
			return err
		}
	}
	if err := t.reader.Err(); err != nil && !errors.Is(err, io.EOF) {
		t.broken, t.damage = true, err
	}
	return nil
}

// take reads one record.
func (t *tail) take(ctx context.Context, k *sink, rec []byte) (err error) {
	switch t.decoder.Type(rec) {
	case record.Series:
		t.series, err = t.decoder.Series(rec, t.series[:0])
		if err != nil {
			t.damage = err
			return nil
		}
		for _, s := range t.series {
			if t.refs[s.Ref] == nil {
				t.refs[s.Ref] = &tailed{labels: s.Labels.Copy()}
			}
		}
	case record.Samples, record.SamplesV2:
		t.samples, err = t.decoder.Samples(rec, t.samples[:0])
		if err != nil {
			t.damage = err
			return nil
		}
		for _, p := range t.samples {
			x := t.refs[p.Ref]
			if x == nil {
				t.unknown++
				continue
			}
			onTime := p.T > x.last && p.T > t.newest-tailLate
			x.last, t.newest = max(x.last, p.T), max(t.newest, p.T)
			if p.T < t.from && onTime {
				continue
			}
			k.append(x, p.T, p.V)
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return k.flush(tailBatch)
}

// forget drops the series without a sample since a time: the recorder has
// forgotten them too, and would introduce them anew.
func (t *tail) forget(before int64) {
	for ref, x := range t.refs {
		if x.last < before {
			delete(t.refs, ref)
		}
	}
}
