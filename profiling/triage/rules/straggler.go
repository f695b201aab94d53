package rules

import (
	"fmt"
	"math"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// straggler are the verdicts about one worker that is slower than those that
// do the same.
func straggler() []verdict.Rule { return []verdict.Rule{stragglerWorker()} }

const (
	// slowerFires is how many times the median of its peers' mean time per
	// token a worker must need. Over the healthy scenarios the ratio stays
	// below 1.3; a GPU at half its clock costs 1.7.
	slowerFires, slowerStays = 1.5, 1.25
	// pairFires is the same against a single peer, which is no median: either
	// of the two may be the odd one.
	pairFires, pairStays = 1.7, 1.35
	// sameWork is how many times its peers' tokens a worker may compute and
	// still be called slow instead of busy.
	sameWork = 1.25
	// stragglerTokens is how many gaps between tokens a mean must be of, and
	// stragglerRequests how many requests where only means of requests exist.
	stragglerTokens   = 200
	stragglerRequests = 10
	// stragglerPast is when a worker's own past is looked at.
	stragglerPast = 5 * time.Minute
)

// pace is how a worker's time per output token is known: by the gap between
// tokens, or where an engine has no such family by the requests' means.
type pace struct {
	mean, count sources.Need
	least       float64
	words       string
	per         string // token, prompt
	prefill     bool   // of prefill workers, which make no tokens
}

var paces = [...]pace{
	{meanOver("engine.itl", verdict.Look, "instance"), countOver("engine.itl", verdict.Look, "instance"), stragglerTokens, "ITL", "token", false},
	{meanOver("engine.tpot", verdict.Look, "instance"), countOver("engine.tpot", verdict.Look, "instance"), stragglerRequests, "time per output token", "token", false},
	{meanOver("engine.prefill_time", verdict.Look, "instance"), countOver("engine.prefill_time", verdict.Look, "instance"), stragglerRequests, "prefill", "prompt", true},
}

var (
	workDecode    = sources.Need{Key: "engine.decode_tokens", Form: sources.FormRate, By: "instance"}
	workPrefill   = sources.Need{Key: "engine.prefill_tokens", Form: sources.FormRate, By: "instance"}
	workRetracted = sources.Need{Key: "engine.preemptions", Form: sources.FormIncrease, By: "instance"}
	workRunning   = nowOf("engine.running", "instance")
)

func stragglerWorker() verdict.Rule {
	return verdict.Rule{
		Code: "straggler-worker", Title: "straggler worker", Rank: 15,
		Hold: 15 * time.Second, Release: 15 * time.Second,
		Needs: []sources.Need{
			paces[0].mean, paces[0].count, paces[1].mean, paces[1].count, paces[2].mean, paces[2].count, workDecode, workPrefill, workRetracted, workRunning,
			gpuClock, gpuBusy, gpuReasons, gpuClockMax,
		},
		Proof: []sources.Need{paces[0].mean, paces[1].mean, paces[2].mean},
		Judge: func(m verdict.Moment) (out []verdict.Finding) {
			for _, p := range peersOf(m) {
				for _, s := range slowOf(m, p) {
					out = append(out, verdict.Finding{Culprit: m.CulpritOf(s.instance), Level: s.level, Severity: verdict.Warning, Score: s.ratio})
				}
			}
			return out
		},
		Tell: tellStraggler,
		Silenced: []verdict.Silence{
			{Code: "host-bound", Same: true}, {Code: "kv-capacity", Same: true}, {Code: "worker-hung", Same: true}, {Code: "worker-down", Same: true},
		},
		Key: "4",
		Help: "A worker's exact mean time between tokens over a minute is 1.5 times the median of its peers' (of the same role, model and engine; 1.7 times where there is one peer only, which is no median), " +
			"over at least 200 tokens each, while it computes no more than 1.25 times their tokens and retracts nothing: it is slow, not busy. Of prefill workers the same is said of the mean time of a prefill, over at least 10 requests of no longer prompts. " +
			"Look for what is different about its machine: clocks and throttling of its GPUs, another process on them, its CPU cores, PCIe and NVLink; drain it if nothing helps.",
		Alert: verdict.Alert{
			Expr: "{engine.itl:mean:instance} > 1.5 * scalar(quantile(0.5, {engine.itl:mean:instance})) and on (instance) {engine.decode_tokens:rate:instance} <= 1.25 * scalar(quantile(0.5, {engine.decode_tokens:rate:instance}))",
			For:  time.Minute,
			Why:  "over all workers instead of those of one role, model and engine: add matchers where pools differ; with two workers the median lies between them and finds none below 3 times",
		},
	}
}

// slow is a worker that needs longer than its peers.
type slow struct {
	instance     string
	level        verdict.Level
	by           *pace
	mean, peers  float64 // seconds
	ratio        float64
	n            int // peers
	count        float64
	decode, rest float64 // tokens per second: its own, and the peers' median; of a prefill worker those of prompts
}

// slowOf finds the stragglers among peers, by the first measure that they
// have.
func slowOf(m verdict.Moment, p peers) (out []slow) {
	if len(p.members) < 2 {
		return nil
	}
	for i := range paces {
		if paces[i].prefill != (p.role == "prefill") {
			continue
		}
		found, any := slowBy(m, p, &paces[i])
		if any {
			return found
		}
	}
	return nil
}

func slowBy(m verdict.Moment, p peers, by *pace) (out []slow, any bool) {
	var who []string
	var means, counts []float64
	mean, count := byInstance(m, by.mean), byInstance(m, by.count)
	for _, w := range p.members {
		if v, n := mean[w.Instance], count[w.Instance]; v > 0 && n >= by.least {
			who, means, counts = append(who, w.Instance), append(means, v), append(counts, n)
		}
	}
	if len(who) < 2 {
		return nil, len(who) > 0
	}
	fires, stays := slowerFires, slowerStays
	if len(who) == 2 {
		fires, stays = pairFires, pairStays
	}
	decode, prefill := each(m, workDecode, who), each(m, workPrefill, who)
	length := make([]float64, len(who)) // of a prompt, what the cache gave left out
	for i := range who {
		length[i] = prefill[i] * m.Window(workPrefill).Seconds() / counts[i]
	}
	for i, in := range who {
		s := slow{instance: in, by: by, mean: means[i], peers: median(rest(means, i)), n: len(who) - 1, count: counts[i], level: verdict.Stays}
		s.ratio = s.mean / s.peers
		s.decode, s.rest = decode[i], median(rest(decode, i))
		if s.ratio < stays || decode[i] > sameWork*s.rest || prefill[i] > sameWork*median(rest(prefill, i)) {
			continue
		}
		if by.prefill {
			if length[i] > sameWork*median(rest(length, i)) {
				continue // longer prompts take longer
			}
			s.decode, s.rest = prefill[i], median(rest(prefill, i))
		}
		if lost, ok := m.Where(workRetracted, instanceOf(in)); s.ratio >= fires && !(ok && lost > 0) {
			s.level = verdict.Fires
		}
		out = append(out, s)
	}
	return out, true
}

// each is a number of every instance, zero where there is none.
func each(m verdict.Moment, n sources.Need, who []string) []float64 {
	by := byInstance(m, n)
	out := make([]float64, len(who))
	for i, in := range who {
		out[i] = by[in]
	}
	return out
}

func tellStraggler(m verdict.Moment, f verdict.Finding) (out verdict.Story) {
	var s slow
	for _, p := range peersOf(m) {
		for _, x := range slowOf(m, p) {
			if x.instance == f.Culprit.Instance {
				s = x
			}
		}
	}
	if s.by == nil {
		return out
	}
	who := instanceOf(s.instance)
	against := fmt.Sprintf("the %s of its %d peers", text.Duration(s.peers), s.n)
	limit := slowerFires * s.peers
	if s.n == 1 {
		against, limit = "the "+text.Duration(s.peers)+" of the other worker", pairFires*s.peers
	}
	out.Sentence = fmt.Sprintf("worker %s needs %s per %s, %.1f times %s, for no more work", f.Culprit.Name, text.Duration(s.mean), s.by.per, s.ratio, against)
	out.Evidence = append(out.Evidence, m.Number(fmt.Sprintf("%s mean %s (n %s)", s.by.words, text.Duration(s.mean), text.Count(s.count)), s.by.mean, who, s.mean, limit))
	if s.rest > 0 {
		does, of := "decodes", workDecode
		if s.by.prefill {
			does, of = "prefills", workPrefill
		}
		out.Evidence = append(out.Evidence, m.Number(fmt.Sprintf("%s %s, peers %s", does, text.Rate(s.decode, "tokens"), text.Rate(s.rest, "tokens")), of, who, s.decode, sameWork*s.rest))
	}
	if v, ok := m.Where(workRunning, who); ok {
		out.Evidence = append(out.Evidence, m.Number(text.Count(v)+" running", workRunning, who, v, none))
	}
	if past, ok := m.Before(stragglerPast); ok {
		if v, ok := past.Where(s.by.mean, who); ok && v > 0 {
			out.Evidence = append(out.Evidence, m.Number(fmt.Sprintf("%s ago %s", text.Age(stragglerPast), text.Duration(v)), s.by.mean, who, v, none))
		}
	}
	for _, g := range slowGPUs(m) {
		if g.level == verdict.Fires {
			out.Evidence = append(out.Evidence, verdict.Evidence{
				Text: fmt.Sprintf("GPU %s runs at %s of its peers' clock", g.name, text.Percent(g.ratio)), Need: gpuClock, Labels: g.labels, Value: g.ratio, Threshold: math.NaN(), Unit: "ratio",
			})
			out.Missing = append(out.Missing, "which GPUs a worker runs on is not exported: whether that GPU is this worker's has to be looked up (nvidia-smi on its host)")
		}
	}
	if len(m.Groups(gpuClock)) == 0 {
		out.Missing = append(out.Missing, "SM clock: without a DCGM exporter or the GPU of its host it is not known whether a GPU is slow")
	}
	if s.n == 1 {
		out.Missing = append(out.Missing, "a third worker: with two there is no median, and either may be the odd one")
	}
	out.Advice = []string{
		"look at the GPUs of its host: clocks, throttling, another process on them (5)",
		"profile one of its steps beside one of a peer's (P): kernels slower, or gaps between them",
		"drain it if nothing helps: with round-robin routing it holds up its share of all requests",
	}
	return out
}
