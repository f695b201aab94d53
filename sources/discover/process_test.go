package discover

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// proc is a made-up /proc.
type proc struct {
	t    testing.TB
	root string
}

func newProc(t testing.TB) *proc {
	p := &proc{t: t, root: t.TempDir()}
	p.mkdir("self/ns")
	p.link("net:[1]", "self/ns/net")
	return p
}

func (p *proc) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *proc) mkdir(path string) { p.must(os.MkdirAll(filepath.Join(p.root, path), 0o755)) }

func (p *proc) link(to, path string) { p.must(os.Symlink(to, filepath.Join(p.root, path))) }

// run adds a process; env nil means that its environment cannot be read.
func (p *proc) run(pid int, args, env []string) {
	dir := strconv.Itoa(pid)
	p.mkdir(dir + "/ns")
	p.link("net:[1]", dir+"/ns/net")
	p.write(dir+"/cmdline", strings.Join(args, "\x00")+"\x00")
	p.write(dir+"/status", "Name:\tpython3\nUid:\t1003\t1003\t1003\t1003\n")
	if env != nil {
		p.write(dir+"/environ", strings.Join(env, "\x00")+"\x00")
	}
}

func (p *proc) write(path, s string) {
	p.must(os.WriteFile(filepath.Join(p.root, path), []byte(s), 0o600))
}

func (p *proc) end(pid int) { p.must(os.RemoveAll(filepath.Join(p.root, strconv.Itoa(pid)))) }

func words(s string) []string { return strings.Fields(s) }

func TestRecognise(t *testing.T) {
	for line, want := range map[string]string{
		"python3 -m dynamo.frontend --http-port 18000":           "dynamo.frontend",
		"/opt/venv/bin/python3.12 -u -X dev -m dynamo.sglang -x": "dynamo.sglang",
		"python -mdynamo.vllm":                                   "dynamo.vllm",
		"python -m dynamo.planner.planner_sla --x":               "dynamo.planner",
		"python -m sglang.launch_server --port 1":                "sglang",
		"python /opt/venv/bin/sglang serve --port 1":             "sglang",
		"/opt/venv/bin/python /opt/venv/bin/vllm serve m":        "vllm",
		"vllm serve m --port 1":                                  "vllm",
		"/usr/bin/python3 /usr/local/bin/trtllm-serve m":         "trtllm",
		"sgl-model-gateway --prometheus-port 1":                  "sglang gateway",
		"python -m sglang_router.launch_router":                  "sglang gateway",
		// Not what they name:
		"python -m dynamo.frontends":                   "",
		"grep -m dynamo.frontend --http-port 22 notes": "",
		"vllm bench serve --port 9":                    "",
		"vim vllm serve":                               "",
		"bash -c python":                               "",
		"python -c import -m dynamo.frontend":          "",
		"python app.py -m dynamo.frontend":             "",
		"python -W -m dynamo.frontend":                 "",
		"sglang::scheduler_TP0":                        "",
		"python":                                       "",
		"python -m":                                    "",
		"uv run python -m dynamo.frontend":             "", // its child is found
	} {
		pr, _, ok := builtin().recognise(words(line))
		if pr.name != want || ok != (want != "") {
			t.Errorf("%s: got %q", line, pr.name)
		}
	}
	if _, _, ok := builtin().recognise(nil); ok {
		t.Error("a kernel thread is recognised")
	}
}

func TestPortsOfProcesses(t *testing.T) {
	no := []string{}
	for _, c := range []struct {
		name      string
		args, env []string
		want      string // "port ask>then page frontend", joined
		notes     string // a part
	}{
		{"frontend's flag", words("python -m dynamo.frontend --http-port 18000"), no, "18000 /metrics>/v1/models /metrics frontend", ""},
		{"flag beats environment", words("python -m dynamo.frontend --http-port=18000"), words("DYN_HTTP_PORT=8000"), "18000 /metrics>/v1/models /metrics frontend", ""},
		{"the last flag counts", words("python -m dynamo.frontend --http-port 1 --http-port 18000"), no, "18000 /metrics>/v1/models /metrics frontend", ""},
		{"environment", words("python -m dynamo.frontend"), words("DYN_HTTP_PORT=8005 DYN_SYSTEM_PORT=9095"), "8005 /metrics>/v1/models /metrics frontend, 9095 /metrics> /metrics", ""},
		{"worker", words("python -m dynamo.sglang --port 4000 --disaggregation-bootstrap-port 5000 --nccl-port 6000"), words("DYN_SYSTEM_PORT=18081 DYN_HTTP_PORT=7000"), "18081 /metrics> /metrics", ""},
		{"worker's other pages", words("python -m dynamo.vllm"), words("DYN_SYSTEM_PORT=1 DYN_KVBM_METRICS_PORT=2 NIXL_TELEMETRY_PROMETHEUS_PORT=3"), "1 /metrics> /metrics, 2 /metrics> /metrics, 3 /metrics> /metrics", ""},
		{"worker without metrics", words("python -m dynamo.sglang"), no, "", "metrics are off: start it with DYN_SYSTEM_PORT"},
		{"worker with metrics off", words("python -m dynamo.sglang"), words("DYN_SYSTEM_PORT=-1"), "", "metrics are off"},
		{"ephemeral", words("python -m dynamo.sglang"), words("DYN_SYSTEM_PORT=0"), "", "not known"},
		{"scripts' variables", words("python -m dynamo.mocker"), words("DYN_SYSTEM_PORT1=8081"), "", "metrics are off"},
		{"no port", words("python -m dynamo.mocker"), words("DYN_SYSTEM_PORT=$PORT"), "", "no port number"},
		{"beyond", words("python -m dynamo.mocker"), words("DYN_SYSTEM_PORT=70000"), "", "no port number"},
		{"hidden environment", words("python -m dynamo.sglang"), nil, "", "environment"},
		{"planner", words("python -m dynamo.planner --config x"), words("PLANNER_PROMETHEUS_PORT=9085"), "9085 /metrics> /metrics", ""},
		{"sglang", words("python -m sglang.launch_server --port 30001 --nccl-port 6000"), words("DYN_SYSTEM_PORT=1"), "30001 /metrics>/v1/models /metrics", ""},
		{"trtllm", words("trtllm-serve m --port 8002"), no, "8002 /v1/models> /prometheus/metrics", ""},
		{"gateway", words("smg launch --port 30000 --prometheus-port 29001"), no, "29001 /metrics> /metrics", ""},
		{"other host", words("python -m sglang.launch_server --host 10.0.0.5 --port 30001"), no, "30001 /metrics>/v1/models /metrics", "http://10.0.0.5:PORT"},
		{"any host", words("python -m sglang.launch_server --host 0.0.0.0 --port 30001"), no, "30001 /metrics>/v1/models /metrics", ""},
	} {
		p := newProc(t)
		p.run(77, c.args, c.env)
		programs, found, notes := builtin().search(t.Context(), p.root)
		if len(programs) != 1 || programs[0].PID != 77 || len(notes) > 0 {
			t.Errorf("%s: programs %v, notes %v", c.name, programs, notes)
			continue
		}
		var got []string
		for _, f := range found {
			s := fmt.Sprintf("%d %s>%s %s", f.port, f.ask, f.then, f.page)
			if f.frontend {
				s += " frontend"
			}
			got = append(got, s)
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if n := strings.Join(programs[0].Notes, " "); !strings.Contains(n, c.notes) || (c.notes == "") != (n == "") {
			t.Errorf("%s: notes %q, want %q", c.name, n, c.notes)
		}
	}
}

func TestContainersAreLeftAlone(t *testing.T) {
	p := newProc(t)
	p.run(77, words("python -m dynamo.frontend --http-port 8000"), []string{})
	p.must(os.Remove(filepath.Join(p.root, "77/ns/net")))
	p.link("net:[2]", "77/ns/net")
	programs, found, _ := builtin().search(t.Context(), p.root)
	if len(found) > 0 || len(programs) != 1 || !strings.Contains(programs[0].Notes[0], "another network namespace") {
		t.Errorf("programs %v, ports %v", programs, found)
	}
}

func TestForeignEnvironment(t *testing.T) {
	if os.Getuid() == 0 {
		t.Log("root reads everything: the note alone is tested")
	}
	p := newProc(t)
	p.run(77, words("python -m dynamo.sglang"), nil)
	got := hiddenEnvironment(filepath.Join(p.root, "77"), os.ErrPermission)
	if !strings.Contains(got, "uid 1003") || !strings.Contains(got, "hint:") {
		t.Errorf("got %q", got)
	}
	// With its environment hidden, a worker's metrics are not said to be off.
	programs, _, _ := builtin().search(t.Context(), p.root)
	if len(programs) != 1 || slices.ContainsFunc(programs[0].Notes, func(n string) bool { return strings.Contains(n, "are off") }) {
		t.Errorf("programs %v", programs)
	}
}

// TestNothingElseIsKept: command lines and environments hold secrets.
func TestNothingElseIsKept(t *testing.T) {
	p := newProc(t)
	p.run(77, words("python -m sglang.launch_server --api-key sk-topsecret --host \x1b[31m10.0.0.9 --port 30001"), words("HF_TOKEN=hf_topsecret DYN_SYSTEM_PORT=topsecret"))
	p.run(78, words("python -m dynamo.frontend --metrics-prefix \x1b[31macme --http-port topsecret"), words("HF_TOKEN=topsecret"))
	s := New(Options{Proc: p.root, Dial: refuse, Ports: []Port{}})
	b, err := json.Marshal(s.Scan(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	for _, never := range []string{"topsecret", "launch_server", `\u001b`} {
		if strings.Contains(string(b), never) {
			t.Errorf("%q is in the report: %s", never, b)
		}
	}
}

func TestSearchBounds(t *testing.T) {
	p := newProc(t)
	long := strings.Repeat("x", maxCommandLine)
	p.run(77, []string{"python", "-m", "dynamo.frontend", "--http-port", "18000", long, "--http-port", "1"}, []string{})
	for i := range maxPrograms + 20 {
		p.run(1000+i, words("python -m dynamo.mocker"), []string{"DYN_SYSTEM_PORT=" + strconv.Itoa(20000+i)})
	}
	programs, found, notes := builtin().search(t.Context(), p.root)
	if len(programs) != maxPrograms || len(found) > maxPrograms || len(notes) != 1 {
		t.Errorf("%d programs, %d ports, notes %v", len(programs), len(found), notes)
	}
	if slices.ContainsFunc(found, func(c candidate) bool { return c.port == 1 }) {
		t.Error("a command line was read past its limit")
	}
	if _, _, notes := builtin().search(t.Context(), filepath.Join(p.root, "none")); len(notes) != 1 {
		t.Errorf("without /proc: notes %v", notes)
	}
}

func FuzzProcess(f *testing.F) {
	f.Add([]byte("python\x00-m\x00dynamo.frontend\x00--http-port\x0018000\x00"), []byte("A=b\x00DYN_SYSTEM_PORT=8081\x00"))
	f.Add([]byte("vllm\x00serve\x00--port=\x00--port"), []byte("=\x00==\x00DYN_SYSTEM_PORT\x00"))
	f.Add([]byte("\x00\x00"), []byte("DYN_SYSTEM_PORT=-1"))
	f.Fuzz(func(t *testing.T, cmdline, environ []byte) {
		tab := builtin()
		pr, flags, ok := tab.recognise(splitNull(cmdline))
		if !ok {
			return
		}
		p := Program{PID: 1, Name: pr.name}
		for _, c := range tab.portsOf(&p, pr, flags, environment(environ, tab.wanted(pr.kind)), true) {
			if c.port < 1 || c.port > 65535 || checkPaths(c.ask, c.then) != nil {
				t.Errorf("candidate %+v", c)
			}
		}
		for _, n := range p.Notes {
			if strings.ContainsAny(n, "\x1b\n\r") {
				t.Errorf("note %q", n)
			}
		}
	})
}
