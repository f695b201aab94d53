package rules

import (
	"fmt"
	"math"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// spread are the verdicts about work that is spread unevenly.
func spread() []verdict.Rule { return []verdict.Rule{loadImbalance(), dpImbalance()} }

const (
	// loadFires is how many times the median of its peers' requests (running
	// and waiting) a worker must hold, and loadExcess how many more: two
	// against one is no imbalance.
	loadFires, loadStays = 2, 1.5
	loadExcess           = 8
	// loadShare is how many times its fair share of arrivals it must be given.
	// A worker that only piles up its share is slow, and no router's fault.
	loadShare, loadShareStays = 1.5, 1.25
	// loadRequests is how many arrivals the pool must have had in the minute.
	loadRequests = 30
	// loadHarm is how much longer than its peers' a token must take there,
	// where nobody waits.
	loadHarm = 1.2
	// lostFires is the share of token slots lost to unequal DP ranks. Four ranks
	// at random lose 0.3 of a light load, and it costs nobody anything: so one
	// rank must also hold more than the others, over a minute.
	lostFires, lostStays = 0.4, 0.3
	rankFires, rankStays = 1.75, 1.4
	rankExcess           = 5    // requests
	lostTokens           = 2000 // in the minute
)

var (
	loadRunning  = nowOf("engine.running", "instance")
	loadWaiting  = nowOf("engine.waiting", "instance")
	loadArrivals = sources.Need{Key: "worker.requests", Form: sources.FormIncrease, By: "instance"}
	loadDone     = sources.Need{Key: "engine.requests_done", Form: sources.FormIncrease, By: "instance"}
	loadITL      = meanOver("engine.itl", verdict.Look, "instance")
	loadKV       = sources.Need{Key: "kv.used_share", Form: sources.FormExpr, By: "instance"}
	loadHit      = sources.Need{Key: "engine.hit_ratio", Form: sources.FormExpr, By: "instance"}

	dpLost    = sources.Need{Key: "dp.lost_share", Form: sources.FormExpr, By: "instance"}
	dpLostAll = sources.Need{Key: "dp.lost_tokens", Form: sources.FormIncrease, By: "instance"}
	dpRun     = sources.Need{Key: "dp.run_tokens", Form: sources.FormIncrease, By: "instance,dp_rank"}
	dpRunning = nowOf("engine.running", "instance,dp_rank")
	dpWaiting = nowOf("engine.waiting", "instance,dp_rank")
)

func loadImbalance() verdict.Rule {
	return verdict.Rule{
		Code: "load-imbalance", Title: "load imbalance", Rank: 30,
		Hold: 15 * time.Second, Release: 15 * time.Second,
		Needs: []sources.Need{loadRunning, loadWaiting, loadArrivals, loadDone, loadITL, loadKV, loadHit},
		Proof: []sources.Need{loadRunning},
		Judge: func(m verdict.Moment) (out []verdict.Finding) {
			for _, p := range peersOf(m) {
				for _, l := range loadedOf(m, p) {
					out = append(out, verdict.Finding{Culprit: m.CulpritOf(l.instance), Level: l.level, Severity: verdict.Warning, Score: l.held / max(l.peers, 1)})
				}
			}
			return out
		},
		Tell: tellLoad,
		Silenced: []verdict.Silence{
			{Code: "straggler-worker", Same: true}, {Code: "host-bound", Same: true}, {Code: "kv-capacity", Same: true}, {Code: "worker-hung", Same: true},
			{Code: "worker-down"}, {Code: "worker-flapping"},
		},
		Key: "3",
		Help: "The router gives one worker far more than its peers: it holds twice the median of their requests (running and waiting, mean of a minute) and at least 8 more, it was given at least 1.5 times its fair share of at least 30 arrivals, and it shows: requests wait there, or a token takes 1.2 times as long as elsewhere. " +
			"A worker that piles up no more than its share is slow instead (straggler-worker). In the KV mode cached prefixes outweigh load: lower --router-kv-overlap-score-weight, raise --router-temperature, or look for clients that keep to one worker.",
		Alert: verdict.Alert{
			Expr: "({engine.running:now:instance} + on (instance) {engine.waiting:now:instance}) > 8 + 2 * scalar(quantile(0.5, {engine.running:now:instance} + on (instance) {engine.waiting:now:instance}))",
			For:  2 * time.Minute,
			Why:  "over all workers, without the arrivals and without what it costs: a slow worker fires it too",
		},
	}
}

// loaded is a worker that holds far more than its peers.
type loaded struct {
	instance      string
	level         verdict.Level
	held, peers   float64 // requests
	given, fair   float64 // arrivals in the window, and a fair share of them
	of            sources.Need
	waiting       float64
	itl, itlPeers float64 // NaN when not known
	others        int
}

func loadedOf(m verdict.Moment, p peers) (out []loaded) {
	if len(p.members) < 2 {
		return nil
	}
	who := make([]string, len(p.members))
	for i, w := range p.members {
		who[i] = w.Instance
	}
	of := loadArrivals
	given := each(m, of, who)
	if total(given) == 0 {
		of = loadDone
		given = each(m, of, who)
	}
	if total(given) < loadRequests {
		return nil
	}
	// Most columns end here, on numbers of now alone.
	running, waiting := each(m, loadRunning, who), each(m, loadWaiting, who)
	for i, in := range who {
		now := running[i] + waiting[i]
		fair := total(given) / float64(len(who))
		if now < loadExcess || given[i] < loadShareStays*fair {
			continue
		}
		l := loaded{instance: in, level: verdict.Stays, given: given[i], fair: fair, of: of, itl: math.NaN(), itlPeers: math.NaN(), others: len(who) - 1}
		var peers []float64
		for k, other := range who {
			run, ok := averageOf(m.Course(loadRunning, instanceOf(other), verdict.Look), verdict.Look)
			wait, _ := averageOf(m.Course(loadWaiting, instanceOf(other), verdict.Look), verdict.Look)
			switch {
			case k == i:
				l.held, l.waiting = run+wait, wait
			case ok:
				peers = append(peers, run+wait)
			}
		}
		if len(peers) == 0 {
			continue
		}
		l.peers = median(peers)
		if l.held < loadStays*l.peers || l.held-l.peers < loadExcess/2 {
			continue
		}
		itl := each(m, loadITL, who)
		var theirs []float64
		for k, v := range itl {
			if k != i && v > 0 {
				theirs = append(theirs, v)
			}
		}
		if itl[i] > 0 && len(theirs) > 0 {
			l.itl, l.itlPeers = itl[i], median(theirs)
		}
		hurts := l.waiting >= 1 || l.itl >= loadHarm*l.itlPeers
		if hurts && l.held >= loadFires*l.peers && l.held-l.peers >= loadExcess && l.given >= loadShare*l.fair {
			l.level = verdict.Fires
		}
		out = append(out, l)
	}
	return out
}

func total(vals []float64) (sum float64) {
	for _, v := range vals {
		sum += v
	}
	return sum
}

func tellLoad(m verdict.Moment, f verdict.Finding) (out verdict.Story) {
	var l loaded
	for _, p := range peersOf(m) {
		for _, x := range loadedOf(m, p) {
			if x.instance == f.Culprit.Instance {
				l = x
			}
		}
	}
	if l.instance == "" {
		return out
	}
	who := instanceOf(l.instance)
	share := l.given / (l.fair * float64(l.others+1))
	out.Sentence = fmt.Sprintf("worker %s is given %s of the requests (1 of %d workers) and holds %s, its peers %s",
		f.Culprit.Name, text.Percent(share), l.others+1, text.Count(math.Round(l.held)), text.Count(math.Round(l.peers)))
	out.Evidence = append(out.Evidence,
		m.Number(fmt.Sprintf("%s running and waiting, peers %s", text.Count(math.Round(l.held)), text.Count(math.Round(l.peers))), loadRunning, who, l.held, loadFires*l.peers),
		m.Number(fmt.Sprintf("%s requests, a fair share is %s", text.Count(math.Round(l.given)), text.Count(math.Round(l.fair))), l.of, who, l.given, loadShare*l.fair))
	if l.waiting >= 0.5 {
		out.Evidence = append(out.Evidence, m.Number(text.Count(math.Round(l.waiting))+" waiting", loadWaiting, who, l.waiting, none))
	}
	if l.itl > 0 {
		out.Evidence = append(out.Evidence, m.Number(fmt.Sprintf("ITL mean %s, peers %s", text.Duration(l.itl), text.Duration(l.itlPeers)), loadITL, who, l.itl, loadHarm*l.itlPeers))
	}
	if v, ok := m.Where(loadKV, who); ok {
		out.Evidence = append(out.Evidence, m.Number("KV "+text.Percent(v), loadKV, who, v, none))
	}
	if v, ok := m.Where(loadHit, who); ok {
		out.Evidence = append(out.Evidence, m.Number("prefix hits "+text.Percent(v), loadHit, who, v, none))
	}
	if l.of == loadDone {
		out.Missing = append(out.Missing, "arrivals at the worker are not exported here: finished requests stand in for them")
	}
	out.Advice = []string{
		"lower --router-kv-overlap-score-weight or raise --router-temperature: cached prefixes outweigh load in the choice",
		"look for one conversation or one tenant whose prefix draws everything to this worker (Routing: overlap)",
		"where the router's belief of this worker is wrong (Routing: drift), look at its KV events",
	}
	return out
}

func dpImbalance() verdict.Rule {
	return verdict.Rule{
		Code: "dp-imbalance", Title: "DP imbalance", Rank: 31,
		Hold: 15 * time.Second, Release: 15 * time.Second,
		Needs: []sources.Need{dpLost, dpLostAll, dpRun, dpRunning, dpWaiting},
		Proof: []sources.Need{dpLost, dpRunning},
		Judge: judgeDP,
		Tell:  tellDP,
		Silenced: []verdict.Silence{
			{Code: "worker-hung", Same: true}, {Code: "worker-down", Same: true}, {Code: "kv-capacity", Same: true},
		},
		Key: "4",
		Help: "The DP ranks of one worker have unequal work: with DP attention, where all ranks step together, 40 % of the token slots of a minute (of at least 2000 tokens) were lost to it, as SGLang 0.5.23 counts them, and one rank holds 1.75 times the median of the others' requests, at least 5 more; " +
			"without that count, one rank holds twice the median, at least 8 more, and requests wait on it while another rank has none waiting. " +
			"Let the router choose the rank (--router-mode kv sees ranks), or SGLang's own (--load-balance-method); short queues are the fairest.",
		Alert: verdict.Alert{Expr: "{dp.lost_share:expr:instance} > 0.4", For: time.Minute, Why: "only where SGLang counts the tokens lost, and without the ranks' requests: a light load fires it"},
	}
}

// uneven is the rank with most to do, of one worker.
type uneven struct {
	rank        string
	held, peers float64 // requests, mean of a minute
	waiting     float64
	least       float64 // waiting on the rank with fewest
}

func judgeDP(m verdict.Moment) (out []verdict.Finding) {
	run := map[string]float64{}
	for _, g := range m.Groups(dpRun) {
		run[g.Labels["instance"]] += g.V
	}
	lost := byInstance(m, dpLost)
	for in, u := range unevenRanks(m) {
		level, score := verdict.Clear, u.held/max(u.peers, 1)
		if v, counted := lost[in]; counted {
			score = v / lostFires
			switch {
			case run[in] < lostTokens || v < lostStays:
			case v >= lostFires && u.held >= rankFires*u.peers && u.held-u.peers >= rankExcess:
				level = verdict.Fires
			default:
				level = verdict.Stays
			}
		} else {
			switch {
			case u.waiting >= 1 && u.least < 0.5 && u.held >= loadFires*u.peers && u.held-u.peers >= loadExcess:
				level = verdict.Fires
			case u.waiting >= 0.5:
				level = verdict.Stays
			}
		}
		if level > verdict.Clear {
			out = append(out, verdict.Finding{Culprit: m.CulpritOf(in), Level: level, Severity: verdict.Warning, Score: score})
		}
	}
	return out
}

// unevenRanks finds the workers of which one rank holds more than the others.
func unevenRanks(m verdict.Moment) map[string]uneven {
	return m.Once("uneven ranks", func() any {
		type rank struct {
			name          string
			running, wait float64
		}
		by := map[string][]rank{}
		waiting := map[[2]string]float64{}
		for _, g := range m.Groups(dpWaiting) {
			waiting[[2]string{g.Labels["instance"], g.Labels["dp_rank"]}] = g.V
		}
		for _, g := range m.Groups(dpRunning) {
			in, name := g.Labels["instance"], g.Labels["dp_rank"]
			by[in] = append(by[in], rank{name, g.V, waiting[[2]string{in, name}]})
		}
		out := map[string]uneven{}
		for in, ranks := range by {
			if len(ranks) < 2 {
				continue
			}
			held, waits := make([]float64, len(ranks)), make([]float64, len(ranks))
			most, least := 0, math.Inf(1)
			for i, r := range ranks {
				who := sources.Labels{"instance": in, "dp_rank": r.name}
				run, _ := averageOf(m.Course(dpRunning, who, verdict.Look), verdict.Look)
				waits[i], _ = averageOf(m.Course(dpWaiting, who, verdict.Look), verdict.Look)
				held[i] = run + waits[i]
				if held[i] > held[most] {
					most = i
				}
				least = min(least, waits[i])
			}
			u := uneven{rank: ranks[most].name, held: held[most], peers: median(rest(held, most)), waiting: waits[most], least: least}
			if u.held >= rankStays*u.peers && u.held-u.peers >= rankExcess/2.0 {
				out[in] = u
			}
		}
		return out
	}).(map[string]uneven)
}

func tellDP(m verdict.Moment, f verdict.Finding) (out verdict.Story) {
	who := instanceOf(f.Culprit.Instance)
	u, uneven := unevenRanks(m)[f.Culprit.Instance]
	if v, ok := m.Where(dpLost, who); ok {
		out.Sentence = fmt.Sprintf("unequal DP ranks cost worker %s %s of its token slots", f.Culprit.Name, text.Percent(v))
		out.Evidence = append(out.Evidence, m.Number(text.Percent(v)+" of the token slots lost", dpLost, who, v, lostFires))
		if lost, ok := m.Where(dpLostAll, who); ok {
			out.Evidence = append(out.Evidence, m.Number(text.Value(lost, "tokens")+" lost", dpLostAll, who, lost, none))
		}
	} else if uneven {
		out.Sentence = fmt.Sprintf("rank %s of worker %s holds %s requests, its other ranks %s", text.Clean(u.rank, 16), f.Culprit.Name, text.Count(math.Round(u.held)), text.Count(math.Round(u.peers)))
		out.Missing = append(out.Missing, "tokens lost to DP imbalance: SGLang 0.5.23 with DP attention counts them; without them what it costs is not known")
	}
	if uneven {
		rank := sources.Labels{"instance": f.Culprit.Instance, "dp_rank": u.rank}
		out.Evidence = append(out.Evidence,
			m.Number(fmt.Sprintf("rank %s holds %s, others %s", text.Clean(u.rank, 16), text.Count(math.Round(u.held)), text.Count(math.Round(u.peers))), dpRunning, rank, u.held, loadFires*u.peers),
			m.Number(text.Count(math.Round(u.waiting))+" waiting on it", dpWaiting, rank, u.waiting, none))
	}
	out.Advice = []string{
		"let the router choose the rank: --router-mode kv knows the ranks and their load",
		"where SGLang chooses (--load-balance-method), take total_tokens or total_requests instead of round_robin",
	}
	return out
}
