package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// SystemFile may pin safety settings for everybody on a machine.
const SystemFile = "/etc/dynascope/config.yaml"

// Options say where to look.
type Options struct {
	Table   Table
	System  string   // the system's file; need not exist
	Environ []string // NAME=value, as os.Environ gives it
	Home    string   // for ~/.config when XDG_CONFIG_HOME is not set
}

// layer is where a value comes from, weakest first.
type layer int

const (
	byDefault layer = iota
	byFile
	byProfile
	byEnv
	byFlag
	byPin
)

// Origin says where a setting's value comes from.
type Origin struct {
	layer layer
	at    string // file:line:column, or the variable's name
}

func (o Origin) String() string {
	switch o.layer {
	case byPin:
		return "pinned by " + o.at
	case byFlag:
		return "flag"
	case byDefault:
		return "default"
	}
	return o.at
}

// Pinned says that the system's file holds the setting fast.
func (o Origin) Pinned() bool { return o.layer == byPin }

// Effective is what applies after merging.
type Effective struct {
	// Path is the user's file, empty when there is none; Profile its section
	// in force.
	Path, Profile string
	Keys          []Binding
	Panes         []Pane

	rows  []row
	stray []string // variables that name no setting
}

type row struct {
	set    Setting
	values []string
	origin Origin
}

// Of returns the origin of a setting by its flag's name.
func (e *Effective) Of(flag string) Origin {
	for _, r := range e.rows {
		if r.set.Flag == flag {
			return r.origin
		}
	}
	return Origin{}
}

// UserFile is the path of the user's file where none is named.
func UserFile(environ []string, home string) string {
	dir := lookup(environ, "XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) { // the standard says: relative ones are ignored
		if home == "" {
			return ""
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "dynascope", "config.yaml")
}

// Apply merges the layers into the flags of one command, whose own command
// line has been parsed: the user's file, its profile, the environment, flags,
// and what the system's file pins above all. Settings that the command has no
// flag for are checked and left alone. A file that cannot be read or holds an
// error is an error: nothing starts on half a configuration.
func Apply(flags *pflag.FlagSet, o Options) (*Effective, error) {
	pins, err := readSystem(o)
	if err != nil {
		return nil, err
	}
	e := &Effective{}
	file, err := o.userFile(flags)
	if err != nil {
		return nil, err
	}
	layers := map[layer]map[string]assigned{byFile: {}, byProfile: {}, byEnv: {}, byPin: pins}
	if file != nil {
		e.Path, e.Keys, e.Panes = file.Path, file.Keys, file.Panes
		layers[byFile] = fromFile(file.Settings)
		e.Profile = o.profile(flags, file)
		if e.Profile != "" {
			section, ok := file.Profiles[e.Profile]
			if !ok {
				return nil, unknownProfile(e.Profile, file)
			}
			layers[byProfile] = fromFile(section.Settings)
			e.Panes = slices.Concat(e.Panes, section.Panes)
		}
	} else if name := o.profile(flags, nil); name != "" {
		return nil, fmt.Errorf("take the profile %s: there is no configuration file; hint: write %s, or --config FILE", quoted(name), UserFile(o.Environ, o.Home))
	}
	if layers[byEnv], e.stray, err = o.environment(); err != nil {
		return nil, err
	}
	o.setAside(flags, layers)
	return e, e.assign(flags, o.Table, layers)
}

type assigned struct {
	values []string
	at     string
}

func fromFile(in map[string]Value) map[string]assigned {
	out := map[string]assigned{}
	for k, v := range in {
		out[k] = assigned{v.Items, v.At.String()}
	}
	return out
}

// readSystem reads the pins. That file holds nothing else: what is not safety
// belongs to the user.
func readSystem(o Options) (map[string]assigned, error) {
	raw, err := readFile(o.System)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the system's configuration: %w; hint: it may pin read_only, so nothing starts without it", err)
	}
	f, err := Parse(o.System, raw, o.Table)
	if err != nil {
		return nil, err
	}
	pins := map[string]assigned{}
	for key, v := range f.Settings {
		if !o.Table[key].Is(Safety) {
			return nil, fmt.Errorf("%s: %s is no safety setting; hint: this file pins read_only; the rest stands in each user's file", v.At, key)
		}
		if v.Items[0] == "true" { // a pin only ever adds safety
			pins[key] = assigned{v.Items, v.At.String()}
		}
	}
	if len(f.Keys)+len(f.Panes)+len(f.Profiles) > 0 {
		return nil, fmt.Errorf("%s: keys, panes and profiles stand in each user's file; hint: this file pins read_only", o.System)
	}
	return pins, nil
}

// readFile reads at most a byte more than Parse takes.
func readFile(path string) ([]byte, error) {
	if path == "" {
		return nil, fs.ErrNotExist
	}
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxBytes+1))
}

// userFile reads the file that the flag or the variable names, or the one in
// the usual place; nil when there is none there.
func (o Options) userFile(flags *pflag.FlagSet) (*File, error) {
	path, named := given(flags, "config"), true
	if path == "" {
		path = lookup(o.Environ, configVariable)
	}
	if path == "" {
		path, named = UserFile(o.Environ, o.Home), false
	}
	raw, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w; hint: --config FILE names another", err)
	}
	return Parse(path, raw, o.Table)
}

func (o Options) profile(flags *pflag.FlagSet, file *File) string {
	if p := given(flags, "profile"); p != "" {
		return p
	}
	if p := lookup(o.Environ, EnvPrefix+"PROFILE"); p != "" {
		return p
	}
	if file != nil && len(file.Settings["profile"].Items) > 0 {
		return file.Settings["profile"].Items[0]
	}
	return ""
}

// environment reads the variables that name settings. Others of the prefix
// are only reported: an orchestrator makes some of its own.
func (o Options) environment() (out map[string]assigned, stray []string, err error) {
	out = map[string]assigned{}
	byName := map[string]Setting{}
	for _, s := range o.Table {
		byName[s.Env] = s
	}
	for _, kv := range o.Environ {
		name, value, _ := strings.Cut(kv, "=")
		s, known := byName[name]
		if !known || s.Is(FlagOnly) {
			if strings.HasPrefix(name, EnvPrefix) && name != configVariable && !o.secretVariable(name) {
				stray = append(stray, name)
			}
			continue
		}
		if value == "" {
			continue // as if it were not there
		}
		items := []string{value}
		if s.List() {
			items = splitList(value)
		}
		for _, item := range items {
			if err := s.check(item); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		out[s.Key] = assigned{items, "env " + name}
	}
	slices.Sort(stray)
	return out, stray, nil
}

// secretVariables hold secrets; they are read where these are used, and are no
// settings.
var secretVariables = []string{"PROMETHEUS_TOKEN", "PROMETHEUS_PASSWORD", "ENGINE_KEY"}

// configVariable names the file instead of --config.
const configVariable = EnvPrefix + "CONFIG"

func (o Options) secretVariable(name string) bool {
	return slices.Contains(secretVariables, strings.TrimPrefix(name, EnvPrefix))
}

// splitList reads a variable with several values: separated by commas, blanks
// around them do not count.
func splitList(s string) []string {
	var out []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// setAside keeps only the strongest layer's word on where numbers come from:
// dynascope --target URL must work whatever server a profile names. A file's
// credentials go with its sources, so that no other server ever sees them.
func (o Options) setAside(flags *pflag.FlagSet, layers map[layer]map[string]assigned) {
	named := false
	flags.VisitAll(func(f *pflag.Flag) { named = named || f.Changed && has(f, Source) })
	for _, l := range []layer{byEnv, byProfile, byFile} {
		here := false
		for key := range layers[l] {
			s := o.Table[key]
			here = here || s.Is(Source)
			if named && (s.Is(Source) || s.Is(Credential) && l != byEnv) {
				delete(layers[l], key)
			}
		}
		named = named || here
	}
}

// assign sets the flags and notes where each value is from.
func (e *Effective) assign(flags *pflag.FlagSet, t Table, layers map[layer]map[string]assigned) error {
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		set, ok := t[strings.ReplaceAll(f.Name, "-", "_")]
		if !ok {
			return
		}
		r := row{set: set}
		pin, pinned := layers[byPin][set.Key]
		switch {
		case pinned:
			r.origin = Origin{byPin, pin.at}
			errs = append(errs, put(f, pin))
		case f.Changed:
			r.origin = Origin{layer: byFlag}
		case !set.Is(FlagOnly) && !has(f, FlagOnly): // a command may keep a flag to itself
			for _, l := range []layer{byEnv, byProfile, byFile} {
				if v, ok := layers[l][set.Key]; ok {
					r.origin = Origin{l, v.at}
					errs = append(errs, put(f, v))
					break
				}
			}
		}
		r.values = []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			r.values = list.GetSlice()
		}
		e.rows = append(e.rows, r)
	})
	return errors.Join(errs...)
}

// put sets a flag as if it stood on the command line.
func put(f *pflag.Flag, v assigned) error {
	var err error
	if list, ok := f.Value.(pflag.SliceValue); ok {
		err = list.Replace(v.values)
	} else {
		err = f.Value.Set(v.values[0])
	}
	if err != nil {
		return fmt.Errorf("%s: set %s: %w", v.at, f.Name, err)
	}
	f.Changed = true
	return nil
}

// given is the value of a flag that stands on the command line.
func given(flags *pflag.FlagSet, name string) string {
	if f := flags.Lookup(name); f != nil && f.Changed {
		return f.Value.String()
	}
	return ""
}

func lookup(environ []string, name string) string {
	for _, kv := range environ {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}

// Profiles are the names of the profiles in the user's file, for a shell's
// completion: none where it cannot be read.
func Profiles(flags *pflag.FlagSet, o Options) []string {
	file, err := o.userFile(flags)
	if err != nil || file == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(file.Profiles))
}
