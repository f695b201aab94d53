package report

import (
	"strings"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources/text"
	"dynascope/tui/judged"
	"dynascope/tui/pane"
)

// judgementDoc is a judgement within the document of --once; verdicts have the
// form that check prints.
type judgementDoc struct {
	At       time.Time      `json:"at"`
	State    string         `json:"state"`
	Line     string         `json:"line"`
	HaveS    number         `json:"have_s"`
	WantS    number         `json:"want_s"`
	Verdicts []verdictDoc   `json:"verdicts"`
	Silenced []verdictDoc   `json:"consequences"`
	Past     []verdictDoc   `json:"past"`
	Blind    []blindRuleDoc `json:"not_judged"`
}

// judgementOf is null where nothing was judged.
func judgementOf(f pane.Frame) *judgementDoc {
	j := f.Judgement
	if j == nil {
		return nil
	}
	d := &judgementDoc{
		At: j.At, State: string(j.State), Line: checkedOf(f).line(false), HaveS: seconds(j.Have), WantS: seconds(j.Want),
		Verdicts: verdictDocs(j.Verdicts), Silenced: verdictDocs(j.Silenced), Past: verdictDocs(j.Past), Blind: []blindRuleDoc{},
	}
	for _, b := range j.Blind {
		d.Blind = append(d.Blind, blindRuleDoc{b.Code, b.Title, text.Clean(b.Note, errorRunes)})
	}
	return d
}

// checkedOf is a frame as check has it, so that both say the same line.
func checkedOf(f pane.Frame) Checked {
	return Checked{Snap: f.Snap, Judgement: f.Judgement, SLA: verdict.SLA(f.SLA)}
}

// verdictText is the console's verdict line, what to do, and what else is
// wrong.
func verdictText(f pane.Frame) string {
	j := f.Judgement
	if j == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString(checkedOf(f).line(f.Styles.G.ASCII) + "\n")
	if v, ok := j.Head(); ok {
		if s := judged.Sentence(v); s != "" {
			b.WriteString("  " + s + "\n")
		}
		for _, a := range v.Advice {
			b.WriteString("  do: " + text.Clean(a, errorRunes) + "\n")
		}
		for _, m := range v.Missing {
			b.WriteString("  missing: " + text.Clean(m, errorRunes) + "\n")
		}
	}
	for i, v := range j.Verdicts {
		if i > 0 {
			b.WriteString("  " + verdictInShort(v) + "\n")
		}
	}
	for _, v := range j.Silenced {
		b.WriteString("  so also: " + verdictInShort(v) + "\n")
	}
	return b.String()
}

// verdictInShort is a verdict in one line of text.
func verdictInShort(v verdict.Verdict) string {
	s := v.Severity.String() + ": " + judged.Title(v)
	if who := judged.Who(v.Culprit); who != "" {
		s += ", " + who
	}
	if e := judged.Texts(v); len(e) > 0 {
		s += ", " + e[0]
	}
	return s + ", " + judged.Since(v, text.Clock)
}
