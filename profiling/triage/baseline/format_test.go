package baseline

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
)

var noon = time.Date(2031, 2, 3, 12, 0, 0, 250e6, time.UTC)

var sample = []Entry{
	{Deployment: "prod/east", Model: `Qwen "3" \32B`, Key: "frontend.itl", Mean: 0.0213, N: 88012, Learned: noon},
	{Deployment: "prod/east", Model: `Qwen "3" \32B`, Key: "frontend.ttft", Mean: 0.25, N: 431, Learned: noon},
	{Deployment: "prod/west", Model: "Qwen", Key: "frontend.ttft", Mean: 0.31, N: 77, Learned: noon.Add(time.Hour)},
}

func TestAFileSaysWhatItWasGiven(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, SetOf(sample...)); err != nil {
		t.Fatal(err)
	}
	got, err := Parse(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Entries(), sample) {
		t.Errorf("read back\n%+v\nwant\n%+v", got.Entries(), sample)
	}
	var again bytes.Buffer
	if err := Write(&again, got); err != nil || again.String() != b.String() {
		t.Errorf("written again (%v)\n%s\nwas\n%s", err, again.String(), b.String())
	}
}

func TestAFileByHand(t *testing.T) {
	s, err := Parse(strings.NewReader("# ours\r\n" +
		"dynascope_baseline_mean{key=\"frontend.ttft\"} 0.2\r\n" +
		"  dynascope_baseline_observations { key = \"frontend.ttft\" , } 1e3  \r\n"))
	if err != nil {
		t.Fatal(err)
	}
	mean, n, ok := s.For("anything", "any model").Of("frontend.ttft")
	if !ok || mean != 0.2 || n != 1000 {
		t.Errorf("%v %v %v", mean, n, ok)
	}
}

func TestWhatIsNotUnderstoodIsRefused(t *testing.T) {
	const ok = "dynascope_baseline_observations{key=\"frontend.ttft\"} 10\n"
	mean := func(rest string) string { return ok + "dynascope_baseline_mean" + rest }
	for name, c := range map[string]struct{ in, want string }{
		"no labels":      {mean(" 3"), "line 2"},
		"no key":         {mean(`{model="x"} 3`), "which key"},
		"no such key":    {mean(`{key="frontend.tttf"} 3`), "no key"},
		"no mean of it":  {mean(`{key="requests.done"} 3`), "counter"},
		"unknown label":  {mean(`{key="frontend.ttft",pod="x"} 3`), `unknown label "pod"`},
		"label twice":    {mean(`{key="frontend.ttft",key="frontend.itl"} 3`), "twice"},
		"open quote":     {mean(`{key="frontend.ttft} 3`), "does not end"},
		"open labels":    {mean(`{key="frontend.ttft"`), "after label key"},
		"strange escape": {mean(`{key="frontend\q"} 3`), "escape"},
		"a colour":       {mean("{key=\"frontend.ttft\",model=\"\x1b[31m\"} 3"), "control"},
		"timestamp":      {mean(`{key="frontend.ttft"} 3 1700000000`), "no timestamp"},
		"no number":      {mean(`{key="frontend.ttft"} fast`), "finite"},
		"NaN":            {mean(`{key="frontend.ttft"} NaN`), "finite"},
		"negative":       {mean(`{key="frontend.ttft"} -1`), "finite"},
		"other family":   {mean(`_ms{key="frontend.ttft"} 3`), "unknown family"},
		"said twice":     {ok + ok, "same as line 1"},
		"no mean":        {ok, "has no dynascope_baseline_mean"},
		"no count":       {`dynascope_baseline_mean{key="frontend.ttft"} 1`, "has no dynascope_baseline_observations"},
		"of nothing":     {"dynascope_baseline_mean{key=\"frontend.itl\"} 1\ndynascope_baseline_observations{key=\"frontend.itl\"} 0\n", "no observation"},
		"no moment":      {mean("{key=\"frontend.ttft\"} 1\ndynascope_baseline_learned_at_seconds{key=\"frontend.ttft\"} 1e300"), "no moment"},
		"a video":        {strings.Repeat("#", mostBytes+1), "some kilobytes"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Parse(strings.NewReader(c.in))
			if err == nil || !strings.Contains(err.Error(), c.want) || s != nil {
				t.Errorf("%v, %+v; want an error with %q", err, s.Entries(), c.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	var b bytes.Buffer
	_ = Write(&b, SetOf(sample...))
	f.Add(b.String())
	f.Fuzz(func(t *testing.T, in string) {
		s, err := Parse(strings.NewReader(in))
		if err != nil {
			if strings.ContainsAny(err.Error(), "\x1b\x00") {
				t.Fatalf("outside text in %q", err)
			}
			return
		}
		var b bytes.Buffer
		if err := Write(&b, s); err != nil {
			t.Fatal(err)
		}
		again, err := Parse(&b)
		if err != nil || !reflect.DeepEqual(s.Entries(), again.Entries()) {
			t.Fatalf("read %+v, written and read again %+v (%v)", s.Entries(), again.Entries(), err)
		}
	})
}

func TestLookUp(t *testing.T) {
	s := SetOf(
		Entry{Deployment: "a", Model: "m", Key: "frontend.ttft", Mean: 1, N: 1},
		Entry{Model: "m", Key: "frontend.ttft", Mean: 2, N: 1},
		Entry{Model: "m", Key: "frontend.itl", Mean: 3, N: 1},
		Entry{Deployment: "b", Key: "frontend.ttft", Mean: 4, N: 1},
	)
	for _, c := range []struct {
		deployment, model, key string
		want                   float64 // 0: none
	}{
		{"a", "m", "frontend.ttft", 1}, {"a", "m", "frontend.itl", 3}, {"c", "m", "frontend.ttft", 2},
		{"b", "other", "frontend.ttft", 4}, {"b", "m", "frontend.ttft", 2}, {"a", "m", "stage.route", 0},
	} {
		mean, _, ok := s.For(c.deployment, c.model).Of(c.key)
		if mean != c.want || ok != (c.want > 0) {
			t.Errorf("%s of %s/%s is %v %v, want %v", c.key, c.deployment, c.model, mean, ok, c.want)
		}
	}
	if b := s.For("c", "n"); b != verdict.Baselines(nil) {
		t.Errorf("nobody's baselines are %v, want nil", b)
	}
	if b := (*Set)(nil).For("c", "n"); b != nil {
		t.Errorf("no set's baselines are %v, want nil", b)
	}
}

func TestOwnerOf(t *testing.T) {
	snap := &sources.Snapshot{Models: []string{"b", "a"}, Workers: []sources.Worker{{Namespace: "y"}, {Namespace: "x"}, {Namespace: "y"}, {}}}
	if d, m := OwnerOf(snap); d != "x,y" || m != "a,b" {
		t.Errorf("%q %q", d, m)
	}
	b := SetOf(Entry{Deployment: "x,y", Model: "a,b", Key: "frontend.ttft", Mean: 1, N: 1}).Of(snap)
	if b == nil {
		t.Error("not found by its snapshot")
	}
}

// A new learning of a model replaces the whole of the old one, and no other's.
func TestSave(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "baselines")
	if s, err := ReadFolder(dir); err != nil || s.Len() != 0 {
		t.Fatalf("%v %v", s, err)
	}
	of := func(model, key string, mean float64) Entry {
		return Entry{Deployment: "prod/east", Model: model, Key: key, Mean: mean, N: 60, Learned: noon}
	}
	path, err := Save(dir, "prod/east", SetOf(of("m", "frontend.ttft", 1), of("m", "frontend.itl", 1), of("n", "frontend.ttft", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = Save(dir, "prod/east", SetOf(of("m", "frontend.ttft", 2))); err != nil {
		t.Fatal(err)
	}
	if _, err = Save(dir, "prod east", SetOf(Entry{Deployment: "prod east", Key: "frontend.ttft", Mean: 9, N: 60, Learned: noon})); err != nil {
		t.Fatal(err)
	}
	for file, mode := range map[string]fs.FileMode{path: 0o600, dir: 0o700} {
		if st, err := os.Stat(file); err != nil || st.Mode().Perm() != mode {
			t.Errorf("%s has mode %v (%v), want %v", file, st.Mode(), err, mode)
		}
	}
	got, err := ReadFolder(dir)
	want := SetOf(of("m", "frontend.ttft", 2), of("n", "frontend.ttft", 1), Entry{Deployment: "prod east", Key: "frontend.ttft", Mean: 9, N: 60, Learned: noon})
	if err != nil || !reflect.DeepEqual(got.Entries(), want.Entries()) {
		t.Errorf("%+v (%v)", got.Entries(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	// One that is broken does not hide the others, and is not overwritten.
	if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err = ReadFolder(dir); err == nil || !strings.Contains(err.Error(), path) || got.Len() != 1 {
		t.Errorf("%+v (%v)", got.Entries(), err)
	}
	if _, err = Save(dir, "prod/east", want); err == nil {
		t.Error("a broken file was overwritten")
	}
}
