package rules

import (
	"fmt"
	"math"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// memory are the verdicts about memory besides the KV pool.
func memory() []verdict.Rule { return []verdict.Rule{memoryPressure()} }

const (
	// freeFires is how many bytes of a GPU's memory must be free at least. An
	// engine takes its share at the start and leaves room for activations,
	// graphs and NCCL's buffers, which come later; the next of these to be
	// asked for may be some hundred MiB.
	freeFires, freeStays = 1 << 30, 2 << 30
	// grewShare is the part of the GPU's memory that must have been taken
	// within what is judged to say so while a little is left: an engine takes
	// nothing after its start, so another process does, or it leaks.
	grewShare = 0.05
	grewFull  = 0.94
	// startedShare: below it within what is judged, the engine was starting.
	startedShare = 0.5
	// hostFull is from when on the host tier of a cache is full; that alone is
	// its purpose. Only with tokens dropped for want of room it is told.
	hostFull = 0.98
)

var (
	memoryFree  = nowOf("gpu.memory_free", gpuLabels)
	memoryUsed  = nowOf("gpu.memory_used", gpuLabels)
	memoryShare = sources.Need{Key: "gpu.memory_share", Form: sources.FormExpr, By: gpuLabels}
	memoryTotal = sources.Need{Key: "gpu.memory_total", Form: sources.FormExpr, By: gpuLabels}
	memoryOwner = nowOf("gpu.process_memory", "uuid,pid,process")
	hostUsage   = sources.Need{Key: "hicache.host_usage", Form: sources.FormExpr, By: "instance"}
	hostDropped = sources.Need{Key: "hicache.dropped_tokens", Form: sources.FormRate, By: "instance"}
)

func memoryPressure() verdict.Rule {
	return verdict.Rule{
		Code: "memory-pressure", Title: "memory pressure", Rank: 40,
		Hold: 10 * time.Second, Release: 15 * time.Second,
		Needs: []sources.Need{memoryFree, memoryUsed, memoryShare, memoryTotal, memoryOwner, hostUsage, hostDropped},
		Proof: []sources.Need{memoryFree, hostUsage},
		Judge: judgeMemory,
		Tell:  tellMemory,
		Key:   "5",
		Help: "A GPU has less than 1 GiB of memory free; or it is 94 % full and 5 % of its memory were taken within ten minutes by something that was not the start of an engine (an engine takes its share once). The next activation, graph or NCCL buffer may not fit: out of memory ends the engine. " +
			"Find who else is on the GPU (nvidia-smi); else lower --mem-fraction-static or --gpu-memory-utilization. As a mere note: HiCache's host tier is full and tokens are dropped without a copy.",
		Alert: verdict.Alert{Expr: "{gpu.memory_free:now:uuid,host,gpu} < 1073741824", For: time.Minute, Why: "without what was taken lately, and without the host tier"},
	}
}

// store is the memory of one GPU at one moment.
type store struct {
	name              string
	labels            sources.Labels
	free, share, grew float64 // bytes, share, share taken since the least of what is judged
	since             time.Duration
	level             verdict.Level
}

func stores(m verdict.Moment) []store {
	return m.Once("GPU memory", func() any {
		var out []store
		seen := map[string]bool{}
		shares := map[string]float64{}
		for _, g := range m.Groups(memoryShare) {
			shares[g.Labels["uuid"]] = g.V
		}
		for _, g := range m.Groups(memoryFree) {
			id := g.Labels["uuid"]
			share, ok := shares[id]
			if seen[id] || !ok || share < startedShare || g.V > 1e15 {
				continue
			}
			seen[id] = true
			s := store{name: g.Labels["host"] + "/" + g.Labels["gpu"], labels: sources.Labels{"uuid": id}, free: g.V, share: share}
			if s.free >= freeStays && share < grewFull-0.02 {
				continue
			}
			s.grew, s.since = grown(m.Course(memoryShare, s.labels, verdict.Span))
			switch taken := s.grew >= grewShare && s.grew > 0; {
			case s.free < freeFires, share >= grewFull && taken:
				s.level = verdict.Fires
			case s.free < freeStays, taken:
				s.level = verdict.Stays
			default:
				continue
			}
			out = append(out, s)
		}
		return out
	}).([]store)
}

// grown is by how much a share has grown since its least, and how long ago that
// was; nothing when it was so low that an engine was starting.
func grown(course []float64) (by float64, ago time.Duration) {
	least, at := math.Inf(1), 0
	for i, v := range course {
		if v <= least { // the newest of equals
			least, at = v, i
		}
	}
	if math.IsInf(least, 1) || least < startedShare {
		return 0, 0
	}
	last := len(course) - 1
	return course[last] - least, time.Duration(last-at) * verdict.Step
}

func judgeMemory(m verdict.Moment) (out []verdict.Finding) {
	for _, s := range stores(m) {
		out = append(out, verdict.Finding{
			Culprit: verdict.Culprit{Kind: "gpu", Name: s.name}, Level: s.level, Severity: verdict.Warning, Score: freeFires / max(s.free, 1),
		})
	}
	dropped := byInstance(m, hostDropped)
	for in, v := range byInstance(m, hostUsage) {
		if v >= hostFull && dropped[in] > 0 {
			out = append(out, verdict.Finding{Culprit: m.CulpritOf(in), Level: verdict.Fires, Severity: verdict.Info, Score: v})
		}
	}
	return out
}

func tellMemory(m verdict.Moment, f verdict.Finding) (out verdict.Story) {
	if f.Culprit.Kind != "gpu" {
		who := instanceOf(f.Culprit.Instance)
		used, _ := m.Where(hostUsage, who)
		lost, _ := m.Where(hostDropped, who)
		out.Title = "host cache full"
		out.Sentence = fmt.Sprintf("the host cache of worker %s is full, and %s are dropped without a copy", f.Culprit.Name, text.Rate(lost, "tokens"))
		out.Evidence = append(out.Evidence, m.Number("host cache "+text.Percent(used), hostUsage, who, used, hostFull),
			m.Number(text.Rate(lost, "tokens")+" dropped", hostDropped, who, lost, 0))
		out.Advice = []string{"raise --hicache-size or --hicache-ratio where the host has memory, or add a storage tier behind it"}
		return out
	}
	for _, s := range stores(m) {
		if s.name != f.Culprit.Name {
			continue
		}
		out.Sentence = fmt.Sprintf("GPU %s has %s of memory left (%s used)", s.name, text.Bytes(s.free), text.Percent(s.share))
		out.Evidence = append(out.Evidence, m.Number(text.Bytes(s.free)+" free", memoryFree, s.labels, s.free, freeFires),
			m.Number(text.Percent(s.share)+" used", memoryShare, s.labels, s.share, none))
		if total, ok := m.Where(memoryTotal, s.labels); ok && s.grew >= grewShare {
			out.Sentence += fmt.Sprintf("; %s of it was taken in the last %s", text.Bytes(s.grew*total), text.Age(s.since))
			out.Evidence = append(out.Evidence, m.Number("taken lately: "+text.Bytes(s.grew*total), memoryUsed, s.labels, s.grew*total, grewShare*total))
			out.Advice = append(out.Advice, "find who took it (nvidia-smi): an engine takes its share once, at its start")
		}
		owners := 0
		for _, g := range m.Groups(memoryOwner) {
			if g.Labels["uuid"] == s.labels["uuid"] {
				owners++
				out.Evidence = append(out.Evidence, m.Number(fmt.Sprintf("%s %s: %s", text.Clean(g.Labels["process"], 32), text.Clean(g.Labels["pid"], 12), text.Bytes(g.V)), memoryOwner, g.Labels, g.V, none))
			}
		}
		if owners == 0 {
			out.Missing = append(out.Missing, "GPU memory of a process: only the GPU of its own host (NVML) tells whose memory it is")
		}
	}
	out.Advice = append(out.Advice, "leave more room: lower --mem-fraction-static (SGLang), --gpu-memory-utilization (vLLM) or free_gpu_memory_fraction (TensorRT-LLM)")
	return out
}
