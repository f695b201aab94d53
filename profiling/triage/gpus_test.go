package triage

import (
	"math"
	"strings"
	"testing"
	"time"

	"dynascope/sources"
)

var gpuNow = time.Date(2026, 11, 23, 12, 3, 41, 0, time.UTC)

// gpuSnapshot answers needs with values by labels; a label set is written as
// "uuid=a,host=n".
func gpuSnapshot(workers []sources.Worker, answers map[sources.Need]map[string]float64) *sources.Snapshot {
	figures := map[sources.Need]*sources.Figure{}
	for n, by := range answers {
		f := &sources.Figure{Need: n, Status: sources.StatusOK, At: gpuNow}
		for text, v := range by {
			l := sources.Labels{}
			for _, pair := range strings.Split(text, ",") {
				name, value, _ := strings.Cut(pair, "=")
				l[name] = value
			}
			f.Series = append(f.Series, sources.Series{Labels: l, Points: []sources.Point{{T: gpuNow.UnixMilli(), V: v}}})
		}
		figures[n] = f
	}
	return sources.NewSnapshot(sources.Snapshot{At: gpuNow, Workers: workers}, figures)
}

// One GPU that NVML and an exporter in a pod show is one, under NVML's name of
// the host, and what only the exporter has belongs to it.
func TestGPUsAreTheirUUIDs(t *testing.T) {
	all := GPUs(gpuSnapshot(nil, map[sources.Need]map[string]float64{
		needGPUState:             {"uuid=a,host=node-1,gpu=0,gpu_name=H100,state=ok": 1, "host=node-1,gpu=1,state=lost": 1},
		needGPUUtil:              {"uuid=a,host=node-1,gpu=0": 0.9, "uuid=b,host=dcgm-7x,gpu=1": 0.2, "uuid=c,host=node-10,gpu=0": 0.3, "uuid=d,host=node-2,gpu=0": 0.4},
		GPUTensor.Need():         {"uuid=a,host=dcgm-9z": 0.3, "uuid=b,host=dcgm-7x": 0.1},
		GPUPower.Need():          {"uuid=a,host=dcgm-9z": 100, "uuid=a,host=node-1": 612},
		GPUTemperature.Need():    {"uuid=a,host=node-1,gpu=0": 64, "uuid=b,host=dcgm-7x,gpu=1": 9223372036854775794},
		GPUMemoryClock.Need():    {"uuid=gone,host=node-1": 5},
		GPUSMClock.Need():        {},
		GPUMemoryUsed.Need():     {"uuid=a,host=node-1": 30},
		GPUMemoryTotal.Need():    {"uuid=a,host=node-1": 40},
		needSliceUsed:            {"uuid=a,host=node-1,mig_id=2,mig_profile=3g.40gb": 10, "uuid=a,host=node-1,mig_id=1,mig_profile=4g.40gb": 20, "uuid=b,host=dcgm-7x": 7},
		needSliceSM:              {"uuid=a,host=node-1,mig_id=2,mig_profile=3g.40gb": 0.5},
		needXIDEvents:            {"uuid=a,host=node-1,xid=31": 2, "uuid=a,host=node-1,xid=94": 5},
		GPUThrottledPower.Need(): {"uuid=a,host=node-1": math.NaN()},
	}), nil)
	var ids []string
	for _, g := range all {
		ids = append(ids, g.Host+"/"+g.Index+"/"+g.ID)
	}
	if got, want := strings.Join(ids, " "), "dcgm-7x/1/b node-1/0/a node-1/1/node-1/1 node-2/0/d node-10/0/c"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	b, a, lost := &all[0], &all[1], &all[2]
	if a.Model != "H100" || !a.Local() || b.Local() {
		t.Errorf("a is %+v", a)
	}
	for _, c := range []struct {
		g      *GPU
		f      GPUFigure
		v      float64
		status sources.Status
	}{
		{a, GPUPower, 612, sources.StatusOK}, {a, GPUTensor, 0.3, sources.StatusOK}, {b, GPUTensor, 0.1, sources.StatusOK},
		{b, GPUTemperature, math.NaN(), sources.StatusAbsent}, {b, GPUPower, math.NaN(), sources.StatusAbsent},
		{a, GPUThrottledPower, math.NaN(), sources.StatusNaN}, {lost, GPUUtil, math.NaN(), sources.StatusAbsent},
	} {
		if got := c.g.Of(c.f); got.Status != c.status || got.V != c.v && !(math.IsNaN(got.V) && math.IsNaN(c.v)) {
			t.Errorf("%s %s: %v %v, want %v %v", c.g.ID, c.f.Need().Key, got.V, got.Status, c.v, c.status)
		}
	}
	if s := a.MemoryShare(); s.V != 0.75 || b.MemoryShare().Has() {
		t.Errorf("shares %v %v", s, b.MemoryShare())
	}
	if len(a.Slices) != 2 || a.Slices[0].Profile != "4g.40gb" || a.Slices[1].SMActive.V != 0.5 || a.Slices[0].SMActive.Has() || len(b.Slices) != 0 {
		t.Errorf("slices %+v", a.Slices)
	}
	if len(a.XIDs) != 2 || a.XIDs[0] != (XIDCount{"94", 5}) {
		t.Errorf("XIDs %+v", a.XIDs)
	}
	if c := lost.Concerns(); len(c) != 1 || c[0].Grade != GradeBad || c[0].Words != "fell off the bus" {
		t.Errorf("lost: %+v", c)
	}
	if GPUs(nil, nil) != nil || len(GPUs(gpuSnapshot(nil, nil), nil)) != 0 {
		t.Error("GPUs out of nothing")
	}
}

func TestThrottleWords(t *testing.T) {
	for _, c := range []struct {
		mask  float64
		words string
		grade Grade
	}{
		{0, "", GradeNone}, {1, "idle", GradeNone}, {2, "application clocks", GradeNone}, {4, "power cap", GradeNotice},
		{0x08, "HW slowdown", GradeBad}, {0x48, "thermal (HW)", GradeBad}, {0x88, "power brake (HW)", GradeBad},
		{0x24, "thermal (SW), power cap", GradeBad}, {0x10, "sync boost", GradeNotice}, {0x200, "reason 0x200", GradeNone}, {0x244, "thermal (HW), power cap, reason 0x200", GradeBad},
		{math.NaN(), "", GradeNone}, {-1, "", GradeNone}, {1e30, "", GradeNone},
	} {
		words, grade := Throttle(c.mask)
		if got := strings.Join(words, ", "); got != c.words || grade != c.grade {
			t.Errorf("%v: %q %v, want %q %v", c.mask, got, grade, c.words, c.grade)
		}
	}
	for code, want := range map[int]string{0: "", -5: "", 79: "XID 79, fell off the bus", 999: "XID 999"} {
		if got, _ := XID(code); got != want {
			t.Errorf("XID %d: %q", code, got)
		}
	}
}

func TestGPUConcerns(t *testing.T) {
	gpu := func(values map[GPUFigure]float64) *GPU {
		answers := map[sources.Need]map[string]float64{needGPUUtil: {"uuid=a,host=n,gpu=0": 1}}
		for f, v := range values {
			key := "uuid=a,host=n"
			if f == GPUTemperature {
				key += ",gpu=0"
			}
			answers[f.Need()] = map[string]float64{key: v}
		}
		return &GPUs(gpuSnapshot(nil, answers), nil)[0]
	}
	for name, c := range map[string]struct {
		values map[GPUFigure]float64
		want   string
	}{
		"well":           {map[GPUFigure]float64{GPUReasons: 0, GPUXID: 0, GPURemapFailed: 0, GPUTemperature: 60, GPUSlowdownTemperature: 87}, ""},
		"idle":           {map[GPUFigure]float64{GPUReasons: 1}, ""},
		"thermal":        {map[GPUFigure]float64{GPUReasons: 0x40, GPUThrottledThermal: 0.5}, "thermal (HW)"},
		"by time only":   {map[GPUFigure]float64{GPUThrottledThermal: 0.34, GPUThrottledPower: 0.02}, "thermal 34 % of the time; power cap 2 % of the time"},
		"a little":       {map[GPUFigure]float64{GPUThrottledThermal: 0.001}, ""},
		"hot":            {map[GPUFigure]float64{GPUTemperature: 88, GPUSlowdownTemperature: 87}, "at its slow-down temperature"},
		"no slow-down":   {map[GPUFigure]float64{GPUTemperature: 88, GPUSlowdownTemperature: 0}, ""},
		"worst first":    {map[GPUFigure]float64{GPUReasons: 4, GPURemapFailed: 1}, "row remap failed; power cap"},
		"old ECC":        {map[GPUFigure]float64{GPUUncorrected: 2, GPUUncorrectedNew: 0}, "uncorrected ECC errors: 2"},
		"new ECC":        {map[GPUFigure]float64{GPUUncorrected: 2, GPUUncorrectedNew: 1}, "uncorrected ECC errors: 1 new"},
		"program's XID":  {map[GPUFigure]float64{GPUXID: 31}, "XID 31, memory page fault of a program"},
		"remap to apply": {map[GPUFigure]float64{GPURemapPending: 1}, "row remap waits for a reset"},
	} {
		var words []string
		g := gpu(c.values)
		for _, x := range g.Concerns() {
			words = append(words, x.Words)
		}
		if got := strings.Join(words, "; "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// What is not of now is no concern.
func TestStaleGPUHasNoConcern(t *testing.T) {
	s := gpuSnapshot(nil, map[sources.Need]map[string]float64{needGPUUtil: {"uuid=a,host=n,gpu=0": 1}, GPUReasons.Need(): {"uuid=a,host=n": 0x40}})
	f := s.Figure(GPUReasons.Need())
	f.Status, f.At = sources.StatusStale, gpuNow.Add(-time.Minute)
	if c := GPUs(s, nil)[0].Concerns(); len(c) != 0 {
		t.Errorf("got %+v", c)
	}
}

func TestGPUProcessesFindTheirWorker(t *testing.T) {
	worker := func(instance string) sources.Worker {
		return sources.Worker{Instance: instance, Engine: "sglang", State: sources.WorkerUp}
	}
	answers := map[sources.Need]map[string]float64{
		needGPUState: {"uuid=a,host=node-1,gpu=0,state=ok": 1},
		needGPUUtil:  {"uuid=b,host=node-2,gpu=0": 1},
		needProcess: {
			"uuid=a,host=node-1,pid=10,process=sglang::scheduler_TP0": 70, "uuid=a,host=node-1,pid=11,process=python3": 2,
			"uuid=b,host=node-2,pid=10,process=sglang::scheduler_TP0": 60,
		},
		needProcessSM: {"uuid=a,host=node-1,pid=10": 0.9},
	}
	for name, c := range map[string]struct {
		workers []sources.Worker
		owners  []Owner
		want    string
	}{
		"nothing tells":    {nil, nil, "10: 0, 11: 0"},
		"only one here":    {[]sources.Worker{worker("127.0.0.1:9090"), worker("node-2:9090")}, nil, "10:127.0.0.1:9090 1, 11: 0"},
		"two here":         {[]sources.Worker{worker("127.0.0.1:9090"), worker("localhost:9091")}, nil, "10: 0, 11: 0"},
		"elsewhere":        {[]sources.Worker{worker("node-3:9090")}, nil, "10: 0, 11: 0"},
		"pid":              {[]sources.Worker{worker("127.0.0.1:9090"), worker("localhost:9091")}, []Owner{{PID: "11", Instance: "localhost:9091"}}, "10: 0, 11:localhost:9091 2"},
		"pid of elsewhere": {nil, []Owner{{Host: "node-2", PID: "10", Instance: "node-2:9090"}}, "10: 0, 11: 0"},
	} {
		g := GPUs(gpuSnapshot(c.workers, answers), c.owners)[0]
		var got []string
		for _, p := range g.Processes {
			got = append(got, p.PID+":"+p.Worker+" "+string(rune('0'+p.Proof)))
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %s, want %s", name, s, c.want)
		}
		if g.Processes[0].SM.V != 0.9 || g.Processes[1].SM.Status != sources.StatusIdle {
			t.Errorf("%s: SM %+v", name, g.Processes)
		}
	}
}

// What sources/engine found of this host's processes is in the snapshot, and
// proves whose a GPU's process is.
func TestProcessesInTheSnapshotProveTheWorker(t *testing.T) {
	worker := sources.Worker{ID: "7f3a", Instance: "127.0.0.1:9090", Engine: "sglang"}
	g := GPUs(gpuSnapshot([]sources.Worker{worker}, map[sources.Need]map[string]float64{
		needGPUState: {"uuid=a,host=node-1,gpu=0,state=ok": 1},
		needProcess:  {"uuid=a,host=node-1,pid=10,process=python3": 70},
		needOwner:    {"instance=127.0.0.1:9090,pid=9": 1, "instance=127.0.0.1:9090,pid=10": 1},
	}), nil)[0]
	if p := g.Processes[0]; p.Worker != worker.Instance || p.Proof != ProofPID {
		t.Errorf("%+v", p)
	}
}

// Sums take GPUs that have both numbers, and stale ones only where none is
// live.
func TestGPUHosts(t *testing.T) {
	all := GPUs(gpuSnapshot(nil, map[sources.Need]map[string]float64{
		needGPUUtil:           {"uuid=a,host=n,gpu=0": 0.9, "uuid=b,host=n,gpu=1": 0.1, "uuid=c,host=m,gpu=0": 0.5},
		GPUMemoryUsed.Need():  {"uuid=a,host=n": 30, "uuid=b,host=n": 10},
		GPUMemoryTotal.Need(): {"uuid=a,host=n": 40},
		GPUPower.Need():       {"uuid=a,host=n": 300, "uuid=b,host=n": 200},
		GPUReasons.Need():     {"uuid=a,host=n": 4, "uuid=b,host=n": 0x40},
	}), nil)
	hosts := GPUHosts(all)
	if len(hosts) != 2 || hosts[1].Name != "n" {
		t.Fatalf("got %+v", hosts)
	}
	h := &hosts[1]
	if h.Util.V != 0.5 || h.UtilLeast.V != 0.1 || h.UtilMost.V != 0.9 || h.MemoryShare().V != 0.75 || h.Power.V != 500 || h.Limit.Has() {
		t.Errorf("sums %+v", h)
	}
	if h.Worst.UUID != "b" || h.Grade != GradeBad || h.Why != "thermal (HW)" || h.Concerned != 2 || hosts[0].Worst != nil {
		t.Errorf("worst %+v", h.Worst)
	}
}

func TestNamesInOrder(t *testing.T) {
	for _, c := range [][2]string{{"node-2", "node-10"}, {"a", "b"}, {"a", "a1"}, {"", "a"}, {"gpu-01", "gpu-1"}, {"9", "10"}} {
		if compareNames(c[0], c[1]) >= 0 || compareNames(c[1], c[0]) <= 0 || compareNames(c[0], c[0]) != 0 {
			t.Errorf("%q is not before %q", c[0], c[1])
		}
	}
}
