package page

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		x            float64
		rust, python string
	}{
		{0, "0", "0.0"},
		{1, "1", "1.0"},
		{-3, "-3", "-3.0"},
		{0.05, "0.05", "0.05"},
		{0.30000000000000004, "0.30000000000000004", "0.30000000000000004"},
		{2.5e-6, "0.0000025", "2.5e-06"},
		{0.0001, "0.0001", "0.0001"},
		{999999, "999999", "999999.0"},
		{1e6, "1000000", "1e+06"},
		{1.1e6, "1100000", "1.1e+06"},
		{1795538716.7540786, "1795538716.7540786", "1.7955387167540786e+09"},
		{12345678901, "12345678901", "1.2345678901e+010"},
		{-1234567, "-1234567", "-1234567.0"},
		{1e21, "1000000000000000000000", "1e+21"},
		{math.NaN(), "NaN", "NaN"},
		{math.Inf(1), "inf", "+Inf"},
		{math.Inf(-1), "-inf", "-Inf"},
	} {
		if got := string(rust.number(nil, c.x, -1)); got != c.rust {
			t.Errorf("rust %v: %s, want %s", c.x, got, c.rust)
		}
		if got := string(python.number(nil, c.x, -1)); got != c.python {
			t.Errorf("python %v: %s, want %s", c.x, got, c.python)
		}
	}
}

func TestHistogram(t *testing.T) {
	k := &Page{}
	s := source{page: k, table: "worker", gen: Gen16, style: rust, fixed: map[string]string{
		"dynamo_namespace": "dynamo", "dynamo_component": "backend", "worker_id": "1",
	}}
	var w workerHandles
	s.bind(&w)
	w.NetworkTransit.Observe(0.0001) // on the edge: in the bucket
	w.NetworkTransit.Observe(0.00011)
	w.NetworkTransit.ObserveN(2, 3)
	got := string(k.AppendTo(nil))
	for _, want := range []string{
		`_bucket{le="0.0001"} 1` + "\n", `_bucket{le="0.0005"} 2` + "\n", `_bucket{le="1"} 2` + "\n",
		`_bucket{le="+Inf"} 5` + "\n", "_count 5\n", "_sum 6.00021\n",
	} {
		if !strings.Contains(got, "dynamo_work_handler_network_transit_seconds"+want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// TestAbsent holds the difference of absent and zero: nothing of a model
// before its first request, all of it with the first.
func TestAbsent(t *testing.T) {
	f := Frontend(Gen16, FrontendOptions{KVRouter: true})
	text := func() string { return string(f.AppendTo(nil)) }
	if strings.Contains(text(), "dynamo_frontend_time_to_first_token_seconds") {
		t.Error("TTFT before any request")
	}
	if !strings.Contains(text(), "dynamo_frontend_tokenize_seconds_count 0\n") {
		t.Error("families without labels are there from the start")
	}
	f.RequestStarted("m", "chat_completions", "stream")
	for want, there := range map[string]bool{
		`dynamo_frontend_time_to_first_token_seconds_count{model="m"} 0`: true,
		`dynamo_frontend_active_requests{model="m"} 1`:                   true,
		`dynamo_frontend_inter_token_latency_seconds`:                    false,
		`dynamo_frontend_requests_total`:                                 false,
	} {
		if strings.Contains(text(), want) != there {
			t.Errorf("after the start of a request: %q there is not %v", want, there)
		}
	}
	f.FirstToken("m", 0.2, 256)
	f.RequestDone("m", "chat_completions", "stream", "success", "", 1.5, true)
	for _, want := range []string{
		`dynamo_frontend_requests_total{endpoint="chat_completions",error_type="",model="m",request_type="stream",status="success"} 1`,
		`dynamo_frontend_active_requests{model="m"} 0`, `dynamo_frontend_queued_requests{model="m"} 0`,
	} {
		if !strings.Contains(text(), want+"\n") {
			t.Errorf("no %q", want)
		}
	}
}

func TestWorkerLeft(t *testing.T) {
	const id = 13185776251899229228 // above 2^63
	f := Frontend(Gen16, FrontendOptions{KVRouter: true})
	f.WorkerJoined(id, 2, "decode", "backend", true)
	f.WorkerActive(id, 0, "decode", 12, 34)
	f.WorkerLast(id, 1, "decode", 0.5, 256)
	f.WorkerLastITL(id, 1, "decode", 0.01)
	if n := strings.Count(string(f.AppendTo(nil)), "13185776251899229228"); n != 7 {
		t.Errorf("%d series of the worker, want 7", n)
	}
	f.WorkerLeft(id, 2, "backend", true)
	if text := string(f.AppendTo(nil)); strings.Contains(text, "13185776251899229228") {
		t.Error("the worker left and is still there")
	}
	f.WorkerLast(id, 1, "decode", 0.6, 256) // a migrated request brings it back
	if !strings.Contains(string(f.AppendTo(nil)), `worker_id="13185776251899229228",worker_type="decode"} 0.6`+"\n") {
		t.Error("the last value did not come back")
	}
}

// TestSwallow: what a page does not have takes anything.
func TestSwallow(t *testing.T) {
	f := Frontend(Gen14, FrontendOptions{})
	f.Failures.Inc("Internal", "runtime.internal")
	f.WorkerJoined(1, 1, "decode", "backend", true)
	f.Router.Pending.Set(3, "m", "decode", "default")
	w := Worker(Gen16, WorkerOptions{Model: "m", Engine: "sglang", Role: "prefill"})
	useEngine(w.Engine(0))
	w.SGLang(0).Evicted.Add(3)
	w.Extra(0).SpecRate.Set(0.5)
	w.KVUsage(0, 10, 5)
	text := string(f.AppendTo(nil)) + string(w.AppendTo(nil))
	for _, none := range []string{"failures", "worker_registered", "pending", "sglang:", "total_blocks"} {
		if strings.Contains(text, none) {
			t.Errorf("%s on a page that has no such family", none)
		}
	}
}

func TestPlannerDecides(t *testing.T) {
	p := Planner(Gen16)
	p.Decide("scale_up", "scale")
	p.Decide("no_change", "scale")
	text := string(p.AppendTo(nil))
	const name = "dynamo_planner_load_scaling_decision"
	if !strings.Contains(text, name+"{"+name+`="no_change"} 1.0`) || !strings.Contains(text, `="scale_up"} 0.0`) {
		t.Error("not exactly one state is on")
	}
	if old := string(Planner(Gen09).AppendTo(nil)); !strings.Contains(old, "planner:observed_ttft_ms 0.0\n") || strings.Contains(old, "dynamo_planner") {
		t.Errorf("old planner:\n%.300s", old)
	}
}

func TestDCGM(t *testing.T) {
	d := DCGM(DCGMOptions{Hostname: "node1"})
	for i := range 2 {
		g := d.Add(Device{Index: i, UUID: "GPU-" + string(rune('a'+i)), Model: "NVIDIA H200", PCI: "00000000:01:00.0"})
		g.Power.Set(612.5)
		g.Util.Set(97)
		g.NVLinkMBs.Set(125)
	}
	for _, id := range []string{"1", "2"} { // beside GPUs without MIG
		d.Add(Device{Index: 2, UUID: "GPU-c", Model: "NVIDIA H200", PCI: "00000000:02:00.0", MIGProfile: "3g.71gb", MIGID: id}).Power.Set(300)
	}
	text := string(d.AppendTo(nil))
	for _, want := range []string{
		`GPU_I_PROFILE="3g.71gb",GPU_I_ID="2",Hostname="node1",DCGM_FI_DRIVER_VERSION="580.95.05"} 300.000000` + "\n",
		"# TYPE DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL counter\n",
		`DCGM_FI_DEV_GPU_UTIL{gpu="1",UUID="GPU-b",pci_bus_id="00000000:01:00.0",device="nvidia1",modelName="NVIDIA H200",Hostname="node1",DCGM_FI_DRIVER_VERSION="580.95.05"} 97` + "\n",
		"} 612.500000\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%.1500s", want, text)
		}
	}
	if strings.Contains(text, "SM_ACTIVE") {
		t.Error("the default list has no SM activity")
	}
}

// everything is every page of every generation with everything used.
func everything() map[string]*Page {
	out := map[string]*Page{}
	for _, g := range gens {
		out["frontend "+string(g)] = useFrontend(Frontend(g, FrontendOptions{KVRouter: true, EventLoop: true, Tokio: true, RemoteIndexer: true, NATS: true}))
		for _, engine := range []string{"sglang", "vllm", "trtllm"} {
			for name, o := range map[string]WorkerOptions{
				"mocker": {}, "real": {Full: true, EngineLabels: true}, "plain": {Plain: true}, "ranks": {Full: true, DPRanks: 3, PID: 100},
			} {
				o.Model, o.Engine, o.ID = "m", engine, 1<<63+5
				o.Features = append([]string{"spec", "embedding_cache"}, sglangFeatures...)
				out[strings.Join([]string{engine, name, string(g)}, " ")] = useWorker(Worker(g, o))
			}
		}
		r := Router(g, RouterOptions{})
		exercise(&r.Process)
		exercise(&r.Router)
		out["router "+string(g)] = &r.Page
		p := Planner(g)
		exercise(p)
		p.Decide("no_change", "scale")
		out["planner "+string(g)] = &p.Page
	}
	for _, prefix := range []string{"kvbm_", "dynamo_kvbm_"} {
		k := KVBM(prefix)
		exercise(k)
		out[prefix] = &k.Page
	}
	for _, o := range []DCGMOptions{{Hostname: "n", Extra: true}, {Hostname: "n", Extra: true, LowerHostname: true}, {Hostname: "n", Extra: true, Older: true}} {
		out[fmt.Sprintf("dcgm %+v", o)] = useDCGM(DCGM(o))
	}
	return out
}

// TestEverythingParses feeds each page to Prometheus' parser and wants every
// declared family to have a series once all handles were used: a family
// without one could never be shown.
func TestEverythingParses(t *testing.T) {
	for name, p := range everything() {
		parse(t, p.AppendTo(nil))
		for _, f := range p.families {
			if len(f.series) == 0 {
				t.Errorf("%s: no handle reaches %s", name, f.name)
			}
		}
	}
}

// TestCatalogue: each name that the console reads is on some page.
func TestCatalogue(t *testing.T) {
	file, err := os.Open(filepath.Join("..", "..", "..", "sources", "catalog", "variants.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, p := range everything() {
		for _, f := range p.families {
			have[f.name] = true
			if f.typ == "histogram" {
				have[f.name+"_count"] = true
			}
		}
	}
	missing := map[string]string{}
	for _, r := range rows[1:] {
		name, _, _ := strings.Cut(r[2], "{")
		// NVML samples and the console's own families come from no page.
		if !have[name] && r[1] != "dynascope" && !strings.HasPrefix(name, "dynascope_") {
			missing[name] = r[1]
		}
	}
	for name, producer := range missing {
		t.Errorf("%s: %s is on no page", producer, name)
	}
}

// TestHandles: each tag names a family of some table, each table row has a
// handle or a start, and no handle is bound twice.
func TestHandles(t *testing.T) {
	known := map[string]bool{}
	for _, rows := range tables() {
		for _, r := range rows {
			known[r.family] = true
			if r.help == "" {
				t.Errorf("%s has no help", r.family)
			}
			if !slices.IsSorted(r.edges) {
				t.Errorf("%s: edges %v are not sorted", r.family, r.edges)
			}
		}
	}
	for _, s := range []any{
		frontendHandles{}, RouterHandles{}, TokioHandles{}, workerHandles{}, SGLangRank{}, EngineExtra{},
		mockerHandles{}, vllmHandles{}, trtllmHandles{}, KVBMPage{}, PlannerPage{}, GPU{},
	} {
		typ := reflect.TypeOf(s)
		for i := range typ.NumField() {
			tag, ok := typ.Field(i).Tag.Lookup("family")
			if !ok {
				continue
			}
			for name := range strings.SplitSeq(tag, "|") {
				if !known[name] {
					t.Errorf("%s.%s: no table has %s", typ.Name(), typ.Field(i).Name, name)
				}
			}
		}
	}
}

// TestSameHistory: the same records give the same bytes.
func TestSameHistory(t *testing.T) {
	first := everything()
	for name, p := range everything() {
		if string(p.AppendTo(nil)) != string(first[name].AppendTo(nil)) {
			t.Errorf("%s differs from run to run", name)
		}
	}
}

func TestWrongLabels(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a record with too few labels went through")
		}
	}()
	Frontend(Gen16, FrontendOptions{}).TTFT.Observe(1)
}

// FuzzLabelValue writes any model name and reads it back.
func FuzzLabelValue(f *testing.F) {
	for _, s := range []string{"", "tiny", `a"b`, `a\b`, "a\nb", `\"`, `\n`, "名前", "a,b=c{}", "\x00", "\t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, model string) {
		model = strings.ToValidUTF8(model, "?")
		fr := Frontend(Gen16, FrontendOptions{})
		fr.TTFT.Observe(0.1, model)
		fr.Active.Set(1, model)
		w := Worker(Gen16, WorkerOptions{Model: model, Engine: "sglang", Plain: true})
		w.Engine(0).TTFT(0.1, true)
		for _, page := range [][]byte{fr.AppendTo(nil), w.AppendTo(nil)} {
			p := textparse.NewPromParser(page, labels.NewSymbolTable(), false)
			for found := 0; ; {
				entry, err := p.Next()
				if err != nil {
					if found == 0 {
						t.Fatalf("%q does not come back: %v", model, err)
					}
					break
				}
				if entry != textparse.EntrySeries {
					continue
				}
				var ls labels.Labels
				p.Labels(&ls)
				if ls.Get("model") == model || ls.Get("model_name") == model {
					found++
				}
			}
		}
	})
}

func BenchmarkRender(b *testing.B) {
	for _, c := range []struct {
		name string
		page *Page
	}{
		{"frontend", useFrontend(Frontend(Gen16, FrontendOptions{KVRouter: true, EventLoop: true, Tokio: true}))},
		{"mocker", useWorker(Worker(Gen16, WorkerOptions{Model: "m", Engine: "sglang"}))},
		{"sglang", useWorker(Worker(Gen16, WorkerOptions{Model: "m", Engine: "sglang", Full: true}))},
	} {
		b.Run(c.name, func(b *testing.B) {
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf = c.page.AppendTo(buf[:0])
			}
			b.SetBytes(int64(len(buf)))
			b.ReportMetric(float64(len(buf)), "bytes")
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for name, full := range map[string]bool{"mocker": false, "sglang": true} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Worker(Gen16, WorkerOptions{Model: "m", Engine: "sglang", Full: full})
			}
		})
	}
}

func BenchmarkRecord(b *testing.B) {
	f := Frontend(Gen16, FrontendOptions{KVRouter: true})
	b.Run("labelled", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f.ITL.Observe(0.01, "tiny")
		}
	})
	b.Run("plain", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f.PlaneSend.Observe(0.01)
		}
	})
}
