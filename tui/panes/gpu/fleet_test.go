package gpu

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/tui/pane"
	"dynascope/tui/pane/panetest"
)

// card is a GPU of a made-up deployment: its labels and its numbers by
// catalogue key.
type card struct {
	labels sources.Labels
	v      map[string]float64
	slices [][2]string       // id, profile
	procs  map[string]string // pid → name
	dead   bool              // only its state is known
}

// h100 is a busy one that NVML shows.
func h100(host string, i int) *card {
	x := 0.5 + 0.5*math.Sin(float64(i)*1.7)
	return &card{
		labels: sources.Labels{"uuid": fmt.Sprintf("GPU-%08x-%s", i*0x1234567+1, host), "host": host, "gpu": strconv.Itoa(i), "gpu_name": "NVIDIA H100 80GB HBM3"},
		v: map[string]float64{
			"gpu.util": 0.8 + 0.19*x, "gpu.memory_used": (68 + 3*x) * (1 << 30), "gpu.memory_total": 80 * (1 << 30), "gpu.power": 560 + 130*x, "gpu.power_limit": 700,
			"gpu.temperature": math.Round(58 + 12*x), "gpu.slowdown_temperature": 87, "gpu.memory_temperature": 82, "gpu.sm_clock": 1755, "gpu.sm_clock_max": 1980, "gpu.memory_clock": 2619,
			"gpu.throttle_reasons": 0, "gpu.throttle_power": 0, "gpu.throttle_thermal": 0, "gpu.throttle_board": 0, "gpu.throttle_sync_boost": 0, "gpu.throttle_reliability": 0,
			"gpu.sm_active": 0.7 + 0.2*x, "gpu.sm_occupancy": 0.31, "gpu.tensor_active": 0.2 + 0.2*x, "gpu.dram_active": 0.6 + 0.1*x, "gpu.memory_util": 0.41,
			"gpu.pcie_tx": 1.3e9, "gpu.pcie_rx": 4.2e8, "gpu.nvlink_tx": 5.5e10, "gpu.nvlink_rx": 5.4e10, "gpu.nvlink": 1.09e11,
			"gpu.xid": 0, "gpu.ecc_uncorrectable": 0, "gpu.ecc_correctable": 3, "gpu.remap_failure": 0, "gpu.remap_pending": 0, "gpu.mig_instances": 0,
			"gpu.remapped_correctable": 1, "gpu.remapped_uncorrectable": 0, "gpu.pcie_replays": 12, "gpu.nvlink_crc_errors": 0, "gpu.state": 1,
		},
		procs: map[string]string{strconv.Itoa(4240 + i): "sglang::scheduler_TP" + strconv.Itoa(i)},
	}
}

// exporter is the same GPU as a DCGM exporter with its default list shows it.
func exporter(c *card) *card {
	for _, k := range []string{
		"gpu.state", "gpu.power_limit", "gpu.sm_clock_max", "gpu.slowdown_temperature", "gpu.throttle_reasons", "gpu.sm_active", "gpu.sm_occupancy",
		"gpu.throttle_power", "gpu.throttle_thermal", "gpu.throttle_board", "gpu.throttle_sync_boost", "gpu.throttle_reliability",
		"gpu.nvlink_tx", "gpu.nvlink_rx", "gpu.ecc_uncorrectable", "gpu.ecc_correctable", "gpu.remap_pending", "gpu.nvlink_crc_errors", "gpu.mig_instances",
	} {
		delete(c.v, k)
	}
	c.procs = nil
	return c
}

// node is one host with a GPU in every trouble.
func node() []*card {
	var out []*card
	for i := range 8 {
		out = append(out, h100("node-1", i))
	}
	out[1].v["gpu.throttle_reasons"], out[1].v["gpu.sm_clock"], out[1].v["gpu.temperature"] = 0x48, 990, 88
	out[1].v["gpu.throttle_thermal"] = 0.34
	out[2].v["gpu.throttle_reasons"], out[2].v["gpu.power"] = 0x04, 699
	out[3].slices, out[3].v["gpu.mig_instances"] = [][2]string{{"1", "4g.40gb"}, {"2", "3g.40gb"}}, 2
	delete(out[3].v, "gpu.util")
	out[4].dead, out[4].labels = true, sources.Labels{"host": "node-1", "gpu": "4"}
	out[5].v["gpu.xid"], out[5].v["gpu.ecc_uncorrectable"] = 94, 2
	out[6].labels["gpu_name"] = "NVIDIA B200"
	out[6].v["gpu.power"], out[6].v["gpu.power_limit"], out[6].v["gpu.memory_used"], out[6].v["gpu.memory_total"] = 1050, 1200, 171*(1<<30), 180*(1<<30)
	out[7].labels["gpu_name"] = "NVIDIA GB10" // memory is the CPU's too
	delete(out[7].v, "gpu.memory_used")
	delete(out[7].v, "gpu.memory_total")
	out[7].v["gpu.util"], out[7].v["gpu.throttle_reasons"] = 0, 1
	out[0].procs["99"] = "python3"
	return out
}

// fleet is n hosts of eight GPUs behind exporters, some in trouble.
func fleet(n int) []*card {
	var out []*card
	for h := range n {
		for i := range 8 {
			c := h100(fmt.Sprintf("gpu-node-%d", h), i)
			c.v["gpu.util"] = math.Max(0.05, c.v["gpu.util"]-float64(h%5)*0.1)
			c.labels["uuid"] = fmt.Sprintf("GPU-%08x", (h*8+i)*0x1234567)
			delete(c.v, "gpu.state")
			c.procs = nil
			switch {
			case h == 37 && i == 3:
				c.v["gpu.throttle_reasons"], c.v["gpu.temperature"], c.v["gpu.sm_clock"], c.v["gpu.util"] = 0x40, 91, 800, 1
			case h == 12 && i > 5:
				c.v["gpu.throttle_reasons"] = 0x04
			case h == 50 && i == 0:
				c.v["gpu.xid"] = 79
			}
			out = append(out, c)
		}
	}
	return out
}

// deploy answers what the pane asks about the cards, as the root does.
func deploy(p *Pane, f pane.Frame, all []*card, workers ...sources.Worker) pane.Frame {
	for range 2 {
		figures := map[sources.Need]*sources.Figure{}
		for _, n := range p.Needs(f) {
			figures[n] = answer(n, f, all)
		}
		f.Snap = sources.NewSnapshot(sources.Snapshot{
			Seq: 1, At: panetest.Now(), Live: true, Window: f.Window, Have: f.Window, Store: "embedded", Workers: workers, Targets: make([]sources.Target, 3),
		}, figures)
	}
	return f
}

func answer(n sources.Need, f pane.Frame, all []*card) *sources.Figure {
	m, _ := catalog.Default().Metric(n.Key)
	fig := &sources.Figure{Need: n, Status: sources.StatusOK, At: panetest.Now(), Title: m.Title, Unit: m.Unit, Tried: m.Families(), Found: m.Families(), Expr: "max(x)"}
	if n.Form == sources.FormIncrease || n.Form == sources.FormRate {
		fig.Window = f.Window
	}
	seen := map[string]bool{}
	put := func(c *card, v float64, more sources.Labels) {
		l := sources.Labels{}
		for _, name := range strings.Split(n.By, ",") {
			for _, from := range []sources.Labels{c.labels, more} {
				if s, ok := from[name]; ok {
					l[name] = s
				}
			}
		}
		k := l.Key()
		if seen[k] {
			return // merged by the question
		}
		seen[k] = true
		fig.Series = append(fig.Series, sources.Series{Labels: l, Points: points(n, v, m.Unit)})
	}
	for _, c := range all {
		has := func(label string) bool { return slices.Contains(strings.Split(n.By, ","), label) }
		switch {
		case n.Key == "gpu.process_memory":
			for pid, name := range c.procs {
				put(c, 70*(1<<30)/float64(len(c.procs)), sources.Labels{"pid": pid, "process": name})
			}
			continue
		case n.Key == "gpu.process_sm":
			for pid := range c.procs {
				put(c, 0.93, sources.Labels{"pid": pid})
			}
			continue
		case n.Key == "gpu.state" && c.dead:
			put(c, 1, sources.Labels{"state": "lost"})
			continue
		case c.dead:
			continue
		}
		v, ok := c.v[n.Key]
		if n.Form == sources.FormIncrease {
			v = 0
		}
		switch {
		case !ok:
		case has("mig_id") && len(c.slices) > 0:
			for i, s := range c.slices {
				put(c, v/float64(2+i), sources.Labels{"mig_id": s[0], "mig_profile": s[1]})
			}
		default:
			put(c, v, sources.Labels{"state": "ok"})
		}
	}
	if len(fig.Series) == 0 {
		fig.Status, fig.Found = sources.StatusAbsent, nil
		for _, v := range m.Variants {
			fig.Note = v.Note
		}
	}
	slices.SortFunc(fig.Series, func(a, b sources.Series) int {
		return cmp.Or(strings.Compare(a.Labels["uuid"], b.Labels["uuid"]), strings.Compare(a.Labels["pid"], b.Labels["pid"]), strings.Compare(a.Labels["mig_id"], b.Labels["mig_id"]))
	})
	return fig
}

func points(n sources.Need, v float64, unit string) []sources.Point {
	end := panetest.Now().UnixMilli()
	if !n.IsRange() {
		return []sources.Point{{T: end, V: v}}
	}
	step := n.Step.Milliseconds()
	end = end / step * step
	var out []sources.Point
	count := int(n.Span / n.Step)
	for i := range count {
		x := v * (0.9 + 0.1*math.Cos(float64(count-1-i)/4))
		if unit == "ratio" {
			x = min(x, 1)
		}
		out = append(out, sources.Point{T: end - int64(count-1-i)*step, V: x})
	}
	return out
}

var oneWorker = sources.Worker{ID: "7f3a00000000000a", Short: "7f3a", Instance: "127.0.0.1:9090", Engine: "sglang", Role: "decode", Ranks: []string{"0"}, State: sources.WorkerUp}
