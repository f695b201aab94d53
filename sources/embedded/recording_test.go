package embedded

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dynascope/sources"
)

// trace is everything that can be seen of a directory from outside: names,
// modes, sizes, times of change, contents.
func trace(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %v %d %v", path, info.Mode(), info.Size(), info.ModTime().UnixNano())
		if info.Mode().IsRegular() {
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %x", sha256.Sum256(raw))
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func openRecording(t *testing.T, dir string) *Recording {
	t.Helper()
	r, err := OpenRecording(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func refresh(t *testing.T, r *Recording) {
	t.Helper()
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w := r.Warning(); w != "" {
		t.Fatal(w)
	}
}

// same asks two stores for the course of everything over a span.
func same(t *testing.T, a, b sources.Querier, from, to time.Time) int {
	t.Helper()
	const expr = `label_replace({job="dynascope"}, "name", "$1", "__name__", "(.+)")`
	span := sources.Span{From: from, To: to, Step: max(to.Sub(from)/500, time.Second)}
	x, err := a.Range(t.Context(), expr, span)
	if err != nil {
		t.Fatal(err)
	}
	y, err := b.Range(t.Context(), expr, span)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(byLabels(x), byLabels(y)) {
		t.Fatalf("from %v to %v: %d series differ from %d", from, to, len(x), len(y))
	}
	n := 0
	for _, s := range x {
		n += len(s.Points)
	}
	return n
}

func byLabels(in []sources.Series) map[string][]sources.Point {
	out := map[string][]sources.Point{}
	for _, s := range in {
		out[s.Labels.Key()] = s.Points
	}
	return out
}

// feedSome pushes pages of two targets every 10 s, one of which dies now and
// then, and gives birth to new series.
type feedSome struct {
	s     *Store
	feeds []*Pushed
	at    time.Time
	n     int
}

func newFeed(t *testing.T, s *Store, at time.Time) *feedSome {
	t.Helper()
	f := &feedSome{s: s, at: at}
	for _, host := range []string{"a", "b"} {
		p, err := s.Push(TargetSpec{URL: "http://" + host + ":8000", Interval: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		f.feeds = append(f.feeds, p)
	}
	return f
}

func (f *feedSome) run(t *testing.T, d time.Duration) {
	t.Helper()
	for end := f.at.Add(d); f.at.Before(end); f.at = f.at.Add(10 * time.Second) {
		f.n++
		for k, p := range f.feeds {
			if k == 1 && f.n%50 > 45 {
				if err := p.Fail(f.at, nil); err != nil {
					t.Fatal(err)
				}
				continue
			}
			page := fmt.Sprintf("# TYPE c_total counter\nc_total %d\n# TYPE g gauge\n", f.n*(k+1))
			for i := range 20 {
				page += fmt.Sprintf("g{i=\"%d\"} %v\n", i, float64(f.n*i)/7)
			}
			page += fmt.Sprintf("g{pod=\"%d\"} 1\n", f.n/100)
			if err := p.Page(f.at.Add(time.Duration(k)*time.Second), []byte(page), time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
	}
}

var epoch = time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC)

// A follower sees what the recorder sees while blocks are written, merged and
// dropped and the log is shortened under it; and so does one that comes late.
func TestFollowerSeesWhatTheRecorderSees(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "rec")
	s := open(t, Options{Dir: dir, Record: true, Retention: 3 * time.Hour})
	f := newFeed(t, s, epoch)
	f.run(t, time.Minute)
	s.writeRecord(false)
	r := openRecording(t, dir)
	if _, err := Open(t.Context(), Options{Dir: dir, Record: true}); err == nil || !strings.Contains(err.Error(), "another recorder writes there") {
		t.Errorf("two recorders: %v", err)
	}
	rounds := 40
	if testing.Short() {
		rounds = 24 // enough for two shortenings of the log and the first dropped block
	}
	for i := range rounds {
		f.run(t, 10*time.Minute)
		if err := s.db.Compact(t.Context()); err != nil { // it would come by itself, some time
			t.Fatal(err)
		}
		refresh(t, r)
		if f.at.Sub(r.Newest()) > 10*time.Second {
			t.Fatalf("newest %v at %v", r.Newest(), f.at)
		}
		if n := same(t, s, r, f.at.Add(-20*time.Minute), f.at); i > 2 && n < 4000 {
			t.Fatalf("%d points", n)
		}
	}
	eventually(t, "old blocks go", func() bool { return s.Oldest().After(epoch.Add(10 * time.Minute)) })
	refresh(t, r)
	if _, err := os.Stat(filepath.Join(dir, "wal", "00000000")); err == nil {
		t.Error("the log was never shortened: the test tests less than it should")
	}
	same(t, s, r, f.at.Add(-150*time.Minute), f.at)
	same(t, s, openRecording(t, dir), f.at.Add(-150*time.Minute), f.at)
	eventually(t, "the same oldest", func() bool { refresh(t, r); return s.Oldest().Equal(r.Oldest()) })
	if n := r.now.s.db.Head().NumSeries(); n > 100 {
		t.Errorf("the follower holds %d series of the newest half hour", n)
	}
}

// Reading leaves no trace, neither of a recording that goes on nor of one that
// was killed.
func TestReadingLeavesNoTrace(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	dir := filepath.Join(t.TempDir(), "rec")
	s, err := Open(t.Context(), Options{Dir: dir, Record: true, Retention: 3 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	newFeed(t, s, epoch).run(t, 2*time.Hour)
	eventually(t, "a block", func() bool { return len(s.db.Blocks()) > 5 })
	s.moveChunks(s.now())
	// Late samples go to a log of their own.
	late := s.Appender(t.Context())
	lateSample(t, late, epoch.Add(100*time.Minute))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, recordFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	before, goroutines := trace(t, dir), runtime.NumGoroutine()
	r := openRecording(t, dir)
	refresh(t, r)
	out, err := r.Range(t.Context(), `{__name__=~".+"}`, sources.Span{From: epoch, To: epoch.Add(2 * time.Hour), Step: time.Minute})
	if err != nil || len(out) < 40 {
		t.Fatalf("%d series, %v", len(out), err)
	}
	if out, err := r.Instant(t.Context(), "late_sample", epoch.Add(100*time.Minute)); err != nil || len(out) != 2 {
		t.Errorf("the late samples: %v, %v", out, err)
	}
	if r.Following() || r.Name() != "recording" {
		t.Error("it ended")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Instant(t.Context(), "up", epoch); err == nil {
		t.Error("a question after Close")
	}
	if after := trace(t, dir); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if left, _ := os.ReadDir(tmp); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	eventually(t, "goroutines back to the base line", func() bool { return runtime.NumGoroutine() <= goroutines })
}

// A recorder that comes back to its directory continues: what was recorded
// stays, and the time in between is a gap.
func TestRecorderContinues(t *testing.T) {
	dir := t.TempDir()
	for k := range 3 {
		s, err := Open(t.Context(), Options{Dir: dir, Record: true})
		if err != nil {
			t.Fatal(err)
		}
		f := newFeed(t, s, epoch.Add(time.Duration(k)*20*time.Minute))
		f.n = k * 1000
		if k == 2 {
			if err := s.Remove("b:8000"); err != nil {
				t.Fatal(err)
			}
			f.feeds = f.feeds[:1]
		}
		f.run(t, 10*time.Minute)
		if k == 1 {
			same(t, s, openRecording(t, dir), epoch, f.at)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	r := openRecording(t, dir)
	ask := func(expr string, at time.Duration) float64 {
		out, err := r.Instant(t.Context(), expr, epoch.Add(at))
		if err != nil {
			t.Fatal(err)
		}
		if len(out) == 0 {
			return -1
		}
		p, _ := out[0].Last()
		return p.V
	}
	for _, c := range []struct {
		expr string
		at   time.Duration
		want float64
	}{
		{`c_total{instance="a:8000"}`, 9 * time.Minute, 55},
		{`c_total{instance="a:8000"}`, 10*time.Minute + 10*time.Second, 60}, // within the lookback of 25 s
		{`c_total{instance="a:8000"}`, 15 * time.Minute, -1},                // the gap
		{`c_total{instance="a:8000"}`, 29 * time.Minute, 1055},
		{`c_total{instance="a:8000"}`, 49 * time.Minute, 2055},
		{`c_total{instance="b:8000"}`, 49 * time.Minute, -1},
		{`resets(c_total{instance="a:8000"}[1h])`, 49 * time.Minute, 0},
	} {
		if got := ask(c.expr, c.at); got != c.want {
			t.Errorf("%s after %v: %v, want %v", c.expr, c.at, got, c.want)
		}
	}
	targets := r.Targets()
	if len(targets) != 2 || targets[0].Health != sources.HealthUp || targets[1].Health != sources.HealthDown || !strings.Contains(targets[1].Error, "no longer") {
		t.Errorf("%+v", targets)
	}
	if got := targets[0]; got.URL != "http://a:8000/metrics" || got.Interval != 10*time.Second || !got.LastGood.Equal(epoch.Add(50*time.Minute-10*time.Second)) {
		t.Errorf("%+v", got)
	}
	if r.desc.Targets[0].First.After(epoch.Add(10 * time.Minute)) {
		t.Errorf("first %v", r.desc.Targets[0].First)
	}
}

func TestDamagedRecordings(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Options{Dir: dir, Record: true, Retention: 3 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	newFeed(t, s, epoch).run(t, 2*time.Hour)
	eventually(t, "blocks", func() bool { return len(s.db.Blocks()) > 5 })
	bad := s.db.Blocks()[2].Dir()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(filepath.Join(dir, "wal", "0*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, last := range slices.Backward(segments) {
		info, err := os.Stat(last)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > 0 {
			if err := os.Truncate(last, info.Size()-9); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	r := openRecording(t, dir)
	if w := r.Warning(); w != "" {
		t.Errorf("a torn tail is nothing to warn of: %s", w)
	}
	if gap := epoch.Add(2 * time.Hour).Sub(r.Newest()); gap > time.Minute {
		t.Errorf("a torn record cost %v", gap)
	}
	if err := os.WriteFile(filepath.Join(bad, "index"), []byte("no index"), 0o600); err != nil {
		t.Fatal(err)
	}
	r = openRecording(t, dir)
	if w := r.Warning(); !strings.Contains(w, "part of the recording cannot be read: "+filepath.Base(bad)) {
		t.Errorf("warning %q", w)
	}
	if out, err := r.Instant(t.Context(), "up", epoch.Add(5*time.Minute)); err != nil || len(out) != 2 {
		t.Errorf("the other blocks: %v, %v", out, err)
	}

	for name, c := range map[string]struct{ file, want string }{
		"nothing":  {"", "there is no recording"},
		"garbage":  {"{", "damaged"},
		"newer":    {`{"version":2}`, "version 2"},
		"no parts": {`{"version":1}`, ""},
	} {
		dir := t.TempDir()
		if c.file != "" {
			if err := os.WriteFile(filepath.Join(dir, recordFile), []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r, err := OpenRecording(t.Context(), dir, Options{})
		if c.want == "" {
			if err != nil || !r.Newest().IsZero() || !r.Oldest().IsZero() || r.Close() != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "thesis.tex"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Dir: home, Record: true}); err == nil || !strings.Contains(err.Error(), "other things") {
		t.Errorf("a directory with other things: %v", err)
	}
	if _, err := Open(t.Context(), Options{Record: true}); err == nil {
		t.Error("no directory")
	}
	if _, err := Open(t.Context(), Options{Dir: t.TempDir(), Record: true, MaxBytes: 1}); err == nil {
		t.Error("one byte")
	}
}

// The bound on bytes holds for everything in the directory, whether it is in
// blocks or still in the log.
func TestRecordingStaysWithinItsBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 100 MB")
	}
	dir := t.TempDir()
	s := open(t, Options{Dir: dir, Record: true, MaxBytes: recordLeast})
	at := epoch
	refs := make([]uint64, 400)
	most := int64(0)
	for i := range 16 {
		noise(t, s, refs, &at, 10*time.Minute)
		s.keepWithin()
		size, wal := dirSize(t, dir), dirSize(t, filepath.Join(dir, "wal"))
		if i > 4 {
			most = max(most, size)
		}
		t.Logf("%d MB, %d in the log, %d blocks", size>>20, wal>>20, len(s.db.Blocks()))
	}
	// One step of this test writes 4 MB.
	if most > recordLeast+8<<20 {
		t.Errorf("%d MB", most>>20)
	}
	if s.Oldest().Before(epoch.Add(time.Minute)) {
		t.Error("nothing was dropped")
	}
	s.writeRecord(false)
	r := openRecording(t, dir)
	if got := r.Newest(); at.Sub(got) > time.Minute {
		t.Errorf("the newest went: %v of %v", got, at)
	}
}

const recorderDir = "DYNASCOPE_TEST_RECORDER"

// TestRecorderProcess is the other process of TestKilledRecorder.
func TestRecorderProcess(t *testing.T) {
	dir := os.Getenv(recorderDir)
	if dir == "" {
		t.Skip("started by another test")
	}
	s, err := Open(t.Context(), Options{Dir: dir, Record: true})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	_, err = s.AddLocal(t.Context(), LocalSpec{Instance: "host", Interval: 20 * time.Millisecond, Page: func(context.Context) ([]byte, error) {
		n++
		fmt.Printf("page %d\n", n)
		return fmt.Appendf(nil, "pages %d\n", n), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	select {} // until it is killed
}

// A recorder that is killed loses at most the page that it was storing; while
// it lives, another process reads along; the next recorder goes on.
func TestKilledRecorder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "rec")
	last := 0
	for round := range 2 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestRecorderProcess$")
		cmd.Env = append(os.Environ(), recorderDir+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		page := func() int {
			for lines.Scan() {
				if s, ok := strings.CutPrefix(lines.Text(), "page "); ok {
					n, err := strconv.Atoi(s)
					if err != nil {
						t.Error(err)
					}
					return n
				}
			}
			return 0
		}
		for page() < 20 {
		}
		r := openRecording(t, dir)
		recorded := func() int {
			out, err := r.Instant(t.Context(), `pages{instance="host"}`, r.Newest())
			if err != nil {
				t.Fatal(err)
			}
			if len(out) == 0 {
				return 0
			}
			return int(out[0].Points[0].V)
		}
		if got := recorded(); got < 19 {
			t.Errorf("round %d: a second process sees %d pages of 20", round, got)
		}
		if !r.Following() {
			t.Error("the recorder is there")
		}
		for page() < 40 {
		}
		eventually(t, "the target", func() bool { refresh(t, r); return len(r.Targets()) == 1 })
		if got := recorded(); got < 39 {
			t.Errorf("round %d: after a refresh %d pages of 40", round, got)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for n := page(); n > 0; n = page() {
			last = n
		}
		_ = cmd.Wait()
		refresh(t, r)
		if got := recorded(); got < last-1 {
			t.Errorf("round %d: killed at page %d, recorded up to %d", round, last, got)
		}
		if got := r.Targets(); len(got) != 1 || got[0].Instance != "host" {
			t.Errorf("%+v", got)
		}
		if round == 1 {
			out, err := r.Instant(t.Context(), `resets(pages[1h])`, r.Newest())
			if err != nil || len(out) != 1 || out[0].Points[0].V != 1 {
				t.Errorf("the first recorder's pages: %v, %v", out, err)
			}
		}
	}
}

func FuzzDescription(f *testing.F) {
	f.Add([]byte(`{"version":1,"targets":[{"instance":"a\u001b[31m","interval_ms":1000,"health":"up"}],"slowest":[{"from":"0001-01-01T00:00:00Z","interval_ms":1000}]}`))
	f.Add([]byte(`{"version":1,"targets":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := parseDescription(raw)
		if err != nil {
			return
		}
		for _, x := range d.Targets {
			if got := x.target(); oneLine(got.Instance+got.URL+got.Role) != oneLine(oneLine(got.Instance+got.URL+got.Role)) || strings.ContainsAny(got.Error+got.Instance, "\x1b\n") {
				t.Errorf("%+v", got)
			}
		}
	})
}
