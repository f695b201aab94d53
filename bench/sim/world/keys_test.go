package world_test

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"dynascope/bench/sim/scenario"
	"dynascope/bench/sim/world"
)

// plainSetting is what most keys are tried in: two workers behind a frontend,
// everything exposed, load that is open, mixed and shares prefixes.
const plainSetting = `
duration: 10s
deployment:
  frontends: {count: 1}
  pools: [{workers: 2}]
  router: {mode: kv}
  exporters: {kvbm: kvbm_, planner: true, planner_interval: 5s}
  network: {}
  buckets: {}
load:
- {rate: 12, isl: {dist: uniform, min: 100, max: 1500}, osl: {dist: uniform, min: 20, max: 60}, prefix: {share: 0.6, groups: 4, tokens: 256}}
`

// settings are others, each a change of the first.
var settings = map[string]map[string]any{
	"":        {},
	"pair":    {"deployment.pools": []any{obj("role", "prefill", "workers", 1), obj("role", "decode", "workers", 1)}},
	"tight":   {"deployment.pools.0.params": obj("kv_pages", 300, "conservativeness", 0.1), "load.0.rate": 30, "load.0.osl": 300, "load.0.isl": obj("dist", "uniform", "min", 32, "max", 200)},
	"queue":   {"deployment.router.queue_threshold": 0, "load.0.rate": 40},
	"models":  {"deployment.models": []any{"a-8B", "b-8B"}, "deployment.pools": []any{obj("model", "a-8B", "workers", 1), obj("name", "second", "model", "b-8B", "workers", 1), obj("name", "third", "model", "a-8B", "workers", 1)}},
	"closed":  {"load.0.kind": "closed", "load.0.concurrency": 6, "load.0.rate": nil},
	"slots":   {"deployment.pools.0.params": obj("handler_pool", 2), "load.0.rate": 30},
	"pool":    {"deployment.pools.0.params": obj("handler_pool", 8), "load.0.rate": 30},
	"limit":   {"deployment.pools.0.params": obj("engine_request_limit", 2), "load.0.rate": 30},
	"killed":  {"faults": []any{obj("at", "4s", "kind", "kill", "target", "worker1")}},
	"cancels": {"load.0.cancel": obj("share", 0.5)},
	"tp2":     {"deployment.pools.0.tp": 2},
	"ranks":   {"deployment.pools.0.dp": 2},
}

// obj is a mapping, from keys and values in turn.
func obj(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

// trial is how a key is shown to do something: in which setting, with which
// value, and what else is written on both sides. Without a trial, it is the
// plain setting and the example of the document.
type trial struct {
	in    string
	value any
	also  map[string]any
	// nothing says why the key has no effect on the simulation.
	nothing string
}

const judged = "it judges the simulation from outside"

// rate and osl are trials of keys that one form of a shape or a length reads.
func rate(value any, pairs ...any) trial {
	return trial{value: value, also: obj("load.0.rate", obj(pairs...))}
}

func osl(value any, pairs ...any) trial {
	return trial{value: value, also: obj("load.0.osl", obj(pairs...))}
}

// segment is one of two that share their prefixes.
func segment() map[string]any {
	return obj("rate", 6, "isl", 1000, "osl", 20, "prefix", obj("share", 1, "groups", 2, "tokens", 512))
}

// grid is the trial of a grid's keys.
func grid(value any) trial {
	return trial{value: value, also: obj("deployment.buckets.ttft", obj("min", 0.001, "max", 60, "count", 12))}
}

func in(setting string) trial { return trial{in: setting} }

var trials = map[string]trial{
	"name":              {nothing: "a name"},
	"description":       {nothing: "a text"},
	"expect[].verdict":  {nothing: judged},
	"expect[].from":     {nothing: judged},
	"expect[].to":       {nothing: judged},
	"expect[].severity": {nothing: judged},
	"expect[].culprit":  {nothing: judged},
	"also":              {nothing: judged},
	"duration":          {value: "8s"},
	"repeat":            {also: obj("duration", "5s")},

	"deployment.exporters.planner":                   {value: false},
	"deployment.pools[].gpus_per_host":               {value: 1},
	"deployment.pools[].gpu":                         {also: obj("deployment.models", []any{"a-8B"})},
	"deployment.buckets.ttft.min":                    grid(0.01),
	"deployment.buckets.ttft.max":                    grid(90),
	"deployment.buckets.ttft.count":                  grid(20),
	"deployment.models":                              {value: []any{"acme/other"}},
	"deployment.frontends.migration_limit":           in("killed"),
	"deployment.frontends.max_requests":              {value: 2},
	"deployment.pools[].name":                        {nothing: "a name by which faults call it"},
	"deployment.pools[].role":                        {in: "pair"},
	"deployment.pools[].model":                       {in: "models", value: "b-8B"},
	"deployment.pools[].params.max_running":          {value: 2},
	"deployment.pools[].params.max_prefill_tokens":   {value: 256},
	"deployment.pools[].params.page_size":            {value: 32},
	"deployment.pools[].params.max_context":          {value: 500},
	"deployment.pools[].params.mixed":                {value: true},
	"deployment.pools[].params.transfer_bandwidth":   in("pair"),
	"deployment.pools[].params.transfer_latency":     {in: "pair", value: "20ms"},
	"deployment.pools[].params.dp_attention":         in("ranks"),
	"deployment.pools[].params.conservativeness":     {in: "tight", value: 1},
	"deployment.pools[].params.retract":              in("tight"),
	"deployment.pools[].params.comm_per_step":        in("tp2"),
	"deployment.pools[].params.comm_per_token":       in("tp2"),
	"deployment.pools[].params.handler_queue":        {in: "slots", value: 1},
	"deployment.pools[].params.engine_request_limit": {value: 2},
	"deployment.pools[].params.admission_queue":      {in: "limit", value: 1},
	"deployment.router.queue_threshold":              {value: 0, also: obj("load.0.rate", 30)},
	"deployment.router.queue_limit":                  {in: "queue", value: 1},
	"deployment.router.queue_token_limit":            {in: "queue", value: 500},
	"deployment.router.policy":                       in("queue"),
	"deployment.router.block_size":                   {value: 128},
	"deployment.exporters.dcgm_interval":             {value: "3s"},
	"deployment.exporters.planner_interval":          {value: "2s"},

	"load[].from":               {value: "3s"},
	"load[].to":                 {value: "6s"},
	"load[].kind":               {nothing: "tried with rate and concurrency, which go with it"},
	"load[].concurrency":        {in: "closed", value: 3},
	"load[].think":              in("closed"),
	"load[].arrival.cv":         {also: obj("load.0.arrival", obj("process", "gamma"))},
	"load[].model":              {in: "models", value: "b-8B"},
	"load[].cancel.after":       {in: "cancels", value: 3},
	"load[].prefix.skew":        {value: 2},
	"load[].prefix.tokens":      {value: 64},
	"load[].rate":               {value: 5},
	"load[].rate.shape":         {nothing: "tried with the keys of each form"},
	"load[].prefix.set":         {also: obj("load", []any{segment(), segment()})},
	"load[].rate.value":         rate(9, "value", 4),
	"load[].rate.start":         rate(9, "shape", "ramp", "start", 1, "end", 12),
	"load[].rate.end":           rate(5, "shape", "ramp", "start", 2, "end", 12),
	"load[].rate.mean":          rate(9, "shape", "sine", "mean", 6, "amplitude", 4, "period", "6s"),
	"load[].rate.amplitude":     rate(6, "shape", "sine", "mean", 6, "amplitude", 2, "period", "6s"),
	"load[].rate.period":        rate("4s", "shape", "sine", "mean", 6, "amplitude", 6, "period", "9s"),
	"load[].rate.phase":         rate("3s", "shape", "sine", "mean", 6, "amplitude", 6, "period", "9s"),
	"load[].rate.base":          rate(5, "shape", "burst", "base", 2, "peak", 12, "period", "6s", "for", "2s"),
	"load[].rate.peak":          rate(20, "shape", "burst", "base", 2, "peak", 12, "period", "6s", "for", "2s"),
	"load[].rate.for":           rate("4s", "shape", "burst", "base", 2, "peak", 12, "period", "6s", "for", "2s"),
	"load[].rate.steps[].at":    rate("4s", "shape", "steps", "steps", []any{obj("at", "1s", "value", 8)}),
	"load[].rate.steps[].value": rate(3, "shape", "steps", "steps", []any{obj("at", "1s", "value", 8)}),
	"load[].osl":                {value: 30},
	"load[].osl.dist":           {nothing: "tried with the keys of each"},
	"load[].osl.value":          osl(30, "value", 40),
	"load[].osl.mean":           osl(30, "dist", "normal", "mean", 50, "stddev", 10),
	"load[].osl.stddev":         osl(20, "dist", "lognormal", "mean", 50, "stddev", 10),
	"load[].osl.min":            osl(45, "dist", "normal", "mean", 50, "stddev", 10),
	"load[].osl.max":            osl(52, "dist", "lognormal", "mean", 50, "stddev", 10),
	"load[].osl.values":         osl([]any{20, 60}, "dist", "choice", "values", []any{20, 40}),
	"load[].osl.weights":        osl([]any{1, 9}, "dist", "choice", "values", []any{20, 40}),
}

// TestEveryKey walks the keys of scenarios and shows of each that writing it
// changes what can be seen of the simulation, and of each word that it differs
// from the others. A key that is read and does nothing would deceive.
func TestEveryKey(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range keysOf(reflect.TypeFor[scenario.Scenario](), "") {
		if strings.HasPrefix(k.path, "faults") {
			continue // TestEveryFault
		}
		path, rename := canonical(k.path)
		tr := trials[path]
		seen[path] = true
		t.Run(k.path, func(t *testing.T) {
			sampled(t)
			t.Parallel()
			if tr.nothing != "" {
				return
			}
			at := strings.ReplaceAll(k.path, "[]", ".0")
			changes := maps.Clone(settings[tr.in])
			if k.path != path && strings.HasPrefix(k.path, "load[].concurrency") {
				maps.Copy(changes, settings["closed"])
			}
			if strings.HasPrefix(k.path, "load[].cancel.after") {
				maps.Copy(changes, settings["cancels"])
			}
			for where, v := range tr.also {
				changes[rename.Replace(where)] = v
			}
			without := look(t, changes)
			if words := k.words; words != nil && tr.value == nil {
				all := map[uint64]string{}
				for _, word := range words {
					if path == "deployment.kind" || path == "deployment.pools[].role" {
						continue // shapes of a deployment: their own tests
					}
					changes[at] = word
					digest := look(t, changes)
					if other, ok := all[digest]; ok {
						t.Errorf("%s and %s are one and the same", word, other)
					}
					all[digest] = word
				}
				return
			}
			changes[at] = tr.value
			if tr.value == nil {
				changes[at] = k.example(t)
			}
			if look(t, changes) == without {
				t.Errorf("%v changes nothing", changes[at])
			}
		})
	}
	for path := range trials {
		if !seen[path] {
			t.Errorf("there is no key %s", path)
		}
	}
}

// sampled leaves three of four trials out of a short run.
func sampled(t *testing.T) {
	h := fnv.New32a()
	h.Write([]byte(t.Name())) // a hash takes everything
	if testing.Short() && h.Sum32()%4 != 0 {
		t.Skip("short")
	}
}

// key is a documented key: one that holds a value.
type key struct {
	path  string // list entries as []
	ex    string
	words []string
}

func (k key) example(t testing.TB) any {
	t.Helper()
	var v map[string]any
	if err := yaml.Unmarshal([]byte("x: "+k.ex), &v); err != nil || v["x"] == nil {
		t.Fatalf("%s: the example %q: %v", k.path, k.ex, err)
	}
	return v["x"]
}

// keysOf lists the keys below a type.
func keysOf(typ reflect.Type, prefix string) (out []key) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, ok := f.Tag.Lookup("yaml")
		if !ok {
			continue
		}
		path := strings.TrimPrefix(prefix+"."+name, ".")
		k := key{path: path, ex: f.Tag.Get("ex")}
		if e := f.Tag.Get("enum"); e != "" && e[0] != '@' {
			k.words = strings.Split(e, "|")
		}
		elem := f.Type
		if elem.Kind() == reflect.Slice {
			elem = elem.Elem()
			path += "[]"
		}
		if elem.Kind() == reflect.Pointer {
			elem = elem.Elem()
		}
		below := elem.Kind() == reflect.Struct && elem != reflect.TypeFor[scenario.Target]()
		if !below || k.ex != "" {
			out = append(out, k)
		}
		if below {
			out = append(out, keysOf(elem, path)...)
		}
	}
	return out
}

// canonical is the path under which the keys of a type that is used in several
// places have their trial, and what turns that trial's paths into this place's.
func canonical(path string) (string, *strings.Replacer) {
	for from, to := range map[string]string{"load[].concurrency.": "load[].rate.", "load[].isl.": "load[].osl.", "load[].cancel.after.": "load[].osl."} {
		if rest, ok := strings.CutPrefix(path, from); ok {
			trim := func(s string) string { return strings.ReplaceAll(strings.TrimSuffix(s, "."), "[]", ".0") }
			return to + rest, strings.NewReplacer(trim(to), trim(from))
		}
	}
	for _, name := range []string{"itl", "request_duration", "input_sequence", "output_sequence"} {
		if rest, ok := strings.CutPrefix(path, "deployment.buckets."+name+"."); ok {
			return "deployment.buckets.ttft." + rest, strings.NewReplacer("buckets.ttft", "buckets."+name)
		}
	}
	return path, strings.NewReplacer()
}

// looked holds digests by the scenario's text: many trials share a side.
var looked struct {
	sync.Mutex
	digests map[string]uint64
}

// look runs the plain setting with changes and returns a digest of everything
// that can be seen of it: endpoints, their pages every two seconds, and the
// truth but for its lines about faults.
func look(t testing.TB, changes map[string]any) uint64 {
	t.Helper()
	var tree map[string]any
	if err := yaml.Unmarshal([]byte(plainSetting), &tree); err != nil {
		t.Fatal(err)
	}
	for _, path := range slices.SortedFunc(maps.Keys(changes), func(a, b string) int {
		return strings.Compare(a, b) // what holds others comes first
	}) {
		put(t, tree, strings.Split(path, "."), copied(changes[path]))
	}
	text, err := yaml.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	looked.Lock()
	d, ok := looked.digests[string(text)]
	looked.Unlock()
	if ok {
		return d
	}
	s, err := scenario.Parse("keys.yaml", text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	var truth bytes.Buffer
	w, err := world.New(world.Config{Scenario: s, Truth: &truth})
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	h := fnv.New64a()
	for at := 2 * time.Second; at <= 10*time.Second; at += 2 * time.Second {
		w.Advance(at)
		for _, e := range w.Endpoints() {
			p := w.Page(e.Name)
			fmt.Fprintln(h, e, p.State, p.Delay, len(p.Body))
			h.Write(p.Body[:min(len(p.Body), 1<<18)]) // a hash takes everything
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(truth.Bytes()) {
		if !bytes.Contains(line, []byte(`"fault":`)) {
			h.Write(line)
		}
	}
	looked.Lock()
	defer looked.Unlock()
	if looked.digests == nil {
		looked.digests = map[string]uint64{}
	}
	looked.digests[string(text)] = h.Sum64()
	return h.Sum64()
}

// copied is a value with nothing in common with the one it is a copy of.
func copied(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for k, x := range v {
			m[k] = copied(x)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, x := range v {
			l[i] = copied(x)
		}
		return l
	}
	return v
}

// put sets a value below a tree; nil removes it.
func put(t testing.TB, node any, path []string, value any) {
	t.Helper()
	switch n := node.(type) {
	case map[string]any:
		if len(path) == 1 {
			if value == nil {
				delete(n, path[0])
			} else {
				n[path[0]] = value
			}
			return
		}
		if n[path[0]] == nil {
			if path[1] == "0" {
				n[path[0]] = []any{map[string]any{}}
			} else {
				n[path[0]] = map[string]any{}
			}
		}
		put(t, n[path[0]], path[1:], value)
	case []any:
		i, err := strconv.Atoi(path[0])
		if err != nil || len(path) == 1 {
			t.Fatalf("%v: no place in a list", path)
		}
		put(t, n[i], path[1:], value)
	default:
		t.Fatalf("%v: %T holds nothing", path, node)
	}
}

// faultTrials are the keys of each kind of fault and where it is tried: what
// it needs, and for keys of which another value is to differ, that value.
var faultTrials = map[scenario.FaultKind]struct {
	in     string
	keys   map[string]any
	others map[string]any
}{
	scenario.Kill:             {keys: obj("target", "worker1")},
	scenario.Hang:             {keys: obj("target", "worker1")},
	scenario.Restart:          {keys: obj("target", "worker1")},
	scenario.Slow:             {keys: obj("factor", 3), others: obj("factor", 5)},
	scenario.HostDelay:        {keys: obj("delay", "10ms"), others: obj("delay", "20ms")},
	scenario.ThrottleGPU:      {keys: obj("share", 0.5), others: obj("share", 0.3, "reason", "sw_power_cap")},
	scenario.GPUMemory:        {keys: obj("share", 0.05), others: obj("share", 0.08)},
	scenario.GPUXID:           {keys: obj("xid", 79), others: obj("xid", 31)},
	scenario.ShrinkKV:         {keys: obj("share", 0.02), others: obj("share", 0.01)},
	scenario.FlushCache:       {keys: obj("target", "worker1")},
	scenario.ShrinkPool:       {in: "pool", keys: obj("share", 0.25), others: obj("share", 0.5)},
	scenario.SlowTransfer:     {in: "pair", keys: obj("factor", 20), others: obj("factor", 40)},
	scenario.SlowStage:        {keys: obj("stage", "tokenize", "delay", "20ms"), others: obj("stage", "template", "delay", "40ms")},
	scenario.EventLoopDelay:   {keys: obj("delay", "20ms"), others: obj("delay", "40ms")},
	scenario.SkewRouting:      {keys: obj("share", 0.9, "target", "worker1"), others: obj("share", 0.5)},
	scenario.DropKVEvents:     {keys: obj("share", 1), others: obj("share", 0.5)},
	scenario.NetworkDelay:     {keys: obj("delay", "20ms"), others: obj("delay", "40ms")},
	scenario.Scale:            {keys: obj("workers", 3, "target", "aggregated"), others: obj("workers", 1)},
	scenario.RequestErrors:    {in: "models", keys: obj("share", 0.5), others: obj("share", 0.2, "error", "overload", "model", "b-8B")},
	scenario.CancelRequests:   {in: "models", keys: obj("share", 0.5), others: obj("share", 0.2, "model", "b-8B")},
	scenario.ClockSkew:        {keys: obj("delay", "20ms"), others: obj("delay", "40ms")},
	scenario.MetricsDown:      {},
	scenario.MetricsHang:      {},
	scenario.MetricsSlow:      {keys: obj("delay", "1s"), others: obj("delay", "2s")},
	scenario.MetricsTruncated: {},
	scenario.MetricsGarbage:   {},
	scenario.MetricsHuge:      {keys: obj("target", "planner")},
	scenario.MetricsFrozen:    {},
	scenario.MetricsMissing:   {keys: obj("families", []any{"sglang:"}), others: obj("families", []any{"dynamo_frontend_"})},
}

// TestEveryFault walks the kinds of fault: each changes what can be seen but
// for its own lines in the truth, at each sort of target, and so does each of
// its keys.
func TestEveryFault(t *testing.T) {
	for _, kind := range scenario.FaultKinds() {
		t.Run(string(kind), func(t *testing.T) {
			sampled(t)
			t.Parallel()
			tr, ok := faultTrials[kind]
			if !ok {
				t.Fatal("no trial")
			}
			faulty := func(more ...any) uint64 {
				f := obj("kind", string(kind), "at", "3s", "for", "4s")
				maps.Copy(f, tr.keys)
				maps.Copy(f, obj(more...))
				changes := maps.Clone(settings[tr.in])
				changes["faults"] = []any{f}
				return look(t, changes)
			}
			without, with := look(t, settings[tr.in]), faulty()
			if with == without {
				t.Fatal("it changes nothing")
			}
			differs := func(what string, a, b uint64) {
				t.Helper()
				if a == b {
					t.Errorf("%s changes nothing", what)
				}
			}
			differs("at", with, faulty("at", "5s"))
			if kind != scenario.FlushCache {
				differs("for", with, faulty("for", "2s"))
			}
			once := faulty("for", "1500ms")
			often := faulty("for", "1500ms", "every", "3s")
			differs("every", once, often)
			differs("times", often, faulty("for", "1500ms", "every", "3s", "times", 2))
			needs, reads := scenario.FaultKeys(kind)
			for _, key := range append(needs, reads...) {
				switch other, ok := tr.others[key]; {
				case key == "target": // below
				case key == "factor" && kind == scenario.SlowStage:
					differs(key, faulty("delay", nil, "factor", 5), faulty("delay", nil, "factor", 10))
				case !ok:
					t.Errorf("no trial of its key %s", key)
				default:
					differs(key, with, faulty(key, other))
				}
			}
			for _, target := range scenario.FaultTargets(kind) {
				if kind == scenario.MetricsHuge {
					break // met as the other pages are, at 80 MB each
				}
				word := map[scenario.TargetKind]string{
					scenario.TargetWorker: "worker0", scenario.TargetPool: "aggregated", scenario.TargetFrontend: "frontend0", scenario.TargetRouter: "router",
					scenario.TargetGPU: "gpu0", scenario.TargetHost: "host0", scenario.TargetDCGM: "dcgm0", scenario.TargetKVBM: "kvbm0",
					scenario.TargetPlanner: "planner", scenario.TargetAll: "all",
				}[target]
				if tr.in == "pair" && target == scenario.TargetPool {
					word = "prefill"
				}
				more := []any{"target", word}
				if kind == scenario.MetricsMissing {
					more = append(more, "families", []any{"sglang:", "dynamo_", "DCGM_", "kvbm_"})
				}
				differs("target "+word, without, faulty(more...))
			}
		})
	}
}
