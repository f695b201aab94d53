package embedded

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	pvalue "github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/fileutil"

	"dynascope/sources"
)

// points are the points of one series, stale markers left out.
func points(t *testing.T, q storage.Querier, selector string) []sources.Point {
	t.Helper()
	ms, err := parser.NewParser(parser.Options{}).ParseMetricSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	set := q.Select(context.Background(), false, nil, ms...)
	var out []sources.Point
	for n := 0; set.Next(); n++ {
		if n > 0 {
			t.Fatalf("%s: more than one series", selector)
		}
		it := set.At().Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			if ts, v := it.At(); !pvalue.IsStaleNaN(v) {
				out = append(out, sources.Point{T: ts, V: v})
			}
		}
	}
	if set.Err() != nil {
		t.Fatal(set.Err())
	}
	return out
}

func TestOpenAndCloseLeaveNothing(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	f := newFake(t, quiet)
	before := runtime.NumGoroutine()
	for range 3 {
		s, err := Open(context.Background(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(s.dir)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Fatalf("%v, %v", info, err)
		}
		add(t, s, f.URL)
		eventually(t, "a scrape", isValue(t, s, "up", 1))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatalf("second close: %v", err)
		}
		if _, err := s.Instant(context.Background(), "up", time.Now()); !errors.Is(err, errClosed) {
			t.Errorf("query after close: %v", err)
		}
		if _, err := s.Add(context.Background(), TargetSpec{URL: f.URL}); err == nil {
			t.Error("add after close worked")
		}
		a := s.Appender(context.Background())
		_, _ = a.Append(0, labels.FromStrings("__name__", "x"), 0, 1, 1, nil, nil, storage.AOptions{})
		if err := a.Commit(); err != nil {
			t.Error(err)
		}
	}
	noMoreGoroutines(t, f, before)
	if left, _ := os.ReadDir(tmp); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestCloseRightAfterAdd(t *testing.T) {
	f := newFake(t, quiet)
	before := runtime.NumGoroutine()
	for range 20 {
		s, err := Open(context.Background(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		add(t, s, f.URL)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	noMoreGoroutines(t, f, before)
}

func noMoreGoroutines(t *testing.T, f *fake, before int) {
	t.Helper()
	f.CloseClientConnections()
	defer func() {
		if t.Failed() {
			buf := make([]byte, 1<<20)
			t.Logf("%s", buf[:runtime.Stack(buf, true)])
		}
	}()
	eventually(t, "goroutines back to the base line", func() bool { return runtime.NumGoroutine() <= before })
}

func TestTwoStoresInOneProcess(t *testing.T) {
	a, b := open(t, Options{}), open(t, Options{})
	fa, fb := newFake(t, "v 1\n"), newFake(t, "v 2\n")
	add(t, a, fa.URL)
	add(t, b, fb.URL)
	eventually(t, "a", isValue(t, a, "v", 1))
	eventually(t, "b", isValue(t, b, "v", 2))
}

func TestGivenDirectoryStays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "here")
	s := open(t, Options{Dir: dir})
	if _, err := Open(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "hint: ") {
		t.Errorf("second store in one directory: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}

func TestSweepRemovesOnlyDeadDirectories(t *testing.T) {
	root, now := t.TempDir(), time.Now()
	old := now.Add(-time.Hour)
	mk := func(name string, at time.Time) string {
		dir := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Join(dir, "chunks_head"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "lock"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(dir, at, at); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	dead, live := mk(dirPrefix+"dead", old), mk(dirPrefix+"live", old)
	young, foreign := mk(dirPrefix+"young", now), mk("other-tsdb", old)
	lock, _, err := fileutil.Flock(filepath.Join(live, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	link := filepath.Join(root, dirPrefix+"link")
	if err := os.Symlink(foreign, link); err != nil {
		t.Fatal(err)
	}
	sweep(root, now)
	if _, err := os.Stat(dead); !os.IsNotExist(err) {
		t.Errorf("the dead one is still there: %v", err)
	}
	for _, dir := range []string{live, young, foreign, link} {
		if _, err := os.Stat(filepath.Join(dir, "chunks_head")); err != nil {
			t.Errorf("removed: %v", err)
		}
	}
}

func TestOwnSamplesAreClampedToNow(t *testing.T) {
	s, f := open(t, Options{}), newFake(t, quiet)
	a := s.Appender(t.Context())
	future := time.Now().Add(100 * 24 * time.Hour).UnixMilli()
	ls := labels.FromStrings("__name__", "dynascope_x", "gpu", "0")
	ref, err := a.Append(0, ls, 0, future, 7, nil, nil, storage.AOptions{})
	if err != nil || ref == 0 {
		t.Fatal(ref, err)
	}
	if err := a.Commit(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the own sample", isValue(t, s, "dynascope_x", 7))
	add(t, s, f.URL)
	eventually(t, "scrapes beside it", isValue(t, s, "up_since", 1))
	b := s.Appender(t.Context())
	if _, err := b.Append(ref, ls, 0, time.Now().Add(-time.Second).UnixMilli(), 8, nil, nil, storage.AOptions{}); err != nil {
		t.Errorf("a late sample: %v", err)
	}
	if err := b.Rollback(); err != nil {
		t.Fatal(err)
	}
}

// A sample an hour and a half ahead, as a clock that jumps would write it.
func TestFutureSampleDoesNotPoisonTheHead(t *testing.T) {
	s, f := open(t, Options{}), newFake(t, "late_gauge 1 "+"99999999999999\n")
	a := s.db.AppenderV2(t.Context())
	if _, err := a.Append(0, labels.FromStrings("__name__", "jump"), 0, time.Now().Add(90*time.Minute).UnixMilli(), 1, nil, nil, storage.AOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := a.Commit(); err != nil {
		t.Fatal(err)
	}
	add(t, s, f.URL)
	eventually(t, "scrapes at the present", isValue(t, s, "up", 1))
	eventually(t, "the page's own timestamp is not believed", isValue(t, s, "count_over_time(late_gauge[1m]) > bool 3", 1))
	if w := s.Warning(); w != "" {
		t.Errorf("warning %q", w)
	}
}

func TestFullDiskKeepsLiveValues(t *testing.T) {
	s, f := open(t, Options{}), newFake(t, quiet)
	add(t, s, f.URL)
	eventually(t, "a scrape", isValue(t, s, "up", 1))
	s.free = func(string) (uint64, error) { return 1 << 20, nil }
	s.checkDisk()
	if w := s.Warning(); !strings.Contains(w, "disk") || !strings.Contains(w, "hint: ") {
		t.Errorf("warning %q", w)
	}
	f.page("up_since 2\n")
	eventually(t, "live values", isValue(t, s, "up_since", 2))
	s.moveChunks(time.Now().Add(fullDiskKeeps)) // drops what is older than now
	f.page("up_since 3\n")
	eventually(t, "live values", isValue(t, s, "up_since", 3))
	s.free = func(string) (uint64, error) { return 1 << 40, nil }
	s.checkDisk()
	if w := s.Warning(); w != "" {
		t.Errorf("warning %q after the disk is free again", w)
	}
	s.moveChunks(time.Now())
}

func TestQueries(t *testing.T) {
	s := open(t, Options{})
	start := time.Now().Truncate(time.Second).Add(-time.Minute)
	a := s.Appender(t.Context())
	for i := range 60 {
		at := start.Add(time.Duration(i) * time.Second).UnixMilli()
		for _, gpu := range []string{"0", "1"} {
			if _, err := a.Append(0, labels.FromStrings("__name__", "c_total", "gpu", gpu), 0, at, float64(i), nil, nil, storage.AOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := a.Commit(); err != nil {
		t.Fatal(err)
	}
	end := start.Add(59 * time.Second)
	got, err := s.Instant(t.Context(), "c_total", end)
	if err != nil || len(got) != 2 || got[0].Points[0] != (sources.Point{T: end.UnixMilli(), V: 59}) {
		t.Fatalf("%v, %v", got, err)
	}
	if k := got[0].Labels.Key(); k != `gpu="0"` {
		t.Errorf("labels %s", k)
	}
	if got, err = s.Instant(t.Context(), "scalar(sum(c_total))", end); err != nil || len(got) != 1 || got[0].Points[0].V != 118 {
		t.Errorf("%v, %v", got, err)
	}
	if got, err = s.Instant(t.Context(), "0/0", end); err != nil || !math.IsNaN(got[0].Points[0].V) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err = s.Instant(t.Context(), "nothing_here", end); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	got, err = s.Range(t.Context(), `sum(rate(c_total[10s]))`, sources.Span{From: start.Add(20 * time.Second), To: start.Add(40 * time.Second), Step: 10 * time.Second})
	if err != nil || len(got) != 1 || len(got[0].Points) != 3 || math.Abs(got[0].Points[2].V-2) > 1e-9 {
		t.Errorf("%v, %v", got, err)
	}
	if o := s.Oldest(); !o.Equal(start) {
		t.Errorf("oldest %v, want %v", o, start)
	}
	for _, c := range []struct{ expr, want string }{
		{"sum(", "read query: "},
		{"c_total[1m]", "hint: "},
		{`"text"`, "not numbers"},
		{"c_total + on(x) group_left c_total", "run query: "},
	} {
		_, err := s.Instant(t.Context(), c.expr, end)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.expr, err)
		}
	}
	for _, span := range []sources.Span{
		{From: end, To: start, Step: time.Second},
		{From: start, To: end},
		{From: start, To: end, Step: time.Millisecond},
	} {
		if _, err := s.Range(t.Context(), "c_total", span); err == nil {
			t.Errorf("%v: no error", span)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Instant(ctx, "c_total", end); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
