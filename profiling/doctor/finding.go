package doctor

import (
	"cmp"
	"slices"
)

// Severity orders findings.
type Severity int

// The severities. A note is worth knowing and no fault; what blocks takes
// figures away until it is mended.
const (
	Note Severity = iota
	Warning
	Blocks
)

func (s Severity) String() string { return [...]string{"note", "warning", "blocks"}[s] }

// Code is one row of the table of findings.
type Code struct {
	Code     string // stable: lower-case words joined by dashes
	Title    string
	Severity Severity // the worst it comes with
	// Help says for the documentation what was seen and what to do.
	Help string
}

// Finding is one thing that the doctor found.
type Finding struct {
	Code     string
	Severity Severity
	Subjects []string // whom it is about: instances, a screen, a worker; may be empty
	What     string   // one sentence
	Why      string   // how that is known or what it causes; may be empty
	Do       string   // what to do; empty when nothing is to be done
	// Details are more of What, a line each.
	Details []string
	// Lines are to be copied as they are: lines of a configuration.
	Lines []string
}

// Diagnosis is everything that was found, worst first.
type Diagnosis struct {
	Findings []Finding
	Answered int // targets that answered
}

// The exit statuses of a diagnosis.
const (
	ExitFine    = 0
	ExitWarning = 1
	ExitBlocks  = 2
	ExitNothing = 3 // no target answered
)

// Exit is the exit status that says how bad it is.
func (d Diagnosis) Exit() int {
	switch {
	case d.Answered == 0:
		return ExitNothing
	case len(d.Findings) == 0:
		return ExitFine
	}
	return [...]int{ExitFine, ExitWarning, ExitBlocks}[d.Findings[0].Severity]
}

// Count is the number of findings of a severity.
func (d Diagnosis) Count(s Severity) (n int) {
	for _, f := range d.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// checks are the rules, from the endpoint to the pane.
var checks = []func(*Gathered) []Finding{
	reachability, discovery, unverified, pages, renamed, generations, lostLabels,
	remoteServer, missed, presence, clocks, costs, gpus, screens, blind, traffic, grids, profileRoutes, others,
}

// Diagnose runs every rule over what was gathered.
func Diagnose(g *Gathered) Diagnosis {
	var d Diagnosis
	for _, e := range g.Endpoints {
		if e.Answered() {
			d.Answered++
		}
	}
	for _, check := range checks {
		d.Findings = append(d.Findings, check(g)...)
	}
	d.Findings = merged(d.Findings)
	order := map[string]int{}
	for i, c := range codes {
		order[c.Code] = i
	}
	slices.SortStableFunc(d.Findings, func(a, b Finding) int {
		return cmp.Or(-cmp.Compare(a.Severity, b.Severity), cmp.Compare(order[a.Code], order[b.Code]), slices.Compare(a.Subjects, b.Subjects))
	})
	return d
}

// merged joins findings that differ in their subjects alone.
func merged(in []Finding) (out []Finding) {
	for _, f := range in {
		i := slices.IndexFunc(out, func(o Finding) bool {
			return o.Code == f.Code && o.Severity == f.Severity && o.What == f.What && o.Why == f.Why && o.Do == f.Do &&
				slices.Equal(o.Details, f.Details) && slices.Equal(o.Lines, f.Lines)
		})
		if i < 0 {
			out = append(out, f)
			continue
		}
		for _, s := range f.Subjects {
			if !slices.Contains(out[i].Subjects, s) {
				out[i].Subjects = append(out[i].Subjects, s)
			}
		}
		slices.Sort(out[i].Subjects)
	}
	return out
}

// found makes a finding of a code with the severity of its row.
func found(code, subject, what string) Finding {
	for _, c := range codes {
		if c.Code == code {
			f := Finding{Code: code, Severity: c.Severity, What: what}
			if subject != "" {
				f.Subjects = []string{subject}
			}
			return f
		}
	}
	panic("doctor: the table has no code " + code)
}
