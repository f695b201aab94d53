package engine

import (
	"os"
	"strings"
	"testing"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecodeLoads(t *testing.T) {
	l, err := decodeLoads(read(t, "loads.json"))
	if err != nil {
		t.Fatal(err)
	}
	if l.Version != "0.5.23" || l.Accelerator != "NVIDIA H200" || l.Accelerators != 4 || len(l.Ranks) != 2 || l.Ranks[0].Rank != 0 {
		t.Errorf("%+v", l)
	}
	for name, want := range map[string]float64{
		"running_requests": 31, "waiting_requests": 2, "waiting_uncached_tokens": 4096, "kv_used_tokens": 180000, "kv_and_waiting_tokens": 190000,
		"kv_capacity_tokens": 402000, "max_running_requests": 64, "kv_usage_ratio": 0.4478, "generation_tokens_per_second": 1210.5,
		"cache_hit_ratio": 0.31, "prefill_busy_seconds_total": 45, "queued_requests{queue=decode_transfer}": 4, "queued_requests{queue=grammar}": 1,
		"kv_transfer_seconds": 0.0142, "spec_accept_length": 2.9, "memory_bytes{pool=kv}": 48.1 * gib,
	} {
		if got, ok := l.Ranks[1].Values[name]; !ok || got-want > 1e-9*want || want-got > 1e-9*want {
			t.Errorf("%s is %v (%v), want %v", name, got, ok, want)
		}
	}
	if _, ok := l.Ranks[1].Values["queued_requests{queue=prefill_inflight}"]; ok {
		t.Error("a decode server has a queue of prefill")
	}
	old, err := decodeLoads(read(t, "get_load.json"))
	if err != nil || len(old.Ranks) != 2 || old.Ranks[0].Values["running_requests"] != 8 || old.Ranks[0].Values["waiting_requests"] != 4 {
		t.Errorf("%+v, %v", old, err)
	}
}

func TestDecodeServerInfo(t *testing.T) {
	i, err := DecodeServerInfo(read(t, "server_info.json"))
	if err != nil {
		t.Fatal(err)
	}
	if i.Version != "0.5.23" || i.MaxTotal != 402000 || i.MaxRunning != 64 || i.Ranks != 2 {
		t.Errorf("%+v", i)
	}
	got := map[string]string{}
	for _, s := range settingsOf("sglang", false) {
		if v, _, ok := i.setting(s); ok {
			got[s.Name] = v
		}
	}
	for name, want := range map[string]string{
		"tp": "4", "dp": "2", "page_size": "64", "memory_share": "0.872", "kv_dtype": "fp8_e4m3", "prefix_cache": "true", "hicache": "true",
		"disaggregation": "null", "chunked_prefill_size": "8192", "cuda_graph_max_batch": "256",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if v, ok := got["max_running"]; ok {
		t.Errorf("max_running is null and became %q", v)
	}
	for _, f := range []string{"api_key", "admin_api_key", "launch_command", "watermark_key"} {
		if v, ok := i.Field(f); ok {
			t.Errorf("%s was kept: %q", f, v)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	deep := `{"loads":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`
	for name, body := range map[string]string{
		"nothing": "", "html": "<html>", "cut": `{"loads":[{"dp_rank":0`, "deep": deep, "text": "ok", "null": "null", "other": `{"detail":"x"}`, "list": "[1,2]",
	} {
		if _, err := decodeLoads([]byte(body)); err == nil {
			t.Errorf("loads, %s: no error", name)
		}
		if _, err := DecodeServerInfo([]byte(body)); err == nil {
			t.Errorf("server_info, %s: no error", name)
		}
		if _, err := decodeModels([]byte(body)); err == nil {
			t.Errorf("models, %s: no error", name)
		}
		if _, err := decodeModelInfo([]byte(body)); err == nil {
			t.Errorf("model_info, %s: no error", name)
		}
	}
	if _, err := DecodeServerInfo([]byte(`{"status":"error","message":"no \u001b[31mtoken=abcdefgh"}`)); err == nil || strings.Contains(err.Error(), "abcdefgh") || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%v", err)
	}
}

// Odd fields cost only themselves.
func TestDecodeOddFields(t *testing.T) {
	l, err := decodeLoads([]byte(`{"version":7,"num_accelerators":"x","loads":[
		{"dp_rank":0,"num_running_reqs":"5","num_waiting_reqs":null,"token_usage":-1,"memory":[],"queues":"no"},
		{"dp_rank":0,"num_running_reqs":6}, "x", {"dp_rank":-3,"num_running_reqs":1}, {"dp_rank":1e300,"num_running_reqs":2}]}`))
	if err != nil || len(l.Ranks) != 2 || l.Ranks[0].Values["running_requests"] != 5 || len(l.Ranks[0].Values) != 1 {
		t.Errorf("%+v, %v", l, err)
	}
}

func FuzzLoads(f *testing.F) {
	f.Add(read(f, "loads.json"))
	f.Add(read(f, "get_load.json"))
	f.Add([]byte(`{"loads":[{"dp_rank":0,"num_running_reqs":1e308,"memory":{"weight_gb":1e308}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := decodeLoads(body)
		if err != nil {
			return
		}
		p := &Poller{questions: []*question{{}}, loads: &l}
		checkPage(t, p.write())
	})
}

func FuzzServerInfo(f *testing.F) {
	f.Add(read(f, "server_info.json"))
	f.Add([]byte(`{"tp_size":"\u001b[2J","served_model_name":"a\"b\\c\nd","version":"x","internal_states":[{"memory_usage":7}]}`))
	f.Add([]byte(`{"server_args":{"tp_size":2},"status":"ok"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		i, err := DecodeServerInfo(body)
		if err != nil {
			return
		}
		for name, v := range i.fields {
			checkShown(t, name, v)
		}
		p := &Poller{questions: []*question{{}}, info: i}
		checkPage(t, p.write())
	})
}
