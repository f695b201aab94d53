package embedded

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

func lateSample(t *testing.T, a storage.AppenderV2, at time.Time) {
	t.Helper()
	for i, when := range []time.Time{at, at.Add(-time.Minute), at.Add(-30 * time.Second)} {
		for _, k := range []string{"a", "b"} {
			if _, err := a.Append(0, labels.FromStrings("__name__", "late_sample", "k", k), 0, when.UnixMilli(), float64(i), nil, nil, storage.AOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := a.Commit(); err != nil {
		t.Fatal(err)
	}
}

// noise appends series of random values, which no encoding makes small, each
// second.
func noise(t *testing.T, s *Store, refs []uint64, at *time.Time, d time.Duration) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(at.Unix())))
	for end := at.Add(d); at.Before(end); *at = at.Add(time.Second) {
		s.fed.newest.Store(at.UnixMilli())
		a := s.Appender(t.Context())
		for i := range refs {
			ls := labels.FromStrings("__name__", "noise", "i", fmt.Sprint(i))
			ref, err := a.Append(storage.SeriesRef(refs[i]), ls, 0, at.UnixMilli(), rng.Float64(), nil, nil, storage.AOptions{})
			if err != nil {
				t.Fatal(err)
			}
			refs[i] = uint64(ref)
		}
		if err := a.Commit(); err != nil {
			t.Fatal(err)
		}
	}
}

func dirSize(t testing.TB, dir string) int64 {
	t.Helper()
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if info, ierr := e.Info(); err == nil && ierr == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil
	})
	return n
}

// BenchmarkOpenRecording opens a recording of 24 hours of 16 targets at 1 s and
// asks a first question. The recording is made once, which takes minutes: 360
// series a target unless DYNASCOPE_BENCH_SERIES says otherwise. It prints the
// heap that an open recording holds, the directory's size, what one more look
// costs when nothing was written, and a question of twelve hours ago.
func BenchmarkOpenRecording(b *testing.B) {
	dir := os.Getenv("DYNASCOPE_BENCH_RECORDING") // keep it between runs
	if dir == "" {
		dir = b.TempDir()
	}
	if _, err := readDescription(dir); err != nil {
		recordDay(b, dir)
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	var holds uint64
	var look, past time.Duration
	began := cpu(b)
	for b.Loop() {
		r, err := OpenRecording(b.Context(), dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		const expr = `sum by (instance) (rate(c_total[1m]))`
		out, err := r.Instant(b.Context(), expr, r.Newest())
		if err != nil || len(out) != 16 {
			b.Fatalf("%d groups, %v", len(out), err)
		}
		b.StopTimer()
		holds = max(holds, heap()-before)
		start := time.Now()
		if err := r.Refresh(b.Context()); err != nil {
			b.Fatal(err)
		}
		look = time.Since(start)
		start = time.Now()
		if out, err = r.Instant(b.Context(), expr, r.Newest().Add(-12*time.Hour)); err != nil || len(out) != 16 {
			b.Fatalf("%d groups, %v", len(out), err)
		}
		past = time.Since(start)
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric((cpu(b)-began).Seconds()/float64(b.N), "core-s/op")
	b.ReportMetric(float64(holds)/1e6, "heap-MB")
	b.ReportMetric(float64(dirSize(b, dir))/1e6, "disk-MB")
	b.ReportMetric(float64(dirSize(b, filepath.Join(dir, "wal")))/1e6, "log-MB")
	b.ReportMetric(look.Seconds()*1e3, "ms/look")
	b.ReportMetric(past.Seconds()*1e3, "ms/past")
}

// recordDay writes the recording of the benchmark by samples, not by pages:
// parsing is not what it measures.
func recordDay(b *testing.B, dir string) {
	b.Helper()
	series := 360
	if text := os.Getenv("DYNASCOPE_BENCH_SERIES"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		series = n
	}
	s, err := Open(b.Context(), Options{Dir: dir, Record: true, MaxBytes: 64 << 30})
	if err != nil {
		b.Fatal(err)
	}
	var all []labels.Labels
	for k := range 16 {
		for i := range series {
			name := "g"
			if i%2 == 0 {
				name = "c_total"
			}
			all = append(all, labels.FromStrings("__name__", name, "job", job, "instance", fmt.Sprintf("worker%d:9090", k), "i", strconv.Itoa(i)))
		}
	}
	refs := make([]storage.SeriesRef, len(all))
	for i := range 24 * 3600 {
		at := epoch.Add(time.Duration(i) * time.Second)
		s.fed.newest.Store(at.UnixMilli())
		a := s.Appender(b.Context())
		for k, ls := range all {
			v := float64(i * (k%17 + 1)) // a counter
			if k%2 == 1 {
				v = float64((i * k) % 97) // a gauge
			}
			if refs[k], err = a.Append(refs[k], ls, 0, at.UnixMilli(), v, nil, nil, storage.AOptions{}); err != nil {
				b.Fatal(err)
			}
		}
		if err := a.Commit(); err != nil {
			b.Fatal(err)
		}
		if i%600 == 0 {
			if err := s.db.Compact(b.Context()); err != nil { // in step with the virtual time
				b.Fatal(err)
			}
			s.moveChunks(at)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
