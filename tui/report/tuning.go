package report

import (
	"strings"

	"dynascope/profiling/triage/advice"
	"dynascope/profiling/triage/verdict"
	"dynascope/sources/text"
	"dynascope/tui/judged"
)

// TuningLines say in a few lines each what could be set better: a title, then
// what is asked before two blanks. verbose adds what could not be judged for
// want of a setting.
func TuningLines(r advice.Report, verbose bool) (out []string) {
	for _, a := range r.Advice {
		set := a.Flag
		if a.Now != "" {
			set += " (now " + a.Now + ")"
		}
		out = append(out, a.Title+" ("+a.Code+"): "+whoAll(a.Culprit, a.Also), "seen  "+clean(a.Observation), "set  "+text.Clean(set, errorRunes),
			"brings  "+clean(a.Effect), "costs  "+clean(a.Cost))
		for _, u := range a.Unknown {
			out = append(out, "unknown  "+clean(u.Setting)+": "+text.Clean(u.Reveal, errorRunes))
		}
	}
	if !verbose {
		return out
	}
	for _, u := range r.Unknown {
		out = append(out, "not judged: "+u.Title+" ("+u.Code+") of "+whoAll(u.Culprit, u.Also)+": "+clean(u.Setting)+" is not known: "+text.Clean(u.Reveal, errorRunes))
	}
	return out
}

func whoAll(c verdict.Culprit, also []verdict.Culprit) string {
	names := []string{judged.Who(c)}
	for _, o := range also {
		names = append(names, judged.Who(o))
	}
	return strings.Join(names, ", ")
}

type tuningDoc struct {
	Advice  []adviceDoc `json:"advice"`
	Unknown []adviceDoc `json:"unknown"`
}

type adviceDoc struct {
	Code        string        `json:"code"`
	Title       string        `json:"title"`
	Culprits    []culpritDoc  `json:"culprits"`
	Observation string        `json:"observation,omitempty"`
	Evidence    []evidenceDoc `json:"evidence,omitempty"`
	Set         string        `json:"set,omitempty"`
	Now         string        `json:"now,omitempty"`
	Effect      string        `json:"effect,omitempty"`
	Cost        string        `json:"cost,omitempty"`
	Missing     []missingDoc  `json:"missing,omitempty"`
}

type missingDoc struct {
	Setting string `json:"setting"`
	Reveal  string `json:"reveal"`
}

func tuningOf(r advice.Report) tuningDoc {
	d := tuningDoc{Advice: []adviceDoc{}, Unknown: []adviceDoc{}}
	for _, a := range r.Advice {
		doc := adviceDoc{
			Code: a.Code, Title: a.Title, Culprits: culpritDocs(a.Culprit, a.Also), Observation: clean(a.Observation), Evidence: evidenceDocs(a.Evidence),
			Set: text.Clean(a.Flag, errorRunes), Now: clean(a.Now), Effect: clean(a.Effect), Cost: clean(a.Cost),
		}
		for _, u := range a.Unknown {
			doc.Missing = append(doc.Missing, missingDoc{clean(u.Setting), text.Clean(u.Reveal, errorRunes)})
		}
		d.Advice = append(d.Advice, doc)
	}
	for _, u := range r.Unknown {
		d.Unknown = append(d.Unknown, adviceDoc{
			Code: u.Code, Title: u.Title, Culprits: culpritDocs(u.Culprit, u.Also), Missing: []missingDoc{{clean(u.Setting), text.Clean(u.Reveal, errorRunes)}},
		})
	}
	return d
}

func culpritDocs(c verdict.Culprit, also []verdict.Culprit) (out []culpritDoc) {
	for _, x := range append([]verdict.Culprit{c}, also...) {
		out = append(out, culpritDoc{Kind: x.Kind, Name: clean(x.Name), Instance: clean(x.Instance), Worker: clean(x.Worker)})
	}
	return out
}
