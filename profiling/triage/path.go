// Package triage reads what a snapshot proves: so far, where the time to
// first token goes.
//
// It draws nothing, asks nothing of a source, and claims no cause.
package triage

import (
	"math"
	"strings"

	"dynascope/sources"
)

// Stage is one part of the time to first token.
type Stage struct {
	Key   string  // stable name: "preprocess", "route", "transport", "queue", "prefill", "engine", "unattributed"
	Title string  // as drawn
	Mean  float64 // seconds per request
	Share float64 // of the total, 0…1
	// Status is that of the figure behind the stage; Mean is meant only when
	// it is ok or stale.
	Status sources.Status
	Needs  []sources.Need // where the number comes from, for explain
	Rest   bool           // what no other part explains
	// Missing names families that would split this stage further: absent, or
	// there without covering these requests.
	Missing []string
}

// Path is the mean time to first token of one window and its parts. Parts are
// means of one population: each stage's mean per observation times its
// observations per request, rounded to whole visits (a disaggregated request
// is routed twice; the router's own chatter, about one in a hundred, does not
// make it 1.01 times). Nothing that encloses another part
// is added to it, and what no part explains is a part of its own.
type Path struct {
	Total  float64 // seconds, mean
	N      float64 // requests in the window
	Status sources.Status
	Stages []Stage
	// Note says what keeps the path from being split further, empty when
	// nothing does.
	Note string
}

var (
	needTotal = mean("frontend.ttft")
	needCount = count("frontend.ttft")
)

func mean(key string) sources.Need  { return sources.Need{Key: key, Form: sources.FormMean} }
func count(key string) sources.Need { return sources.Need{Key: key, Form: sources.FormCount} }

// PathNeeds are the figures that PathOf reads.
func PathNeeds() []sources.Need {
	out := []sources.Need{needTotal, needCount}
	for _, k := range []string{"stage.preprocess", "stage.route", "router.overhead.total", "stage.transport", "engine.ttft", "engine.queue_time", "engine.prefill_time"} {
		out = append(out, mean(k), count(k))
	}
	return out
}

// PathOf reads the path from a snapshot whose ticks asked PathNeeds.
func PathOf(s *sources.Snapshot) Path {
	total := s.Figure(needTotal)
	p := Path{Status: total.Status}
	p.Total, _ = total.Value()
	p.N, _ = s.Figure(needCount).Value()
	if !total.HasValue() || !(p.Total > 0) {
		return p
	}
	part := func(key, title string, mean float64, f *sources.Figure, needs ...sources.Need) Stage {
		return Stage{Key: key, Title: title, Mean: mean, Status: f.Status, Needs: needs}
	}
	perRequest := func(key string) (float64, *sources.Figure) {
		f := s.Figure(mean(key))
		v, ok := f.Value()
		if !ok || math.IsNaN(v) {
			return 0, f
		}
		return v * visits(s, key, p.N), f
	}

	// The frontend's own route stage ends before the KV router works: with
	// requests queueing in the router it stays at microseconds while the
	// router's total takes most of the TTFT. Where the router reports, its
	// total is the route.
	route := "stage.route"
	if s.Figure(mean("router.overhead.total")).HasValue() {
		route = "router.overhead.total"
	}
	for _, st := range []struct{ key, name, title string }{
		{"stage.preprocess", "preprocess", "preprocess"},
		{route, "route", "route"},
	} {
		if v, f := perRequest(st.key); f.HasValue() && visits(s, st.key, p.N) > 0 {
			p.Stages = append(p.Stages, part(st.name, st.title, v, f, mean(st.key), count(st.key)))
		}
	}

	// The transport's round trip encloses the engine: it is split where the
	// engine's own TTFT covers the same requests, and is else one part. A
	// disaggregated request makes two round trips that overlap (recorded: 2 ×
	// 124 ms inside a TTFT of 164 ms), and the family does not tell prefill
	// from decode, so there neither is a part.
	trip, tripFig := perRequest("stage.transport")
	engine, engineFig := perRequest("engine.ttft")
	covered := engineFig.HasValue() && visits(s, "engine.ttft", p.N) > 0
	switch {
	case tripFig.HasValue() && visits(s, "stage.transport", p.N) > 1:
		p.Note = "not split: prefill and decode round trips overlap, and the frontend does not tell them apart"
	case tripFig.HasValue() && covered:
		// Frontend and workers are scraped at different moments, so that in a
		// changing load the engine's mean can exceed the round trip that holds
		// it by a little; the round trip is the frontend's own measure.
		engine = math.Min(engine, trip)
		p.Stages = append(p.Stages, part("transport", "transport", trip-engine, tripFig, mean("stage.transport"), mean("engine.ttft")))
		p.Stages = append(p.Stages, engineStages(s, p.N, engine, engineFig)...)
	case tripFig.HasValue():
		st := part("engine", "transport + engine (not split)", trip, tripFig, mean("stage.transport"))
		st.Missing = spelled(engineFig.Tried, s.Workers)
		p.Stages = append(p.Stages, st)
	case covered:
		p.Stages = append(p.Stages, engineStages(s, p.N, engine, engineFig)...)
	}

	rest := p.Total
	for _, st := range p.Stages {
		rest -= st.Mean
	}
	if rest < -0.05*p.Total && p.Note == "" {
		p.Note = "parts add up to more than the mean: in this window they were measured over other requests"
	}
	p.Stages = append(p.Stages, Stage{Key: "unattributed", Title: "unattributed", Mean: rest, Status: total.Status, Needs: []sources.Need{needTotal}, Rest: true})
	for i := range p.Stages {
		p.Stages[i].Share = p.Stages[i].Mean / p.Total
	}
	return p
}

// engineStages splits the engine's TTFT into queue, prefill and the rest as
// far as it exports them.
func engineStages(s *sources.Snapshot, n, engine float64, engineFig *sources.Figure) []Stage {
	rest := Stage{Key: "engine", Title: "engine (not split)", Mean: engine, Status: engineFig.Status, Needs: []sources.Need{mean("engine.ttft"), count("engine.ttft")}}
	var out []Stage
	for _, st := range []struct{ key, name, title string }{
		{"engine.queue_time", "queue", "engine queue"},
		{"engine.prefill_time", "prefill", "prefill"},
	} {
		f := s.Figure(mean(st.key))
		v, ok := f.Value()
		k := visits(s, st.key, n)
		if !ok || math.IsNaN(v) || k == 0 {
			rest.Missing = append(rest.Missing, spelled(f.Tried, s.Workers)...)
			continue
		}
		out = append(out, Stage{Key: st.name, Title: st.title, Mean: v * k, Status: f.Status, Needs: []sources.Need{mean(st.key), count(st.key)}})
		rest.Mean -= v * k
	}
	if len(out) > 0 {
		rest.Title = "engine, other"
	}
	rest.Mean = math.Max(rest.Mean, 0)
	return append(out, rest)
}

// spelled picks, of the names tried for one figure, the spelling of each
// engine that is there: families start with their engine's name. With no
// engine known it is the first spelling.
func spelled(tried []string, workers []sources.Worker) []string {
	var out []string
	done := map[string]bool{"": true}
	for _, w := range workers {
		if done[w.Engine] {
			continue
		}
		done[w.Engine] = true
		for _, name := range tried {
			if strings.HasPrefix(name, w.Engine) {
				out = append(out, name)
				break
			}
		}
	}
	if len(out) == 0 && len(tried) > 0 {
		out = tried[:1]
	}
	return out
}

// visits is how often one request passes a stage: the observations of the
// stage per request, as a whole number. Zero means that the stage does not
// cover the requests (an unscraped worker, another population), so that its
// mean says nothing about them. Fewer than half the requests is not coverage.
// Frontend and workers are scraped at different moments, so in a short window
// one may have seen half again as many as the other: more than one visit is
// believed only where the counts differ by more than twice their own noise.
func visits(s *sources.Snapshot, key string, n float64) float64 {
	k, ok := s.Figure(count(key)).Value()
	if !ok || !(n > 0) || !(k > 0) {
		return 0
	}
	if k > n && k-n < 2*math.Sqrt(k+n) {
		return 1
	}
	return math.Round(k / n)
}
