package rules

import (
	"fmt"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// host are the verdicts about engines that wait for their own machine.
func host() []verdict.Rule { return []verdict.Rule{hostBound()} }

const (
	// boundFires is the share of the scheduler's working time in which no
	// forward pass runs. SGLang overlaps scheduling with the GPU: what is left
	// is some per cent. At 0.3 a token takes 1.4 times as long as it could.
	boundFires, boundStays = 0.3, 0.2
	// occupiedFires is the share of the time with a forward pass below which
	// the same is said where only that is exported, of an engine that always
	// has requests.
	occupiedFires, occupiedStays = 0.65, 0.75
	// boundTokens is how many tokens half a minute must have brought: a share of
	// next to nothing says nothing.
	boundTokens = 300
)

var (
	hostShare    = sources.Need{Key: "engine.host_bound_share", Form: sources.FormExpr, By: "instance", Window: brief}
	hostOccupied = nowOf("engine.gpu_busy", "instance")
	hostTokens   = sources.Need{Key: "engine.decode_tokens", Form: sources.FormIncrease, By: "instance", Window: brief}
	hostRunning  = nowOf("engine.running", "instance")
	hostITL      = meanOver("engine.itl", verdict.Look, "instance")
	hostCPU      = sources.Need{Key: "engine.scheduler_cpu", Form: sources.FormRate, By: "instance"}
)

func hostBound() verdict.Rule {
	return verdict.Rule{
		Code: "host-bound", Title: "host-bound engine", Rank: 12,
		Hold: 15 * time.Second, Release: 15 * time.Second,
		Needs: []sources.Need{hostShare, hostOccupied, hostTokens, hostRunning, hostITL, hostCPU},
		Proof: []sources.Need{hostShare, hostOccupied},
		Judge: judgeHost,
		Tell:  tellHost,
		Key:   "P",
		Help: "An engine's GPU waits for its host: in 30 % of its scheduler's working time over 30 s no forward pass runs, over at least 300 tokens. Without the scheduler's own times: a forward pass runs in less than 65 % of the time although requests run all along. " +
			"SGLang knows this only with SGLANG_ENABLE_METRICS_DEVICE_TIMER=1. Profile a few steps and look for the gaps; give the process cores of its own; see that CUDA graphs and the overlap scheduler are on; raise --stream-interval.",
		Alert: verdict.Alert{Expr: "{engine.host_bound_share:expr:instance} > 0.3", For: time.Minute, Why: "without the least number of tokens"},
	}
}

func judgeHost(m verdict.Moment) (out []verdict.Finding) {
	tokens, shares := byInstance(m, hostTokens), byInstance(m, hostShare)
	say := func(in string, level verdict.Level, score float64) {
		if tokens[in] >= boundTokens {
			out = append(out, verdict.Finding{Culprit: m.CulpritOf(in), Level: level, Severity: verdict.Warning, Score: score})
		}
	}
	for in, v := range shares {
		switch {
		case v >= boundFires:
			say(in, verdict.Fires, v/boundFires)
		case v >= boundStays:
			say(in, verdict.Stays, v/boundFires)
		}
	}
	for _, g := range m.Groups(hostOccupied) {
		in := g.Labels["instance"]
		if _, better := shares[in]; better || !(g.V > 0 && g.V <= occupiedStays) {
			continue
		}
		// The gauge is of the last report: it must have been so for a while,
		// with something to do.
		who := instanceOf(in)
		mean, ok := averageOf(m.Course(hostOccupied, who, verdict.Look), verdict.Look)
		if !ok || mean > occupiedStays || !lasted(m.Course(hostRunning, who, verdict.Look), verdict.Look, func(v float64) bool { return v > 0 }) {
			continue
		}
		level := verdict.Stays
		if mean <= occupiedFires {
			level = verdict.Fires
		}
		say(in, level, occupiedFires/mean)
	}
	return out
}

func tellHost(m verdict.Moment, f verdict.Finding) (out verdict.Story) {
	who := instanceOf(f.Culprit.Instance)
	if v, ok := m.Where(hostShare, who); ok {
		out.Sentence = fmt.Sprintf("the GPUs of worker %s wait for its host %s of the time it works", f.Culprit.Name, text.Percent(v))
		out.Evidence = append(out.Evidence, m.Number(text.Percent(v)+" of the scheduler's time without the GPU", hostShare, who, v, boundFires))
	} else if v, ok := averageOf(m.Course(hostOccupied, who, verdict.Look), verdict.Look); ok {
		out.Sentence = fmt.Sprintf("worker %s runs forward passes in only %s of the time, with requests all along", f.Culprit.Name, text.Percent(v))
		out.Evidence = append(out.Evidence, m.Number(text.Percent(v)+" of the time in a forward pass", hostOccupied, who, v, occupiedFires))
		out.Missing = append(out.Missing, "scheduler time without the GPU: SGLang 0.5.20 with SGLANG_ENABLE_METRICS_DEVICE_TIMER=1 says which part of the host's work the GPU waits for")
	}
	if v, ok := m.Where(hostITL, who); ok {
		out.Evidence = append(out.Evidence, m.Number("ITL mean "+text.Duration(v), hostITL, who, v, none))
	}
	if v, ok := m.Where(hostCPU, who); ok {
		out.Evidence = append(out.Evidence, m.Number(fmt.Sprintf("scheduler on %s of a core", text.Percent(v)), hostCPU, who, v, none))
	}
	out.Advice = []string{
		"profile some steps and look at the gaps between kernels (P)",
		"give the process cores of its own (numactl, cpuset) and see who else runs on them",
		"see that CUDA graphs and the overlap scheduler are on (--disable-cuda-graph and --disable-overlap-schedule are not set)",
		"raise --stream-interval: less work per token on the host",
	}
	return out
}
