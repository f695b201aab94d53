package engine

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestMain lets the test binary stand in for a worker: it listens, says where,
// and waits for the end of its input.
func TestMain(m *testing.M) {
	if os.Getenv("DYN_TEST_WORKER") == "" {
		os.Exit(m.Run())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = l.Close()
}

// proc is a process file system for tests.
type proc struct {
	t    *testing.T
	root string
}

func newProc(t *testing.T, sockets ...string) *proc {
	p := &proc{t, t.TempDir()}
	head := "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	p.write("net/tcp", head+strings.Join(sockets, ""))
	return p
}

func (p *proc) write(name, text string) {
	p.t.Helper()
	name = filepath.Join(p.root, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// process adds a process; inode 0 is one without a socket.
func (p *proc) process(pid, parent, inode int, cmdline, environ string) {
	p.t.Helper()
	dir := fmt.Sprint(pid)
	p.write(dir+"/cmdline", strings.ReplaceAll(cmdline, " ", "\x00")+"\x00")
	p.write(dir+"/environ", strings.ReplaceAll(environ, " ", "\x00"))
	p.write(dir+"/stat", fmt.Sprintf("%d (py (x) thon) S %d 1 1", pid, parent))
	if err := os.MkdirAll(filepath.Join(p.root, dir, "fd"), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if inode != 0 {
		if err := os.Symlink(fmt.Sprintf("socket:[%d]", inode), filepath.Join(p.root, dir, "fd", "7")); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *proc) reader() *Reader {
	return &Reader{root: p.root, uid: os.Getuid(), hosts: func() ([]netip.Addr, string) {
		return []netip.Addr{netip.MustParseAddr("10.1.2.3")}, "node7.cluster"
	}}
}

// socket is a line of /proc/net/tcp.
func socket(addr string, uid, inode int) string {
	return fmt.Sprintf("   0: %s 00000000:0000 0A 00000000:00000000 00:00000000 00000000  %d        0 %d 1 0000 100 0 0 10 0\n", addr, uid, inode)
}

const (
	loopback8081 = "0100007F:1F91"
	any8081      = "00000000:1F91"
	node8081     = "0302010A:1F91"
)

func TestProcess(t *testing.T) {
	me := os.Getuid()
	p := newProc(t, socket(any8081, me, 11), socket(loopback8081, me, 12), socket("0100007F:1F92", me, 13), socket("0100007F:1F93", me+1, 14),
		socket("0100007F:1F94", me, 15), socket("0100007F:1F95", me, 16), socket("0100007F:1F96", me, 17))
	p.process(100, 1, 11, "python -m dynamo.vllm --model a -tp 2", "DYN_SYSTEM_PORT=8081 HF_TOKEN=x DYN_NAMESPACE=prod")
	p.process(200, 1, 12, "python -m sglang.launch_server --model b --tp 4 --api-key s3cret", "")
	p.process(300, 301, 13, "sglang::http", "") // renamed itself
	p.process(301, 1, 0, "python -m sglang.launch_server --tp 8", "")
	p.process(400, 1, 15, "/usr/bin/docker-proxy -host-port 8084", "")
	p.process(500, 1, 16, "nginx: master process", "")
	p.process(600, 601, 17, "python -c spawn", "") // a child that inherited the socket
	p.process(601, 1, 17, "python -m dynamo.mocker --engine-type vllm", "")
	r := p.reader()
	for _, c := range []struct {
		instance string
		pid      int
		err      string
	}{
		{"127.0.0.1:8081", 200, ""}, {"10.1.2.3:8081", 100, ""}, {"10.1.2.3:8081/other", 100, ""}, {"node7:8082", 301, ""}, {"localhost:8086", 601, ""},
		{"127.0.0.1:8083", 0, fmt.Sprintf("belongs to user id %d", me+1)},
		{"127.0.0.1:8084", 0, "in a container"}, {"127.0.0.1:8085", 0, "no engine"}, {"127.0.0.1:9999", 0, "listens on port 9999"},
		{"10.9.9.9:8081", 0, "another machine"}, {"example.org:8081", 0, "may be another machine"}, {"nonsense", 0, "has no port"}, {"h:0", 0, "has no port"},
	} {
		got, err := r.Process(context.Background(), c.instance)
		if got.PID != c.pid || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %d, %v", c.instance, got.PID, err)
		}
		if strings.Contains(strings.Join(got.Args, " "), "s3cret") {
			t.Errorf("%s: %q", c.instance, got.Args)
		}
	}
	v, err := r.Process(context.Background(), "10.1.2.3:8081")
	if err != nil || v.Env["DYN_NAMESPACE"] != "prod" || v.Env["HF_TOKEN"] != "" || v.Program != "dynamo.vllm" || !v.Dynamo {
		t.Errorf("%+v, %v", v, err)
	}
	r.uid++ // now they are somebody else's
	v, err = r.Process(context.Background(), "10.1.2.3:8081")
	if err != nil || v.Env != nil || v.EnvNote == "" || v.given["tp"].value != "2" {
		t.Errorf("%+v, %v", v, err)
	}
	r.root = filepath.Join(r.root, "missing")
	if _, err := r.Process(context.Background(), "127.0.0.1:8081"); err == nil || !strings.Contains(err.Error(), "only Linux") {
		t.Error(err)
	}
}

func TestFlagsInOrder(t *testing.T) {
	p := newProc(t, socket(node8081, os.Getuid(), 11))
	p.process(100, 1, 11, "python -m dynamo.sglang --model b --tp 4 --page-size 1 --served-model-name q", "DYN_SYSTEM_PORT=8081 DYN_NAMESPACE=prod")
	info, err := DecodeServerInfo(read(t, "server_info.json"))
	if err != nil {
		t.Fatal(err)
	}
	figures := map[string]float64{"engine.page_size": 64, "model.block_size": 16, "model.max_num_seqs": 48, "engine.context_length": 40960}
	f := p.reader().Flags(context.Background(), Question{Instance: "10.1.2.3:8081", Info: info, Figures: figures})
	for name, want := range map[string]Flag{
		"tp":             {Value: "4", Source: FromProcess, Origin: "--tp"},
		"namespace":      {Value: "prod", Source: FromProcess, Origin: "DYN_NAMESPACE"},
		"kv_dtype":       {Value: "fp8_e4m3", Source: FromRoute, Origin: "kv_cache_dtype"},
		"context_length": {Value: "40960", Source: FromFigures, Origin: "engine.context_length"},
		"max_running":    {Value: "48", Source: FromFigures, Origin: "model.max_num_seqs"},
		"max_queued":     {Value: "unlimited", Source: FromDefault, Origin: "--max-queued-requests"},
	} {
		if got := f.Values[name]; got.Value != want.Value || got.Source != want.Source || got.Origin != want.Origin {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	// What was asked for and what became of it stand side by side.
	if v := f.Values["page_size"]; v.Value != "1" || len(v.Others) != 2 || v.Others[0].Value != "64" || v.Others[1].Value != "16" {
		t.Errorf("%+v", v)
	}
	if f.Source != FromProcess || f.Unknown != "" || f.Engine != "sglang" {
		t.Errorf("%+v", f)
	}
	f = p.reader().Flags(context.Background(), Question{Instance: "10.9.9.9:8081", Engine: "vllm", Figures: figures})
	if f.Source != FromFigures || f.Values["max_running"].Value != "48" || f.Values["max_running"].Note == "" || f.Process != nil || !strings.Contains(f.Unknown, "hint:") {
		t.Errorf("%+v", f)
	}
	if _, ok := f.Values["tp"]; ok {
		t.Error("a default is shown for a worker that nobody could read")
	}
	p.process(100, 1, 0, "python -m dynamo.sglang --model b --config /etc/worker.yaml", "")
	f = p.reader().Flags(context.Background(), Question{Instance: "10.1.2.3:8081"})
	if _, ok := f.Values["max_queued"]; ok || !strings.Contains(f.Unknown, "/etc/worker.yaml may set more") {
		t.Errorf("%+v", f)
	}
	f = p.reader().Flags(context.Background(), Question{Instance: "10.9.9.9:8081"})
	if f.Source != "" || len(f.Values) != 0 || f.Unknown == "" {
		t.Errorf("%+v", f)
	}
}

// TestRealProcess reads a process of this machine, with a secret on its line.
func TestRealProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("/proc is Linux's")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Args = []string{"sglang", "serve", "--model", "x", "--tp", "2", "--api-key", "s3cret"}
	cmd.Env = []string{"DYN_TEST_WORKER=1", "HF_TOKEN=hf_s3cret", "NCCL_DEBUG=WARN"}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = cmd.Wait() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	f := NewReader().Flags(context.Background(), Question{Instance: strings.TrimSpace(line)})
	if f.Process == nil || f.Process.PID != cmd.Process.Pid || f.Values["tp"].Value != "2" || f.Process.Env["NCCL_DEBUG"] != "WARN" {
		t.Fatalf("%+v", f)
	}
	if s := fmt.Sprintf("%+v %+v", f, *f.Process); strings.Contains(s, "s3cret") {
		t.Errorf("a secret is in %s", s)
	}
}

func FuzzSockets(f *testing.F) {
	f.Add([]byte(socket(loopback8081, 0, 3)))
	f.Add([]byte(socket("00000000000000000000000001000000:1F90", 0, 3)))
	f.Add([]byte("x y z 0A"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, l := range parseSockets(raw) {
			if !l.addr.IsValid() || l.inode == 0 {
				t.Fatalf("%+v", l)
			}
		}
		parseParent(raw)
	})
}
