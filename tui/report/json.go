// Package report writes one snapshot for people and programs that have no
// terminal: the same figures that the panes draw, as JSON or as text.
//
// It asks no source and judges nothing: judgements are handed to it.
package report

import (
	"encoding/json"
	"io"
	"math"
	"strconv"
	"time"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/judged"
	"dynascope/tui/pane"
)

// Schema names the JSON document's form; docs/once-json.md describes it. A
// field is added without a new name, never removed or changed in meaning.
const Schema = "dynascope.once/1"

// latencyKeys are the histograms that the document spells out, outermost
// first.
var latencyKeys = []string{
	"frontend.ttft", "frontend.itl", "frontend.e2e",
	"router.ttft", "router.itl",
	"engine.ttft", "engine.itl", "engine.queue_time",
}

// totalKeys are raw cumulative counts, for comparing with a page read by hand.
var totalKeys = []string{
	"frontend.ttft", "frontend.itl", "frontend.e2e", "frontend.output_tokens",
	"requests.done", "requests.ok", "requests.ok_stream", "requests.failed",
	"router.ttft", "engine.ttft", "engine.itl", "engine.preemptions",
	"stage.preprocess", "stage.route", "stage.transport", "request_plane.roundtrip_ttft",
	"worker.requests",
}

// Needs are the figures that a report draws besides those of the panes.
func Needs() []sources.Need {
	out := append(triage.PathNeeds(), triage.WorkerNeeds()...)
	out = append(out, judged.Needs()...)
	for _, k := range latencyKeys {
		out = append(out,
			sources.Need{Key: k, Form: sources.FormBuckets},
			sources.Need{Key: k, Form: sources.FormMean})
	}
	for _, k := range totalKeys {
		out = append(out, sources.Need{Key: k, Form: sources.FormTotal})
	}
	return out
}

// number is a float that JSON can hold: NaN and the infinities become null.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if f := float64(n); !math.IsNaN(f) && !math.IsInf(f, 0) {
		return strconv.AppendFloat(nil, f, 'g', -1, 64), nil
	}
	return []byte("null"), nil
}

// exprRunes bounds a query; those with all spellings of a family are long.
const exprRunes = 100_000

type document struct {
	Schema  string           `json:"schema"`
	At      time.Time        `json:"at"`
	Live    bool             `json:"live"`
	Store   string           `json:"store"`
	Warning string           `json:"warning,omitempty"`
	WindowS number           `json:"window_s"`
	HaveS   number           `json:"have_s"`
	SLA     slaDoc           `json:"sla"`
	Models  []string         `json:"models"`
	Targets []targetDoc      `json:"targets"`
	Workers []workerDoc      `json:"workers"`
	Judged  *judgementDoc    `json:"judgement"`
	Path    pathDoc          `json:"ttft_path"`
	Latency []latencyDoc     `json:"latency"`
	Totals  map[string]value `json:"totals"`
	Figures []figureDoc      `json:"figures"`
	Tried   []triedDoc       `json:"discovery"`
}

type slaDoc struct {
	TTFT number `json:"ttft_s"`
	ITL  number `json:"itl_s"`
}

type targetDoc struct {
	Instance  string     `json:"instance"`
	URL       string     `json:"url"`
	Role      string     `json:"role,omitempty"`
	Health    string     `json:"health"`
	Error     string     `json:"error,omitempty"`
	LastGood  *time.Time `json:"last_good"`
	AgeS      *number    `json:"age_s"`
	IntervalS number     `json:"interval_s"`
	Slowed    bool       `json:"slowed"`
	TookS     number     `json:"scrape_s"`
	ServerS   number     `json:"scrape_server_s"`
	Bytes     int64      `json:"scrape_bytes"`
	Samples   int        `json:"scrape_samples"`
	Insecure  bool       `json:"insecure_tls"`
}

// value is one number with the reason when there is none.
type value struct {
	Value  number  `json:"value"`
	Status string  `json:"status"`
	AgeS   number  `json:"age_s"`
	Missed *string `json:"missing,omitempty"` // a family that would bring it
}

type boundsDoc struct {
	Lo     number `json:"lo"`
	Hi     number `json:"hi"` // null past the last finite edge
	Enough bool   `json:"enough"`
	Over   bool   `json:"over,omitempty"`
	Pinned bool   `json:"pinned,omitempty"`
}

type latencyDoc struct {
	Key      string                `json:"key"`
	Status   string                `json:"status"`
	AgeS     number                `json:"age_s"`
	WindowS  number                `json:"window_s"`
	N        number                `json:"n"`
	Mean     number                `json:"mean_s"`
	Quantile map[string]*boundsDoc `json:"quantiles,omitempty"`
	Within   *rangeDoc             `json:"within_sla,omitempty"`
	Overflow number                `json:"overflow"`
	Buckets  []bucketDoc           `json:"buckets,omitempty"`
	Tried    []string              `json:"tried"`
	Note     string                `json:"note,omitempty"`
}

type rangeDoc struct {
	Limit number `json:"limit_s"`
	Lo    number `json:"lo"`
	Hi    number `json:"hi"`
}

type bucketDoc struct {
	LE    string `json:"le"`
	Count number `json:"count"`
}

type pathDoc struct {
	Status string     `json:"status"`
	Total  number     `json:"mean_s"`
	N      number     `json:"n"`
	Stages []stageDoc `json:"stages"`
	Note   string     `json:"note,omitempty"`
}

type stageDoc struct {
	Key     string   `json:"key"`
	Title   string   `json:"title"`
	Mean    number   `json:"mean_s"`
	Share   number   `json:"share"`
	Status  string   `json:"status"`
	Missing []string `json:"missing,omitempty"`
}

type figureDoc struct {
	Key       string     `json:"key"`
	Form      string     `json:"form"`
	By        string     `json:"by,omitempty"`
	Title     string     `json:"title"`
	Unit      string     `json:"unit,omitempty"`
	Status    string     `json:"status"`
	AgeS      number     `json:"age_s"`
	WindowS   number     `json:"window_s,omitempty"`
	Groups    []groupDoc `json:"groups"`
	Tried     []string   `json:"tried,omitempty"`
	Found     []string   `json:"found,omitempty"`
	AllModels bool       `json:"all_models,omitempty"`
	Note      string     `json:"note,omitempty"`
	Error     string     `json:"error,omitempty"`
	Expr      string     `json:"expr"`
}

type groupDoc struct {
	Labels sources.Labels `json:"labels"`
	Value  number         `json:"value"`
	AgeS   number         `json:"age_s"`
}

// JSON writes the document of a frame's snapshot and judgement; tried is what
// discovery did, if it ran.
func JSON(w io.Writer, f pane.Frame, tried ...TriedLine) error {
	s, sla := f.Snap, f.SLA
	doc := document{
		Schema: Schema, At: s.At, Live: s.Live, Store: s.Store, Warning: text.Clean(s.Warning, errorRunes),
		WindowS: seconds(s.Window), HaveS: seconds(s.Have),
		SLA:    slaDoc{seconds(sla.TTFT), seconds(sla.ITL)},
		Models: cleanAll(s.Models), Targets: targetDocs(s), Workers: workerDocs(s),
		Judged: judgementOf(f), Path: pathOf(s), Totals: map[string]value{}, Figures: []figureDoc{}, Tried: triedDocs(tried),
	}
	for _, k := range latencyKeys {
		doc.Latency = append(doc.Latency, latencyOf(s, k, sla))
	}
	for _, k := range totalKeys {
		doc.Totals[k] = valueOf(s.Figure(sources.Need{Key: k, Form: sources.FormTotal}), s.At)
	}
	for _, f := range s.Figures() {
		if !f.Need.IsRange() {
			doc.Figures = append(doc.Figures, figureOf(f, s.At))
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(doc)
}

func seconds(d time.Duration) number { return number(d.Seconds()) }

func targetDocs(s *sources.Snapshot) []targetDoc {
	out := []targetDoc{}
	for _, t := range s.Targets {
		d := targetDoc{
			Instance: clean(t.Instance), URL: clean(t.URL), Role: clean(t.Role), Health: t.Health.String(), Error: text.Clean(t.Error, errorRunes),
			IntervalS: seconds(t.Interval), Slowed: t.Slowed, TookS: seconds(t.Took), ServerS: seconds(t.ServerShare),
			Bytes: t.Bytes, Samples: t.Samples, Insecure: t.Insecure,
		}
		if !t.LastGood.IsZero() {
			at, age := t.LastGood.UTC(), seconds(max(0, s.At.Sub(t.LastGood)))
			d.LastGood, d.AgeS = &at, &age
		}
		out = append(out, d)
	}
	return out
}

func valueOf(f *sources.Figure, at time.Time) value {
	v := value{Value: number(math.NaN()), Status: f.Status.String(), AgeS: seconds(max(0, at.Sub(f.At)))}
	if x, ok := f.Value(); ok {
		v.Value = number(x)
	}
	if f.Status == sources.StatusAbsent && len(f.Tried) > 0 {
		missed := clean(f.Tried[0])
		v.Missed = &missed
	}
	return v
}

func latencyOf(s *sources.Snapshot, key string, sla pane.SLA) latencyDoc {
	f := s.Figure(sources.Need{Key: key, Form: sources.FormBuckets})
	mean, _ := s.Figure(sources.Need{Key: key, Form: sources.FormMean}).Value()
	d := latencyDoc{
		Key: key, Status: f.Status.String(), AgeS: seconds(max(0, s.At.Sub(f.At))), WindowS: seconds(f.Window),
		Mean: number(mean), Tried: cleanAll(f.Tried), Note: clean(noteOf(f)),
	}
	b, ok := f.Buckets()
	if !ok || b.N <= 0 {
		d.Mean = number(math.NaN())
		return d
	}
	d.N, d.Overflow = number(b.N), number(b.Overflow())
	d.Quantile = map[string]*boundsDoc{}
	for name, q := range map[string]float64{"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99} {
		if x, ok := b.Quantile(q); ok {
			d.Quantile[name] = &boundsDoc{number(x.Lo), number(x.Hi), x.Enough, x.Over, x.Pinned}
		}
	}
	limit := map[string]time.Duration{"frontend.ttft": sla.TTFT, "router.ttft": sla.TTFT, "engine.ttft": sla.TTFT, "frontend.itl": sla.ITL, "router.itl": sla.ITL, "engine.itl": sla.ITL}[key]
	if limit > 0 {
		if lo, hi, ok := b.Within(limit.Seconds()); ok {
			d.Within = &rangeDoc{seconds(limit), number(lo), number(hi)}
		}
	}
	for i, e := range b.Edges {
		d.Buckets = append(d.Buckets, bucketDoc{strconv.FormatFloat(e, 'g', -1, 64), number(b.Counts[i])})
	}
	return d
}

func noteOf(f *sources.Figure) string {
	if f.HasValue() {
		return ""
	}
	return f.Note
}

func pathOf(s *sources.Snapshot) pathDoc {
	p := triage.PathOf(s)
	d := pathDoc{Status: p.Status.String(), Total: number(p.Total), N: number(p.N), Stages: []stageDoc{}, Note: p.Note}
	for _, st := range p.Stages {
		d.Stages = append(d.Stages, stageDoc{st.Key, st.Title, number(st.Mean), number(st.Share), st.Status.String(), st.Missing})
	}
	return d
}

func figureOf(f *sources.Figure, at time.Time) figureDoc {
	d := figureDoc{
		Key: f.Need.Key, Form: string(f.Need.Form), By: f.Need.By, Title: clean(f.Title), Unit: clean(f.Unit),
		Status: f.Status.String(), AgeS: seconds(max(0, at.Sub(f.At))), WindowS: seconds(f.Window),
		Groups: []groupDoc{}, Tried: cleanAll(f.Tried), Found: cleanAll(f.Found), AllModels: f.AllModels, Note: clean(noteOf(f)), Error: text.Clean(f.Err, errorRunes), Expr: text.Clean(f.Expr, exprRunes),
	}
	for _, g := range f.Series {
		if p, ok := g.Last(); ok {
			d.Groups = append(d.Groups, groupDoc{cleanLabels(g.Labels), number(p.V), number(math.Max(0, float64(at.UnixMilli()-p.T)/1000))})
		}
	}
	return d
}
