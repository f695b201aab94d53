package rules

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"

	"dynascope/profiling/triage"
	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// gpus are the verdicts about single GPUs.
func gpus() []verdict.Rule { return []verdict.Rule{stragglerGPU(), gpuThrottled()} }

const (
	// clockFires is the share of the median SM clock of its busy peers below
	// which a GPU holds up its group: a step loses some 0.7 of what the clock
	// loses, so 0.85 costs a tenth of the speed. Boost clocks of healthy GPUs
	// of one model differ by a few per cent.
	clockFires, clockStays = 0.85, 0.92
	// busyGPU is the utilisation from which a clock is that of work: an idle
	// GPU lowers its clock.
	busyGPU = 0.1
	// clockPeers is how many busy peers a median must be of.
	clockPeers = 2
	// cappedClock is the share of the highest clock below which a power cap is
	// a matter: at full load H100s touch it all the time and lose a few per
	// cent.
	cappedClock, cappedStays = 0.8, 0.85
	// heldClock is the same where the reason is bad by itself.
	heldClock = 0.97
	// throttledTime is the share of the time from which a counter of throttled
	// time says it, where no mask does.
	throttledTime, throttledStays = 0.1, 0.05
	gpuHold                       = 15 * time.Second
)

const gpuLabels = "uuid,host,gpu,gpu_name"

var (
	gpuClock    = nowOf("gpu.sm_clock", gpuLabels)
	gpuClockMax = nowOf("gpu.sm_clock_max", gpuLabels)
	gpuBusy     = nowOf("gpu.util", gpuLabels)
	gpuReasons  = nowOf("gpu.throttle_reasons", gpuLabels)
	gpuHot      = sources.Need{Key: "gpu.throttle_thermal", Form: sources.FormRate, By: gpuLabels, Window: brief}
	gpuTemp     = nowOf("gpu.temperature", gpuLabels)
	gpuPower    = nowOf("gpu.power", gpuLabels)
	gpuLimit    = nowOf("gpu.power_limit", gpuLabels)
)

// device is one GPU at one moment; numbers that are not known are NaN.
type device struct {
	labels                sources.Labels
	id, name, host, model string
	clock, most, busy     float64 // MHz, MHz, share
	reasons, hot          float64
	ratio                 float64 // of the clock of its busy peers
	peers                 int
	level                 verdict.Level
	grade                 triage.Grade // of what holds it down
}

// devices are the GPUs that have a clock or a reason, each once.
func devices(m verdict.Moment) []*device {
	return m.Once("devices", func() any {
		at := map[string]*device{}
		var out []*device
		read := func(n sources.Need, add bool, put func(*device, float64)) {
			for _, g := range m.Groups(n) {
				id := cmp.Or(g.Labels["uuid"], g.Labels["host"]+"/"+g.Labels["gpu"])
				d := at[id]
				if d == nil && add {
					nan := math.NaN()
					d = &device{
						labels: sources.Labels{"uuid": g.Labels["uuid"]}, id: id, name: g.Labels["host"] + "/" + g.Labels["gpu"], host: g.Labels["host"], model: g.Labels["gpu_name"],
						clock: nan, most: nan, busy: nan, reasons: nan, hot: nan, ratio: nan,
					}
					at[id] = d
					out = append(out, d)
				}
				if d != nil {
					put(d, g.V)
				}
			}
		}
		first := func(to *float64, v float64) {
			if math.IsNaN(*to) && v < 1e9 { // a blank of the exporter is a huge number
				*to = v
			}
		}
		read(gpuClock, true, func(d *device, v float64) { first(&d.clock, v) })
		read(gpuReasons, true, func(d *device, v float64) { first(&d.reasons, v) })
		read(gpuClockMax, false, func(d *device, v float64) { first(&d.most, v) })
		read(gpuBusy, false, func(d *device, v float64) { first(&d.busy, v) })
		return out
	}).([]*device)
}

func (d *device) culprit() verdict.Culprit { return verdict.Culprit{Kind: "gpu", Name: d.name} }

// working says that a GPU's clock is that of work.
func (d *device) working() bool { return d.busy >= busyGPU && d.clock > 0 }

// slowGPUs are the busy GPUs whose clock is below that of their busy peers of
// the same model.
func slowGPUs(m verdict.Moment) []*device {
	return m.Once("slow GPUs", func() any {
		by := map[string][]*device{}
		for _, d := range devices(m) {
			if d.working() {
				by[d.model] = append(by[d.model], d)
			}
		}
		var out []*device
		for _, d := range devices(m) {
			all := by[d.model]
			if !d.working() || len(all) <= clockPeers {
				continue
			}
			clocks := make([]float64, 0, len(all)-1)
			for _, o := range all {
				if o != d {
					clocks = append(clocks, o.clock)
				}
			}
			x := *d
			x.peers = len(clocks)
			x.ratio = d.clock / median(clocks)
			switch {
			case x.ratio <= clockFires:
				x.level = verdict.Fires
			case x.ratio <= clockStays:
				x.level = verdict.Stays
			default:
				continue
			}
			out = append(out, &x)
		}
		return out
	}).([]*device)
}

func stragglerGPU() verdict.Rule {
	return verdict.Rule{
		Code: "straggler-gpu", Title: "straggler GPU", Rank: 10,
		Hold: gpuHold, Release: 15 * time.Second,
		Needs: []sources.Need{gpuClock, gpuClockMax, gpuBusy, gpuReasons, gpuTemp, gpuPower, gpuLimit},
		Proof: []sources.Need{gpuClock},
		Judge: func(m verdict.Moment) (out []verdict.Finding) {
			for _, d := range slowGPUs(m) {
				out = append(out, verdict.Finding{Culprit: d.culprit(), Level: d.level, Severity: verdict.Warning, Score: 1 / max(d.ratio, 0.01)})
			}
			return out
		},
		Tell: func(m verdict.Moment, f verdict.Finding) (out verdict.Story) {
			for _, d := range slowGPUs(m) {
				if d.name != f.Culprit.Name {
					continue
				}
				out.Sentence = fmt.Sprintf("GPU %s works at %.0f MHz, %s of its %d busy peers' clock", d.name, d.clock, text.Percent(d.ratio), d.peers)
				out.Evidence = append(out.Evidence, m.Number(fmt.Sprintf("SM clock %.0f MHz", d.clock), gpuClock, d.labels, d.clock, clockFires*d.clock/d.ratio))
				if words, _ := triage.Throttle(d.reasons); len(words) > 0 {
					out.Sentence += ": " + strings.Join(words, ", ")
				} else if math.IsNaN(d.reasons) {
					out.Missing = append(out.Missing, "clock limit reasons: the DCGM exporter's default list leaves out DCGM_FI_DEV_CLOCKS_EVENT_REASONS, so why the clock is low is not known")
				}
				out.Evidence = append(out.Evidence, heat(m, d)...)
			}
			out.Missing = append(out.Missing, "which worker runs on it is not exported; in a tensor-parallel group all GPUs wait for it at every layer")
			out.Advice = []string{
				"look at its cooling and at its power: fans, inlet temperature, a power cap of its own (nvidia-smi -q -d PERFORMANCE,POWER)",
				"move its worker to other GPUs until it is mended",
			}
			return out
		},
		Key: "5",
		Help: "A busy GPU's SM clock is at most 85 % of the median of at least 2 busy GPUs of the same model, for 15 s. In a tensor-parallel group every layer waits for the slowest GPU. " +
			"The reason is told where the mask of clock limit reasons is exported. Look at cooling and power; move the worker.",
		Alert: verdict.Alert{
			Expr: "({gpu.sm_clock:now:uuid,host,gpu} and on (uuid) {gpu.util:now:uuid} > 0.1) < 0.85 * scalar(quantile(0.5, {gpu.sm_clock:now:uuid} and on (uuid) {gpu.util:now:uuid} > 0.1))",
			For:  time.Minute, Why: "over the GPUs of all models together: add matchers where they differ",
		},
	}
}

// heat is what speaks to a low clock.
func heat(m verdict.Moment, d *device) (out []verdict.Evidence) {
	if d.most > 0 && d.clock > 0 {
		out = append(out, m.Number(text.Percent(d.clock/d.most)+" of its highest clock", gpuClockMax, d.labels, d.most, none))
	}
	if v, ok := m.Where(gpuTemp, d.labels); ok {
		out = append(out, m.Number(text.Value(v, "celsius"), gpuTemp, d.labels, v, none))
	}
	v, ok := m.Where(gpuPower, d.labels)
	if limit, has := m.Where(gpuLimit, d.labels); ok && has && limit > 0 {
		out = append(out, m.Number(fmt.Sprintf("%s of %s", text.Value(v, "watts"), text.Value(limit, "watts")), gpuPower, d.labels, v, limit))
	}
	return out
}

func gpuThrottled() verdict.Rule {
	return verdict.Rule{
		Code: "gpu-throttled", Title: "GPU throttled", Rank: 11,
		Hold: gpuHold, Release: 15 * time.Second,
		Needs: []sources.Need{gpuClock, gpuClockMax, gpuBusy, gpuReasons, gpuHot, gpuTemp, gpuPower, gpuLimit},
		Proof: []sources.Need{gpuReasons, gpuHot},
		Judge: func(m verdict.Moment) (out []verdict.Finding) {
			for _, h := range heldHosts(m) {
				if h.whole() {
					level, grade := h.held[0].level, triage.GradeNone
					for _, d := range h.held {
						level, grade = max(level, d.level), max(grade, d.grade)
					}
					out = append(out, verdict.Finding{Culprit: verdict.Culprit{Kind: "host", Name: h.name}, Level: level, Severity: verdict.Warning, Score: float64(grade)})
					continue
				}
				for _, d := range h.held {
					out = append(out, verdict.Finding{Culprit: d.culprit(), Level: d.level, Severity: verdict.Warning, Score: float64(d.grade)})
				}
			}
			return out
		},
		Tell: func(m verdict.Moment, f verdict.Finding) (out verdict.Story) {
			var told *device
			subject := ""
			for _, h := range heldHosts(m) {
				if f.Culprit.Kind == "host" && h.name == f.Culprit.Name {
					told, subject = h.held[0], fmt.Sprintf("%d of %d busy GPUs of %s are", len(h.held), h.busy, h.name)
				}
				for _, d := range h.held {
					if d.culprit() == f.Culprit {
						told, subject = d, fmt.Sprintf("GPU %s is", d.name)
					}
				}
			}
			if d := told; d != nil {
				words, _ := triage.Throttle(d.reasons)
				out.Sentence = fmt.Sprintf("%s throttled: %s", subject, strings.Join(words, ", "))
				if len(words) > 0 {
					out.Evidence = append(out.Evidence, m.Number(strings.Join(words, ", "), gpuReasons, d.labels, d.reasons, none))
				} else if v, ok := m.Where(gpuHot, d.labels); ok {
					out.Sentence = fmt.Sprintf("%s throttled by temperature %s of the time", subject, text.Percent(min(v, 1)))
					out.Evidence = append(out.Evidence, m.Number(text.Percent(min(v, 1))+" of the time", gpuHot, d.labels, v, throttledTime))
				}
				out.Evidence = append(out.Evidence, heat(m, d)...)
			}
			out.Missing = append(out.Missing, "which worker runs on it is not exported")
			out.Advice = []string{
				"thermal: look at fans, inlet temperature and the neighbours' load; the board protects itself",
				"power cap: compare nvidia-smi -q -d POWER with the board's default limit; raise it if it was lowered",
				"power brake: the rack or the supply asked for it; look there",
			}
			return out
		},
		Silenced: []verdict.Silence{{Code: "straggler-gpu", Same: true}},
		Key:      "5",
		Help: "The hardware or the driver holds a busy GPU's clock down for 15 s: a thermal limit, the power brake or a hardware slowdown with the clock below 97 % of its highest, or a power cap or sync boost with the clock below 80 % of it (at full load a power cap is normal and costs a few per cent). " +
			"Without the mask of reasons: throttled by temperature for a tenth of the time. More than half of a host's busy GPUs are one verdict about the host. One GPU that is slower than its peers is straggler-gpu instead. Look at cooling, power limit and supply.",
		Alert: verdict.Alert{
			Expr: "{gpu.throttle_thermal:rate:uuid,host,gpu} > 0.1 or {gpu.throttle_power:rate:uuid,host,gpu} > 0.2",
			For:  time.Minute, Why: "by throttled time, since PromQL cannot read the bits of the mask",
		},
	}
}

// heldHost are the GPUs of one host whose clock is held down.
type heldHost struct {
	name string
	busy int
	held []*device // level and grade set
}

// whole: it is a matter of the host, not of single GPUs.
func (h *heldHost) whole() bool { return len(h.held) > 1 && 2*len(h.held) > h.busy }

func heldHosts(m verdict.Moment) []*heldHost {
	return m.Once("throttled hosts", func() any {
		var out []*heldHost
		at := map[string]*heldHost{}
		for _, d := range devices(m) {
			if !(d.busy >= busyGPU) {
				continue
			}
			h := at[d.host]
			if h == nil {
				h = &heldHost{name: d.host}
				at[d.host] = h
				out = append(out, h)
			}
			h.busy++
			if level, grade := throttled(m, d); level > verdict.Clear {
				x := *d
				x.level, x.grade = level, grade
				h.held = append(h.held, &x)
			}
		}
		return out
	}).([]*heldHost)
}

// throttled says whether a GPU is held down, and how badly.
func throttled(m verdict.Moment, d *device) (verdict.Level, triage.Grade) {
	if !(d.busy >= busyGPU) {
		return verdict.Clear, triage.GradeNone
	}
	share := d.clock / d.most // NaN where either is not known
	if math.IsNaN(d.reasons) {
		switch v, ok := m.Where(gpuHot, d.labels); {
		case ok && v >= throttledTime:
			return verdict.Fires, triage.GradeBad
		case ok && v >= throttledStays:
			return verdict.Stays, triage.GradeBad
		}
		return verdict.Clear, triage.GradeNone
	}
	switch _, grade := triage.Throttle(d.reasons); {
	case grade == triage.GradeBad && !(share > heldClock):
		return verdict.Fires, grade
	case grade == triage.GradeNotice && share <= cappedClock:
		return verdict.Fires, grade
	case grade == triage.GradeNotice && share <= cappedStays:
		return verdict.Stays, grade
	}
	return verdict.Clear, triage.GradeNone
}
