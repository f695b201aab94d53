package discover

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"dynascope/sources/text"
)

// Bounds on what is read of /proc.
const (
	maxProcesses   = 16384     // looked at
	maxPrograms    = 256       // recognised
	maxCommandLine = 64 << 10  // bytes
	maxEnvironment = 256 << 10 // bytes
)

// candidate is a port to ask, and how.
type candidate struct {
	port            int
	ask, then, page string
	why             []Reason
	frontend        bool   // a frontend's flag or variable names it
	prefix          string // that frontend's metrics prefix
}

// search reads the processes under a proc root and returns those it
// recognises with the ports they name.
func (t tables) search(ctx context.Context, root string) (programs []Program, found []candidate, notes []string) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, nil, []string{"local processes are not searched: " + text.Clean(err.Error(), 160)}
	}
	own, _ := os.Readlink(filepath.Join(root, "self", "ns", "net"))
	looked := 0
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid <= 0 || pid == os.Getpid() {
			continue
		}
		if looked++; looked > maxProcesses || len(programs) >= maxPrograms || ctx.Err() != nil {
			notes = append(notes, fmt.Sprintf("only the first %d processes were looked at", looked-1))
			break
		}
		dir := filepath.Join(root, e.Name())
		line, err := readSome(filepath.Join(dir, "cmdline"), maxCommandLine)
		if err != nil {
			continue // ended meanwhile, or hidden
		}
		args := splitNull(line)
		pr, flags, ok := t.recognise(args)
		if !ok {
			continue
		}
		p := Program{PID: pid, Name: pr.name}
		if ns, err := os.Readlink(filepath.Join(dir, "ns", "net")); err == nil && own != "" && ns != own {
			// Its ports are not ours: the same number on our loopback may be
			// anything.
			p.Notes = append(p.Notes, "in another network namespace (a container): name its ports with --target or --targets")
			programs = append(programs, p)
			continue
		}
		env, err := readSome(filepath.Join(dir, "environ"), maxEnvironment)
		if err != nil {
			p.Notes = append(p.Notes, hiddenEnvironment(dir, err))
		}
		found = append(found, t.portsOf(&p, pr, flags, environment(env, t.wanted(pr.kind)), err == nil)...)
		programs = append(programs, p)
	}
	return programs, found, notes
}

func hiddenEnvironment(dir string, err error) string {
	if !errors.Is(err, fs.ErrPermission) {
		return "its environment cannot be read: only flags name its ports"
	}
	who := "another user"
	if status, err := readSome(filepath.Join(dir, "status"), 4<<10); err == nil {
		for _, l := range strings.Split(string(status), "\n") {
			if f := strings.Fields(l); len(f) > 1 && f[0] == "Uid:" {
				who = "uid " + text.Clean(f[1], 12)
			}
		}
	}
	return "its environment is only readable by " + who + ": only flags name its ports; hint: run dynascope as that user, or --target"
}

// portsOf are the ports a program names by its flags and, where no flag does
// so, by its environment.
func (t tables) portsOf(p *Program, pr program, flags []string, env map[string]string, readable bool) []candidate {
	var out []candidate
	set := map[string]bool{} // by what the parameter is for
	prefix := ""
	for _, pa := range t.params {
		if !slices.Contains(pa.kinds, pr.kind) || set[pa.what] {
			continue
		}
		value, given := flagValue(flags, pa.name)
		if pa.how == byEnv {
			value, given = env[pa.name]
		}
		if !given {
			if pa.hint != "" && (pa.how == byFlag || readable) {
				p.Notes = append(p.Notes, pa.hint)
			}
			continue
		}
		set[pa.what] = true
		switch pa.reads {
		case "prefix":
			prefix = text.Clean(value, 64)
		case "host":
			if ip := net.ParseIP(strings.Trim(value, "[]")); ip != nil && !ip.IsLoopback() && !ip.IsUnspecified() {
				p.Notes = append(p.Notes, fmt.Sprintf("%s %s: not on loopback; hint: --target http://%s:PORT", pa.name, ip, ip))
			}
		default:
			port, err := strconv.Atoi(strings.TrimSpace(value))
			switch {
			case err != nil || port > 65535:
				p.Notes = append(p.Notes, pa.name+" is no port number")
			case port < 0 && pa.hint != "":
				p.Notes = append(p.Notes, pa.hint)
			case port == 0 && pa.how == byEnv && pa.hint != "":
				p.Notes = append(p.Notes, pa.name+"=0: the port is not known, or off; hint: give it a number, or --target")
			case port > 0:
				out = append(out, candidate{
					port: port, ask: pa.ask, then: pa.then, page: pa.page,
					why:      []Reason{{Rule: pa.how, What: pa.what, PID: p.PID, Name: pa.name}},
					frontend: pr.kind == roleFrontend && pa.what != "system port",
				})
				if !slices.Contains(p.Ports, port) {
					p.Ports = append(p.Ports, port)
				}
			}
		}
	}
	for i := range out {
		if out[i].frontend {
			out[i].prefix = prefix
		}
	}
	return out
}

// wanted are the variables that programs of a kind read.
func (t tables) wanted(kind string) []string {
	var out []string
	for _, p := range t.params {
		if p.how == byEnv && slices.Contains(p.kinds, kind) {
			out = append(out, p.name)
		}
	}
	return out
}

// recognise tells which program a command line runs, and returns the
// arguments it gets. Only the interpreter's own grammar is followed, never
// text inside an argument: a wrapper (a shell, a profiler) has the real
// process below it.
func (t tables) recognise(args []string) (program, []string, bool) {
	what, rest := entryPoint(args)
	if what == nil {
		return program{}, nil, false
	}
	for _, pr := range t.programs {
		n := len(pr.match)
		switch {
		case pr.match[0] == "-m":
			if len(what) != 2 || what[0] != "-m" || what[1] != pr.match[1] && !strings.HasPrefix(what[1], pr.match[1]+".") {
				continue
			}
			n -= 2
		case len(what) != 1 || filepath.Base(what[0]) != pr.match[0]:
			continue
		default:
			n--
		}
		if n <= len(rest) && slices.Equal(rest[:n], pr.match[len(pr.match)-n:]) {
			return pr, rest[n:], true
		}
	}
	return program{}, nil, false
}

// entryPoint splits a command line into what runs ("-m" and a module, or a
// file) and its arguments.
func entryPoint(args []string) (what, rest []string) {
	if len(args) == 0 {
		return nil, nil
	}
	base := filepath.Base(args[0])
	if !strings.HasPrefix(base, "python") && !strings.HasPrefix(base, "pypy") {
		return args[:1], args[1:]
	}
	for i := 1; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "-m" && i+1 < len(args):
			return args[i : i+2], args[i+2:]
		case strings.HasPrefix(a, "-m") && len(a) > 2:
			return []string{"-m", a[2:]}, args[i+1:]
		case a == "-c" || a == "-" || a == "-m":
			return nil, nil
		case a == "-X" || a == "-W" || a == "--check-hash-based-pycs":
			i++
		case !strings.HasPrefix(a, "-"):
			return args[i : i+1], args[i+1:]
		}
	}
	return nil, nil
}

// flagValue is the value of --name X or --name=X; the last one counts.
func flagValue(args []string, name string) (value string, given bool) {
	for i, a := range args {
		if v, ok := strings.CutPrefix(a, name+"="); ok {
			value, given = v, true
		}
		if a == name && i+1 < len(args) {
			value, given = args[i+1], true
		}
	}
	return value, given
}

// environment keeps the named variables of an environ block; the first of two
// counts, as for the process itself.
func environment(block []byte, names []string) map[string]string {
	out := map[string]string{}
	for _, e := range splitNull(block) {
		name, value, ok := strings.Cut(e, "=")
		if _, twice := out[name]; ok && !twice && slices.Contains(names, name) {
			out[name] = value
		}
	}
	return out
}

func splitNull(b []byte) []string {
	b = bytes.TrimRight(b, "\x00")
	if len(b) == 0 {
		return nil
	}
	return strings.Split(string(b), "\x00")
}

// readSome reads at most limit bytes and drops the entry a cut went through.
func readSome(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(b) > limit {
		b = b[:bytes.LastIndexByte(b[:limit], 0)+1]
	}
	return b, nil
}
