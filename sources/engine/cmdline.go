package engine

import (
	"path"
	"strings"
)

// parseCmdline splits the bytes of /proc/PID/cmdline. A process that renamed
// itself ("sglang::scheduler") has one argument, padded with zeros.
func parseCmdline(raw []byte) []string {
	s := strings.TrimRight(string(raw[:min(len(raw), maxCmdline)]), "\x00")
	if s == "" {
		return nil
	}
	args := strings.SplitN(s, "\x00", maxArgs+1)
	return args[:min(len(args), maxArgs)]
}

// programOf tells a program by its command line: the module after -m, the
// script, or a tool and its subcommand. at is the index of the first argument
// that belongs to it.
func programOf(args []string) (p program, at int, ok bool) {
	interpreter := len(args) > 0 && strings.HasPrefix(path.Base(args[0]), "python")
	for i, a := range args {
		if i > 6 {
			break // what an interpreter takes before its script is short
		}
		for _, p := range programs {
			tool, sub, hasSub := strings.Cut(p.match, " ")
			switch {
			case hasSub:
				if path.Base(a) == tool && i+1 < len(args) && args[i+1] == sub && (i == 0 || interpreter) {
					return p, i + 2, true
				}
			case strings.Contains(p.match, "/"):
				if interpreter && (a == p.match || strings.HasSuffix(a, "/"+p.match)) {
					return p, i + 1, true
				}
			case strings.Contains(p.match, "."):
				// Also as dynamo.sglang.main and, by console script, as a path.
				if i > 0 && args[i-1] == "-m" && (a == p.match || strings.HasPrefix(a, p.match+".")) ||
					interpreter && strings.HasSuffix(a, "/"+strings.ReplaceAll(p.match, ".", "/")+"/__main__.py") {
					return p, i + 1, true
				}
			default:
				if path.Base(a) == p.match && (i == 0 || interpreter) {
					return p, i + 1, true
				}
			}
		}
	}
	return program{}, 0, false
}

// given is a setting as a command line gives it.
type given struct {
	value  string // as it came from parseFlags, redacted in a Process
	origin string // the flag or variable
}

// parseFlags reads a command line as argparse does: "--flag value",
// "--flag=value", switches, lists ("--cuda-graph-bs 1 2 4"), the last one
// counts. Underscores and dashes are one: vLLM takes both. A file named by
// --config is not read.
func parseFlags(args []string, known []Setting) map[string]given {
	type hit struct {
		setting Setting
		s       spelling
	}
	byFlag := map[string]hit{}
	for _, s := range known {
		for _, sp := range s.flags {
			byFlag[sp.flag] = hit{s, sp}
		}
	}
	out := map[string]given{}
	for i := 0; i < len(args); i++ {
		a := args[i]
		if !isFlag(a) {
			continue
		}
		flag, value, hasValue := strings.Cut(a, "=")
		name := flag
		if strings.HasPrefix(flag, "--") {
			name = strings.ReplaceAll(flag, "_", "-")
		}
		h, ok := byFlag[name]
		if !ok {
			continue
		}
		if h.s.isSwitch {
			out[h.setting.Name] = given{value: h.s.value, origin: flag}
			// A switch with a value says so itself: --enable-x=false, or the
			// newer --enable-x false.
			if !hasValue && i+1 < len(args) && isBool(args[i+1]) {
				value, hasValue = args[i+1], true
			}
			if hasValue && isBool(value) && isBool(h.s.value) {
				on := truthy(value) == truthy(h.s.value)
				out[h.setting.Name] = given{value: map[bool]string{true: "true", false: "false"}[on], origin: flag}
			}
			continue
		}
		if !hasValue {
			var values []string
			for i+1 < len(args) && !isFlag(args[i+1]) {
				i++
				values = append(values, args[i])
			}
			value = strings.Join(values, " ")
		}
		out[h.setting.Name] = given{value: value, origin: flag}
	}
	return out
}

// isFlag tells a flag from a value; "-1" is a value.
func isFlag(a string) bool {
	return len(a) > 1 && a[0] == '-' && (a[1] < '0' || a[1] > '9') && a[1] != '.'
}

func isBool(s string) bool {
	switch strings.ToLower(s) {
	case "true", "false", "1", "0", "on", "off", "yes", "no":
		return true
	}
	return false
}

func truthy(s string) bool {
	switch strings.ToLower(s) {
	case "true", "1", "on", "yes":
		return true
	}
	return false
}
