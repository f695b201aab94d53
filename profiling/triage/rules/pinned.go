package rules

import (
	"fmt"
	"math"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// shown are the latencies whose quantiles the screens show, and what the
// frontend calls their edges (DYN_METRICS_<X>_MAX).
var shown = [...]struct {
	key, title, variable string
	promised             func(verdict.SLA) time.Duration
}{
	{"frontend.ttft", "TTFT", "TTFT", func(s verdict.SLA) time.Duration { return s.TTFT }},
	{"frontend.itl", "ITL", "ITL", func(s verdict.SLA) time.Duration { return s.ITL }},
}

var shownQuantiles = [...]float64{0.5, 0.95, 0.99}

func shownNeed(key string) sources.Need {
	return sources.Need{Key: key, Form: sources.FormBuckets, By: "model"}
}

func quantilePinned() verdict.Rule {
	return verdict.Rule{
		Code: "quantile-pinned", Title: "quantile off the scale", Rank: 90,
		Hold: 20 * time.Second, Release: time.Minute,
		Needs: []sources.Need{shownNeed("frontend.ttft"), shownNeed("frontend.itl")},
		Proof: []sources.Need{shownNeed("frontend.ttft"), shownNeed("frontend.itl")},
		Judge: judgePinned,
		Tell:  tellPinned,
		Key:   "2",
		Help: "The p50, p95 or p99 of TTFT or ITL, over a minute with enough requests for it, lies in the last finite bucket of the frontend's histogram or beyond it: the number shown is a bound, and how bad it really is cannot be told. " +
			"A warning where the promise lies there too, so that nobody can tell whether it is kept; else for information. Set wider edges.",
		Alert: verdict.Alert{
			Why: "the last finite edge differs by release and setting, and PromQL cannot read it from the series",
		},
	}
}

// pin is one quantile at the end of its scale.
type pin struct {
	title, variable string
	need            sources.Need
	model           sources.Labels
	bounds          sources.Bounds
	last            float64 // last finite edge
	promised        float64
}

// pins finds the lowest pinned quantile of each latency and model: those above
// it are pinned too.
func pins(m verdict.Moment) (out []pin) {
	for _, l := range shown {
		n := shownNeed(l.key)
		for _, model := range modelsIn(m, n) {
			b, ok := m.Buckets(n, model)
			if !ok || len(b.Edges) < 3 {
				continue
			}
			for _, q := range shownQuantiles {
				x, ok := b.Quantile(q)
				if ok && x.Enough && (x.Pinned || x.Over) {
					out = append(out, pin{l.title, l.variable, n, model, x, b.Edges[len(b.Edges)-2], l.promised(m.SLA()).Seconds()})
					break
				}
			}
		}
	}
	return out
}

func (p pin) culprit(m verdict.Moment) verdict.Culprit {
	name := p.title
	if c := modelCulprit(m, p.model, p.need); c.Name != "" {
		name += " of " + c.Name
	}
	return verdict.Culprit{Kind: "family", Name: name}
}

func judgePinned(m verdict.Moment) (out []verdict.Finding) {
	for _, p := range pins(m) {
		f := verdict.Finding{Culprit: p.culprit(m), Level: verdict.Fires, Severity: verdict.Info, Score: 1 - p.bounds.Q}
		if p.promised > 0 && p.promised > p.bounds.Lo {
			f.Severity = verdict.Warning
		}
		out = append(out, f)
	}
	return out
}

func tellPinned(m verdict.Moment, f verdict.Finding) (s verdict.Story) {
	for _, p := range pins(m) {
		if p.culprit(m) != f.Culprit {
			continue
		}
		where := "in the last bucket, which ends at " + text.Duration(p.last)
		if p.bounds.Over {
			where = "beyond the last edge, " + text.Duration(p.last)
		}
		q := fmt.Sprintf("p%g", 100*p.bounds.Q)
		s.Sentence = fmt.Sprintf("%s of %s lies %s: how bad it is cannot be told", q, p.title, where)
		limit := none
		if p.promised > 0 {
			limit = p.promised
		}
		s.Evidence = []verdict.Evidence{
			m.Number(fmt.Sprintf("%s %s of %s samples", q, text.Bounds(p.bounds, "seconds"), text.Count(p.bounds.N)), p.need, p.model, p.bounds.Lo, limit),
		}
		s.Advice = []string{
			fmt.Sprintf("start the frontend with wider edges: DYN_METRICS_%s_MAX=%g and a larger DYN_METRICS_%s_COUNT (on releases where these have no effect, DYN_HISTOGRAM_DYN_METRICS_%s_…)", p.variable, wider(p), p.variable, p.variable),
			"until then use the exact mean, which no edge bounds (Latency screen)",
		}
	}
	return s
}

// wider is a last edge with room over what is known.
func wider(p pin) float64 { return math.Ceil(10 * p.last) }
