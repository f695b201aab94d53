package discover

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed ports.csv
var portsCSV string

//go:embed programs.csv
var programsCSV string

//go:embed params.csv
var paramsCSV string

//go:embed families.csv
var familiesCSV string

// Port is one row of ports.csv: a documented port, or Count of them in a row.
type Port struct {
	Port, Count int
	What        string // what documentation puts there: "Dynamo frontend"
	Ask         string // path asked first: /metrics or /v1/models
	Then        string // path asked when Ask gives 404, or empty
	Source      string // where the number is documented
}

// program is one row of programs.csv: how a command line is recognised.
type program struct {
	name, kind string
	match      []string // "-m" MODULE, or a script's base name; then a sub-command
}

// param is one row of params.csv: a flag or variable that programs of some
// kinds read.
type param struct {
	kinds           []string
	how             rule // byFlag or byEnv
	name            string
	reads           string // port, host, prefix
	what            string
	ask, then, page string
	hint            string // when a readable environment lacks it
}

// family is one row of families.csv: a page the catalogue has no key for. The
// name may end in "*".
type family struct{ role, engine, name string }

type tables struct {
	ports    []Port
	programs []program
	params   []param
	families []family
}

var builtin = sync.OnceValue(func() tables {
	t, err := loadTables(portsCSV, programsCSV, paramsCSV, familiesCSV)
	if err != nil {
		// A broken table is a broken build, which the tests find.
		panic(fmt.Sprintf("load the built-in tables of discovery: %v", err))
	}
	return t
})

// Ports are the documented ports, in the order they are asked.
func Ports() []Port { return slices.Clone(builtin().ports) }

func loadTables(ports, programs, params, families string) (t tables, err error) {
	err = eachRow("ports.csv", ports, 6, func(c []string) error {
		p := Port{What: c[2], Ask: c[3], Then: c[4], Source: c[5]}
		if p.Port, err = strconv.Atoi(c[0]); err != nil {
			return fmt.Errorf("port %q is no number", c[0])
		}
		if p.Count, err = strconv.Atoi(c[1]); err != nil || p.Count < 1 || p.Port < 1 || p.Port+p.Count > 65536 {
			return fmt.Errorf("port %s × %s is out of range", c[0], c[1])
		}
		t.ports = append(t.ports, p)
		return checkPaths(p.Ask, p.Then)
	})
	if err != nil {
		return t, err
	}
	err = eachRow("programs.csv", programs, 3, func(c []string) error {
		t.programs = append(t.programs, program{name: c[0], kind: c[1], match: strings.Fields(c[2])})
		if len(t.programs[len(t.programs)-1].match) == 0 || c[1] == "" {
			return fmt.Errorf("%q has nothing to be recognised by", c[0])
		}
		return nil
	})
	if err != nil {
		return t, err
	}
	err = eachRow("params.csv", params, 9, func(c []string) error {
		p := param{kinds: strings.Fields(c[0]), name: c[2], reads: c[3], what: c[4], ask: c[5], then: c[6], page: c[7], hint: c[8]}
		p.how = map[string]rule{"flag": byFlag, "env": byEnv}[c[1]]
		t.params = append(t.params, p)
		switch {
		case p.how == 0:
			return fmt.Errorf("%s is neither flag nor env", p.name)
		case p.reads == "host" || p.reads == "prefix":
			return nil
		case p.reads != "port" || p.page == "":
			return fmt.Errorf("%s reads %q", p.name, p.reads)
		}
		return checkPaths(p.ask, p.then)
	})
	if err != nil {
		return t, err
	}
	return t, eachRow("families.csv", families, 4, func(c []string) error {
		t.families = append(t.families, family{role: c[0], engine: c[1], name: c[2]})
		if c[0] == "" || c[2] == "" {
			return fmt.Errorf("a row without role or family")
		}
		return nil
	})
}

// checkPaths holds the law: nothing but these two identifies a port.
func checkPaths(ask, then string) error {
	if (ask == pathMetrics || ask == pathModels) && (then == "" || then == pathModels && ask != then) {
		return nil
	}
	return fmt.Errorf("asks %q, then %q: a port is identified by %s or %s", ask, then, pathMetrics, pathModels)
}

func eachRow(file, text string, columns int, row func([]string) error) error {
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = columns
	rows, err := r.ReadAll()
	if err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	for i, cells := range rows[min(1, len(rows)):] {
		if err := row(cells); err != nil {
			return fmt.Errorf("read %s:%d: %w", file, i+2, err)
		}
	}
	return nil
}
