package scenario

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestUnknownKey has one wrong key at each level.
func TestUnknownKey(t *testing.T) {
	for name, tc := range map[string]struct {
		yaml         string
		line, column int
		hint         string
	}{
		"top":        {"name: a\ndescripton: b\n", 2, 1, "did you mean description?"},
		"sla":        {"sla:\n  tftt: 1s\n", 2, 3, "did you mean ttft?"},
		"deployment": {"name: a\ndeployment:\n  engin: vllm\n", 3, 3, "did you mean engine?"},
		"frontends":  {"deployment:\n  frontends: {count: 1, prefx: x}\n", 2, 25, "did you mean prefix?"},
		"pool":       {"deployment:\n  pools:\n    - workers: 1\n    - wrkers: 2\n", 4, 7, "did you mean workers?"},
		"params":     {"deployment:\n  pools:\n    - params:\n        max_runing: 2\n", 4, 9, "did you mean max_running?"},
		"router":     {"deployment:\n  router:\n    mod: kv\n", 3, 5, "did you mean mode?"},
		"exporters":  {"deployment:\n  exporters:\n    dgcm: true\n", 3, 5, "did you mean dcgm?"},
		"network":    {"deployment:\n  network:\n    dely: 1s\n", 3, 5, "did you mean delay?"},
		"buckets":    {"deployment:\n  buckets:\n    tftt: {min: 1}\n", 3, 5, "did you mean ttft?"},
		"grid":       {"deployment:\n  buckets:\n    ttft: {min: 1, max: 2, cuont: 3}\n", 3, 28, "did you mean count?"},
		"load":       {"load:\n- raet: 4\n", 2, 3, "did you mean rate?"},
		"shape":      {"load:\n- rate:\n    shap: ramp\n", 3, 5, "did you mean shape?"},
		"step":       {"load:\n- rate:\n    shape: steps\n    steps:\n    - at: 0s\n      valeu: 2\n", 6, 7, "did you mean value?"},
		"arrival":    {"load:\n- arrival:\n    proces: gamma\n", 3, 5, "did you mean process?"},
		"length":     {"load:\n- isl:\n    men: 4\n", 3, 5, "did you mean mean?"},
		"prefix":     {"load:\n- prefix:\n    shares: 4\n", 3, 5, "did you mean share?"},
		"cancel":     {"load:\n- cancel:\n    aftr: 4\n", 3, 5, "did you mean after?"},
		"fault":      {"faults:\n  - at: 1s\n    kind: kill\n    tagret: worker0\n", 4, 5, "did you mean target?"},
		"expect":     {"expect:\n  - verdict: a\n    cuplrit: worker0\n", 3, 5, "did you mean culprit?"},
		"far off":    {"sla:\n  zzzzzzzz: 1s\n", 2, 3, "one of ttft, itl"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("a.yaml", []byte(tc.yaml))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if e.Line != tc.line || e.Column != tc.column || !strings.Contains(e.Problem, "unknown key") || e.Hint != tc.hint {
				t.Errorf("got  %v\nwant a.yaml:%d:%d … hint: %s", e, tc.line, tc.column, tc.hint)
			}
		})
	}
}

// TestWrong has values that are wrong, with the place and a part of the message.
func TestWrong(t *testing.T) {
	const load = "load: [{rate: 1}]\n"
	for name, tc := range map[string]struct{ yaml, at, say string }{
		"syntax":             {"name: [a\n", "1:", ""},
		"duplicate":          {"name: a\nseed: 2\nname: b\n", "3:1", "already defined"},
		"duplicate in flow":  {"load: [{rate: 1, rate: 2}]\n", "1:18", ""},
		"list for keys":      {"deployment: [1]\n", "1:13", "want keys and values, got a list"},
		"keys for list":      {"load: {rate: 1}\n", "1:7", "want a list"},
		"keys for word":      {"name: {a: 1}\n", "1:7", "want a word"},
		"bare number":        {"duration: 90\n", "1:11", `want a duration such as 90s, got "90"`},
		"word for number":    {"load:\n- rate: fast\n", "2:9", `want a number, got "fast"`},
		"fraction":           {"deployment:\n  pools: [{workers: 1.5}]\n", "2:21", "want a whole number"},
		"nan":                {"load:\n- rate: .nan\n", "2:9", "want a number"},
		"yes":                {"repeat: yes\n", "1:9", "want true or false"},
		"enum":               {"deployment:\n  engine: vlm\n", "2:3", "did you mean vllm?"},
		"range":              {"load:\n- rate: 1\n  stream: 1.5\n", "3:3", "allowed is 0…1"},
		"range of durations": {"duration: 0s\n", "1:1", "allowed is more than 0s"},
		"negative":           {"seed: -1\n", "1:7", "want a whole number"},
		"second document":    {"name: a\n---\nname: b\n", "3:1", "a second document"},
		"tag":                {"name: !!str a\n", "1:7", "the tag !!str"},
		"unknown anchor":     {"name: *a\n", "1:7", "no anchor &a"},
		"merge":              {"load:\n- &a {rate: 1}\n- <<: *a\n", "3:3", `unknown key "<<"`},
		"required":           {"faults:\n- at: 1s\n", "2:3", `the key "kind" is missing`},
		"closed with rate":   {"load:\n- kind: closed\n  concurrency: 4\n  rate: 1\n", "4:3", `has no "rate"`},
		"open without rate":  {"load:\n- isl: 5\n", "2:3", `needs "rate"`},
		"form":               {"load:\n- rate:\n    shape: ramp\n    end: 4\n    mean: 3\n", "5:5", "means nothing with shape: ramp"},
		"sine below zero":    {"load:\n- rate: {shape: sine, mean: 2, amplitude: 3}\n", "2:32", "cannot be negative"},
		"steps back":         {"load:\n- rate: {shape: steps, steps: [{at: 5s, value: 1}, {at: 5s, value: 2}]}\n", "2:53", "times ascend"},
		"after the end":      {"duration: 1m\nload:\n- rate: 1\n  to: 2m\n", "4:3", "make duration longer"},
		"lognormal":          {"load:\n- rate: 1\n  isl: {dist: lognormal, stddev: 3}\n", "3:3", "mean is not more than 0"},
		"weights":            {"load:\n- rate: 1\n  isl: {dist: choice, values: [1, 2], weights: [1]}\n", "3:3", "1 weights for 2 values"},
		"cv of poisson":      {"load:\n- rate: 1\n  arrival: {cv: 3}\n", "3:13", "only gamma"},
		"kind of fault":      {"faults:\n- kind: kil\n", "2:3", "did you mean kill?"},
		"fault needs":        {"faults:\n- kind: slow\n", "2:3", `needs "factor"`},
		"fault uses":         {"faults:\n- kind: slow\n  factor: 2\n  share: 0.5\n", "4:3", "means nothing with kind: slow"},
		"target kind":        {"faults:\n- kind: slow\n  factor: 2\n  target: gpu0\n", "4:3", "slow cannot meet gpu0"},
		"target number":      {"faults:\n- kind: kill\n  target: [worker0, worker2]\n", "3:21", "2 workers, counted from 0"},
		"target rank":        {"faults:\n- kind: slow\n  factor: 2\n  target: worker0/1\n", "4:3", "1 ranks"},
		"target pool":        {"faults:\n- kind: kill\n  target: agregated\n", "3:3", "did you mean aggregated?"},
		"target syntax":      {"faults:\n- kind: kill\n  target: Worker 1\n", "3:11", "is no target"},
		"target exporter":    {"faults:\n- kind: metrics_down\n  target: planner\n", "3:3", "0 planners"},
		"target of plain":    {"deployment: {kind: plain-sglang}\nfaults:\n- kind: errors\n  share: 0.1\n  target: frontend0\n", "5:3", "0 frontends before plain"},
		"model":              {load + "deployment: {models: [a/b], pools: [{model: a/c}]}\n", "2:38", "no model"},
		"model unserved":     {"deployment:\n  models: [a, b]\n", "2:15", `no pool serves "b"`},
		"half disaggregated": {"deployment:\n  pools: [{role: prefill}]\n", "2:3", "not both"},
		"two of one name":    {"deployment:\n  pools: [{}, {}]\n", "2:15", "give each a name"},
		"name":               {"name: a b\n", "1:1", "one word"},
		"verdict":            {"expect: [{verdict: Straggler}]\n", "1:11", "no verdict code"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("a.yaml", []byte(tc.yaml))
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), "a.yaml:"+tc.at) || !strings.Contains(err.Error(), tc.say) {
				t.Errorf("got  %v\nwant a.yaml:%s … %s", err, tc.at, tc.say)
			}
		})
	}
}

func TestDefaultsAndShorthands(t *testing.T) {
	s, err := Parse("dir/a.yaml", []byte(`
deployment:
  frontends: 2
  generation: 1.4
  pools: [{tp: 2, params: {kv_pages: 100, decode_per_seq: 0s}}]
load:
- rate: 4
  isl: &l {dist: uniform, min: 5, max: 9}
  osl: *l
  arrival: constant
faults:
- kind: kill
  target: worker1
  at: 1m
- kind: metrics_down
`))
	if err != nil {
		t.Fatal(err)
	}
	d, l, p := s.Deployment, s.Load[0], s.Deployment.Pools[0]
	if s.Name != "a" || s.Duration != 10*time.Minute || s.Seed != 1 {
		t.Errorf("top: %+v", s)
	}
	if d.Frontends.Count != 2 || d.Frontends.Prefix != "dynamo_frontend" || d.Generation != "1.4" || p.Generation != "1.4" || d.Models[0] != p.Model || !d.Exporters.DCGM {
		t.Errorf("deployment: %+v", d)
	}
	if p.Workers != 2 || p.TP != 2 || p.Name != "aggregated" || *p.Params.KVPages != 100 || *p.Params.DecodePerSeq != 0 || p.Params.MaxRunning != nil {
		t.Errorf("pool: %+v", p)
	}
	if l.Rate.Value != 4 || l.Rate.Form != "constant" || l.OSL.Max != 9 || l.Arrival.Process != "constant" || l.Stream != 1 || l.To != s.Duration || l.Cancel.After.Value != 16 {
		t.Errorf("load: %+v", l)
	}
	if f := s.Faults; f[0].Target[0] != (Target{Kind: TargetWorker, Index: 1, Rank: -1}) || f[1].Target[0].Kind != TargetAll {
		t.Errorf("faults: %+v", f)
	}
}

func TestShippedLoad(t *testing.T) {
	for _, name := range Names() {
		s, err := Load(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if s.Name != name || s.Description == "" || len(s.Load) == 0 {
			t.Errorf("%s: name %q, description %q, %d loads", name, s.Name, s.Description, len(s.Load))
		}
	}
	if _, err := Load("helthy"); err == nil || !strings.Contains(err.Error(), "did you mean healthy?") {
		t.Errorf("got %v", err)
	}
	if _, err := Load("./nowhere.yaml"); err == nil || !strings.Contains(err.Error(), "shipped are") {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range Names() {
		data, _ := shipped.ReadFile("shipped/" + name + ".yaml")
		f.Add(data)
	}
	for _, s := range []string{"a: &a [*a]", "load: [{rate: {shape: burst, period: 1ns}}]", "? a\n: b", "%TAG", "- ", "x: |\n  a", "load: [~]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse("f.yaml", data)
		if err != nil {
			var es Errors
			if s != nil || !errors.As(err, &es) || len(es) == 0 {
				t.Fatalf("neither a scenario nor Errors: %v, %v", s, err)
			}
			return
		}
		if err := s.Validate(); err != nil {
			t.Fatalf("read as valid, then: %v", err)
		}
		for i := range s.Load {
			a, q, r := s.Load[i].Arrivals(rng(1)), s.Requests(i), rng(2)
			for range 3 {
				at, ok := a.Next()
				if x := q.Draw(r); ok && (at < s.Load[i].From || at > s.Load[i].To) || x.ISL < 1 || x.OSL < 1 {
					t.Fatalf("load %d: at %v %+v", i, at, x)
				}
			}
		}
	})
}
