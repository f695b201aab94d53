package engine

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestProgramOf(t *testing.T) {
	for _, c := range []struct {
		line, program, engine string
		at                    int
	}{
		{"python3 -m sglang.launch_server --tp 4", "sglang", "sglang", 3},
		{"/usr/bin/python3.12 -u -m dynamo.sglang --tp 4", "dynamo.sglang", "sglang", 4},
		{"python -m dynamo.sglang.main --tp 4", "dynamo.sglang", "sglang", 3},
		{"python /opt/venv/lib/python3.12/site-packages/dynamo/vllm/__main__.py --model x", "dynamo.vllm", "vllm", 2},
		{"python /src/python/sglang/launch_server.py --model x", "sglang", "sglang", 2},
		{"/opt/venv/bin/python /opt/venv/bin/sglang serve --model x", "sglang", "sglang", 3},
		{"/opt/venv/bin/vllm serve Qwen/Qwen3-32B", "vllm", "vllm", 2},
		{"python -m vllm.entrypoints.openai.api_server --model x", "vllm", "vllm", 3},
		{"trtllm-serve Qwen/Qwen3-32B --tp_size 2", "trtllm", "trtllm", 1},
		{"python -m dynamo.frontend --router-mode kv", "dynamo.frontend", "frontend", 3},
		{"/usr/bin/docker-proxy -proto tcp -host-port 8081", "docker-proxy", "", 1},
		{"vim sglang.launch_server", "", "", 0},
		{"grep -m dynamo", "", "", 0},
		{"tail -f vllm serve", "", "", 0},
		{"sglang::scheduler_TP0", "", "", 0},
		{"", "", "", 0},
	} {
		p, at, ok := programOf(strings.Fields(c.line))
		if p.name != c.program || p.engine != c.engine || at != c.at || ok != (c.program != "") {
			t.Errorf("%q: %q %q at %d, %v", c.line, p.name, p.engine, at, ok)
		}
	}
}

func TestParseFlags(t *testing.T) {
	for _, c := range []struct {
		engine, line string
		want         map[string]string
	}{
		{"sglang", "--model-path Qwen/Qwen3-32B --tp 4 --mem-fraction-static 0.85", map[string]string{"model_path": "Qwen/Qwen3-32B", "tp": "4", "memory_share": "0.85"}},
		{"sglang", "--tensor-parallel-size=8 --chunked-prefill-size -1 --enable-hicache", map[string]string{"tp": "8", "chunked_prefill_size": "-1", "hicache": "true"}},
		{"sglang", "--disable-radix-cache --disable-cuda-graph=false --enable-metrics false", map[string]string{"prefix_cache": "false", "cuda_graph": "true", "metrics": "false"}},
		{"sglang", "--tp 2 --unknown 7 --tp 4", map[string]string{"tp": "4"}},
		{"sglang", "--tp", map[string]string{"tp": ""}},
		{"vllm", "--tensor_parallel_size 2 -dp 4 --gpu_memory_utilization=0.9 --no-enable-prefix-caching", map[string]string{"tp": "2", "dp": "4", "memory_share": "0.9", "prefix_cache": "false"}},
		{"vllm", "--served-model-name a b c --enforce-eager --is-decode-worker", map[string]string{"served_model_name": "a b c", "cuda_graph": "false", "disaggregation": "decode"}},
		{"trtllm", "--tp_size 2 --kv_cache_free_gpu_memory_fraction 0.8", map[string]string{"tp": "2", "memory_share": "0.8"}},
		{"frontend", "--router-mode kv --no-kv-events --router-queue-threshold 0.01 --http-port 8100", map[string]string{"router_mode": "kv", "router_kv_events": "false", "router_queue_threshold": "0.01", "http_port": "8100"}},
		{"mocker", "--engine-type sglang --sglang-page-size 16 --max-num-seqs 8", map[string]string{"engine_type": "sglang", "page_size": "16", "max_running": "8"}},
		{"sglang", "- -- --=x -1 .5", map[string]string{}},
	} {
		got := map[string]string{}
		for name, g := range parseFlags(strings.Fields(c.line), settingsOf(c.engine, false)) {
			got[name] = g.value
		}
		if !maps.Equal(got, c.want) {
			t.Errorf("%s %s: %v, want %v", c.engine, c.line, got, c.want)
		}
	}
}

func TestRedactArgs(t *testing.T) {
	for line, want := range map[string]string{
		"--api-key s3cret --tp 2":                        "--api-key *** --tp 2",
		"--api-key=s3cret --tp 2":                        "--api-key=*** --tp 2",
		"--api-key one two three --tp 2":                 "--api-key *** *** *** --tp 2",
		"--admin-api-key s3cret":                         "--admin-api-key ***",
		"--watermark-key abc --watermark-key-b def --tp": "--watermark-key *** --watermark-key-b *** --tp",
		"--ssl-keyfile-password pw":                      "--ssl-keyfile-password ***",
		"--url http://user:pw@host/x":                    "--url http://***@host/x",
		"env HF_TOKEN=abc python":                        "env HF_TOKEN=*** python",
		"--schedule-policy routing-key --tp 2":           "--schedule-policy routing-key --tp 2",
		"--max-total-tokens 4096":                        "--max-total-tokens 4096",
		"--router-tracking-key-file /k":                  "--router-tracking-key-file /k",
	} {
		if got := strings.Join(RedactArgs(strings.Fields(line)), " "); got != want {
			t.Errorf("%s\n got %s\nwant %s", line, got, want)
		}
	}
	args := RedactArgs([]string{"--chat", "a\x1b]0;x\x07b\nc", "--kv", `{"token": "abcdef", "n": 1}`})
	if args[1] != "ab c" || strings.Contains(args[3], "abcdef") {
		t.Errorf("%q", args)
	}
}

func TestParseEnviron(t *testing.T) {
	got := parseEnviron([]byte("DYN_SYSTEM_PORT=8081\x00HF_TOKEN=hf_x\x00PATH=/bin\x00DYN_ETCD_PASSWORD=pw\x00SGLANG_URL=http://u:p@h/\x00" +
		"CUDA_VISIBLE_DEVICES=0,1\x00NCCL_DEBUG=INFO\x00VLLM_API_KEY=k\x00TRTLLM_X=\x00AWS_SECRET=1\x00dyn_x=1\x00DYN_A\x00CUDA_VISIBLE_DEVICES_X=1"))
	want := map[string]string{
		"DYN_SYSTEM_PORT": "8081", "DYN_ETCD_PASSWORD": "***", "SGLANG_URL": "http://***@h/", "CUDA_VISIBLE_DEVICES": "0,1",
		"NCCL_DEBUG": "INFO", "VLLM_API_KEY": "***", "TRTLLM_X": "",
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func FuzzCmdline(f *testing.F) {
	f.Add([]byte("python3\x00-m\x00sglang.launch_server\x00--tp\x004\x00--api-key\x00SENTINEL\x00"))
	f.Add([]byte("vllm\x00serve\x00m\x00--api-key\x00a\x00SENTINEL\x00-dp\x002\x00\x00\x00"))
	f.Add([]byte("sglang::scheduler_TP0\x00\x00\x00"))
	f.Add([]byte("python\x00-m\x00dynamo.frontend\x00--router-mode=kv\x00--=\x00-\x00--\x00\x1b[2J"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		args := parseCmdline(raw)
		p, at, _ := programOf(args)
		if at > len(args) {
			t.Fatalf("at %d of %d", at, len(args))
		}
		for name, g := range parseFlags(args[at:], settingsOf(p.engine, p.dynamo)) {
			checkShown(t, name, shown(g.origin, g.value))
		}
		out := RedactArgs(args)
		if len(out) != len(args) {
			t.Fatalf("%d of %d", len(out), len(args))
		}
		for _, a := range out {
			checkShown(t, "argument", a)
		}
		// What follows --api-key never comes out, wherever the flag stands.
		line := append(slices.Clone(args[:min(len(args), maxArgs-2)]), "--api-key", "SENTINEL-OF-A-TEST")
		if strings.Contains(strings.Join(RedactArgs(line), " "), "SENTINEL-OF-A-TEST") {
			t.Fatal("a key came out")
		}
	})
}

func FuzzEnviron(f *testing.F) {
	f.Add([]byte("DYN_SYSTEM_PORT=8081\x00HF_TOKEN=x\x00"))
	f.Add([]byte("SGLANG_A=\x1b[1m=\x00=\x00\x00VLLM_"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for name, v := range parseEnviron(raw) {
			if !envAllowed.MatchString(name) {
				t.Fatalf("%q was kept", name)
			}
			checkShown(t, name, v)
		}
	})
}

// checkShown holds what is kept of an outside string to one clean line.
func checkShown(t *testing.T, name, v string) {
	t.Helper()
	if len([]rune(v)) > maxValue+1 || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }) {
		t.Fatalf("%s: %q", name, v)
	}
}
