package scenario

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strings"
)

//go:embed shipped/*.yaml
var shipped embed.FS

// Names lists the shipped scenarios, sorted.
func Names() []string {
	entries, err := shipped.ReadDir("shipped")
	if err != nil {
		panic(err) // embedded: it is there or the program was not built
	}
	var out []string
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	sort.Strings(out)
	return out
}

// Load reads a shipped scenario by its name, or a file by its path: whatever
// holds a slash or ends in .yaml or .yml. What is wrong with its content is
// reported as Errors.
func Load(nameOrPath string) (*Scenario, error) {
	if strings.ContainsRune(nameOrPath, filepath.Separator) || isYAML(nameOrPath) {
		data, err := os.ReadFile(nameOrPath)
		if err != nil {
			return nil, fmt.Errorf("reading scenario: %w; hint: shipped are %s", err, strings.Join(Names(), ", "))
		}
		return Parse(nameOrPath, data)
	}
	data, err := shipped.ReadFile("shipped/" + nameOrPath + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("reading scenario: none is called %q; hint: %s", clip(nameOrPath), hintFor(clip(nameOrPath), Names()))
	}
	return Parse(nameOrPath+".yaml", data)
}

// Parse reads a scenario from YAML; file is its name in messages. The result is
// complete (defaults applied) and valid. What is wrong is reported as Errors.
func Parse(file string, data []byte) (*Scenario, error) {
	s, errs := decode(file, data)
	if len(errs) > 0 {
		return nil, errs
	}
	s.complete()
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return s, nil
}

func isYAML(path string) bool {
	return strings.HasSuffix(path, ".yaml") || strings.HasSuffix(path, ".yml")
}

// complete fills in what depends on other keys: the defaults that the document
// describes in words.
func (s *Scenario) complete() {
	if s.Name == "" {
		base := filepath.Base(s.file)
		s.Name = nameFrom(strings.TrimSuffix(base, filepath.Ext(base)))
	}
	d := &s.Deployment
	if len(d.Pools) == 0 {
		d.Pools = []Pool{newPool()}
	}
	for i := range d.Pools {
		p := &d.Pools[i]
		if p.Name == "" {
			p.Name = string(p.Role)
		}
		if p.Model == "" && len(d.Models) > 0 {
			p.Model = d.Models[0]
		}
		if p.Generation == "" {
			p.Generation = d.Generation
		}
		if p.Engine == "" {
			p.Engine = d.Engine
		}
	}
	for i := range s.Load {
		if s.Load[i].To == 0 {
			s.Load[i].To = s.Duration
		}
	}
	for i := range s.Faults {
		f := &s.Faults[i]
		if rule := ruleOf(f.Kind); rule != nil && len(f.Target) == 0 {
			f.Target = Targets{{Kind: rule.targets[0], Index: -1, Rank: -1}}
			if f.Kind == SlowStage && d.Router.Standalone && slices.Contains(routerStages, f.Stage) {
				f.Target[0].Kind = TargetRouter
			}
		}
	}
	for i := range s.Expect {
		if s.Expect[i].To == 0 {
			s.Expect[i].To = s.Duration
		}
	}
}

// nameFrom makes a file's name a scenario's: other signs become dashes.
func nameFrom(base string) string {
	name := strings.Trim(strings.Map(func(r rune) rune {
		if r < 0x80 && scenarioName.MatchString(string(r)) || strings.ContainsRune("._-", r) {
			return r
		}
		return '-'
	}, base), "._-")
	if name == "" {
		return "unnamed"
	}
	return name[:min(len(name), 64)]
}

// newPool is a pool with every default.
func newPool() Pool {
	var p Pool
	setDefaults(reflect.ValueOf(&p).Elem())
	return p
}
