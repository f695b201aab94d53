package discover

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/common/model"

	"dynascope/sources/text"
)

// Limits of target files.
const (
	maxFileBytes    = 1 << 20
	maxFiles        = 256
	maxTargets      = 4096 // of all files together
	maxGroupLabels  = 64
	maxLabelValue   = 1024 // bytes
	maxTargetLength = 512  // bytes
)

// FileError is what is wrong with a target file, and where.
type FileError struct {
	File    string // as given
	Line    int    // from 1; 0 when it is the whole file
	Problem string // cleaned
	Hint    string // what to do, or empty
}

func (e *FileError) Error() string {
	s := "read targets " + text.Clean(e.File, 200)
	if e.Line > 0 {
		s += ":" + strconv.Itoa(e.Line)
	}
	s += ": " + e.Problem
	if e.Hint != "" {
		s += "; hint: " + e.Hint
	}
	return s
}

// word is a string of a file with its line.
type word struct {
	text string
	line int
}

// group is one entry of a target file, as written.
type group struct {
	line    int
	targets []word
	labels  []label
}

type label struct{ name, value word }

// parseTargets reads one target file: what Prometheus takes as file_sd, JSON
// or YAML by the file's extension. The first problem is the answer.
func parseTargets(file string, data []byte) ([]Target, error) {
	fail := func(line int, problem, hint string) ([]Target, error) {
		return nil, &FileError{File: file, Line: line, Problem: problem, Hint: hint}
	}
	switch {
	case len(data) > maxFileBytes:
		return fail(0, fmt.Sprintf("larger than %d bytes", maxFileBytes), "split it")
	case !utf8.Valid(data):
		return fail(0, "not UTF-8", "is it a target file?")
	}
	var groups []group
	var err *FileError
	switch strings.ToLower(filepath.Ext(file)) {
	case ".json":
		groups, err = parseJSON(data)
	case ".yml", ".yaml":
		groups, err = parseYAML(data)
	default:
		return fail(0, "neither .json nor .yml nor .yaml", "rename it as Prometheus wants it")
	}
	if err != nil {
		err.File = file
		return nil, err
	}
	var out []Target
	for _, g := range groups {
		ts, err := g.resolve()
		if err != nil {
			err.File = file
			return nil, err
		}
		out = append(out, ts...)
		if len(out) > maxTargets {
			return fail(g.line, fmt.Sprintf("more than %d targets", maxTargets), "a console is no fleet monitor: ask a Prometheus by --prometheus")
		}
	}
	return out, nil
}

// resolve makes the targets of a group: the address, with scheme, path and
// parameters from its labels. Other labels that start with "__" are
// Prometheus' own business and dropped.
func (g group) resolve() ([]Target, *FileError) {
	scheme, path, query := "http", "/metrics", url.Values{}
	labels := map[string]string{}
	if len(g.labels) > maxGroupLabels {
		return nil, &FileError{Line: g.line, Problem: fmt.Sprintf("more than %d labels", maxGroupLabels)}
	}
	for _, l := range g.labels {
		name, value := l.name.text, l.value.text
		bad := func(problem, hint string) ([]Target, *FileError) {
			return nil, &FileError{Line: l.name.line, Problem: problem, Hint: hint}
		}
		param, isParam := strings.CutPrefix(name, model.ParamLabelPrefix)
		switch {
		case !model.LegacyValidation.IsValidLabelName(name):
			return bad(fmt.Sprintf("%q cannot be a label name", text.Clean(name, 60)), "letters, digits and _")
		case len(value) > maxLabelValue:
			return bad(fmt.Sprintf("the value of label %s is longer than %d bytes", text.Clean(name, 60), maxLabelValue), "")
		case name == model.SchemeLabel:
			if scheme = value; value != "http" && value != "https" {
				return bad(fmt.Sprintf("%s is %q", name, text.Clean(value, 40)), "http or https")
			}
		case name == model.MetricsPathLabel:
			if path = value; !strings.HasPrefix(value, "/") || strings.ContainsAny(value, "?#") {
				return bad(fmt.Sprintf("%s is %q", name, text.Safe(value, 60)), "it starts with / and has neither ? nor #; parameters are __param_NAME")
			}
		case isParam && param != "":
			query.Set(param, value)
		case strings.HasPrefix(name, "__"):
		case name == model.JobLabel || name == model.InstanceLabel:
			// These two are given by the store; the file's keep what Prometheus
			// calls such labels.
			labels[model.ExportedLabelPrefix+name] = text.Clean(value, maxLabelValue)
		case name == model.BucketLabel || name == model.QuantileLabel:
			return bad("the label "+name+" belongs to histograms and summaries", "name it otherwise")
		default:
			labels[name] = text.Clean(value, maxLabelValue)
		}
	}
	out := make([]Target, 0, len(g.targets))
	for _, t := range g.targets {
		host, err := address(t)
		if err != nil {
			return nil, err
		}
		u := url.URL{Scheme: scheme, Host: host, Path: path, RawQuery: query.Encode()}
		out = append(out, Target{URL: u.String(), Labels: labels})
	}
	return out, nil
}

// address checks a host:port.
func address(w word) (string, *FileError) {
	s := strings.TrimSpace(w.text)
	shown := text.Safe(s, 80)
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		shown = text.Safe(s[i+1:], 80) // what stands before may be a password
	}
	bad := func(problem, hint string) (string, *FileError) {
		return "", &FileError{Line: w.line, Problem: fmt.Sprintf("target %q: %s", shown, problem), Hint: hint}
	}
	switch {
	case s == "":
		return bad("it is empty", "host:port")
	case len(s) > maxTargetLength:
		return bad("too long to be an address", "host:port")
	case strings.Contains(s, "@"):
		return bad("credentials do not belong here", "give them by flags, as for --target")
	case strings.Contains(s, "/"):
		return bad("host:port without scheme and path is wanted", "put them into the labels __scheme__ and __metrics_path__")
	case strings.ContainsAny(s, "?#%\\"):
		return bad("not a host:port", "host:port")
	}
	for _, r := range s {
		if r <= ' ' || r > '~' {
			return bad("the host name is not plain ASCII", "")
		}
	}
	u, err := url.Parse("http://" + s)
	if err != nil || u.Hostname() == "" || u.Host != s {
		return bad("not a host:port", "host:port")
	}
	if strings.HasSuffix(s, ":") {
		return bad("no port behind the colon", "host:port")
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return bad("the port is not in 1…65535", "")
		}
	}
	return strings.ToLower(s), nil
}
