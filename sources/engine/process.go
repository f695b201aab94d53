package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"dynascope/sources/text"
)

// Bounds of one look at /proc.
const (
	maxSockets   = 8 << 20 // bytes of /proc/net/tcp
	maxProcesses = 1 << 16
	maxFiles     = 1 << 16 // open files of one process
	maxParents   = 6
)

// Process is what a local process tells of itself, redacted.
type Process struct {
	PID     int
	UID     int
	Program string // "dynamo.sglang", "sglang", …; of an unknown program the base name of its first argument
	Engine  string // as in Setting; empty for a program that is none
	Dynamo  bool
	Args    []string          // the whole command line
	Env     map[string]string // DYN_*, SGLANG_*, VLLM_*, TRTLLM_*, NCCL_*, CUDA_VISIBLE_DEVICES; nil when it cannot be read
	EnvNote string            // why Env is nil

	given map[string]given
	note  string // of the program
}

// listener is one listening TCP socket.
type listener struct {
	addr  netip.AddrPort
	uid   int
	inode uint64
}

// parseSockets reads /proc/net/tcp or tcp6 and keeps who listens.
func parseSockets(raw []byte) (out []listener) {
	for line := range bytes.Lines(raw) {
		f := strings.Fields(string(line))
		if len(f) < 10 || f[3] != "0A" {
			continue
		}
		addr, ok := parseHexAddr(f[1])
		uid, err1 := strconv.ParseUint(f[7], 10, 32)
		inode, err2 := strconv.ParseUint(f[9], 10, 64)
		if ok && err1 == nil && err2 == nil && inode != 0 {
			out = append(out, listener{addr: addr, uid: int(uid), inode: inode})
		}
	}
	return out
}

// parseHexAddr reads "0100007F:1F90": an address in words of four bytes, each
// in the machine's order (little-endian on all machines with these engines),
// and a port.
func parseHexAddr(s string) (netip.AddrPort, bool) {
	ip, port, _ := strings.Cut(s, ":")
	p, err := strconv.ParseUint(port, 16, 16)
	if err != nil || len(ip) != 8 && len(ip) != 32 {
		return netip.AddrPort{}, false
	}
	b := make([]byte, 0, 16)
	for i := 0; i < len(ip); i += 8 {
		w, err := strconv.ParseUint(ip[i:i+8], 16, 32)
		if err != nil {
			return netip.AddrPort{}, false
		}
		b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	a, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), true
}

// unknownError says why a process could not be read; its text is a sentence
// with what would reveal it.
type unknownError struct{ why string }

func (e unknownError) Error() string { return e.why }

func unknownf(format string, args ...any) error { return unknownError{fmt.Sprintf(format, args...)} }

// Process finds the local process that listens on an instance's host:port and
// reads its command line and, where it is this user's, its environment. Every
// error says what would reveal the flags. It reads /proc only: nothing is sent
// to anybody.
func (r *Reader) Process(ctx context.Context, instance string) (Process, error) {
	addr, err := r.local(instance)
	if err != nil {
		return Process{}, err
	}
	found, err := r.listeners(addr)
	if err != nil {
		return Process{}, err
	}
	if len(found) == 0 {
		return Process{}, unknownf("no process in this network namespace listens on port %d; hint: run dynascope inside the worker's container", addr.Port())
	}
	pids, err := r.holders(ctx, found)
	if err != nil {
		return Process{}, err
	}
	if len(pids) == 0 {
		if uid := found[0].uid; uid != r.uid {
			return Process{}, unknownf("the process on port %d belongs to user id %d; hint: run dynascope as that user", addr.Port(), uid)
		}
		return Process{}, unknownf("the process on port %d is not visible here; hint: run dynascope where the worker runs", addr.Port())
	}
	return r.pick(pids)
}

// local refuses instances of other machines.
func (r *Reader) local(instance string) (netip.AddrPort, error) {
	instance, _, _ = strings.Cut(instance, "/") // host:port/path where two targets share an address
	host, port, err := net.SplitHostPort(instance)
	if err != nil {
		return netip.AddrPort{}, unknownf("the address %q has no port", text.Clean(instance, 80))
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil || p == 0 {
		return netip.AddrPort{}, unknownf("the address %q has no port", text.Clean(instance, 80))
	}
	own, name := r.hosts()
	if short, _, _ := strings.Cut(name, "."); host == "localhost" || name != "" && (host == name || host == short) {
		return netip.AddrPortFrom(netip.Addr{}, uint16(p)), nil // whatever address of this machine
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}, unknownf("%s may be another machine; hint: run dynascope there, or give the target by an address of this machine", text.Clean(host, 80))
	}
	if a = a.Unmap().WithZone(""); a.IsLoopback() || slices.Contains(own, a) {
		return netip.AddrPortFrom(a, uint16(p)), nil
	}
	return netip.AddrPort{}, unknownf("%s is another machine; hint: run dynascope there, or open the worker's engine route", a)
}

// thisHost is the addresses and the name of this machine.
func thisHost() (addrs []netip.Addr, name string) {
	name, _ = os.Hostname()
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, name
	}
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			addrs = append(addrs, p.Addr().Unmap())
		}
	}
	return addrs, name
}

// listeners are the sockets that take connections to an address: those bound
// to it, else those bound to all addresses.
func (r *Reader) listeners(addr netip.AddrPort) ([]listener, error) {
	var exact, any []listener
	var errs []error
	for _, name := range []string{"net/tcp", "net/tcp6"} {
		raw, err := readFile(filepath.Join(r.root, name), maxSockets)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, l := range parseSockets(raw) {
			switch {
			case l.addr.Port() != addr.Port():
			case l.addr.Addr() == addr.Addr() || !addr.Addr().IsValid():
				exact = append(exact, l)
			case l.addr.Addr().IsUnspecified():
				any = append(any, l)
			}
		}
	}
	if len(errs) == 2 {
		return nil, unknownf("the sockets of this machine cannot be read; hint: flags are read from /proc, which only Linux has")
	}
	if len(exact) > 0 {
		return exact, nil
	}
	return any, nil
}

// holders are the processes that have one of the sockets open.
func (r *Reader) holders(ctx context.Context, sockets []listener) (pids []int, err error) {
	links, uids := map[string]bool{}, map[int]bool{}
	for _, l := range sockets {
		links[fmt.Sprintf("socket:[%d]", l.inode)] = true
		uids[l.uid] = true
	}
	for _, pid := range r.pids() {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("look for the worker's process: %w", err)
		}
		dir := filepath.Join(r.root, strconv.Itoa(pid))
		// The user of a socket is that of the process that made it; skipping
		// the others keeps a node with ten thousand processes quick. Root may
		// have dropped to another user since.
		if uid, ok := owner(dir); !ok || !uids[uid] && !uids[0] {
			continue
		}
		if holds(filepath.Join(dir, "fd"), links) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

func (r *Reader) pids() (out []int) {
	d, err := os.Open(r.root)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(maxProcesses)
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil && pid > 0 {
			out = append(out, pid)
		}
	}
	slices.Sort(out)
	return out
}

func holds(fdDir string, links map[string]bool) bool {
	d, err := os.Open(fdDir)
	if err != nil {
		return false
	}
	defer d.Close()
	names, _ := d.Readdirnames(maxFiles)
	for _, n := range names {
		if to, err := os.Readlink(filepath.Join(fdDir, n)); err == nil && links[to] {
			return true
		}
	}
	return false
}

// pick chooses among the processes that hold a socket, and their parents, the
// one whose command line is an engine's. Children inherit sockets, and some
// rename themselves.
func (r *Reader) pick(pids []int) (Process, error) {
	tried := map[int]bool{}
	var other *Process
	for _, pid := range pids {
		for up := 0; pid > 1 && up < maxParents && !tried[pid]; up++ {
			tried[pid] = true
			p, err := r.read(pid)
			if err != nil {
				break
			}
			if p.Engine != "" {
				return p, nil
			}
			if other == nil {
				other = &p
			}
			pid = r.parent(pid)
		}
	}
	switch {
	case other == nil:
		return Process{}, unknownf("the worker's process ended or cannot be read; hint: look again")
	case other.note != "":
		return Process{}, unknownf("%s holds the port: %s", other.Program, other.note)
	}
	return Process{}, unknownf("the port is held by process %d, %q, which is no engine this program knows", other.PID, other.Program)
}

// read reads one process.
func (r *Reader) read(pid int) (Process, error) {
	dir := filepath.Join(r.root, strconv.Itoa(pid))
	raw, err := readFile(filepath.Join(dir, "cmdline"), maxCmdline)
	if err != nil {
		return Process{}, err
	}
	args := parseCmdline(raw)
	p := Process{PID: pid, Args: RedactArgs(args)}
	p.UID, _ = owner(dir)
	known, at, ok := programOf(args)
	if !ok {
		if len(args) > 0 {
			p.Program = text.Safe(filepath.Base(args[0]), 60)
		}
		return p, nil
	}
	p.Program, p.Engine, p.Dynamo, p.note = known.name, known.engine, known.dynamo, known.note
	own := settingsOf(known.engine, known.dynamo)
	p.given = parseFlags(args[at:], own)
	if known.match == "vllm serve" && at < len(args) && !isFlag(args[at]) {
		p.given["model_path"] = given{value: args[at], origin: "vllm serve"}
	}
	for name, g := range p.given {
		p.given[name] = given{value: shown(g.origin, g.value), origin: text.Safe(g.origin, 80)}
	}
	switch env, err := r.environ(dir, p.UID); {
	case err != nil:
		p.EnvNote = err.Error()
	default:
		p.Env = env
		for _, s := range own {
			if _, onLine := p.given[s.Name]; s.env != "" && !onLine {
				if v, ok := env[s.env]; ok {
					p.given[s.Name] = given{value: v, origin: s.env}
				}
			}
		}
	}
	return p, nil
}

// environ reads the environment of this user's own processes, even for root:
// what others put into theirs is not ours to show.
func (r *Reader) environ(dir string, uid int) (map[string]string, error) {
	if uid != r.uid {
		return nil, unknownf("its environment belongs to user id %d; hint: run dynascope as that user", uid)
	}
	raw, err := readFile(filepath.Join(dir, "environ"), maxEnviron)
	if err != nil {
		return nil, unknownf("its environment cannot be read; hint: it may run in another container or have dropped privileges")
	}
	return parseEnviron(raw), nil
}

// parent is the parent's id, 0 when unknown.
func (r *Reader) parent(pid int) int {
	raw, err := readFile(filepath.Join(r.root, strconv.Itoa(pid), "stat"), 4096)
	if err != nil {
		return 0
	}
	return parseParent(raw)
}

// parseParent reads /proc/PID/stat: "12 (a (b) c) S 1 …".
func parseParent(raw []byte) int {
	end := bytes.LastIndexByte(raw, ')')
	if end < 0 {
		return 0
	}
	f := bytes.Fields(raw[end+1:])
	if len(f) < 2 {
		return 0
	}
	ppid, err := strconv.Atoi(string(f[1]))
	if err != nil || ppid < 0 {
		return 0
	}
	return ppid
}

// readFile reads at most limit bytes: files under /proc have no size.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil, err
	}
	return raw, nil
}
