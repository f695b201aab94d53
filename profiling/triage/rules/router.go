package rules

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// router are the verdicts about a request's way through frontend and router,
// before any worker has it.
func router() []verdict.Rule { return []verdict.Rule{routerQueue(), routerStage()} }

// stage is a part of that way. Enclosing stages, and those that a worker's
// answer ends, are not among them.
type stage struct {
	key, title string
	// grows is the key of the length that the stage's time is in proportion
	// to, empty for none. Longer prompts are no anomaly.
	grows string
	// small: it is next to nothing in a deployment that is well, so that it is
	// one whatever its past says once it takes much of the time to first token.
	small bool
}

var stages = [...]stage{
	{"stage.preprocess", "preprocess", "frontend.isl", false},
	{"router.overhead.block_hashing", "block hashing", "frontend.isl", true},
	{"router.overhead.seq_hashing", "sequence hashing", "frontend.isl", true},
	{"router.overhead.find_matches", "find matches", "frontend.isl", true},
	{"router.overhead.shared_cache", "shared cache query", "", true},
	{scheduling, "scheduling", "", true},
	{"stage.route", "route", "", true},
	{"request_plane.queue", "envelope preparation", "", true},
	{"stage.postprocess", "postprocess", "frontend.osl", false},
}

const scheduling = "router.overhead.scheduling"

const (
	// stageFactor is how many times its usual mean a stage must take. The
	// references name no number; the routing screen marks peaks at the same.
	stageFactor = 3
	// stageExcess is how much longer than usual it must take at least, and
	// stageShare of the mean time to first token: less changes nothing that a
	// user feels. No number of the references.
	stageExcess = 5e-3
	stageShare  = 0.05
	// smallTime and smallShare are from when on a stage that should be next to
	// nothing is too long whatever its past: recorded routers of 1.4 and 1.6 take
	// 3 to 9 µs to find matches and 0.08 to 1.3 ms to schedule.
	smallTime  = 50e-3
	smallShare = 0.25
	// stageCount is how many requests a window must hold, now and in the past.
	stageCount = 10
	// stagePast is how much past there must be to be compared with.
	stagePast = 2 * time.Minute
)

var (
	ttftOfPage   = meanOver("frontend.ttft", brief, "instance")
	pendingQueue = nowOf("router.queue.pending", "instance")
)

func (s stage) mean() sources.Need  { return meanOver(s.key, brief, "instance") }
func (s stage) count() sources.Need { return countOver(s.key, brief, "instance") }

func routerStage() verdict.Rule {
	needs := []sources.Need{ttftOfPage, pendingQueue, meanOver("frontend.isl", brief, "instance"), meanOver("frontend.osl", brief, "instance")}
	var alert []string
	for _, s := range stages {
		needs = append(needs, s.mean(), s.count())
		if s.small {
			alert = append(alert, fmt.Sprintf(`label_replace({%s:mean:instance}, "stage", "%s", "", "") > %g`, s.key, s.title, smallTime))
		}
	}
	return verdict.Rule{
		Code: "router-stage", Title: "router stage slow", Rank: 20,
		Hold: 5 * time.Second, Release: 15 * time.Second, // judge asks for two disjoint windows
		Needs: needs,
		Proof: []sources.Need{stages[0].mean(), stages[3].mean(), stage{key: scheduling}.mean()},
		Judge: func(m verdict.Moment) (out []verdict.Finding) {
			for i := range stages {
				out = append(out, stages[i].judge(m)...)
			}
			return out
		},
		Tell:     tellStage,
		Silenced: []verdict.Silence{{Code: "frontend-event-loop"}},
		Key:      "3",
		Help: "One stage of the frontend or router takes at least 3 times its usual exact mean (lower quartile of the last ten minutes' means of 30 s, scaled by the growth of prompt or answer length where its work grows with it), " +
			"at least 5 ms and 5 % of the mean time to first token more, over at least 10 requests and in two disjoint windows; or a stage that should be next to nothing takes 50 ms and a quarter of the time to first token. " +
			"Time in the router's queue is router-queue instead. No worker can mend it: look at the router's index, CPU and shared services.",
		Alert: verdict.Alert{
			Expr: strings.Join(alert, " or "), For: time.Minute,
			Why: "a fixed limit of 50 ms in place of the stage's own past; preprocess and postprocess, which have no natural limit, are left out",
		},
	}
}

// judge looks at one stage on each frontend.
func (s stage) judge(m verdict.Moment) (out []verdict.Finding) {
	before, ok := m.Before(m.Window(s.mean()))
	for _, g := range m.Groups(s.mean()) {
		in := g.Labels["instance"]
		if g.V < stageExcess || !ok {
			continue // most of them, most of the time
		}
		if s.key == scheduling {
			if queued(m.Course(pendingQueue, instanceOf(in), 2*brief)) {
				continue // the wait in the router's queue is in it
			}
		}
		now, then := s.look(m, in), s.look(before, in)
		if now.level == verdict.Clear {
			continue
		}
		level := verdict.Stays
		// What is slow now and was a disjoint window ago is no odd request.
		if now.level == verdict.Fires && then.mean >= stageExcess && then.level != verdict.Clear {
			level = verdict.Fires
		}
		severity := verdict.Warning
		if limit := m.SLA().TTFT.Seconds(); limit > 0 && now.ttft > limit && now.ttft-now.excess <= limit {
			severity = verdict.Critical // without it the promise would be kept
		}
		out = append(out, verdict.Finding{
			Culprit: verdict.Culprit{Kind: "stage", Name: s.title + " at " + in, Instance: in},
			Level:   level, Severity: severity, Score: now.excess / stageExcess,
		})
	}
	return out
}

// queued says whether anything was seen to wait.
func queued(course []float64) bool {
	return slices.ContainsFunc(course, func(v float64) bool { return v > 0 })
}

// stageLook is what one window says of a stage.
type stageLook struct {
	level           verdict.Level
	mean, count     float64
	usual, growth   float64 // NaN without enough past
	excess          float64 // seconds over the usual, or all of it
	ttft            float64 // NaN when unknown
	byPast, byShare bool
}

func (s stage) look(m verdict.Moment, in string) (l stageLook) {
	who := instanceOf(in)
	l.usual, l.ttft, l.growth = math.NaN(), math.NaN(), 1
	l.mean, _ = m.Where(s.mean(), who)
	l.count, _ = m.Where(s.count(), who)
	if v, ok := m.Where(ttftOfPage, who); ok {
		l.ttft = v
	}
	if l.count < stageCount {
		return l
	}
	l.usual, l.growth = s.past(m, in)
	l.excess = l.mean
	if !math.IsNaN(l.usual) {
		l.excess = l.mean - l.usual*l.growth
	}
	l.byShare = s.small && l.mean >= smallTime && l.mean >= smallShare*l.ttft
	if l.byShare {
		l.excess = l.mean // all of it is too much
	}
	matters := l.excess >= stageExcess && !(l.excess < stageShare*l.ttft)
	l.byPast = !math.IsNaN(l.usual) && l.mean >= stageFactor*l.usual*l.growth
	switch {
	case matters && (l.byPast || l.byShare):
		l.level = verdict.Fires
	case l.excess >= stageExcess/2 && !math.IsNaN(l.usual) && l.mean >= stageFactor*l.usual*l.growth/1.5:
		l.level = verdict.Stays
	}
	return l
}

// past is what a stage usually takes, and by how much its work has grown since
// then; NaN without enough past.
func (s stage) past(m verdict.Moment, in string) (usual, growth float64) {
	who := instanceOf(in)
	means, counts := m.Course(s.mean(), who, verdict.Span), m.Course(s.count(), who, verdict.Span)
	seen := make([]float64, 0, len(means))
	for i, v := range means {
		if i < len(counts) && counts[i] >= stageCount && !math.IsNaN(v) {
			seen = append(seen, v)
		}
	}
	usual, growth = math.NaN(), 1
	if base, n, ok := m.Baseline(s.key); ok && n >= stageCount {
		usual = base
	}
	if len(seen) >= columnsIn(stagePast) {
		// A stage that has been slow for half of the time is not its own
		// measure yet.
		usual = min(lowerQuartile(seen), orInf(usual))
	}
	if s.grows == "" || math.IsNaN(usual) {
		return usual, growth
	}
	lengths := m.Course(meanOver(s.grows, brief, "instance"), who, verdict.Span)
	seen = seen[:0]
	for i, v := range lengths {
		if i < len(counts) && counts[i] >= stageCount && v > 0 {
			seen = append(seen, v)
		}
	}
	length, ok := m.Where(meanOver(s.grows, brief, "instance"), who)
	if !ok || len(seen) == 0 {
		if s.small {
			return usual, growth
		}
		return math.NaN(), growth // nothing tells longer prompts from slower work
	}
	return usual, max(1, length/lowerQuartile(seen))
}

func orInf(v float64) float64 {
	if math.IsNaN(v) {
		return math.Inf(1)
	}
	return v
}

func tellStage(m verdict.Moment, f verdict.Finding) (out verdict.Story) {
	in := f.Culprit.Instance
	title := strings.TrimSuffix(f.Culprit.Name, " at "+in)
	for _, s := range stages {
		if s.title != title {
			continue
		}
		l := s.look(m, in)
		out.Title = title + " slow"
		out.Sentence = fmt.Sprintf("%s takes %s per request", title, text.Duration(l.mean))
		if !math.IsNaN(l.usual) {
			out.Sentence += fmt.Sprintf(", usually %s", text.Duration(l.usual))
		}
		if l.ttft > 0 {
			out.Sentence += fmt.Sprintf(": %s of the mean TTFT", text.Percent(min(l.mean/l.ttft, 1)))
		}
		limit := none
		if !math.IsNaN(l.usual) {
			limit = max(stageFactor*l.usual*l.growth, l.usual*l.growth+stageExcess)
		}
		who := instanceOf(in)
		out.Evidence = append(out.Evidence, m.Number(title+" "+text.Duration(l.mean), s.mean(), who, l.mean, limit),
			m.Number(text.Count(l.count)+" requests", s.count(), who, l.count, stageCount))
		if !math.IsNaN(l.ttft) {
			out.Evidence = append(out.Evidence, m.Number("TTFT mean "+text.Duration(l.ttft), ttftOfPage, who, l.ttft, none))
		}
		if s.key == scheduling && !m.Known(pendingQueue) {
			out.Missing = append(out.Missing, "router queue: nothing tells a wait in the router's queue from slow scheduling")
		}
		out.Advice = s.advice()
	}
	return out
}

func (s stage) advice() []string {
	switch s.key {
	case "stage.preprocess":
		return []string{"look at the frontend's CPU: tokenising and the chat template are bound by it", "give the frontend more cores, or start another one", "see whether the tokeniser cache still hits (Requests)"}
	case "stage.postprocess":
		return []string{"look at the frontend's CPU: detokenising is bound by it", "raise --stream-interval on the workers: fewer, larger chunks"}
	case "router.overhead.shared_cache":
		return []string{"look at the shared cache service and the network to it"}
	case "stage.route", scheduling:
		return []string{"look at the frontend's CPU and its lock on the router", "count the workers the router has to weigh (Routing)"}
	case "request_plane.queue":
		return []string{"look at the frontend's CPU: nothing waits there, it prepares messages"}
	}
	return []string{
		"look at the frontend's CPU and the size of the router's index (Routing: index health)",
		"with an indexer of its own (remote index), look at that process and the network to it",
		"as a way out, route without KV overlap (--router-mode round-robin) until it is mended",
	}
}

const (
	// queuePending is how many requests must wait in the router on average over
	// the look-back.
	queuePending = 1.0
	// queueFactor is how many times as long as the search for matches
	// scheduling must take. dynamo.md §10 says ≫; one order of magnitude is
	// taken for that.
	queueFactor = 10
	// queueTime and queueShare are what it must cost: seconds, and a part of
	// the mean time to first token.
	queueTime  = 20e-3
	queueShare = 0.1
	// queueCount is how many requests the window must hold.
	queueCount = 10
)

var (
	schedulingMean  = meanOver(scheduling, brief, "instance")
	schedulingCount = countOver(scheduling, brief, "instance")
	matchesMean     = meanOver("router.overhead.find_matches", brief, "instance")
	pendingTokens   = nowOf("router.queue.isl_tokens", "instance")
	engineWaiting   = nowOf("engine.waiting", "")
)

func routerQueue() verdict.Rule {
	return verdict.Rule{
		Code: "router-queue", Title: "router queue", Rank: 22,
		Hold: 15 * time.Second, Release: 15 * time.Second,
		Needs: []sources.Need{pendingQueue, pendingTokens, schedulingMean, schedulingCount, matchesMean, ttftOfPage, engineWaiting},
		Proof: []sources.Need{pendingQueue, schedulingMean},
		Judge: func(m verdict.Moment) (out []verdict.Finding) {
			for _, g := range m.Groups(schedulingMean) {
				if f, ok := judgeQueue(m, g.Labels["instance"], g.V); ok {
					out = append(out, f)
				}
			}
			return out
		},
		Tell:     tellQueue,
		Silenced: []verdict.Silence{{Code: "queue-bound-prefill"}, {Code: "queue-bound-decode"}, {Code: "kv-capacity"}},
		Key:      "3",
		Help: "Requests wait in the router's own queue: at least one on average over 30 s, while scheduling, which contains that wait, takes at least 10 times as long as finding matches, 20 ms, and 10 % of the mean time to first token, over at least 10 requests. " +
			"Where the engines' queues are full too, those are the cause, and this is silent beside them. Raise --router-queue-threshold where the engines have room, else add workers.",
		Alert: verdict.Alert{
			Expr: "{router.queue.pending:now:instance} >= 1 and on (instance) {router.overhead.scheduling:mean:instance} > 0.02",
			For:  time.Minute, Why: "without the comparison with finding matches and with the time to first token",
		},
	}
}

func judgeQueue(m verdict.Moment, in string, sched float64) (f verdict.Finding, ok bool) {
	who := instanceOf(in)
	pending, known := averageOf(m.Course(pendingQueue, who, brief), brief)
	count, _ := m.Where(schedulingCount, who)
	ttft, hasTTFT := m.Where(ttftOfPage, who)
	if !known || pending < queuePending/2 || count < queueCount || sched < queueTime/2 {
		return f, false
	}
	f = verdict.Finding{Culprit: verdict.Culprit{Kind: "router", Name: in, Instance: in}, Level: verdict.Stays, Severity: verdict.Warning, Score: sched / queueTime}
	matches, hasMatches := m.Where(matchesMean, who)
	if pending >= queuePending && sched >= queueTime && !(hasMatches && sched < queueFactor*matches) && !(hasTTFT && sched < queueShare*ttft) {
		f.Level = verdict.Fires
	}
	if limit := m.SLA().TTFT.Seconds(); hasTTFT && limit > 0 && ttft > limit && ttft-sched <= limit {
		f.Severity = verdict.Critical
	}
	return f, true
}

func tellQueue(m verdict.Moment, f verdict.Finding) (out verdict.Story) {
	who := instanceOf(f.Culprit.Instance)
	pending, _ := averageOf(m.Course(pendingQueue, who, brief), brief)
	sched, _ := m.Where(schedulingMean, who)
	count, _ := m.Where(schedulingCount, who)
	out.Sentence = fmt.Sprintf("requests wait in the router: %s on average, scheduling takes %s per request", text.Count(math.Round(pending)), text.Duration(sched))
	out.Evidence = append(out.Evidence,
		m.Number("waiting "+text.Count(math.Round(pending)), pendingQueue, who, pending, queuePending),
		m.Number(fmt.Sprintf("scheduling %s over %s requests", text.Duration(sched), text.Count(count)), schedulingMean, who, sched, queueTime))
	if v, ok := m.Where(matchesMean, who); ok {
		out.Evidence = append(out.Evidence, m.Number("find matches "+text.Duration(v), matchesMean, who, v, none))
	}
	if v, ok := m.Where(ttftOfPage, who); ok {
		out.Evidence = append(out.Evidence, m.Number("TTFT mean "+text.Duration(v), ttftOfPage, who, v, none))
		if v > 0 {
			out.Sentence += fmt.Sprintf(", %s of the mean TTFT", text.Percent(min(sched/v, 1)))
		}
	}
	switch waiting, ok := m.Value(engineWaiting); {
	case !ok:
		out.Missing = append(out.Missing, "the engines' queues: whether they have room is not known; expose the workers' pages (DYN_SYSTEM_PORT)")
		out.Advice = append(out.Advice, "where the engines have room, raise --router-queue-threshold; else add workers")
	case waiting < 1:
		out.Sentence += "; the engines' own queues are empty"
		out.Evidence = append(out.Evidence, m.Number("engine queues "+text.Count(waiting), engineWaiting, nil, waiting, none))
		out.Advice = append(out.Advice, "raise --router-queue-threshold: it holds requests back that the engines have room for")
	default:
		out.Evidence = append(out.Evidence, m.Number("engine queues "+text.Count(waiting), engineWaiting, nil, waiting, none))
		out.Advice = append(out.Advice, "add workers: the engines have queues of their own, a higher threshold would only move the wait")
	}
	return out
}
