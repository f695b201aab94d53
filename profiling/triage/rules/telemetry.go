package rules

import (
	"fmt"
	"math"
	"net"
	"slices"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// telemetry are the verdicts about numbers that should be there.
func telemetry() []verdict.Rule { return []verdict.Rule{telemetryMissing()} }

const (
	// missFor is how long a family must be missing on a page that answers.
	missFor = 15 * time.Second
	// frozenFor is how long an uptime must stand still, at least, and
	// frozenScrapes how many scrapes it must.
	frozenFor     = 20 * time.Second
	frozenScrapes = 4
	// leaseFor is how long after its death a router may still list a worker:
	// some ten seconds (dynamo.md §11), taken twice.
	leaseFor = 20 * time.Second
	// fellShare is how much of the router's books must have been given back to
	// say that requests end.
	fellShare = 0.2
	// unknownFor is how long a worker's page must be dead where nothing says
	// whether the worker lives: verdicts about the worker come first.
	unknownFor = 45 * time.Second
	// startFor is how long a process that has just come up may lack families.
	startFor = 3 * time.Minute
)

var (
	beliefBlocks = nowOf("router.belief.active_blocks", "worker_id")
	askedNow     = grownOver("worker.requests", brief, "")
	gpuUtil      = nowOf("gpu.util", "instance")
)

// expected are what a healthy page of a role always has, once it had it.
var expected = [...]struct {
	need sources.Need
	what string
}{
	{ownRunning, "the engine's families"},
	{ownUptime, "the process' own families"},
	{loopActive, "the frontend's families"},
	{gpuUtil, "the GPU's families"},
	{replicaSides[0].count, "the planner's families"},
}

// absence is what is wrong with a target's telemetry.
type absence struct {
	kind   string // "down", "frozen", "families"
	what   string // the families
	need   sources.Need
	lives  bool // others prove that its process serves
	silent bool // of a frontend: no worker gets requests either
}

func telemetryMissing() verdict.Rule {
	needs := []sources.Need{pageUp, pageTook, pageBytes, listedBy, beliefBlocks, inFlight, askedNow}
	for _, e := range expected {
		needs = append(needs, e.need)
	}
	return verdict.Rule{
		Code: "telemetry-missing", Title: "telemetry missing", Rank: 90,
		Hold: 10 * time.Second, Release: 5 * time.Second,
		Needs:    needs,
		Judge:    judgeTelemetry,
		Tell:     tellTelemetry,
		Silenced: lostWorker(),
		Key:      "v",
		Help: "A page that is no dead worker gives no numbers: it has not answered for 15 s (a worker's only where the router still lists it 20 s later and its book-keeping shows that requests end there, or after 45 s where nothing tells whether it lives); " +
			"or it answers and its uptime has stood still for 20 s and four scrapes (a frozen page); or families that it had are gone for 15 s. A worker that is down, hung or restarting explains it. What is not known is said; nothing is concluded from it.",
		Alert: verdict.Alert{
			Expr: "{scrape.up:now:instance} == 0 and on (instance) count_over_time(({frontend.active:now:instance} or {engine.running:now:instance} or {worker.uptime:now:instance} or {gpu.util:now:instance})[1h:1m]) > 0", For: time.Minute,
			Why: "dead workers are in it; frozen pages and missing families are not",
		},
	}
}

func judgeTelemetry(m verdict.Moment) (out []verdict.Finding) {
	targets := m.Targets()
	dead := 0
	for _, t := range targets {
		a, found := absenceOf(m, t)
		if !found {
			continue
		}
		if a.kind == "down" {
			dead++
		}
		severity := verdict.Warning
		if a.silent {
			severity = verdict.Critical
		}
		out = append(out, verdict.Finding{Culprit: pageOf(m, t), Level: verdict.Fires, Severity: severity, Score: 1})
	}
	if dead == len(targets) && dead > 1 {
		return []verdict.Finding{{Culprit: everyPage, Level: verdict.Fires, Severity: verdict.Critical, Score: float64(dead)}}
	}
	return out
}

var everyPage = verdict.Culprit{Kind: "target", Name: "all targets"}

func pageOf(m verdict.Moment, t sources.Target) verdict.Culprit {
	c := m.CulpritOf(t.Instance)
	c.Kind = "target"
	return c
}

// absenceOf says what is missing of one target at a moment.
func absenceOf(m verdict.Moment, t sources.Target) (absence, bool) {
	who := instanceOf(t.Instance)
	up, ok := m.Where(pageUp, who)
	switch {
	case !ok:
		return absence{}, false // it was not a target then
	case up == 0:
		return deadPage(m, t)
	}
	if frozen(m, t) {
		return absence{kind: "frozen", need: ownUptime}, true
	}
	if !lasted(m.Course(pageUp, who, missFor+verdict.Step), missFor, func(v float64) bool { return v == 1 }) || startedAt(m, t.Instance) {
		return absence{}, false
	}
	for _, e := range expected {
		if lost(m.Course(e.need, who, verdict.Span)) {
			return absence{kind: "families", what: e.what, need: e.need}, true
		}
	}
	return absence{}, false
}

// lost says that a figure had numbers, and has had none for missFor.
func lost(course []float64) bool {
	n := columnsIn(missFor)
	if len(course) <= n {
		return false
	}
	for _, v := range course[len(course)-n:] {
		if !math.IsNaN(v) {
			return false
		}
	}
	for _, v := range course[:len(course)-n] {
		if !math.IsNaN(v) {
			return true
		}
	}
	return false
}

// startedAt says whether another process came up at an address a short while
// ago: its families may take their time.
func startedAt(m verdict.Moment, in string) bool {
	for _, e := range m.Events() {
		if m.At().Sub(e.At) > startFor {
			return false
		}
		if e.Instance == in && (e.Kind == sources.EventRestarted || e.Kind == sources.EventAppeared) {
			return true
		}
	}
	return false
}

// frozen says that a page answers and its uptime, which grew before, stands
// still: a cache or a proxy answers for it.
func frozen(m verdict.Moment, t sources.Target) bool {
	stood := max(frozenFor, frozenScrapes*t.Interval)
	all := m.Course(ownUptime, instanceOf(t.Instance), verdict.Span)
	n := columnsIn(stood) + 1
	if len(all) <= n {
		return false
	}
	end := all[len(all)-1]
	if !lasted(all, stood+verdict.Step, func(v float64) bool { return v == end }) {
		return false
	}
	for _, v := range all[:len(all)-n] {
		if v < end {
			return true
		}
	}
	return false
}

// deadPage says whether a page that does not answer is a matter of telemetry.
func deadPage(m verdict.Moment, t sources.Target) (absence, bool) {
	a := absence{kind: "down", need: pageUp}
	dead := deadFor(m, t.Instance)
	w, isWorker := m.Worker(t.Instance)
	switch {
	case isWorker || t.Role == "worker":
		id := sources.Labels{"worker_id": w.Decimal}
		if v, ok := m.Where(listedBy, id); w.Decimal == "" || len(m.Groups(listedBy)) == 0 {
			// Nobody who answers lists workers.
			return a, dead >= unknownFor && !wasDown(m, t.Instance, dead)
		} else if !ok || v <= 0 {
			return a, false // it is gone: not a matter of telemetry
		}
		// Book-keeping that falls says that requests end there.
		a.lives = dead >= leaseFor && fell(m.Course(beliefBlocks, id, dead-verdict.Step))
		return a, a.lives || dead >= unknownFor && !stoodStill(m.Course(inFlight, id, dead)) && !wasDown(m, t.Instance, dead)
	case t.Role == "frontend":
		asked, ok := m.Value(askedNow)
		a.lives = ok && asked >= 1 && onlyFrontend(m, t)
		a.silent = ok && asked == 0 && onlyFrontend(m, t)
		return a, dead >= 5*time.Second
	}
	return a, dead >= 5*time.Second && !sharesItsEnd(m, t)
}

// deadFor is since when a page has not answered, as far back as is judged.
func deadFor(m verdict.Moment, in string) time.Duration {
	up := m.Course(pageUp, instanceOf(in), verdict.Span)
	n := 0
	for i := len(up) - 1; i >= 0 && up[i] == 0; i-- {
		n++
	}
	return time.Duration(n) * verdict.Step
}

// fell says that a number went down twice, or by much of what it was: clients
// that give up a worker that hangs take longer to do so.
func fell(course []float64) bool {
	n, sum := 0, 0.0
	for i := 1; i < len(course); i++ {
		if d := course[i-1] - course[i]; d > 0 {
			n, sum = n+1, sum+d
		}
	}
	return n >= 2 || n == 1 && sum >= fellShare*slices.Max(course)
}

// wasDown says whether anything told that the worker itself was down at any
// time since its page is dead: that it comes back is no matter of telemetry.
func wasDown(m verdict.Moment, in string, dead time.Duration) bool {
	w, ok := m.Worker(in)
	if !ok {
		w = sources.Worker{Instance: in}
	}
	for back := time.Duration(0); back < dead; back += verdict.Step {
		then, ok := m.Before(back)
		if !ok {
			return false
		}
		if _, down := isDown(then, w, lookAt(then, w)); down {
			return true
		}
	}
	return false
}

// stoodStill says whether prompts that the router sent did not get done for
// stuckFor at any time: whoever did that hung, also in the moment in which it
// goes on again.
func stoodStill(tokens []float64) bool {
	n := columnsIn(stuckFor)
	for end := n; end <= len(tokens); end++ {
		part := tokens[end-n : end]
		if lasted(part, stuckFor, func(v float64) bool { return v > 0 }) && slices.IsSorted(part) {
			return true
		}
	}
	return false
}

// onlyFrontend says whether no other frontend could have asked the workers.
func onlyFrontend(m verdict.Moment, t sources.Target) bool {
	for _, o := range m.Targets() {
		if o.Role == "frontend" && o.Instance != t.Instance {
			return false
		}
	}
	return true
}

// sharesItsEnd says whether a worker on the same host is dead too: a page that
// belongs to its process ends with it.
func sharesItsEnd(m verdict.Moment, t sources.Target) bool {
	host := hostOf(t.Instance)
	for _, w := range m.Workers() {
		if w.Instance != "" && hostOf(w.Instance) == host {
			if v, ok := m.Where(pageUp, instanceOf(w.Instance)); ok && v == 0 {
				return true
			}
		}
	}
	return false
}

func hostOf(instance string) string {
	if host, _, err := net.SplitHostPort(instance); err == nil {
		return host
	}
	return instance
}

func tellTelemetry(m verdict.Moment, f verdict.Finding) (out verdict.Story) {
	if f.Culprit == everyPage {
		out.Sentence = "no target answers: nothing is known of any of them"
		out.Evidence = append(out.Evidence, m.Number(text.Count(f.Score)+" pages down", pageUp, nil, 0, 1))
		out.Advice = []string{"look at the network between this host and the deployment first, then at the deployment"}
		return out
	}
	t, _ := targetOf(m, f.Culprit.Instance)
	a, _ := absenceOf(m, t)
	who := instanceOf(t.Instance)
	name := text.Clean(f.Culprit.Name, 64)
	switch a.kind {
	case "frozen":
		v, _ := m.Where(ownUptime, who)
		out.Title = "page frozen"
		out.Sentence = fmt.Sprintf("the page of %s answers with old numbers: its uptime stands still", name)
		out.Evidence = append(out.Evidence, m.Number("uptime stays at "+text.Duration(v), ownUptime, who, v, none))
		out.Advice = []string{"look for a cache or a proxy between here and the page, and for a process that no longer updates it"}
	case "families":
		out.Sentence = fmt.Sprintf("the page of %s has lost %s; nothing is known of them since", name, a.what)
		out.Evidence = append(out.Evidence, m.Number(a.what+" gone for 15 s, page answers", a.need, who, none, none))
		out.Advice = []string{"see whether the process was started anew without its metrics (sglang: --enable-metrics), and its log"}
		out.Missing = append(out.Missing, a.what)
	default:
		dead := text.Age(deadFor(m, t.Instance))
		out.Sentence = fmt.Sprintf("the page of %s has not answered for %s", name, dead)
		out.Evidence = append(out.Evidence, m.Number("page down for "+dead, pageUp, who, 0, 1))
		if why := text.Clean(t.Error, 160); why != "" && m.Newest() {
			out.Evidence = append(out.Evidence, verdict.Evidence{Text: why, Need: pageUp, Labels: who, Value: none, Threshold: none})
		}
		switch {
		case a.silent:
			out.Sentence += ", and no worker gets requests: the frontend may be down"
		case a.lives && t.Role == "frontend":
			out.Sentence += "; it serves on, workers get requests"
		case a.lives:
			out.Sentence += "; it serves on, by the router's books requests end there"
		case t.Role == "frontend" || t.Role == "worker":
			out.Sentence += "; whether it serves is not known"
		}
		out.Advice = []string{"open the page by hand (curl); see the process' log and what stands between", "no number of it is live until then: do not read a gap as idle"}
	}
	return out
}
