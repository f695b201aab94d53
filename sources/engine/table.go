package engine

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed flags.csv
var flagsCSV string

//go:embed programs.csv
var programsCSV string

//go:embed figures.csv
var figuresCSV string

//go:embed routes.csv
var routesCSV string

// Setting is one row of flags.csv: how one engine spells one setting.
type Setting struct {
	Name    string // canonical, the same for all engines: "memory_share"
	Engine  string // "sglang", "vllm", "trtllm", "mocker", "frontend"; "dynamo" holds for all of Dynamo's processes
	Default string // what holds when nothing is given: a value, "auto", or empty when unknown
	Meaning string

	flags []spelling
	env   string  // environment variable, empty when there is none
	info  []field // names in server_info, the first that is there counts
}

// spelling is one flag; with a fixed value it is a switch that takes none.
type spelling struct {
	flag     string
	value    string
	isSwitch bool
}

type field struct {
	name   string
	negate bool
}

// Flag is the first spelling, as to be typed: "--mem-fraction-static". Empty
// where only the environment sets it.
func (s Setting) Flag() string {
	if len(s.flags) == 0 {
		return ""
	}
	return s.flags[0].flag
}

// program is one row of programs.csv: how a command line gives itself away.
type program struct {
	name, engine, match, note string
	dynamo                    bool
}

// FigureKey is one row of figures.csv: a figure of the catalogue that tells a
// setting.
type FigureKey struct {
	Name string // of the setting
	Key  string // of the catalogue
	Note string // of whom the figure is, where not of this worker
}

// Route is one row of routes.csv: what may be asked of an engine. Reads groups
// the dialects of one question; the first row that the server knows is used.
type Route struct {
	Reads         string // "loads", "server", "model", "models", "engine"
	Method, Path  string
	Interval      time.Duration // between two requests, at least
	Timeout       time.Duration
	Limit         int64  // bytes of the answer, at most
	Since, Until  string // releases or months, for the reader
	ChangesServer bool
	Cost, Note    string
}

var (
	settings = must(readSettings(flagsCSV))
	programs = must(readPrograms(programsCSV))
	figures  = must(readFigures(figuresCSV))
	routes   = must(readRoutes(routesCSV))
)

// Settings are all rows of flags.csv.
func Settings() []Setting { return slices.Clone(settings) }

// FigureKeys are the figures that tell settings, best first: those a caller
// may hand to Reader.Flags.
func FigureKeys() []FigureKey { return slices.Clone(figures) }

// Routes are all routes that this package may ask.
func Routes() []Route { return slices.Clone(routes) }

// must panics on a broken table: it is part of the program, and tests read it.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// readTable reads a CSV with exactly the given columns and hands each row to
// put.
func readTable(name, text string, columns []string, put func(c map[string]string) error) error {
	rd := csv.NewReader(strings.NewReader(text))
	rd.FieldsPerRecord = len(columns)
	rows, err := rd.ReadAll()
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if len(rows) == 0 || !slices.Equal(rows[0], columns) {
		return fmt.Errorf("read %s: its first line is not %s", name, strings.Join(columns, ","))
	}
	for i, r := range rows[1:] {
		c := make(map[string]string, len(columns))
		for j, col := range columns {
			c[col] = r[j]
		}
		if err := put(c); err != nil {
			return fmt.Errorf("read %s, row %d: %w", name, i+2, err)
		}
	}
	return nil
}

func readSettings(text string) (out []Setting, err error) {
	err = readTable("flags.csv", text, []string{"name", "engine", "flags", "env", "info", "default", "meaning"}, func(c map[string]string) error {
		s := Setting{Name: c["name"], Engine: c["engine"], Default: c["default"], Meaning: c["meaning"], env: c["env"]}
		if s.Name == "" || s.Engine == "" || s.Meaning == "" {
			return fmt.Errorf("%q needs a name, an engine and a meaning", s.Name)
		}
		if slices.ContainsFunc(out, func(o Setting) bool { return o.Name == s.Name && o.Engine == s.Engine }) {
			return fmt.Errorf("%s of %s is there twice", s.Name, s.Engine)
		}
		for _, f := range strings.Fields(c["flags"]) {
			flag, value, isSwitch := strings.Cut(f, "=")
			if !strings.HasPrefix(flag, "-") {
				return fmt.Errorf("flag %q does not begin with a dash", f)
			}
			s.flags = append(s.flags, spelling{flag: flag, value: value, isSwitch: isSwitch})
		}
		for _, f := range strings.Fields(c["info"]) {
			name, negate := strings.CutPrefix(f, "!")
			s.info = append(s.info, field{name: name, negate: negate})
		}
		out = append(out, s)
		return nil
	})
	return out, err
}

func readPrograms(text string) (out []program, err error) {
	err = readTable("programs.csv", text, []string{"program", "engine", "dynamo", "match", "note"}, func(c map[string]string) error {
		dynamo, err := strconv.ParseBool(c["dynamo"])
		if err != nil {
			return fmt.Errorf("dynamo is neither true nor false: %q", c["dynamo"])
		}
		out = append(out, program{name: c["program"], engine: c["engine"], match: c["match"], note: c["note"], dynamo: dynamo})
		return nil
	})
	return out, err
}

func readFigures(text string) (out []FigureKey, err error) {
	err = readTable("figures.csv", text, []string{"name", "key", "note"}, func(c map[string]string) error {
		out = append(out, FigureKey{Name: c["name"], Key: c["key"], Note: c["note"]})
		return nil
	})
	return out, err
}

func readRoutes(text string) (out []Route, err error) {
	columns := []string{"reads", "path", "method", "interval", "timeout", "limit", "since", "until", "changes", "cost", "note"}
	err = readTable("routes.csv", text, columns, func(c map[string]string) error {
		r := Route{Reads: c["reads"], Method: c["method"], Path: c["path"], Since: c["since"], Until: c["until"], Cost: c["cost"], Note: c["note"]}
		var errs [3]error
		r.Interval, errs[0] = time.ParseDuration(c["interval"])
		r.Timeout, errs[1] = time.ParseDuration(c["timeout"])
		r.Limit, errs[2] = strconv.ParseInt(c["limit"], 10, 64)
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		switch c["changes"] {
		case "no":
		case "yes":
			r.ChangesServer = true
		default:
			return fmt.Errorf("changes is neither yes nor no: %q", c["changes"])
		}
		out = append(out, r)
		return nil
	})
	return out, err
}

// dialects are the routes that answer one question, newest first.
func dialects(reads string) (out []Route) {
	for _, r := range routes {
		if r.Reads == reads {
			out = append(out, r)
		}
	}
	return out
}

// settingsOf are the settings of an engine; dynamo adds those of every Dynamo
// process. An unknown engine has none of its own.
func settingsOf(engine string, dynamo bool) (out []Setting) {
	for _, s := range settings {
		if s.Engine == engine && engine != "" || dynamo && s.Engine == "dynamo" {
			out = append(out, s)
		}
	}
	return out
}
