package gpu

import (
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dynascope/bench/sim/page"
	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/embedded"
)

// GPUs of the golden page: at work, with MIG, lost. far is another node's.
const (
	atWork = "GPU-11111111-0000-0000-0000-000000000001"
	cut    = "GPU-22222222-0000-0000-0000-000000000002"
	lost   = "GPU-33333333-0000-0000-0000-000000000003"
	far    = "GPU-44444444-0000-0000-0000-000000000004"
)

// shown is a GPU, or a MIG instance, on an exporter's page.
type shown struct {
	index             int
	uuid, mig         string // mig is the GPU_I_ID, or empty
	util, watts, used float64
}

// exporter is the page of a node's DCGM exporter.
func exporter(o page.DCGMOptions, list ...shown) []byte {
	var out []byte
	for _, s := range list {
		d := page.DCGM(o)
		g := d.Add(page.Device{Index: s.index, UUID: s.uuid, Model: "NVIDIA H100 80GB HBM3"})
		g.Util.Set(s.util)
		g.Power.Set(s.watts)
		g.EnforcedLimit.Set(700)
		g.Energy.Add(5e6)
		g.MemUsed.Set(s.used)
		g.MemFree.Set(1000)
		text := string(d.AppendTo(nil))
		if s.mig != "" {
			text = strings.ReplaceAll(text, `UUID="`, `GPU_I_PROFILE="1g.10gb",GPU_I_ID="`+s.mig+`",UUID="`)
		}
		out = append(out, text...)
	}
	return out
}

// TestBesideAnExporter: NVML and a DCGM exporter show the same GPUs to one
// store. Where both do, NVML counts, each GPU once.
func TestBesideAnExporter(t *testing.T) {
	node1 := exporter(page.DCGMOptions{Hostname: "node-1", Extra: true},
		shown{0, atWork, "", 40, 400, 5000}, shown{1, cut, "1", 30, 300, 100}, shown{1, cut, "2", 30, 300, 200}, shown{2, lost, "", 50, 100, 7000})
	node2 := exporter(page.DCGMOptions{Hostname: "node-2", LowerHostname: true, Extra: true}, shown{0, far, "", 20, 200, 8000})
	local, err := os.ReadFile("testdata/page.golden")
	if err != nil {
		t.Fatal(err)
	}

	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	stores := map[bool]*embedded.Store{
		false: pushed(t, at, map[string][]byte{"node-1:9400": node1, "node-2:9400": node2}),
		true:  pushed(t, at, map[string][]byte{"node-1:9400": node1, "node-2:9400": node2, "node-1:1": local}),
	}

	const mib = 1 << 20
	for _, c := range []struct {
		key  string
		form sources.Form
		by   string
		both string // with NVML
		dcgm string // exporters only
	}{
		{"gpu.util", sources.FormNow, "uuid", "{1} 0.97  {2} 0.3  {3} 0.5  {4} 0.2", "{1} 0.4  {2} 0.3  {3} 0.5  {4} 0.2"},
		{"gpu.util", sources.FormNow, "host,gpu", "{0,node-1} 0.97  {0,node-2} 0.2  {1,node-1} 0.3  {2,node-1} 0.5", "{0,node-1} 0.4  {0,node-2} 0.2  {1,node-1} 0.3  {2,node-1} 0.5"},
		{"gpu.power", sources.FormNow, "", "{} 1524.69", "{} 1000"},
		{"gpu.power", sources.FormNow, "uuid", "{1} 612.345  {2} 612.345  {3} 100  {4} 200", "{1} 400  {2} 300  {3} 100  {4} 200"},
		{"gpu.power", sources.FormNow, "instance", "{node-1:1} 1224.69  {node-1:9400} 100  {node-2:9400} 200", "{node-1:9400} 800  {node-2:9400} 200"},
		{"gpu.power_share", sources.FormExpr, "uuid", "{1} 0.874779  {2} 0.874779  {3} 0.142857  {4} 0.285714", "{1} 0.571429  {2} 0.428571  {3} 0.142857  {4} 0.285714"},
		{"gpu.memory_used", sources.FormNow, "", fmt.Sprintf("{} %v", (71000+3000+7000+8000)*mib), fmt.Sprintf("{} %v", (5000+300+7000+8000)*mib)},
		{"gpu.memory_used", sources.FormNow, "uuid,mig_id", fmt.Sprintf("{1,2} %v  {1} %v  {2,2} %v  {3} %v  {4} %v", 1000*mib, 71000*mib, 2000*mib, 7000*mib, 8000*mib),
			fmt.Sprintf("{1,2} %v  {1} %v  {2,2} %v  {3} %v  {4} %v", 100*mib, 5000*mib, 200*mib, 7000*mib, 8000*mib)},
		{"gpu.memory_total", sources.FormExpr, "uuid", fmt.Sprintf("{1} %v  {2} %v  {3} %v  {4} %v", 81559*mib, (40448+40448+1000)*mib, 8000*mib, 9000*mib),
			fmt.Sprintf("{1} %v  {2} %v  {3} %v  {4} %v", 6000*mib, 2300*mib, 8000*mib, 9000*mib)},
		{"gpu.energy", sources.FormTotal, "uuid", "{1} 123456789.012  {2} 123456789.012  {3} 5000  {4} 5000", "{1} 5000  {2} 5000  {3} 5000  {4} 5000"},
		{"gpu.xid_events", sources.FormTotal, "xid", "{31} 2  {94} 1", ""},
		{"gpu.state", sources.FormNow, "gpu,state", "{0,ok} 1  {1,ok} 1  {2,lost} 1", ""},
		{"gpu.mig_instances", sources.FormNow, "uuid", "{1} 0  {2} 2", ""},
		{"gpu.process_memory", sources.FormNow, "uuid,process", fmt.Sprintf("{sglang::scheduler_TP0,2} %v  {sglang::scheduler_TP1,2} %v  {sglang::scheduler_TP2,1} %v  {sglang::scheduler_TP2,2} %v", 900*mib, 900*mib, 70000*mib, 900*mib), ""},
		{"gpu.process_sm", sources.FormNow, "pid", "{4242} 0.93", ""},
	} {
		for _, with := range []struct {
			nvml bool
			want string
		}{{true, c.both}, {false, c.dcgm}} {
			store := stores[with.nvml]
			q, err := catalog.Default().Query(sources.Need{Key: c.key, Form: c.form, By: c.by}, time.Minute, catalog.Scope{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := store.Instant(t.Context(), q.Expr, at)
			if err != nil {
				t.Fatalf("%v\n%s", err, q.Expr)
			}
			if said := told(got); said != with.want {
				t.Errorf("%s by %q, NVML %v:\n     %s\nwant %s\n%s", c.key, c.by, with.nvml, said, with.want, q.Expr)
			}
		}
	}
}

// pushed is a store that has scraped each page once.
func pushed(t *testing.T, at time.Time, pages map[string][]byte) *embedded.Store {
	t.Helper()
	store, err := embedded.Open(t.Context(), embedded.Options{KeepNames: catalog.Default().Keep()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	for instance, body := range pages {
		p, err := store.Push(embedded.TargetSpec{URL: "http://" + instance + "/metrics"})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Page(at, body, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, target := range store.Targets() {
		if target.Health != sources.HealthUp {
			t.Fatalf("%s: %s", target.Instance, target.Error)
		}
	}
	return store
}

// told writes an answer as "{label values, ordered by label} value", a UUID as
// its last digit.
func told(series []sources.Series) string {
	var out []string
	for _, s := range series {
		var ls []string
		for _, n := range slices.Sorted(maps.Keys(s.Labels)) {
			v := s.Labels[n]
			if n == "uuid" && v != "" {
				v = v[len(v)-1:]
			}
			ls = append(ls, v)
		}
		out = append(out, "{"+strings.Join(ls, ",")+"} "+strconv.FormatFloat(math.Round(s.Points[0].V*1e6)/1e6, 'f', -1, 64))
	}
	slices.Sort(out)
	return strings.Join(out, "  ")
}
