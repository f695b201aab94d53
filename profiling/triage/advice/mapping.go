package advice

import (
	"fmt"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// kvOfTP is the KV memory of one GPU against TP 1, measured upstream on
// Llama-3.3-70B in NVFP4 on B200: 113, 135 and 144 GB.
var kvOfTP = map[int]float64{1: 1, 2: 1.19, 4: 1.28}

func mapping() []Rule {
	return []Rule{
		{
			Code: "tp-across-nodes", Title: "tensor parallelism spans nodes", Settings: []string{"nodes", "tp", "pp", "dp_attention", "ep"},
			Help:  "A server on several nodes has fewer pipeline stages than nodes, so that each layer's all-reduce leaves the node. TP belongs inside a node (NVLink), PP across nodes. Not where attention is data-parallel or experts are spread, which is made for it.",
			Judge: tpAcross,
		},
		{
			Code: "tp-for-kv", Title: "a larger TP would hold more KV", Settings: []string{"tp"},
			Needs: []sources.Need{needKV, needPreempts},
			Help:  "A decode or aggregated worker is short of KV and preempts requests at TP 1 or 2: weights that are split over more GPUs leave more of each to KV.",
			Judge: tpForKV,
		},
	}
}

func tpAcross(m *Moment) {
	for _, p := range m.processes("prefill", "decode", "aggregated") {
		nodes, ok := p.numeric("nodes")
		switch {
		case !ok && p.Flags.Engine == "sglang":
			m.cannot(p, "nodes")
			continue
		case !ok || nodes < 2:
			continue
		}
		tp, ok1 := p.numeric("tp")
		pp, ok2 := p.numeric("pp")
		if !ok1 || !ok2 {
			m.cannot(p, "tp")
			continue
		}
		ep, _ := p.numeric("ep")
		within := tp * pp / nodes // GPUs of the server on one node
		if p.is("dp_attention") || ep > 1 || p.is("ep") || pp >= nodes || within < 1 || tp <= within {
			continue
		}
		m.give(p, Advice{
			Flag: p.set("tp", plain(within)) + " " + p.set("pp", plain(nodes)), Now: fmt.Sprintf("TP %s × PP %s on %s nodes", plain(tp), plain(pp), plain(nodes)),
			Observation: fmt.Sprintf("each layer is split over %s GPUs on %s nodes, so that every all-reduce crosses between them", plain(tp), plain(nodes)),
			Effect:      "all-reduces stay inside a node; between nodes only activations pass, once a stage",
			Cost:        "pipeline bubbles at small batches, and TTFT of a single request grows a little; restart",
		})
	}
}

func tpForKV(m *Moment) {
	for _, p := range m.processes("decode", "aggregated") {
		used, held, all, short := m.shortOfKV(p)
		n := m.or(needPreempts, p.own())
		if !short || n < 1 {
			continue
		}
		tp, known := p.numeric("tp")
		if known && tp != 1 && tp != 2 {
			continue
		}
		a := Advice{
			Flag: p.set("tp", "twice what it is"), Now: p.now("tp"),
			Observation: fmt.Sprintf("KV is %s used on average, full at %d of %d looks, and %s requests were preempted in %s",
				text.Percent(used), held, all, text.Count(n), text.Age(Look)),
			Evidence: []verdict.Evidence{
				m.evidence("KV "+text.Percent(used), needKV, p.own(), used, fullKV),
				m.evidence("preempted "+text.Count(n), needPreempts, p.own(), n, 1),
			},
			Effect: "more KV on each GPU, as less of it holds weights",
			Cost:   "half as many workers on the same GPUs, and two all-reduces a layer; measure with a sweep (T); restart",
		}
		if known {
			to := int(2 * tp)
			a.Flag = p.set("tp", plain(2*tp))
			a.Effect = fmt.Sprintf("%.2f times the KV on each GPU (measured upstream for TP %d against TP %d on a 70B model in 4 bits; larger models gain more)",
				kvOfTP[to]/kvOfTP[to/2], to, to/2)
		} else {
			a.Unknown = []Missing{p.unknown("tp")}
		}
		m.give(p, a)
	}
}
