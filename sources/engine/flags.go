package engine

import (
	"context"
	"net/netip"
	"os"
	"slices"
	"strconv"

	"dynascope/sources/text"
)

// Source is where a flag's value is known from. Sources are asked in the order
// of these constants, and the first that knows counts.
type Source string

// The sources of flags.
const (
	FromProcess Source = "process" // command line or environment of the local process
	FromRoute   Source = "route"   // what the server answered on an opted-in or plain route
	FromFigures Source = "figures" // a family of metrics
	FromDefault Source = "default" // nothing was given to a process that we could read
)

// Flag is the value of one setting.
type Flag struct {
	Value  string
	Source Source
	Origin string // the flag, variable, field or family it was read from
	Note   string // what limits it: "of the first worker that registered this model"
	// Others are values that later sources give and that differ: the command
	// line says what was asked for, the server what became of it. They stand
	// side by side.
	Others []Flag
}

// Flags is what is known of how a worker was started. What is not in Values is
// unknown.
type Flags struct {
	Source  Source          // the best that answered; empty when none did
	Engine  string          // as in Setting
	Process *Process        // nil when it could not be read
	Values  map[string]Flag // by canonical name
	Unknown string          // what would reveal more; empty when the process told all
}

// Known are all settings of the engine, in the order of the table, for a
// screen that also shows what is unknown.
func (f Flags) Known() []Setting { return settingsOf(f.Engine, f.Process != nil && f.Process.Dynamo) }

// Question is whose flags are asked for.
type Question struct {
	Instance string // host:port, as in the instance label
	Engine   string // where the figures told; a process knows better
	// Info is what the server said, from an EngineRoute or a Poller; nil when
	// there is none.
	Info *ServerInfo
	// Figures are values of FigureKeys, by catalogue key, of this worker or
	// its model.
	Figures map[string]float64
}

// Reader reads flags. It keeps nothing between two questions and is safe for
// use from several goroutines.
type Reader struct {
	root  string // of the process file system
	uid   int
	hosts func() ([]netip.Addr, string)
}

// NewReader reads this machine's processes.
func NewReader() *Reader { return &Reader{root: "/proc", uid: os.Getuid(), hosts: thisHost} }

// Flags answers a question from all sources. It never fails: what no source
// knows is missing from Values, and Unknown says what would bring it. It reads
// files under /proc and belongs on its own goroutine, not in a view.
func (r *Reader) Flags(ctx context.Context, q Question) Flags {
	f := Flags{Engine: q.Engine, Values: map[string]Flag{}}
	p, err := r.Process(ctx, q.Instance)
	if err == nil {
		f.Process, f.Engine = &p, p.Engine
		for name, g := range p.given {
			f.add(name, Flag{Value: g.value, Source: FromProcess, Origin: g.origin})
		}
		f.Source = FromProcess
	} else {
		f.Unknown = text.Safe(err.Error(), maxValue)
	}
	if q.Info != nil {
		if f.Engine == "" {
			f.Engine = "sglang"
		}
		for _, s := range settingsOf("sglang", false) {
			if v, from, ok := q.Info.setting(s); ok {
				f.add(s.Name, Flag{Value: v, Source: FromRoute, Origin: from})
			}
		}
	}
	for _, k := range figures {
		if v, ok := q.Figures[k.Key]; ok {
			f.add(k.Name, Flag{Value: plain(v), Source: FromFigures, Origin: k.Key, Note: k.Note})
		}
	}
	if file, ok := f.Values["config_file"]; ok && f.Process != nil {
		// What is not on the line may be in there: no default is safe to tell.
		f.Unknown = text.Safe(file.Origin+" "+file.Value+" may set more; hint: read it", maxValue)
	} else if f.Process != nil {
		for _, s := range f.Known() {
			if _, ok := f.Values[s.Name]; !ok && s.Default != "" && (s.env == "" || f.Process.Env != nil) {
				f.Values[s.Name] = Flag{Value: s.Default, Source: FromDefault, Origin: s.Flag(), Note: "not given; the default of current releases"}
			}
		}
	}
	return f
}

func (f *Flags) add(name string, v Flag) {
	if f.Source == "" {
		f.Source = v.Source
	}
	first, ok := f.Values[name]
	if !ok {
		f.Values[name] = v
		return
	}
	if !equal(first.Value, v.Value) && !slices.ContainsFunc(first.Others, func(o Flag) bool { return equal(o.Value, v.Value) }) {
		first.Others = append(first.Others, v)
		f.Values[name] = first
	}
}

// equal compares two values, numbers as numbers: 0.9 is 0.90.
func equal(a, b string) bool {
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	return a == b || err1 == nil && err2 == nil && x == y
}
