package rules

import (
	"fmt"
	"math"
	"strings"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// presence are the verdicts about workers that are not there, or are there and
// do nothing.
func presence() []verdict.Rule {
	return []verdict.Rule{workerDown(), workerHung(), workerFlapping(), workerRestarting()}
}

const (
	// downHold is how long a page must be dead: two scrapes at the slowest
	// interval of the embedded store (10 s) may be lost to a busy network.
	downHold = 10 * time.Second
	// backFor is how long it must be back: what is said of its telemetry and
	// explained by this ends no earlier.
	backFor = 5 * time.Second
	// hungTook is from when on a failed scrape is one that was not answered: a
	// port that nobody listens on refuses within a round trip.
	hungTook = 500 * time.Millisecond
	// stuckFor is how long the router's count of prompt tokens in flight must
	// not have fallen: a prompt of 100 000 tokens takes some 10 s.
	stuckFor = 20 * time.Second
	// silentFor is how long requests must run without a token. SGLang may show
	// a running request for 30 s after the last one ended, and it exports a
	// profile for tens of seconds without a token (then it hangs indeed).
	silentFor = 45 * time.Second
	// aliveFor is over what the uptime must go on: a frozen page is a matter of
	// telemetry, not of the worker.
	aliveFor = 30 * time.Second
	// scaledNear is how far a planner's decision may lie from the end of a
	// worker that it took away: its gauges follow within one interval (30 s).
	scaledNear = 60 * time.Second
)

var (
	pageUp       = nowOf("scrape.up", "instance")
	pageTook     = nowOf("scrape.duration", "instance")
	pageBytes    = nowOf("scrape.bytes", "instance")
	listedBy     = nowOf("router.registered", "worker_id,namespace")
	inFlight     = nowOf("router.belief.prefill_tokens", "worker_id")
	ownUptime    = nowOf("worker.uptime", "instance")
	ownDecoded   = sources.Need{Key: "engine.decode_tokens", Form: sources.FormIncrease, By: "instance", Window: brief}
	ownPrefilled = sources.Need{Key: "engine.prefill_tokens", Form: sources.FormIncrease, By: "instance", Window: brief}
	hungRunning  = nowOf("engine.running", "instance")
)

// page is what one moment says of a worker's page and of its registration.
type page struct {
	dead    bool
	since   int  // columns in a row that it has been dead, up to now
	hangs   bool // its scrapes run out of time
	refused bool // nobody listens
	tracked bool // a KV router lists it, or did
	listed  bool
	stuck   bool // the router sent it prompts that never end
	blocks  float64
}

// lookAt reads a worker's page at a moment.
func lookAt(m verdict.Moment, w sources.Worker) (p page) {
	who := instanceOf(w.Instance)
	up := m.Course(pageUp, who, verdict.Span)
	if len(up) == 0 || up[len(up)-1] != 0 {
		return p
	}
	p.dead = true
	for i := len(up) - 1; i >= 0 && up[i] == 0; i-- {
		p.since++
	}
	took, timed := m.Where(pageTook, who)
	p.hangs = timed && took >= hungTook.Seconds()
	bytes, sized := m.Where(pageBytes, who)
	p.refused = timed && !p.hangs && sized && bytes == 0
	if t, ok := targetOf(m, w.Instance); ok && t.Health == sources.HealthDown && t.Error != "" && m.Newest() {
		p.refused = strings.Contains(t.Error, "refused")
		p.hangs = p.hangs && !p.refused
	}
	if w.Decimal == "" {
		return p
	}
	id := sources.Labels{"worker_id": w.Decimal}
	v, ok := m.Where(listedBy, id)
	p.listed = ok && v > 0
	// The id of the process before this one is not known: any worker of its
	// namespace that is listed says that a router keeps a list.
	for _, g := range m.Groups(listedBy) {
		p.tracked = p.tracked || w.Namespace == "" || g.Labels["namespace"] == "" || g.Labels["namespace"] == w.Namespace
	}
	// The last worker leaves an empty list; a frontend that does not answer
	// lists nobody either.
	for _, v := range m.Course(listedBy, id, verdict.Span) {
		p.tracked = p.tracked || v > 0 && answers(m)
	}
	tokens := m.Course(inFlight, id, stuckFor)
	p.stuck = lasted(tokens, stuckFor, func(v float64) bool { return v > 0 })
	for i := 1; i < len(tokens) && p.stuck; i++ {
		p.stuck = tokens[i] >= tokens[i-1]
	}
	if p.stuck {
		p.blocks = tokens[len(tokens)-1]
	}
	return p
}

// answers says whether a frontend or router that listed workers is scraped.
func answers(m verdict.Moment) bool {
	for _, t := range m.Targets() {
		if t.Role == "frontend" || t.Role == "router" {
			if v, ok := m.Where(pageUp, instanceOf(t.Instance)); ok && v == 1 {
				return true
			}
		}
	}
	return false
}

func targetOf(m verdict.Moment, in string) (sources.Target, bool) {
	for _, t := range m.Targets() {
		if t.Instance == in {
			return t, true
		}
	}
	return sources.Target{}, false
}

// scaledNow says whether a planner changed the number of workers around a
// moment.
func scaledNow(m verdict.Moment, at time.Time) bool {
	for _, e := range m.Events() {
		if e.Kind == sources.EventScaled && e.At.Sub(at).Abs() <= scaledNear {
			return true
		}
	}
	return false
}

func workerDown() verdict.Rule {
	return verdict.Rule{
		Code: "worker-down", Title: "worker down", Rank: 1,
		Hold:  downHold,
		Needs: []sources.Need{pageUp, pageTook, pageBytes, listedBy, inFlight},
		Proof: []sources.Need{pageUp},
		Judge: func(m verdict.Moment) (out []verdict.Finding) {
			for _, w := range deadPages(m) {
				if sev, down := isDown(m, w, lookAt(m, w)); down {
					out = append(out, verdict.Finding{Culprit: m.CulpritOf(w.Instance), Level: verdict.Fires, Severity: sev, Score: 1})
				}
			}
			return out
		},
		Tell:     tellDown,
		Silenced: []verdict.Silence{{Code: "worker-flapping", Same: true}},
		Key:      "4",
		Help: "A worker's page is dead for 10 s and the router has dropped it; or it is refused, and no KV router says whether the worker serves (a warning then, unless the page is the server's own port: SGLang without Dynamo). " +
			"A page that hangs instead of being refused is worker-hung. A worker that a planner took away is no case. Look at the process: its log's last lines, dmesg for the OOM killer and XID errors, kubectl describe for the exit code; start it again.",
		Alert: verdict.Alert{
			Expr: "{scrape.up:now:instance} == 0 and on (instance) count_over_time(({engine.running:now:instance} or {worker.uptime:now:instance})[1h:1m]) > 0", For: 30 * time.Second,
			Why: "Prometheus cannot join the address of a page with the router's list of ids once the page is gone: this fires for every page that is dead, whether its worker serves or not",
		},
	}
}

// deadPages are the workers whose page was ever dead in what is judged: nearly
// always none, so that the rest costs nothing.
func deadPages(m verdict.Moment) []sources.Worker {
	return m.Once("dead pages", func() any {
		var out []sources.Worker
		for _, g := range m.Groups(pageUp) {
			if g.V != 0 {
				continue
			}
			in := g.Labels["instance"]
			if w, ok := m.Worker(in); ok {
				out = append(out, w)
			} else if t, ok := targetOf(m, in); ok && t.Role == "worker" {
				// Dead for so long that its id is forgotten.
				out = append(out, sources.Worker{Instance: in})
			}
		}
		return out
	}).([]sources.Worker)
}

func isDown(m verdict.Moment, w sources.Worker, p page) (verdict.Severity, bool) {
	switch {
	case !p.dead || p.hangs:
		return 0, false
	case p.tracked && p.listed:
		return 0, false // it serves, or its lease has not run out yet
	case scaledNow(m, m.At().Add(-time.Duration(p.since)*verdict.Step)):
		return 0, false
	case p.tracked:
		return verdict.Critical, true
	case p.refused && w.ID == "":
		return verdict.Critical, !unclaimed(m)
	case p.refused:
		return verdict.Warning, true
	}
	return 0, false
}

// unclaimed says whether the router lists a worker that no page which answers
// is: then the one whose page is dead, and whose id is forgotten, may be it.
func unclaimed(m verdict.Moment) bool {
	claimed := map[string]bool{}
	for _, w := range m.Workers() {
		if v, ok := m.Where(pageUp, instanceOf(w.Instance)); ok && v == 1 {
			claimed[w.Decimal] = true
		}
	}
	for _, g := range m.Groups(listedBy) {
		if g.V > 0 && !claimed[g.Labels["worker_id"]] {
			return true
		}
	}
	return false
}

func tellDown(m verdict.Moment, f verdict.Finding) (out verdict.Story) {
	w, _ := m.Worker(f.Culprit.Instance)
	p := lookAt(m, w)
	who := instanceOf(w.Instance)
	for_ := text.Age(time.Duration(p.since) * verdict.Step)
	out.Evidence = append(out.Evidence, m.Number("page dead for "+for_, pageUp, who, 0, 1))
	switch {
	case p.tracked:
		out.Sentence = fmt.Sprintf("worker %s is gone: its page is dead and the router has dropped it", f.Culprit.Name)
		out.Evidence = append(out.Evidence, m.Number("not registered with the router", listedBy, sources.Labels{"worker_id": w.Decimal}, 0, 1))
	case w.ID == "":
		out.Sentence = fmt.Sprintf("server %s is gone: nobody listens on its port", f.Culprit.Name)
	default:
		out.Sentence = fmt.Sprintf("nobody listens on the port of worker %s", f.Culprit.Name)
		out.Missing = append(out.Missing, "workers known to the router: only a frontend with --router-mode kv tells whether the worker still serves")
	}
	if n := alive(m, w); n > 0 {
		out.Sentence += fmt.Sprintf("; %d of its pool remain", n)
		if n == 1 {
			out.Sentence = strings.TrimSuffix(out.Sentence, "remain") + "remains"
		}
	}
	out.Advice = []string{
		"read the last lines of its log, and look for the OOM killer and for XID errors in the kernel's log (dmesg)",
		"start it again; it comes back with a cold cache and another id",
		"with --migration-limit above 0 at the frontend its requests move to other workers instead of failing",
	}
	return out
}

// alive is how many other workers of the same pool answer.
func alive(m verdict.Moment, w sources.Worker) (n int) {
	for _, p := range peersOf(m) {
		here, up := false, 0
		for _, o := range p.members {
			here = here || o.Instance == w.Instance
			if v, ok := m.Where(pageUp, instanceOf(o.Instance)); ok && v == 1 {
				up++
			}
		}
		if here {
			return up
		}
	}
	return 0
}

func workerHung() verdict.Rule {
	return verdict.Rule{
		Code: "worker-hung", Title: "worker hung", Rank: 2,
		Hold:  downHold,
		Needs: []sources.Need{pageUp, pageTook, pageBytes, listedBy, inFlight, ownUptime, ownDecoded, ownPrefilled, hungRunning},
		Proof: []sources.Need{pageUp},
		Judge: func(m verdict.Moment) (out []verdict.Finding) {
			for _, w := range deadPages(m) {
				p := lookAt(m, w)
				if p.hangs && (p.tracked && !p.listed || p.listed && p.stuck) && !scaledNow(m, m.At().Add(-time.Duration(p.since)*verdict.Step)) {
					out = append(out, verdict.Finding{Culprit: m.CulpritOf(w.Instance), Level: verdict.Fires, Severity: verdict.Critical, Score: 2})
				}
			}
			running := byInstance(m, hungRunning)
			for _, g := range m.Groups(ownDecoded) {
				if in := g.Labels["instance"]; g.V == 0 && running[in] > 0 && standsStill(m, in) {
					out = append(out, verdict.Finding{Culprit: m.CulpritOf(in), Level: verdict.Fires, Severity: verdict.Critical, Score: 1})
				}
			}
			return out
		},
		Tell:     tellHung,
		Silenced: []verdict.Silence{{Code: "worker-flapping", Same: true}},
		Key:      "4",
		Help: "A worker makes no progress: its page takes the connection and does not answer, while the prompt tokens that the router sent it have not fallen for 20 s, or the router has dropped it; " +
			"or its page answers, requests have been running for 45 s, and not one token was computed in that time (its uptime goes on, so it is not the page that is frozen). " +
			"Look at it before it is restarted: py-spy dump, nvidia-smi (a collective that waits for a lost GPU shows 100 %), and its log for a watchdog. An export of a profile looks the same for tens of seconds.",
		Alert: verdict.Alert{
			Critical: true,
			Expr:     "{engine.running:now:instance} > 0 and on (instance) ({engine.decode_tokens:increase:instance} + on (instance) {engine.prefill_tokens:increase:instance}) == 0",
			For:      time.Minute,
			Why:      "finds the worker whose page answers; one whose page hangs is in worker-down's alert",
		},
	}
}

// standsStill says whether a page answers, shows requests and counts nothing.
func standsStill(m verdict.Moment, in string) bool {
	who := instanceOf(in)
	if !lasted(m.Course(hungRunning, who, silentFor), silentFor, func(v float64) bool { return v > 0 }) ||
		!lasted(m.Course(pageUp, who, silentFor), silentFor, func(v float64) bool { return v == 1 }) {
		return false
	}
	// The look-backs of these two reach over the whole of silentFor.
	still := func(v float64) bool { return v == 0 }
	if !lasted(m.Course(ownDecoded, who, silentFor-brief), silentFor-brief, still) {
		return false
	}
	if v, ok := m.Where(ownPrefilled, who); ok && v > 0 {
		return false
	}
	up := m.Course(ownUptime, who, aliveFor)
	if n := len(up); n > 1 && !math.IsNaN(up[0]) && !math.IsNaN(up[n-1]) {
		return up[n-1]-up[0] >= aliveFor.Seconds()/2
	}
	return !m.Known(ownUptime)
}

func tellHung(m verdict.Moment, f verdict.Finding) (out verdict.Story) {
	in := f.Culprit.Instance
	who := instanceOf(in)
	out.Advice = []string{
		"look before you restart it: py-spy dump of the scheduler, nvidia-smi, the end of its log (watchdog, NCCL)",
		"restart it: the router goes on sending it requests for as long as it is registered",
	}
	if f.Score < 2 {
		running, _ := m.Where(hungRunning, who)
		out.Sentence = fmt.Sprintf("worker %s stands still: %s running, no token for %s", f.Culprit.Name, text.Value(running, "requests"), text.Age(silentFor))
		out.Evidence = append(out.Evidence,
			m.Number(text.Value(running, "requests")+" running", hungRunning, who, running, 0),
			m.Number("no token decoded", ownDecoded, who, 0, none))
		if v, ok := m.Where(ownUptime, who); ok {
			out.Evidence = append(out.Evidence, m.Number("uptime goes on", ownUptime, who, v, none))
		}
		if m.Known(listedBy) {
			return out
		}
		out.Missing = append(out.Missing, "workers known to the router: whether requests still go to it is not known")
		return out
	}
	w, _ := m.Worker(in)
	p := lookAt(m, w)
	took, _ := m.Where(pageTook, who)
	out.Evidence = append(out.Evidence,
		m.Number("page dead for "+text.Age(time.Duration(p.since)*verdict.Step), pageUp, who, 0, 1),
		m.Number("no answer within "+text.Duration(took), pageTook, who, took, hungTook.Seconds()))
	id := sources.Labels{"worker_id": w.Decimal}
	if p.listed {
		out.Sentence = fmt.Sprintf("worker %s hangs: its page does not answer, and %s that the router sent it do not get done", f.Culprit.Name, text.Value(p.blocks, "tokens"))
		out.Evidence = append(out.Evidence, m.Number(text.Value(p.blocks, "tokens")+" in flight, not falling for "+text.Age(stuckFor), inFlight, id, p.blocks, 0))
	} else {
		out.Sentence = fmt.Sprintf("worker %s hangs: its page does not answer, and the router has dropped it", f.Culprit.Name)
		out.Evidence = append(out.Evidence, m.Number("not registered with the router", listedBy, id, 0, 1))
		out.Advice = append(out.Advice, "if nothing on its host answers, the host is gone: look there first")
	}
	return out
}
