package rules

import (
	"fmt"
	"math"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

var prefillBusy = sources.Need{Key: "engine.prefill_time", Form: sources.FormSumRate, By: "instance"}

const (
	// idleShare is how much of its batch limit and of its KV a decode pool
	// uses at most to count as idle, and how long a prefill worker works per
	// second: half of it could do other work. No number of the references.
	idleShare = 0.5
	// idleWait is the mean wait in a prefill pool's queue that is none: no
	// longer than that for a batch in progress.
	idleWait = 0.1
)

func prefillDecodeImbalance() verdict.Rule {
	return verdict.Rule{
		Code: "prefill-decode-imbalance", Title: "prefill and decode out of balance", Rank: 28,
		Hold: queueHold, Release: queueRelease,
		Needs:    append([]sources.Need{prefillBusy}, poolNeeds...),
		Proof:    []sources.Need{memberWaiting},
		Judge:    judgeBalance,
		Tell:     tellBalance,
		Silenced: []verdict.Silence{{Code: "prefix-cache-collapse"}},
		Key:      "4",
		Help: "Disaggregated: the prefill pool has a queue that is too long (as for queue-bound-prefill) while no decode worker queues and the decode pool uses at most half of its batch limit and half of its KV; " +
			"or the decode pool's batches are full (as for queue-bound-decode) while prefill workers have no queue, wait below 0.1 s, and are at work at most half of the time. The culprit is the pool that binds. " +
			"Turn workers of the idle pool into workers of the other, or prefill short prompts on the decode workers.",
		Alert: verdict.Alert{
			Why: "which workers prefill and which decode is told by no label that all producers have",
		},
	}
}

// balance pairs the pools of a model that is served disaggregated.
type balance struct{ prefill, decode *pool }

func balances(m verdict.Moment) (out []balance) {
	for _, p := range poolsOf(m) {
		if p.role != "prefill" {
			continue
		}
		for _, d := range poolsOf(m) {
			if d.role == "decode" && (d.model == p.model || p.model == "" || d.model == "") {
				out = append(out, balance{p, d})
			}
		}
	}
	return out
}

// decodeIdles says that the decode pool could do twice its work; known is false
// where nothing tells.
func (b balance) decodeIdles() bool {
	use, n := 0.0, 0
	for _, w := range b.decode.workers {
		if w.queues() || w.retracted > 0 {
			return false
		}
		if w.limit > 0 {
			use, n = max(use, w.running/w.limit), n+1
		}
		if !math.IsNaN(w.kv) {
			use, n = max(use, w.kv), n+1
		}
	}
	return n > 0 && use <= idleShare
}

// busy is the share of time in which the prefill workers are at work; several
// requests in one batch each count whole, so it is never too low.
func (b balance) busy(m verdict.Moment) float64 {
	by := byInstance(m, prefillBusy)
	return b.prefill.mean(func(w member) float64 { return known(by, w.Instance) })
}

func (b balance) prefillIdles(m verdict.Moment) bool {
	for _, w := range b.prefill.workers {
		if w.queues() {
			return false
		}
	}
	wait, _, ok := b.prefill.wait()
	return ok && wait < idleWait && b.busy(m) <= idleShare
}

func judgeBalance(m verdict.Moment) (out []verdict.Finding) {
	for _, b := range balances(m) {
		for _, p := range []*pool{b.prefill, b.decode} {
			level, wait := p.judge(m)
			if level == verdict.Clear || p == b.prefill && !b.decodeIdles() || p == b.decode && (p.bound() != boundSlots || !b.prefillIdles(m)) {
				continue
			}
			out = append(out, verdict.Finding{Culprit: b.culprit(p), Level: level, Severity: queueSeverity(m, p.name()), Score: wait / waitLimit(m)})
		}
	}
	return out
}

// culprit names a pool even where it is one worker: the balance is between
// pools.
func (b balance) culprit(p *pool) verdict.Culprit {
	return verdict.Culprit{Kind: "pool", Name: p.name()}
}

func tellBalance(m verdict.Moment, f verdict.Finding) (s verdict.Story) {
	for _, b := range balances(m) {
		p := b.prefill
		if b.culprit(p) != f.Culprit {
			if p = b.decode; b.culprit(p) != f.Culprit {
				continue
			}
		}
		wait, _, _ := p.wait()
		running, limit := b.decode.sum(func(w member) float64 { return w.running }), b.decode.sum(func(w member) float64 { return w.limit })
		kv := b.decode.mean(func(w member) float64 { return w.kv })
		s.Evidence = p.evidence(m)
		if p == b.prefill {
			s.Title = "too little prefill"
			s.Sentence = fmt.Sprintf("prefill binds while decode idles: %s requests wait %s in %s, and %s decode workers run %s requests",
				text.Count(p.waiting()), text.Duration(wait), p.count(member.queues), text.Count(float64(len(b.decode.workers))), text.Count(running))
			if limit > 0 {
				s.Evidence = append(s.Evidence, m.Number(fmt.Sprintf("decode runs %s of %s", text.Count(running), text.Count(limit)), memberRunning, nil, running, idleShare*limit))
			}
			if !math.IsNaN(kv) {
				s.Evidence = append(s.Evidence, m.Number("decode KV "+text.Percent(kv), memberKV, nil, kv, idleShare))
			}
			s.Advice = []string{
				"turn decode workers into prefill workers, or add prefill workers",
				"let decode workers prefill short prompts themselves (conditional disaggregation; upstream's threshold is 2048 tokens)",
				"raise the prefix hits (KV screen): cached prompt tokens cost no prefill",
			}
			continue
		}
		s.Title = "too little decode"
		s.Sentence = fmt.Sprintf("decode binds while prefill idles: %s requests wait %s in %s, and prefill workers are at work %s of the time",
			text.Count(p.waiting()), text.Duration(wait), p.count(member.queues), text.Percent(b.busy(m)))
		s.Evidence = append(s.Evidence, m.Number("prefill at work "+text.Percent(b.busy(m)), prefillBusy, nil, b.busy(m), idleShare))
		s.Advice = []string{
			"turn prefill workers into decode workers, or add decode workers",
			"raise the decode workers' --max-running-requests where their KV and ITL leave room",
		}
	}
	return s
}

var (
	moveMean  = sources.Need{Key: "engine.kv_transfer", Form: sources.FormMean, By: "instance"}
	moveCount = sources.Need{Key: "engine.kv_transfer", Form: sources.FormCount, By: "instance"}
	moveAlloc = sources.Need{Key: "pd.transfer_alloc", Form: sources.FormMean, By: "instance"}
	moveSpeed = sources.Need{Key: "pd.transfer_speed", Form: sources.FormMean, By: "instance"}
	moveBytes = sources.Need{Key: "pd.transfer_bytes", Form: sources.FormMean, By: "instance"}
	moveTTFT  = sources.Need{Key: "frontend.ttft", Form: sources.FormMean}
	moveTTFTn = sources.Need{Key: "frontend.ttft", Form: sources.FormCount}
)

const (
	// moveShare is the part of the mean TTFT that the transfer must take, and
	// moveTime the least it must last: it is then the largest part in most
	// paths. No number of the references.
	moveShare = 0.4
	moveTime  = 50e-3
	// moveLeast is how many transfers the look-back must hold.
	moveLeast = 20
)

// move is the transfer of KV from prefill to decode at one moment.
type move struct {
	mean, n, ttft float64
	queue         float64 // the prefill pools' mean wait
	speed, bytes  float64
	kv            float64 // the fullest decode worker's mean
	prealloc      float64 // requests that wait for room on decode workers
}

// weighted is the mean over instances, each as often as it was observed.
func weighted(mean, n map[string]float64) (v, total float64) {
	for in, k := range n {
		if x, ok := mean[in]; ok && k > 0 && !math.IsNaN(x) {
			v, total = v+x*k, total+k
		}
	}
	return v / total, total
}

func moveOf(m verdict.Moment) (x move, ok bool) {
	n := byInstance(m, moveCount)
	x.mean, x.n = weighted(byInstance(m, moveMean), n)
	x.ttft, ok = m.Value(moveTTFT)
	served := m.Or(moveTTFTn, 0)
	// A transfer that not every request makes has no share in their mean TTFT.
	if !ok || x.n < moveLeast || x.n < 0.8*served {
		return x, false
	}
	x.speed, _ = weighted(byInstance(m, moveSpeed), n)
	x.bytes, _ = weighted(byInstance(m, moveBytes), n)
	x.kv = math.NaN()
	for _, p := range poolsOf(m) {
		switch p.role {
		case "prefill":
			if wait, _, ok := p.wait(); ok {
				x.queue = max(x.queue, wait)
			}
		case "decode":
			for _, w := range p.workers {
				if !(w.kv <= x.kv) {
					x.kv = w.kv
				}
			}
		}
	}
	for _, v := range gaugesOf(m).prealloc {
		x.prealloc += v
	}
	return x, true
}

func kvTransferBound() verdict.Rule {
	return verdict.Rule{
		Code: "kv-transfer-bound", Title: "KV transfer slow", Rank: 27,
		Hold: 20 * time.Second, Release: 20 * time.Second,
		Needs: append([]sources.Need{moveMean, moveCount, moveAlloc, moveSpeed, moveBytes, moveTTFT, moveTTFTn}, poolNeeds...),
		Proof: []sources.Need{moveMean},
		Judge: func(m verdict.Moment) []verdict.Finding {
			x, ok := moveOf(m)
			if !ok || x.prealloc >= queueLeast || x.kv >= kvFull {
				return nil
			}
			f := verdict.Finding{Culprit: verdict.Culprit{Kind: "stage", Name: "KV transfer"}, Severity: verdict.Warning, Score: x.mean / x.ttft}
			switch {
			case x.mean >= moveTime && x.mean >= moveShare*x.ttft && x.mean > x.queue:
				f.Level = verdict.Fires
			case x.mean >= moveTime && x.mean >= moveShare/2*x.ttft:
				f.Level = verdict.Stays
			}
			if promised := m.SLA().TTFT.Seconds(); promised > 0 && x.ttft > promised {
				f.Severity = verdict.Critical
			}
			return []verdict.Finding{f}
		},
		Tell: tellMove,
		Key:  "6",
		Help: "Disaggregated: moving a request's KV from prefill to decode takes at least 40 % of the mean TTFT and 50 ms (exact means of a minute over at least 20 transfers, one for nearly every request), and longer than the prefill workers' queue, " +
			"while decode workers have KV room (below 90 %, nobody waits for an allocation). Look at the link and at how KV is moved: below 1 GB/s it mostly goes through host memory.",
		Alert: verdict.Alert{
			Expr: "{engine.kv_transfer:mean} > 0.4 * {frontend.ttft:mean} and {engine.kv_transfer:mean} > 0.05",
			For:  time.Minute,
			Why:  "without the look at decode workers' KV room and prefill queues",
		},
	}
}

func tellMove(m verdict.Moment, f verdict.Finding) (s verdict.Story) {
	x, ok := moveOf(m)
	if !ok {
		return s
	}
	s.Sentence = fmt.Sprintf("moving KV from prefill to decode takes %s of a mean TTFT of %s, while both pools have room", text.Duration(x.mean), text.Duration(x.ttft))
	s.Evidence = []verdict.Evidence{
		m.Number("transfer "+text.Duration(x.mean)+" (exact mean, its queue included)", moveMean, nil, x.mean, moveShare*x.ttft),
		m.Number("TTFT mean "+text.Duration(x.ttft), moveTTFT, nil, x.ttft, none),
		m.Number("prefill queue "+text.Duration(x.queue), memberWait, nil, x.queue, x.mean),
	}
	if x.bytes > 0 {
		s.Evidence = append(s.Evidence, m.Number(text.Bytes(x.bytes)+" each", moveBytes, nil, x.bytes, none))
	}
	if x.speed > 0 {
		s.Evidence = append(s.Evidence, m.Number("at "+text.Bytes(x.speed)+"/s", moveSpeed, nil, x.speed, none))
	} else {
		s.Missing = append(s.Missing, "KV transfer speed: nothing tells a slow link from large transfers")
	}
	if v, n := weighted(byInstance(m, moveAlloc), byInstance(m, moveCount)); n > 0 && v > 0 {
		s.Evidence = append(s.Evidence, m.Number("allocation wait "+text.Duration(v), moveAlloc, nil, v, none))
	}
	if math.IsNaN(x.kv) {
		s.Missing = append(s.Missing, "KV usage of decode workers: a transfer also waits where they have no room")
	}
	s.Advice = []string{
		"look at the links between prefill and decode hosts: NVLink and NIC traffic on the GPU screen, RDMA errors on the hosts",
		"see that KV moves by RDMA or NVLink: below 1 GB/s it mostly goes through host memory (upstream's rule)",
		"larger pages (--page-size 64 or 128) make fewer, larger pieces",
		"let decode workers prefill short prompts themselves (conditional disaggregation)",
	}
	return s
}
