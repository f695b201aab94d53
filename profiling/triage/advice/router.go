package advice

import (
	"fmt"
	"strings"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// The router. Upstream: many choices against the best overlap while the load is
// even mean weights that are set wrong; the queue threshold's default went from 2
// over 4 to 16 times the token budget.
const (
	goodThreshold = 16
	// leastRouted is how many decisions a share must rest on.
	leastRouted = 100
	// manyAgainst is the share of choices against the best overlap that is many,
	// fewAgainst that is few; evenLoad the most loaded worker against the mean
	// up to which load is even, unevenLoad from which it is not. Our own numbers.
	manyAgainst = 0.3
	fewAgainst  = 0.02
	evenLoad    = 1.5
	unevenLoad  = 2
	// halfFull is the share of a worker's places below which it has room.
	halfFull = 0.5
)

var (
	needRouted  = sources.Need{Key: "router.requests", Form: sources.FormIncrease, Window: Look}
	needAgainst = sources.Need{Key: "router.non_max_overlap", Form: sources.FormIncrease, Window: Look}
	needLost    = sources.Need{Key: "router.overlap_lost", Form: sources.FormSumRate, Window: Look}
	needHeld    = over(sources.Need{Key: "router.queue.pending", Form: sources.FormNow})
	needEvents  = sources.Need{Key: "router.kv_events", Form: sources.FormIncrease, Window: Look}
	needOverlap = sources.Need{Key: "router.kv_hit_rate", Form: sources.FormMean, Window: Look}
)

func router() []Rule {
	return []Rule{
		{
			Code: "router-queue-threshold", Title: "the router holds requests that have room", Settings: []string{"router_queue_threshold"},
			Needs: []sources.Need{needHeld, needRunning, needWaiting, needMost},
			Help: fmt.Sprintf("Requests stand in the router's queue at %.0f %% of the looks of %s while no engine has a queue and every worker that prefills runs less than %.0f %% of its limit, and the threshold is below %d.",
				100*lastingShare, Look, 100*halfFull, goodThreshold),
			Judge: threshold,
		},
		{
			Code: "router-overlap-low", Title: "the router gives up cached prefixes for nothing", Settings: []string{"router_overlap_credit", "router_prefill_scale"},
			Needs: []sources.Need{needRouted, needAgainst, needLost, needRunning, needWaiting},
			Help: fmt.Sprintf("At least %.0f %% of %d or more choices went against the best overlap, though no worker had more than %.1f times the mean load.",
				100*manyAgainst, leastRouted, evenLoad),
			Judge: overlapLow,
		},
		{
			Code: "router-overlap-high", Title: "the router follows the cache into queues", Settings: []string{"router_overlap_credit", "router_prefill_scale"},
			Needs: []sources.Need{needRouted, needAgainst, needRunning, needWaiting, needOverlap},
			Help: fmt.Sprintf("Fewer than %.0f %% of %d or more choices went against the best overlap, though one worker had %d times the mean load and a queue at most looks, and another none.",
				100*fewAgainst, leastRouted, unevenLoad),
			Judge: overlapHigh,
		},
		{
			Code: "router-temperature", Title: "the router chooses at random", Settings: []string{"router_temperature"},
			Needs: []sources.Need{needRouted, needAgainst},
			Help:  "The router's temperature is above 0 and choices went against the best overlap.",
			Judge: temperature,
		},
		{
			Code: "kv-events-missing", Title: "the router hears no KV events", Settings: []string{"router_kv_events", "kv_events"},
			Needs: []sources.Need{needRouted, needEvents, needOverlap},
			Help: fmt.Sprintf("The KV router routed %d requests or more in %s and applied no KV event, and was not told to go without: it does not know what the workers' caches hold. SGLang publishes only with --kv-events-config.",
				leastRouted, Look),
			Judge: eventsMissing,
		},
	}
}

func threshold(m *Moment) {
	held, all, ok := lasting(func(v []float64) bool { return v[0] >= 1 }, m.looks(needHeld, nil))
	if !ok {
		return
	}
	workers := m.processes("prefill", "aggregated")
	for _, p := range workers {
		running, ok := mean(m.looks(needRunning, p.own()))
		waiting, ok2 := mean(m.looks(needWaiting, p.own()))
		most, ok3 := m.most(p)
		if !ok || !ok2 || !ok3 || waiting > 0 || running >= halfFull*most {
			return
		}
	}
	p := m.frontend()
	now, known := p.numeric("router_queue_threshold")
	if len(workers) == 0 || known && now >= goodThreshold {
		return
	}
	pending, _ := mean(m.looks(needHeld, nil))
	a := Advice{
		Flag: p.set("router_queue_threshold", plain(goodThreshold)), Now: p.now("router_queue_threshold"),
		Observation: fmt.Sprintf("%s requests stand in the router's queue on average, at %d of %d looks in %s, while no engine has a queue and all run less than half of what they may",
			text.SI(pending), held, all, text.Age(Look)),
		Evidence: []verdict.Evidence{m.evidence("router queue "+text.SI(pending), needHeld, nil, pending, 1)},
		Effect:   "requests reach the engines at once: TTFT falls by the wait",
		Cost:     "what an engine has taken can no longer go elsewhere, so later choices count less; from Dynamo 1.6 the threshold stands in the file of --router-policy-config; the frontend restarts",
	}
	if !known {
		a.Unknown = []Missing{p.unknown("router_queue_threshold")}
	}
	m.give(p, a)
}

// loads are the mean numbers of requests in each worker of one role, the most
// loaded one and the mean over all; ok is false below two workers.
func (m *Moment) loads(roles ...string) (most, average float64, worst Process, ok bool) {
	sum, n := 0.0, 0.0
	for _, p := range m.processes(roles...) {
		running, ok1 := mean(m.looks(needRunning, p.own()))
		waiting, ok2 := mean(m.looks(needWaiting, p.own()))
		if !ok1 || !ok2 {
			return 0, 0, Process{}, false
		}
		if n++; running+waiting > most || n == 1 {
			most, worst = running+waiting, p
		}
		sum += running + waiting
	}
	return most, sum / max(1, n), worst, n >= 2
}

// choosing are the roles among which overlap decides.
func (m *Moment) choosing() string {
	if len(m.processes("prefill")) > 0 {
		return "prefill"
	}
	return "aggregated"
}

// against is the share of choices against the best overlap.
func (m *Moment) against() (share, routed float64, ok bool) {
	routed = m.or(needRouted, nil)
	f := m.in.Snap.Figure(needAgainst)
	if routed < leastRouted || f.Status == sources.StatusAbsent || f.Status == sources.StatusPending || f.Status == sources.StatusError {
		return 0, routed, false
	}
	return m.or(needAgainst, nil) / routed, routed, true
}

func overlapLow(m *Moment) {
	share, routed, ok := m.against()
	most, average, _, ok2 := m.loads(m.choosing())
	if !ok || !ok2 || share < manyAgainst || most > evenLoad*average {
		return
	}
	p := m.frontend()
	credit, known := p.numeric("router_overlap_credit")
	a := Advice{
		Observation: fmt.Sprintf("%s of %s choices went against the best overlap, though no worker had more than %.1f times the mean load",
			text.Percent(share), text.Count(routed), most/max(average, 1e-9)),
		Evidence: []verdict.Evidence{m.evidence("against the best overlap "+text.Percent(share), needAgainst, nil, share*routed, manyAgainst*routed)},
		Effect:   "more prompts go where their beginning is cached: less prefill",
		Cost:     "popular prefixes draw load to few workers: watch the spread; the frontend restarts",
	}
	if lost := m.or(needLost, nil); lost > 0 {
		a.Observation += fmt.Sprintf("; it gave up %s cached blocks a second", text.SI(lost))
		a.Evidence = append(a.Evidence, m.evidence("blocks given up "+text.SI(lost)+"/s", needLost, nil, lost, nan))
	}
	switch scale, hasScale := p.numeric("router_prefill_scale"); {
	case known && credit < 1:
		a.Flag, a.Now = p.set("router_overlap_credit", "1.0"), p.now("router_overlap_credit")
	case known && hasScale:
		a.Flag, a.Now = p.set("router_prefill_scale", plain(2*scale)), p.now("router_prefill_scale")
	default:
		a.Flag = p.set("router_overlap_credit", "1.0") + ", and where it is that " + p.set("router_prefill_scale", "2.0")
		for _, s := range []string{"router_overlap_credit", "router_prefill_scale"} {
			if _, ok := p.numeric(s); !ok {
				a.Unknown = append(a.Unknown, p.unknown(s))
			}
		}
	}
	m.give(p, a)
}

func overlapHigh(m *Moment) {
	share, routed, ok := m.against()
	most, average, worst, ok2 := m.loads(m.choosing())
	if !ok || !ok2 || share > fewAgainst || most < unevenLoad*average {
		return
	}
	if _, _, queues := lasting(func(v []float64) bool { return v[0] >= 1 }, m.looks(needWaiting, worst.own())); !queues {
		return
	}
	free := ""
	for _, p := range m.processes(m.choosing()) {
		if waiting, ok := mean(m.looks(needWaiting, p.own())); ok && waiting == 0 {
			free = p.Name
		}
	}
	if free == "" {
		return
	}
	p := m.frontend()
	queue, _ := mean(m.looks(needWaiting, worst.own()))
	a := Advice{
		Flag: p.set("router_prefill_scale", "0.5"), Now: p.now("router_prefill_scale"),
		Observation: fmt.Sprintf("%s has %.1f times the mean load and %s waiting while %s has none, and only %s of %s choices went against the best overlap",
			worst.Name, most/max(average, 1e-9), text.SI(queue), free, text.Percent(share), text.Count(routed)),
		Evidence: []verdict.Evidence{m.evidence("waiting "+text.SI(queue), needWaiting, worst.own(), queue, 1)},
		Effect:   "load counts more against a cached prefix: the queue moves to workers without one",
		Cost:     "more prefill in all, as fewer prefixes hit; the frontend restarts",
	}
	if hit, ok := m.number(needOverlap, nil); ok {
		a.Evidence = append(a.Evidence, m.evidence("predicted overlap "+text.Percent(hit), needOverlap, nil, hit, nan))
	}
	if scale, known := p.numeric("router_prefill_scale"); known {
		a.Flag = p.set("router_prefill_scale", plain(scale/2))
	} else {
		a.Unknown = []Missing{p.unknown("router_prefill_scale")}
	}
	m.give(p, a)
}

func temperature(m *Moment) {
	share, routed, ok := m.against()
	if !ok || share <= 0 {
		return
	}
	p := m.frontend()
	t, known := p.numeric("router_temperature")
	if !known {
		m.cannot(p, "router_temperature")
		return
	}
	if t <= 0 {
		return
	}
	m.give(p, Advice{
		Flag: p.set("router_temperature", "0"), Now: p.now("router_temperature"),
		Observation: fmt.Sprintf("%s of %s choices went against the best overlap, some of them drawn at random", text.Percent(share), text.Count(routed)),
		Evidence:    []verdict.Evidence{m.evidence("against the best overlap "+text.Percent(share), needAgainst, nil, share*routed, nan)},
		Effect:      "the cheapest worker is chosen always",
		Cost:        "routers that do not see each other may choose the same one at once; the frontend restarts",
	})
}

func eventsMissing(m *Moment) {
	routed := m.or(needRouted, nil)
	f := m.in.Snap.Figure(needEvents)
	if routed < leastRouted || f.Status == sources.StatusPending || f.Status == sources.StatusError || f.Status == sources.StatusStale || m.or(needEvents, nil) > 0 {
		return
	}
	router := m.frontend()
	if v, ok := router.value("router_kv_events"); ok && v == "false" {
		return
	}
	workers := m.processes("prefill", "aggregated")
	if len(workers) == 0 {
		return
	}
	p := workers[0]
	published, known := p.value("kv_events")
	a := Advice{
		Now: p.now("kv_events"),
		Observation: fmt.Sprintf("the KV router chose %s times in %s and applied no KV event: it does not know what the caches hold",
			text.Count(routed), text.Age(Look)),
		Evidence: []verdict.Evidence{m.evidence("routed "+text.Count(routed), needRouted, nil, routed, leastRouted)},
		Effect:   "prompts go where their beginning is cached",
		Cost:     "one event for each block that comes or goes; workers restart",
	}
	if hit, ok := m.number(needOverlap, nil); ok {
		a.Observation += fmt.Sprintf(" (predicted overlap %s)", text.Percent(hit))
		a.Evidence = append(a.Evidence, m.evidence("predicted overlap "+text.Percent(hit), needOverlap, nil, hit, nan))
	}
	without := "; or " + router.spelled("router_kv_events") + "=false on the frontend, to predict instead"
	if s := router.spelled("router_kv_events"); strings.HasPrefix(s, "--") {
		without = "; or --no-router-kv-events on the frontend, to predict instead"
	}
	switch {
	case p.Flags.Engine == "trtllm":
		a.Flag = "--publish-events-and-metrics" + without
	case known && published != "none" && published != "null":
		a.Flag = "the event plane: the workers publish (" + text.Clean(published, 60) + ") and nothing arrives" + without
	default:
		a.Flag = p.set("kv_events", `'{"publisher":"zmq","topic":"kv-events","endpoint":"tcp://*:5557"}'`) + ", a port for each worker" + without
	}
	if !known && p.Flags.Engine != "trtllm" {
		a.Unknown = append(a.Unknown, p.unknown("kv_events"))
	}
	if _, ok := router.value("router_kv_events"); !ok {
		a.Unknown = append(a.Unknown, router.unknown("router_kv_events"))
	}
	m.give(p, a)
}
