package advice

import (
	"fmt"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// When prefill and decode should be apart. Upstream's guide: aggregated at low
// load, disaggregated at medium, and at high load that is bound by KV few prefill
// engines and a larger decode side. Conditional disaggregation skips the prefill
// worker for prompts of which less than 2048 tokens and less than 70 % are not
// cached.
const (
	shortShare = 0.7
	// lowShare is the share of the decode side's places below which the load is
	// low, idlePrefill the mean number of prompts below which a prefill worker is
	// idle; our own numbers.
	lowShare    = 0.1
	idlePrefill = 0.2
)

var (
	needRequests = sources.Need{Key: "requests.done", Form: sources.FormIncrease, Window: Look}
	needCached   = sources.Need{Key: "frontend.cached_share", Form: sources.FormExpr, Window: Look}
)

func disaggregation() []Rule {
	return []Rule{
		{
			Code: "disagg-low-load", Title: "the load is low for two pools", Settings: []string{"disaggregation"},
			Needs: []sources.Need{needRunning, needWaiting, needMost, needRequests, needTransfer},
			Help: fmt.Sprintf("Prefill and decode are apart, and in all of %s nothing waited and no decode worker ran more than %.0f %% of its request limit.",
				Look, 100*lowShare),
			Judge: lowLoad,
		},
		{
			Code: "prefill-surplus", Title: "prefill workers idle while decode lacks KV", Settings: []string{"disaggregation"},
			Needs: []sources.Need{needRunning, needWaiting, needKV, needPreempts},
			Help: fmt.Sprintf("A decode worker is short of KV while no prompt waits for prefill and each of several prefill workers runs fewer than %.1f on average.",
				idlePrefill),
			Judge: prefillSurplus,
		},
		{
			Code: "conditional-disagg", Title: "short prompts go through two workers", Settings: []string{"router_conditional_disagg", "router_mode"},
			Needs: []sources.Need{needLength, needPrompts, needCached, needTransfer},
			Help: fmt.Sprintf("Prefill and decode are apart, and of the mean prompt fewer than %d tokens and less than %.0f %% are not cached: moving their KV costs more than prefilling them on the decode worker.",
				localPrefill, 100*shortShare),
			Judge: conditional,
		},
	}
}

func lowLoad(m *Moment) {
	n, ok := m.number(needRequests, nil)
	if !m.disaggregated() || !ok || n < leastPrompts {
		return
	}
	decode := m.processes("decode")
	peak := 0.0
	for _, p := range m.processes("prefill", "decode") {
		running, waiting := m.looks(needRunning, p.own()), m.looks(needWaiting, p.own())
		most, known := m.most(p)
		if p.Role == "decode" && !known || len(running) < leastLooks || len(waiting) < leastLooks {
			return
		}
		for t, v := range running {
			if waiting[t] > 0 {
				return
			}
			if p.Role == "decode" {
				peak = max(peak, v/most)
			}
		}
	}
	if peak > lowShare {
		return
	}
	a := Advice{
		Flag: "no " + decode[0].spelled("disaggregation") + ", on all workers", Now: decode[0].now("disaggregation"),
		Observation: fmt.Sprintf("in %s nothing waited and no decode worker ran more than %s of its limit (%s requests)", text.Age(Look), text.Percent(peak), text.Count(n)),
		Effect:      "no KV transfer, and every GPU serves both; if the load stays like this",
		Cost:        "at higher load prompts and decode disturb each other: ITL has peaks; all workers restart",
	}
	if took, ok := m.number(needTransfer, nil); ok {
		a.Effect = fmt.Sprintf("no KV transfer (%s a request), and every GPU serves both; if the load stays like this", text.Duration(took))
		a.Evidence = append(a.Evidence, m.evidence("KV transfer "+text.Duration(took), needTransfer, nil, took, nan))
	}
	m.give(decode[0], a)
}

func prefillSurplus(m *Moment) {
	prefill := m.processes("prefill")
	if len(prefill) < 2 || !m.disaggregated() {
		return
	}
	most := 0.0
	for _, p := range prefill {
		waiting := m.looks(needWaiting, p.own())
		for _, v := range waiting {
			if v > 0 {
				return
			}
		}
		running, ok := mean(m.looks(needRunning, p.own()))
		if !ok || running >= idlePrefill {
			return
		}
		most = max(most, running)
	}
	for _, p := range m.processes("decode") {
		used, held, all, short := m.shortOfKV(p)
		if !short {
			continue
		}
		m.give(prefill[0], Advice{
			Flag: prefill[0].set("disaggregation", "decode, on one of "+each(prefill)), Now: prefill[0].now("disaggregation"),
			Observation: fmt.Sprintf("%s's KV is %s used on average, full at %d of %d looks, while %d prefill workers run %s prompts each at most",
				p.Name, text.Percent(used), held, all, len(prefill), text.SI(most)),
			Evidence: []verdict.Evidence{m.evidence("KV "+text.Percent(used), needKV, p.own(), used, fullKV)},
			Effect:   "the decode side gains a worker's KV; or give its GPUs to decode workers as a larger TP",
			Cost:     "less is left for bursts of prompts; both sides restart",
		})
		return
	}
}

func conditional(m *Moment) {
	length, ok1 := m.number(needLength, nil)
	cached, ok2 := m.number(needCached, nil)
	n, _ := m.number(needPrompts, nil)
	if !m.disaggregated() || !ok1 || !ok2 || n < leastPrompts {
		return
	}
	uncached := length * (1 - cached)
	if uncached >= localPrefill || 1-cached >= shortShare {
		return
	}
	p := m.frontend()
	if p.is("router_conditional_disagg") {
		return
	}
	a := Advice{
		Flag: "--router-conditional-disagg", Now: p.now("router_conditional_disagg"),
		Observation: fmt.Sprintf("of the mean prompt (%s tokens, n %s) %s come from a cache and %s tokens are computed, and its KV is moved all the same",
			text.Count(length), text.Count(n), text.Percent(cached), text.Count(uncached)),
		Evidence: []verdict.Evidence{
			m.evidence("prompts "+text.Count(length)+" tokens", needLength, nil, length, nan),
			m.evidence("cached "+text.Percent(cached), needCached, nil, cached, 1-shortShare),
		},
		Effect: "such prompts are prefilled where they are decoded: no transfer, and prefill workers are left to the long ones",
		Cost:   "prefill on decode workers makes ITL peaks; it counts only what the decode workers hold, needs the KV router and their KV events, and is experimental (Dynamo 1.5); the frontend restarts",
	}
	if took, ok := m.number(needTransfer, nil); ok {
		a.Evidence = append(a.Evidence, m.evidence("KV transfer "+text.Duration(took), needTransfer, nil, took, nan))
	}
	if v, ok := p.value("router_mode"); ok && v != "kv" {
		a.Flag = "--router-mode kv --router-conditional-disagg"
	} else if !ok {
		a.Unknown = append(a.Unknown, p.unknown("router_mode"))
	}
	if _, ok := p.value("router_conditional_disagg"); !ok {
		a.Unknown = append(a.Unknown, p.unknown("router_conditional_disagg"))
	}
	m.give(p, a)
}
