package advice

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/engine"
)

// Advice is one thing that could be set better.
type Advice struct {
	Code  string // stable: lower-case words joined by dashes
	Title string // a few words: "KV pages are small"
	// Culprit is whose flag it is; Also are others of which the same is true.
	Culprit verdict.Culprit
	Also    []verdict.Culprit
	// Observation says in one sentence, with its numbers, what was seen;
	// Evidence are those numbers for explain.
	Observation string
	Evidence    []verdict.Evidence
	// Flag is what to set, as the process spells it: "--page-size 128". Now is
	// what it is, and from where that is known; empty when it is not.
	Flag, Now string
	// Effect is what is to be expected of it, Cost what it takes.
	Effect, Cost string
	// Unknown are the settings on which this rests and which are not known. With
	// any, the advice is a conditional one.
	Unknown []Missing
}

// Missing is a setting that is not known.
type Missing struct {
	Setting string // as the process spells it
	Reveal  string // what would tell it
}

// Unknown is a rule that could not judge, because it does not know a setting
// that its numbers make interesting.
type Unknown struct {
	Code, Title string
	Culprit     verdict.Culprit
	Also        []verdict.Culprit
	Missing
}

// Report is what all rules say of one moment.
type Report struct {
	Advice  []Advice  // in the order of the rules
	Unknown []Unknown // likewise
}

// Process is one process and what is known of its flags.
type Process struct {
	Instance string // of the target that is its page
	Name     string // as people call it: a worker's short id
	Worker   string // hexadecimal id; empty of a frontend
	Role     string // "prefill", "decode", "aggregated", "frontend"
	Flags    engine.Flags
}

// Processes are the frontends and workers of a snapshot, without their flags.
// Whoever can read them fills Flags in.
func Processes(snap *sources.Snapshot) []Process {
	var out []Process
	worker := map[string]bool{}
	for _, w := range snap.Workers {
		worker[w.Instance] = true
		if w.Instance == "" || w.State == sources.WorkerGone {
			continue
		}
		role := w.Role
		if role == "" {
			role = "aggregated"
		}
		out = append(out, Process{
			Instance: w.Instance, Name: cmp.Or(w.Short, w.Instance), Worker: w.ID, Role: role, Flags: engine.Flags{Engine: w.Engine},
		})
	}
	for _, t := range snap.Targets {
		if t.Role == "frontend" && !worker[t.Instance] {
			out = append(out, Process{Instance: t.Instance, Name: t.Instance, Role: "frontend", Flags: engine.Flags{Engine: "frontend"}})
		}
	}
	return out
}

// Rule is one piece of advice as data.
type Rule struct {
	Code, Title string
	// Needs are the figures it reads.
	Needs []sources.Need
	// Settings are the canonical names of what it reads from the flags.
	Settings []string
	// Help says for the documentation when it is given, and where the rule is
	// from.
	Help string
	// Judge looks at the moment. Code and Title of what it returns are filled in.
	Judge func(*Moment)
}

// Look is the window of rates and histograms, and how far back gauges are
// looked at, once a Step: advice is about how a deployment is set, not about a
// moment.
const (
	Look = 5 * time.Minute
	Step = 15 * time.Second
)

// Input is what advice is a function of.
type Input struct {
	// Snap answered Needs.
	Snap      *sources.Snapshot
	Processes []Process
	SLA       verdict.SLA
}

// Needs are what Judge reads.
func Needs(rules []Rule) []sources.Need {
	var out []sources.Need
	seen := map[sources.Need]bool{}
	for _, r := range rules {
		for _, n := range r.Needs {
			if !seen[n] {
				seen[n] = true
				out = append(out, n)
			}
		}
	}
	return out
}

// Judge gives the advice of all rules. Advice that is the same of several
// processes is given once.
func Judge(in Input, rules []Rule) Report {
	var out Report
	for _, r := range rules {
		m := &Moment{in: in, rule: r}
		r.Judge(m)
		out.Advice = append(out.Advice, together(m.advice)...)
		for _, u := range m.unknown {
			at := slices.IndexFunc(out.Unknown, func(o Unknown) bool { return o.Code == u.Code && o.Setting == u.Setting })
			if at < 0 {
				out.Unknown = append(out.Unknown, u)
			} else {
				out.Unknown[at].Also = append(out.Unknown[at].Also, u.Culprit)
			}
		}
	}
	return out
}

// together joins what says the same of several processes; the first one tells
// it with its numbers.
func together(in []Advice) (out []Advice) {
	for _, a := range in {
		at := slices.IndexFunc(out, func(o Advice) bool {
			return o.Flag == a.Flag && o.Now == a.Now && slices.EqualFunc(o.Unknown, a.Unknown, func(x, y Missing) bool { return x.Setting == y.Setting })
		})
		if at < 0 {
			out = append(out, a)
		} else {
			out[at].Also = append(out[at].Also, a.Culprit)
		}
	}
	return out
}

// All are the rules, group by group.
func All() []Rule {
	return slices.Concat(pages(), batches(), memory(), mapping(), disaggregation(), router(), streaming(), buckets())
}

// list joins words: "a, b and c".
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
