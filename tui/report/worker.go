package report

import (
	"time"

	"dynascope/profiling/triage"
	"dynascope/sources"
)

type workerDoc struct {
	ID        string     `json:"id"`
	Decimal   string     `json:"id_decimal"`
	Short     string     `json:"short"`
	Instance  string     `json:"instance"`
	Role      string     `json:"role"`
	Engine    string     `json:"engine,omitempty"`
	Model     string     `json:"model,omitempty"`
	Namespace string     `json:"namespace,omitempty"`
	Component string     `json:"component,omitempty"`
	State     string     `json:"state"`
	LastGood  *time.Time `json:"last_good"`
	Ranks     []rankDoc  `json:"ranks"`
}

type rankDoc struct {
	Rank    string           `json:"dp_rank"`
	Figures map[string]value `json:"figures"`
	TTFT95  *boundsDoc       `json:"ttft_p95_s,omitempty"`
	ITL95   *boundsDoc       `json:"itl_p95_s,omitempty"`
	TTFTN   number           `json:"ttft_n"`
	ITLN    number           `json:"itl_n"`
	Belief  map[string]value `json:"router_belief"`
	Runtime map[string]value `json:"runtime"`
}

func workerDocs(s *sources.Snapshot) []workerDoc {
	out := []workerDoc{}
	for _, r := range triage.WorkerRows(s) {
		if len(out) == 0 || !same(out[len(out)-1], r.Worker) {
			w := workerDoc{
				ID: clean(r.ID), Decimal: clean(r.Decimal), Short: clean(r.Short), Instance: clean(r.Instance), Role: clean(r.Role), Engine: clean(r.Engine),
				Model: clean(r.Model), Namespace: clean(r.Namespace), Component: clean(r.Component), State: clean(string(r.State)),
			}
			if !r.LastGood.IsZero() {
				at := r.LastGood.UTC()
				w.LastGood = &at
			}
			out = append(out, w)
		}
		last := &out[len(out)-1]
		last.Ranks = append(last.Ranks, rankOf(s, r))
	}
	return out
}

func same(d workerDoc, w sources.Worker) bool {
	return d.ID == clean(w.ID) && d.Instance == clean(w.Instance)
}

func rankOf(s *sources.Snapshot, r triage.WorkerRow) rankDoc {
	cell := func(c triage.Cell) value {
		v := value{Value: number(c.V), Status: c.Status.String(), AgeS: seconds(max(0, s.At.Sub(c.At)))}
		if f := s.Figure(c.Need); c.Status == sources.StatusAbsent && len(f.Tried) > 0 {
			missed := clean(f.Tried[0])
			v.Missed = &missed
		}
		return v
	}
	d := rankDoc{
		Rank: clean(r.Rank),
		Figures: map[string]value{
			"running": cell(r.Running), "max_running": cell(r.MaxRunning), "waiting": cell(r.Waiting), "kv_usage": cell(r.KV),
			"hit_ratio": cell(r.Hit), "prefill_tokens_per_s": cell(r.Prefill), "decode_tokens_per_s": cell(r.Decode),
			"preemptions": cell(r.Preemptions), "ttft": cell(r.TTFTAt), "itl": cell(r.ITLAt),
		},
		Belief:  map[string]value{"active_blocks": cell(r.BelievedBlocks), "prefill_tokens": cell(r.BelievedPrefill)},
		Runtime: map[string]value{"inflight": cell(r.Inflight), "arrivals_per_s": cell(r.Arrivals), "errors": cell(r.Errors)},
		TTFTN:   number(r.TTFT.N), ITLN: number(r.ITL.N),
	}
	if b := r.TTFT; b.N > 0 {
		d.TTFT95 = &boundsDoc{number(b.Lo), number(b.Hi), b.Enough, b.Over, b.Pinned}
	}
	if b := r.ITL; b.N > 0 {
		d.ITL95 = &boundsDoc{number(b.Lo), number(b.Hi), b.Enough, b.Over, b.Pinned}
	}
	return d
}
