package trace

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dynascope/sources/text"
)

// Shares of a window from which on a finding is worth a sentence.
const (
	muchIdle  = 0.10
	muchComm  = 0.10
	muchOther = 0.10
	muchCopy  = 0.05
	oneKernel = 0.30
	muchSync  = 0.25
)

// findings says in words what the figures prove, gravest first. Each names the
// figures it rests on; what is not in the trace is said to be missing.
func findings(r *Report) (out []Finding) {
	say := func(severity, code, sentence, evidence string) {
		out = append(out, Finding{Code: code, Severity: severity, Text: sentence, Evidence: evidence})
	}
	for i := range r.Files {
		fileFindings(&r.Files[i], say)
	}
	if len(r.Ranks) == 0 {
		say("warn", "no-gpu-work", "no GPU work in the trace: it was recorded without GPU activities, or the first window after a start missed them",
			"0 kernels, copies or fills")
	}
	byCode := map[string]int{} // index into out
	for i := range r.Ranks {
		k := &r.Ranks[i]
		rankFindings(k, func(severity, code, sentence, evidence string) {
			if n, met := byCode[code]; met {
				out[n].Also = append(out[n].Also, k.Label)
				return
			}
			byCode[code] = len(out)
			if len(r.Ranks) > 1 {
				sentence = k.Label + ": " + sentence
			}
			say(severity, code, sentence, evidence)
		})
	}
	skewFindings(r, say)
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(b.Severity, a.Severity) }) // "warn" before "info"
	return out
}

func fileFindings(f *File, say func(severity, code, sentence, evidence string)) {
	n := &f.Notes
	switch {
	case f.Failed != "":
		say("warn", "file-failed", f.Label+" could not be read", f.Failed)
		return
	case !n.Ended:
		why := n.Cut
		if why == "" {
			why = "the JSON does not close"
		}
		say("warn", "cut", f.Label+" is cut: what follows holds up to the cut; the end of the recording is missing",
			fmt.Sprintf("%s; %s events read, %s of JSON", why, text.Count(float64(n.Events)), text.Bytes(float64(n.Bytes))))
	case n.Cut != "":
		say("warn", "cut-behind", f.Label+" holds a whole trace, but the file goes on or stops where it should not: it may still be written", n.Cut)
	case !n.Closing:
		say("info", "no-closing-record", f.Label+" closes without its closing record: written by another tool, sampled, or by an old PyTorch", `no "Record Window End"`)
	}
	if bad := n.Malformed + n.Oversized + n.BadTimes + n.Negative; bad > 0 {
		say("warn", "events-lost", f.Label+" has events that could not be used",
			fmt.Sprintf("%d places of broken JSON, %d events too long, %d without a usable time, %d of negative duration; %s events in all", n.Malformed, n.Oversized, n.BadTimes, n.Negative, text.Count(float64(n.Events))))
	}
	if n.Repaired > 0 {
		say("info", "quotes-repaired", f.Label+" has names with unescaped quotes; they were read whole", fmt.Sprintf("%d events", n.Repaired))
	}
	if n.TooMany != "" {
		say("warn", "over-limit", f.Label+" has more "+n.TooMany+" than are kept apart: their tables are incomplete", n.TooMany)
	}
	if f.Stacks || f.Host.Python > 0 {
		say("info", "stacks", f.Label+" was recorded with stacks: host times are inflated by the recording", fmt.Sprintf("%s Python calls", text.Count(float64(f.Host.Python))))
	}
	for _, o := range f.Host.Runtime {
		if strings.Contains(o.Name, "Synchronize") && share(o.Time, f.Recorded.Length()) > muchSync {
			say("info", "host-waits", fmt.Sprintf("%s: the host waits for the GPU in %s", f.Label, o.Name),
				fmt.Sprintf("%s calls, %s, %s of the recording", text.Count(float64(o.Calls)), dur(o.Time), percent(o.Time, f.Recorded.Length())))
		}
	}
	for _, m := range f.Host.Memory {
		if g := m.Growth(); g > 64<<20 && share(g, m.Peak) > 0.01 {
			who := ""
			if len(m.By) > 0 {
				who = "; most is allocated by " + m.By[0].Name
			}
			say("info", "memory-grew", fmt.Sprintf("%s: memory of %s grew over the recording%s", f.Label, m.Device, who),
				fmt.Sprintf("%s to %s, peak %s, %s events", text.Bytes(float64(m.First)), text.Bytes(float64(m.Last)), text.Bytes(float64(m.Peak)), text.Count(float64(m.Events))))
		}
	}
}

func rankFindings(r *Rank, say func(severity, code, sentence, evidence string)) {
	b := &r.Breakdown
	if s := share(b.HostBound, r.Elapsed); s > muchIdle {
		say("warn", "host-bound", "the GPU waits for the host: work was launched only after it had gone idle",
			fmt.Sprintf("idle and host-bound %s of %s (%s); idle in all %s", dur(b.HostBound), dur(r.Elapsed), text.Percent(s), percent(b.Idle(), r.Elapsed)))
	}
	if s := share(b.KernelGap, r.Elapsed); s > muchIdle {
		say("warn", "kernel-gaps", "the GPU idles between kernels that were already launched",
			fmt.Sprintf("gaps %s of %s (%s); %s of the kernels run in CUDA graphs", dur(b.KernelGap), dur(r.Elapsed), text.Percent(s), percent(r.Graphs.Kernels, r.Graphs.All)))
	}
	if s := share(b.IdleUnknown, r.Elapsed); s > muchIdle {
		say("info", "idle-unknown", "the cause of idle time is not in the trace: launches are missing", fmt.Sprintf("%s of %s (%s)", dur(b.IdleUnknown), dur(r.Elapsed), text.Percent(s)))
	}
	if s := share(r.CommExposed, r.Elapsed); s > muchComm {
		say("warn", "communication-exposed", "communication has no compute beside it",
			fmt.Sprintf("exposed %s of %s (%s), overlapped %s; waiting for late ranks is part of it", dur(r.CommExposed), dur(r.Elapsed), text.Percent(s), dur(r.CommOverlapped)))
	}
	if s := share(b.Memory, r.Elapsed); s > muchCopy {
		say("warn", "copies-exposed", "copies and fills hold the GPU with nothing beside them", fmt.Sprintf("%s of %s (%s)", dur(b.Memory), dur(r.Elapsed), text.Percent(s)))
	}
	for _, c := range r.Copies {
		if strings.Contains(c.Name, "Pageable") && share(c.Time, r.Elapsed) > 0.01 {
			say("warn", "pageable-copies", "copies go through pageable memory, which is slow and holds the host", fmt.Sprintf("%s: %s calls, %s, %s/s", c.Name, text.Count(float64(c.Calls)), dur(c.Time), text.Bytes(c.Bandwidth())))
		}
	}
	if s := share(r.Launch.Full, r.Launch.QueueSpan); s > 0.05 {
		say("info", "queue-full", "the launch queue is full: the host stalls in launches, and the GPU is the bottleneck", fmt.Sprintf("%s of the time, at most %d waiting on one stream", text.Percent(s), r.Launch.DepthMax))
	}
	if len(r.Steps) == 0 {
		say("info", "no-steps", "no step annotations: nothing can be told per step", "0 annotations that name a step of an engine or of the profiler")
	}
	for _, s := range r.Steps {
		if s.Kind == Decode && s.WithGPU > 0 && s.Launches == 0 {
			say("warn", "decode-without-graphs", "decode steps run without CUDA graphs", fmt.Sprintf("%d decode steps, %s kernels and copies, 0 graph launches", s.Count, text.Count(float64(s.Kernels))))
		}
	}
	for _, c := range r.Categories {
		if s := share(c.Time, r.KernelTime); c.Category == Other && s > muchOther {
			say("info", "unclassified", "much kernel time is in kernels that no rule knows", fmt.Sprintf("%s of the kernel time; largest: %s", text.Percent(s), firstOther(r.Kernels)))
		}
	}
	if len(r.Kernels) > 0 {
		if k := r.Kernels[0]; share(k.Time, r.KernelTime) > oneKernel {
			say("info", "one-kernel", "one kernel makes much of the kernel time", fmt.Sprintf("%s of it, %s calls, %s each: %s", percent(k.Time, r.KernelTime), text.Count(float64(k.Calls)), dur(k.Time/max(k.Calls, 1)), brief(k.Name)))
		}
	}
}

func skewFindings(r *Report, say func(severity, code, sentence, evidence string)) {
	world, have := 0, map[int]bool{}
	for _, f := range r.Files {
		world = max(world, f.World)
		if f.Rank >= 0 {
			have[f.Rank] = true
		}
	}
	if n := len(have); n > 0 && n < world {
		say("info", "ranks-missing", "not all ranks are here: waiting for the missing ones cannot be told from transfer", fmt.Sprintf("%d of %d ranks", n, world))
	}
	s := r.Skew
	if s == nil {
		return
	}
	worst := s.Ranks[0]
	for _, k := range s.Ranks {
		if k.Made > worst.Made {
			worst = k
		}
	}
	made := share(worst.Made, r.Ranks[0].Elapsed)
	// Matched by order alone, collectives that do not overlap in time may be
	// different ones.
	sure := s.By != "order" || !s.Apart
	if share(worst.Last, worst.Met) > 0.5 && made > 0.01 && sure {
		say("warn", "straggler", fmt.Sprintf("%s arrives last in %s of the collectives, and the others wait for it", worst.Label, percent(worst.Last, worst.Met)),
			fmt.Sprintf("%d of %d collectives; the first to come waits %s in the mean, %s in all (waits of concurrent collectives add up)", worst.Last, worst.Met, dur(worst.Made/max(worst.Last, 1)), dur(worst.Made)))
	} else if total := share(s.Wait, r.Ranks[0].Elapsed); total > muchComm && sure {
		say("info", "skew", "ranks wait for each other in collectives, and no single rank is the cause", fmt.Sprintf("longest waits %s in all (those of concurrent collectives add up), over %d collectives and a window of %s", dur(s.Wait), s.Matched, dur(r.Ranks[0].Elapsed)))
	}
	if s.Apart {
		say("info", "clocks-apart", "collectives of different ranks do not overlap in time: their clocks disagree, or the traces are not of the same moment", fmt.Sprintf("%d collectives, matched by %s", s.Matched, s.By))
	}
}

func share(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

func percent(part, whole int64) string {
	if whole <= 0 {
		return text.None
	}
	return text.Percent(share(part, whole))
}

func dur(ns int64) string { return text.Duration(float64(ns) / 1e9) }

func firstOther(ks []Kernel) string {
	for _, k := range ks {
		if k.Category == Other {
			return brief(k.Name)
		}
	}
	return text.None
}

// brief cuts a kernel name for a sentence.
func brief(s string) string { return text.Clean(s, 80) }
