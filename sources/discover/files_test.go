package discover

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// put replaces a file the way careful writers do.
func put(t *testing.T, path, s string) {
	t.Helper()
	if err := os.WriteFile(path+".tmp", []byte(s), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
}

func files(t *testing.T, patterns ...string) *Files {
	t.Helper()
	f, err := File(patterns...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func urls(ts []Target) string {
	var out []string
	for _, t := range ts {
		out = append(out, strings.TrimSuffix(strings.TrimPrefix(t.URL, "http://"), "/metrics"))
	}
	return strings.Join(out, " ")
}

func group1(host string) string { return `[{"targets":["` + host + `"]}]` }

func TestFileLife(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.json")
	f := files(t, path)
	step := func(name, want, wantErr string, wantChange bool) {
		t.Helper()
		r, changed := f.poll()
		err := ""
		if r.Err != nil {
			err = r.Err.Error()
		}
		if urls(r.Targets) != want || !strings.Contains(err, wantErr) || (err == "") != (wantErr == "") || changed != wantChange {
			t.Errorf("%s: targets %q, error %q, changed %t", name, urls(r.Targets), err, changed)
		}
	}
	step("before it is written", "", "no such file", true)
	step("still", "", "no such file", false)
	put(t, path, group1("a:1"))
	step("written", "a:1", "", true)
	step("unchanged", "a:1", "", false)
	put(t, path, group1("b:1"))
	step("replaced, same size", "b:1", "", true)
	put(t, path, "[{")
	step("broken", "b:1", "t.json:1: it ends in the middle (1 targets stay)", true)
	step("still broken", "b:1", "(1 targets stay)", false)
	put(t, path, group1("c:1"))
	step("mended", "c:1", "", true)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	step("deleted", "c:1", "the file is gone (1 targets stay); hint:", true)
	step("still deleted", "c:1", "the file is gone", false)
	put(t, path, group1("c:1"))
	step("back", "c:1", "", true)
	put(t, path, "[]")
	step("emptied", "", "", true)
	put(t, path, group1("d:1"))
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	step("an old file moved in", "d:1", "", true)
	step("not read again", "d:1", "", false)
}

func TestFilePatterns(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "a.json"), group1("a:1"))
	put(t, filepath.Join(dir, "b.json"), group1("b:1"))
	put(t, filepath.Join(dir, "c.yaml"), "- targets: [a:1, c:1]\n")
	f := files(t, filepath.Join(dir, "*.yaml"), filepath.Join(dir, "*.json"), filepath.Join(dir, "a.json"))
	if r := f.Read(); urls(r.Targets) != "a:1 c:1 b:1" || r.Err != nil || len(r.Files) != 3 {
		t.Errorf("targets %q, %v", urls(r.Targets), r.Err)
	}
	// As for Prometheus, a file of several that goes takes its targets along …
	if err := os.Remove(filepath.Join(dir, "b.json")); err != nil {
		t.Fatal(err)
	}
	if r := f.Read(); urls(r.Targets) != "a:1 c:1" || r.Err != nil {
		t.Errorf("targets %q, %v", urls(r.Targets), r.Err)
	}
	// … and the last one does not.
	if err := os.Remove(filepath.Join(dir, "c.yaml")); err != nil {
		t.Fatal(err)
	}
	if r := f.Read(); urls(r.Targets) != "a:1 c:1" || r.Err == nil || !r.Files[0].Kept {
		t.Errorf("targets %q, %v", urls(r.Targets), r.Err)
	}
	if r := files(t, filepath.Join(dir, "none*.json")).Read(); r.Err == nil || !strings.Contains(r.Err.Error(), "no file matches") {
		t.Errorf("error %v", r.Err)
	}
	for _, bad := range []string{"", "targets", "a.txt", "*/a.json", "[.json"} {
		if _, err := File(bad); err == nil || !strings.Contains(err.Error(), "--targets") {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}

func TestOddFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "d.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	if r := files(t, filepath.Join(dir, "d.json")).Read(); r.Err == nil || !strings.Contains(r.Err.Error(), "not a regular file") {
		t.Errorf("a directory: %v", r.Err)
	}
}

func TestFileWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.json")
	put(t, path, group1("a:1"))
	f := files(t, path)
	tick := make(chan time.Time)
	f.after = func(time.Duration) <-chan time.Time { return tick }
	ctx, cancel := context.WithCancel(t.Context())
	reports := make(chan FileReport, 8)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Watch(ctx, func(r FileReport) { reports <- r })
	}()
	var d Differ
	added, removed := d.Update((<-reports).Targets)
	if urls(added) != "a:1" || len(removed) > 0 {
		t.Errorf("added %q, removed %q", urls(added), urls(removed))
	}
	tick <- time.Time{} // nothing changed, nothing is reported
	put(t, path, group1("b:1"))
	tick <- time.Time{}
	added, removed = d.Update((<-reports).Targets)
	if urls(added) != "b:1" || urls(removed) != "a:1" {
		t.Errorf("added %q, removed %q", urls(added), urls(removed))
	}
	cancel()
	<-done
	if len(reports) > 0 {
		t.Errorf("%d reports without a change", len(reports))
	}
}

func TestDiffer(t *testing.T) {
	var d Differ
	x := func(url, rack string) Target { return Target{URL: url, Labels: map[string]string{"rack": rack}} }
	for _, c := range []struct {
		now            []Target
		added, removed string
	}{
		{[]Target{x("b", "1"), x("a", "1"), x("a", "2")}, "a b", ""},
		{[]Target{x("a", "1"), x("b", "1")}, "", ""},
		{[]Target{x("a", "2"), x("c", "1")}, "a c", "a b"},
		{nil, "", "a c"},
		{nil, "", ""},
	} {
		added, removed := d.Update(c.now)
		if urls(added) != c.added || urls(removed) != c.removed {
			t.Errorf("%v: added %q, removed %q", c.now, urls(added), urls(removed))
		}
	}
	if s := (Target{URL: "http://h/metrics?token=x"}).String(); s != "http://h/metrics?…" {
		t.Errorf("shown as %q", s)
	}
}
