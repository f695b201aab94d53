package panetest

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/tui/pane"
)

// Dataset names one state that a deployment can be in.
type Dataset string

// The data sets.
const (
	Full     Dataset = "full"     // eight workers in every state, all figures live
	Nil      Dataset = "nil"      // no snapshot yet
	Empty    Dataset = "empty"    // a snapshot without workers, targets and figures
	Absent   Dataset = "absent"   // workers, and no family that was asked for
	Pending  Dataset = "pending"  // workers, and nothing scraped twice
	Idle     Dataset = "idle"     // families without traffic
	Failed   Dataset = "failed"   // every question failed
	OnePoint Dataset = "onepoint" // one point a course, one observation a histogram
	NaN      Dataset = "nan"      // no number anywhere
	Gaps     Dataset = "gaps"     // missing points, and groups that are missing whole
	Stale    Dataset = "stale"    // everything as of 12 s ago
	Many     Dataset = "many"     // 256 workers
	Hostile  Dataset = "hostile"  // escape sequences, CJK, very long names, absurd numbers
)

// Datasets returns all data sets.
func Datasets() []Dataset {
	return []Dataset{Full, Nil, Empty, Absent, Pending, Idle, Failed, OnePoint, NaN, Gaps, Stale, Many, Hostile}
}

// Now is the moment of every snapshot from Fill.
func Now() time.Time { return time.Date(2026, 11, 23, 12, 3, 41, 0, time.UTC) }

// age is how old a stale number is.
const age = 12 * time.Second

// Fill builds a snapshot that answers the needs in one data set: for each a
// plausible figure of the right shape for its form, grouping and span. It is
// a function of its arguments: the same needs get the same numbers.
func Fill(f pane.Frame, needs []sources.Need, d Dataset) *sources.Snapshot {
	if d == Nil {
		return nil
	}
	window := f.Window
	if window <= 0 {
		window = 5 * time.Minute
	}
	snap := sources.Snapshot{
		Seq: seq(f, needs, d), At: Now(), Live: !f.Paused, Window: window, Have: window,
		Store: "embedded", Models: []string{"Qwen3-32B"}, Took: 8 * time.Millisecond, Queries: len(needs),
	}
	if d == Empty {
		snap.Models = nil
		return sources.NewSnapshot(snap, nil)
	}
	if d == Pending {
		snap.Have = 2 * time.Second
	}
	snap.Workers = workers(d)
	snap.Targets = targets(snap.Workers, d)
	if d == Hostile {
		snap.Models = []string{hostile(3), hostile(4)}
	}
	dead := map[string]bool{}
	for _, w := range snap.Workers {
		dead[w.Instance] = w.Instance != "" && (w.State == sources.WorkerStale || w.State == sources.WorkerGone)
	}
	figures := make(map[sources.Need]*sources.Figure, len(needs))
	for _, n := range needs {
		figures[n] = fill{&snap, d, n, dead}.figure()
	}
	return sources.NewSnapshot(snap, figures)
}

// seq is another number for another content, as it is in the feed: panes may
// keep what they worked out for a snapshot until the next one.
func seq(f pane.Frame, needs []sources.Need, d Dataset) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, d, f.Window, f.Paused, needs)
	return h.Sum64()
}

// workers returns the deployment: two prefill and six decode workers, the
// last ones in the less happy states, and one of two DP ranks.
func workers(d Dataset) []sources.Worker {
	n := 8
	if d == Many {
		n = 256
	}
	states := []sources.WorkerState{
		sources.WorkerUp, sources.WorkerUp, sources.WorkerUp, sources.WorkerUp,
		sources.WorkerStale, sources.WorkerGone, sources.WorkerUnscraped, sources.WorkerUnlisted,
	}
	var ids []string
	out := make([]sources.Worker, 0, n)
	for i := range n {
		id := 0x7f3ac2d15b1f7e21 + uint64(i)*0x1e3779b97f4a7c15
		w := sources.Worker{
			ID: strconv.FormatUint(id, 16), Decimal: strconv.FormatUint(id, 10),
			Instance:  fmt.Sprintf("10.0.%d.%d:9090", i/100, 11+i%100),
			Namespace: "dynamo", Component: "backend", Role: "decode", Engine: "sglang", Model: "Qwen3-32B",
			Ranks: []string{"0"}, State: states[i%8], LastGood: Now().Add(-300 * time.Millisecond),
		}
		if d == Stale && w.State == sources.WorkerUp {
			w.State = sources.WorkerStale
		}
		switch w.State {
		case sources.WorkerStale, sources.WorkerGone:
			w.LastGood = Now().Add(-age)
		case sources.WorkerUnscraped:
			w.Instance, w.Engine, w.LastGood = "", "", time.Time{}
		}
		switch i % 8 {
		case 0, 5:
			w.Role, w.Component = "prefill", "prefill"
		case 2:
			w.Ranks = []string{"0", "1"}
		case 3:
			w.Engine = "vllm"
		}
		if d == Hostile {
			w.ID, w.Decimal, w.Instance, w.Model = hostile(i), hostile(i+1), hostile(i+2), hostile(i+3)
			w.Namespace, w.Component, w.Role, w.Engine = hostile(i+4), hostile(i+5), hostile(i+6), hostile(i)
			w.State, w.Ranks = sources.WorkerState(hostile(i+1)), []string{hostile(i)}
			if i%2 == 0 {
				w.State = states[i]
			}
		}
		ids = append(ids, w.ID)
		out = append(out, w)
	}
	short := sources.ShortIDs(ids)
	for i := range out {
		out[i].Short = short[out[i].ID]
	}
	slices.SortStableFunc(out, func(a, b sources.Worker) int { return strings.Compare(a.Role+" "+a.ID, b.Role+" "+b.ID) })
	if d == Hostile {
		out[0].Ranks = nil
		out[1].ID, out[1].Short, out[1].Decimal = "", "", ""
	}
	return out
}

func targets(ws []sources.Worker, d Dataset) []sources.Target {
	good := sources.Target{
		Health: sources.HealthUp, LastGood: Now().Add(-300 * time.Millisecond), LastScrape: Now().Add(-300 * time.Millisecond),
		Took: 14 * time.Millisecond, ServerShare: 6 * time.Millisecond, Bytes: 48_000, Samples: 412,
		Interval: time.Second, BaseInterval: time.Second,
	}
	front := good
	front.Instance, front.URL, front.Role = "10.0.0.1:8000", "http://10.0.0.1:8000/metrics", "frontend"
	out := []sources.Target{front}
	for _, w := range ws {
		t := good
		t.Instance, t.URL, t.Role, t.LastGood = w.Instance, "http://"+w.Instance+"/metrics", "worker", w.LastGood
		switch {
		case w.Instance == "":
			continue
		case w.State == sources.WorkerStale, w.State == sources.WorkerGone:
			t.Health, t.Error = sources.HealthDown, "connection refused"
		case d == Pending:
			t.Health, t.LastGood = sources.HealthPending, time.Time{}
		}
		out = append(out, t)
	}
	return out
}

// fill answers one need.
type fill struct {
	snap *sources.Snapshot
	set  Dataset
	need sources.Need
	dead map[string]bool // instances whose page no longer answers
}

func (f fill) figure() *sources.Figure {
	n := f.need
	fig := &sources.Figure{
		Need: n, Status: sources.StatusOK, At: f.snap.At, Window: f.snap.Window,
		Title: n.Key, Expr: "sum(" + n.Key + ")", Tried: []string{"family_a", "family_b"}, Found: []string{"family_a"},
	}
	if m, ok := catalog.Default().Metric(n.Key); ok {
		fig.Title, fig.Unit, fig.Better = m.Title, m.Unit, m.Better
	}
	if n.Window > 0 {
		fig.Window = n.Window
	}
	if n.Form == sources.FormNow || n.Form == sources.FormTotal {
		fig.Window = 0
	}
	none := map[Dataset]sources.Status{
		Absent: sources.StatusAbsent, Pending: sources.StatusPending, Idle: sources.StatusIdle, Failed: sources.StatusError,
	}
	if st, ok := none[f.set]; ok {
		fig.Status = st
		if st == sources.StatusAbsent || st == sources.StatusPending {
			fig.Found, fig.Note = nil, "start the engine with --enable-metrics"
		}
		if st == sources.StatusError {
			fig.Err = "query timed out, hint: a shorter window"
		}
		return fig
	}
	switch f.set {
	case Stale:
		fig.Status, fig.At = sources.StatusStale, f.snap.At.Add(-age)
	case NaN:
		fig.Status = sources.StatusNaN
	case Hostile:
		fig.Title, fig.Unit, fig.Note, fig.Err = hostile(1), hostile(2), hostile(3), hostile(4)
		fig.Tried = []string{hostile(5), hostile(6)}
	}
	for i, labels := range f.groups() {
		if f.set == Gaps && i%3 == 1 {
			continue
		}
		fig.Series = append(fig.Series, f.series(labels, i)...)
	}
	return fig
}

// groups are the label sets that By keeps apart: one a worker and rank where
// it names workers, a host's GPUs where it names those, else three.
func (f fill) groups() []sources.Labels {
	if f.need.By == "" {
		return []sources.Labels{{}}
	}
	by := strings.Split(f.need.By, ",")
	has := func(l string) bool { return slices.Contains(by, l) }
	var out []sources.Labels
	seen := map[string]bool{}
	add := func(i int, known sources.Labels) {
		l := sources.Labels{}
		for _, name := range by {
			v, ok := known[name]
			if !ok {
				v = f.value(name, i)
			}
			l[name] = v
		}
		if k := l.Key(); !seen[k] {
			seen[k] = true
			out = append(out, l)
		}
	}
	switch {
	case has("instance") || has("worker_id") || has("worker_hex") || has("dp_rank"):
		for i, w := range f.snap.Workers {
			if w.Instance == "" && has("instance") {
				continue
			}
			known := sources.Labels{
				"instance": w.Instance, "worker_id": w.Decimal, "worker_hex": w.ID, "model": w.Model,
				"namespace": w.Namespace, "component": w.Component, "worker_type": w.Role,
			}
			if !has("dp_rank") {
				add(i, known)
				continue
			}
			for _, r := range w.Ranks {
				known["dp_rank"] = r
				add(i, known)
			}
		}
	case has("gpu") || has("uuid"):
		for i := range 8 {
			add(i, sources.Labels{"host": "node-" + strconv.Itoa(i/4), "gpu": strconv.Itoa(i % 4), "uuid": fmt.Sprintf("GPU-%08x", i*0x1234567)})
		}
	default:
		for i := range 3 {
			add(i, nil)
		}
	}
	return out
}

// value is the i-th value of a label that workers and GPUs do not fix.
func (f fill) value(name string, i int) string {
	if f.set == Hostile {
		return hostile(i)
	}
	switch name {
	case "model":
		return "Qwen3-32B"
	case "host":
		return "node-" + strconv.Itoa(i)
	case "status":
		return []string{"success", "error", "cancelled"}[i%3]
	case "stage":
		return []string{"preprocess", "route", "transport_roundtrip"}[i%3]
	default:
		return name + "-" + strconv.Itoa(i)
	}
}

// series builds a group's line, or its cumulative lines when buckets are asked.
func (f fill) series(labels sources.Labels, i int) []sources.Series {
	if f.need.Form != sources.FormBuckets {
		return []sources.Series{{Labels: labels, Points: f.points(labels, func(at float64) float64 { return f.number(i, at) })}}
	}
	edges := ttftEdges
	if strings.Contains(f.need.Key, "itl") {
		edges = itlEdges
	}
	out := make([]sources.Series, 0, len(edges))
	for k, le := range edges {
		l := labels.Without()
		l["le"] = le
		out = append(out, sources.Series{Labels: l, Points: f.points(labels, func(at float64) float64 {
			n, middle := 400.0, 0.55*float64(len(edges))+float64(i%3)+1.5*math.Sin(at*6)
			if f.set == OnePoint {
				n = 1
			}
			return math.Round(n / (1 + math.Exp((middle-float64(k))*1.4)))
		})})
	}
	return out
}

// points lays a function of 0…1 on the need's columns, or on one instant.
// The time of a stale worker's points is that of its last good scrape.
func (f fill) points(labels sources.Labels, of func(at float64) float64) []sources.Point {
	end := f.snap.At
	if f.set == Stale || f.dead[labels["instance"]] {
		end = end.Add(-age)
	}
	value := func(at float64) float64 {
		if f.set == NaN {
			return math.NaN()
		}
		return of(at)
	}
	if !f.need.IsRange() {
		return []sources.Point{{T: end.UnixMilli(), V: value(1)}}
	}
	step := max(f.need.Step, time.Second).Milliseconds()
	last := f.snap.At.UnixMilli() / step * step
	n := int(min(max(f.need.Span.Milliseconds()/step, 1), 1000))
	var out []sources.Point
	for c := range n {
		t := last - int64(n-1-c)*step
		gap := f.set == Gaps && c%7 < 3 || f.set == OnePoint && c < n-1
		if t <= end.UnixMilli() && !gap {
			out = append(out, sources.Point{T: t, V: value(float64(c+1) / float64(n))})
		}
	}
	return out
}

// number is the i-th group's value: steady over ticks, different between
// keys and groups, a slow wave over time.
func (f fill) number(i int, at float64) float64 {
	h := fnv.New32a()
	fmt.Fprintf(h, "%s %d", f.need.Key, i)
	seed := float64(h.Sum32()%1000) / 1000 // 0…1
	wave := math.Max(0.1+0.7*seed+0.2*math.Sin(6*at+10*seed), 0)
	if f.set == Hostile {
		return []float64{math.Inf(1), math.Inf(-1), 1e300, -42, math.NaN(), 5e-324}[i%6]
	}
	m, _ := catalog.Default().Metric(f.need.Key)
	switch unit := m.Unit; {
	case f.need.Form == sources.FormCount:
		return math.Round(wave * 12_000)
	case unit == "seconds" && strings.Contains(f.need.Key, "itl"):
		return wave * 0.02
	case unit == "seconds":
		return wave
	case unit == "ratio":
		return math.Min(wave, 1)
	case unit == "bytes" || unit == "MiB":
		return wave * 80 * (1 << 30)
	case unit == "watts":
		return wave * 700
	case unit == "celsius":
		return 30 + wave*50
	case unit == "tokens" && f.need.Form == sources.FormRate:
		return wave * 4000
	case f.need.Form == sources.FormRate:
		return wave * 40
	case f.need.Form == sources.FormIncrease:
		return math.Round(wave * 6)
	default:
		return math.Round(wave * 64)
	}
}

// Dynamo's own edges.
var (
	ttftEdges = []string{"0", "0.0022", "0.0047", "0.01", "0.022", "0.047", "0.1", "0.22", "0.47", "1", "2.2", "4.7", "10", "22", "48", "100", "220", "480", "+Inf"}
	itlEdges  = []string{"0", "0.0018", "0.0033", "0.0059", "0.011", "0.02", "0.035", "0.064", "0.12", "0.21", "0.38", "0.69", "1.2", "2.3", "4.1", "7.4", "13", "24", "44", "80", "+Inf"}
)

// hostile returns one of the strings that a label value must not get through
// to a terminal, or that do not have as many cells as runes.
func hostile(i int) string {
	all := []string{
		"\x1b[31;1mred\x1b[2J\x1b[H",
		"\x1b]0;title\x07\x1b]52;c;aGk=\x07",
		"模型名称很长很长",
		strings.Repeat("very-long-name-", 40),
		"a\nb\tc\rd\x00e\u200b\u202e",
		"é̂̃ 👩‍👩‍👧 ❤️ \xff\xfe",
		"",
	}
	return all[((i%len(all))+len(all))%len(all)]
}
