package triage

import (
	"math"
	"testing"
	"time"

	"dynascope/sources"
)

// tokens is a snapshot with single numbers for needs.
func tokens(by map[sources.Need]float64) *sources.Snapshot {
	at := time.Date(2031, 2, 3, 12, 0, 0, 0, time.UTC)
	figures := map[sources.Need]*sources.Figure{}
	for _, n := range TokenPathNeeds() {
		f := &sources.Figure{Need: n, Status: sources.StatusAbsent, At: at}
		if v, ok := by[n]; ok {
			f.Status = sources.StatusOK
			f.Series = []sources.Series{{Labels: sources.Labels{}, Points: []sources.Point{{T: at.UnixMilli(), V: v}}}}
		}
		figures[n] = f
	}
	return sources.NewSnapshot(sources.Snapshot{At: at}, figures)
}

func TestTokenPath(t *testing.T) {
	whole := map[sources.Need]float64{
		needITL: 0.020, needITLCount: 5000, needStep: 0.0185, needSteps: 5100, needDetok: 0.0005, needStalls: 0,
	}
	with := func(change map[sources.Need]float64) map[sources.Need]float64 {
		out := map[sources.Need]float64{}
		for n, v := range whole {
			out[n] = v
		}
		for n, v := range change {
			if out[n] = v; math.IsNaN(v) {
				delete(out, n)
			}
		}
		return out
	}
	for name, c := range map[string]struct {
		in     map[sources.Need]float64
		stages map[string]float64
		note   bool
	}{
		"split":                {whole, map[string]float64{"decode step": 0.0185, "detokenise": 0.0005, "unattributed": 0.001}, false},
		"stalls are told":      {with(map[sources.Need]float64{needStalls: 7}), map[string]float64{"decode step, with stalls": 0.0185, "detokenise": 0.0005, "unattributed": 0.001}, false},
		"other tokens":         {with(map[sources.Need]float64{needSteps: 900}), map[string]float64{"detokenise": 0.0005, "unattributed": 0.0195}, true},
		"no engine":            {with(map[sources.Need]float64{needStep: math.NaN(), needDetok: math.NaN()}), map[string]float64{"unattributed": 0.020}, true},
		"a step beyond it all": {with(map[sources.Need]float64{needStep: 0.03}), map[string]float64{"decode step": 0.020, "unattributed": 0}, false},
		"nothing":              {nil, nil, false},
	} {
		p := TokenPathOf(tokens(c.in))
		got, sum := map[string]float64{}, 0.0
		for _, st := range p.Stages {
			got[st.Title] = st.Mean
			sum += st.Mean
		}
		if len(got) != len(c.stages) || (p.Note != "") != c.note {
			t.Errorf("%s: %v, note %q", name, got, p.Note)
		}
		for title, want := range c.stages {
			if math.Abs(got[title]-want) > 1e-9 {
				t.Errorf("%s: %s is %v, want %v", name, title, got[title], want)
			}
		}
		if len(got) > 0 && math.Abs(sum-p.Total) > 1e-9 {
			t.Errorf("%s: parts add up to %v of %v", name, sum, p.Total)
		}
	}
}

func TestEnginePathIsOfOneWorker(t *testing.T) {
	at := time.Date(2031, 2, 3, 12, 0, 0, 0, time.UTC)
	figures := map[sources.Need]*sources.Figure{}
	for i, n := range EnginePathNeeds() {
		f := &sources.Figure{Need: n, Status: sources.StatusOK, At: at}
		for _, in := range []string{"a", "b"} {
			v := float64(i + 1)
			if in == "b" {
				v *= 10
			}
			f.Series = append(f.Series, sources.Series{Labels: sources.Labels{"instance": in}, Points: []sources.Point{{T: at.UnixMilli(), V: v}}})
		}
		figures[n] = f
	}
	s := sources.NewSnapshot(sources.Snapshot{At: at}, figures)
	p := EnginePathOf(s, sources.Worker{Instance: "b"})
	if p.TTFT.V != 10 || p.Queue.V != 20 || p.Prefill.V != 30 || p.Transfer.V != 40 || p.ITL.V != 50 {
		t.Errorf("%+v", p)
	}
	if p := EnginePathOf(s, sources.Worker{Instance: "c"}); p.TTFT.Has() {
		t.Errorf("another's: %+v", p)
	}
}
