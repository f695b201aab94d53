package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"dynascope/profiling/triage/advice"
	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// CheckSchema names the form of a judgement as JSON; docs/check-json.md
// describes it. A field is added without a new name, never removed or changed
// in meaning.
const CheckSchema = "dynascope.check/1"

// Exit is the exit status of a judgement: 0 healthy, 1 warning, 2 critical, 3
// when nothing was judged. While the windows fill, what was judged so far
// counts.
func Exit(s verdict.State) int {
	switch s {
	case verdict.Healthy, verdict.Learning:
		return 0
	case verdict.Warned:
		return 1
	case verdict.Critic:
		return 2
	}
	return 3
}

// Checked is one judgement with what it rests on.
type Checked struct {
	Snap      *sources.Snapshot
	Judgement *verdict.Judgement
	SLA       verdict.SLA
	Name      string // of the deployment; may be empty
	Tried     []TriedLine
	// Outlook and Tuning are nil where they were not asked for.
	Outlook *Outlook
	Tuning  *advice.Report
}

type checkDoc struct {
	Schema     string         `json:"schema"`
	At         time.Time      `json:"at"`
	Live       bool           `json:"live"`
	Store      string         `json:"store"`
	Deployment string         `json:"deployment,omitempty"`
	Models     []string       `json:"models"`
	Warning    string         `json:"warning,omitempty"`
	State      string         `json:"state"`
	Exit       int            `json:"exit"`
	Line       string         `json:"line"`
	SLA        slaDoc         `json:"sla"`
	HaveS      number         `json:"have_s"`
	WantS      number         `json:"want_s"`
	Targets    checkTargets   `json:"targets"`
	Verdicts   []verdictDoc   `json:"verdicts"`
	Silenced   []verdictDoc   `json:"consequences"`
	Past       []verdictDoc   `json:"past"`
	Outlook    *outlookDoc    `json:"outlook,omitempty"`
	Tuning     *tuningDoc     `json:"tuning,omitempty"`
	Blind      []blindRuleDoc `json:"not_judged"`
	Tried      []triedDoc     `json:"discovery"`
}

type checkTargets struct {
	Up      int         `json:"up"`
	Down    int         `json:"down"`
	Pending int         `json:"pending"`
	List    []targetDoc `json:"list"`
}

type verdictDoc struct {
	Code       string        `json:"code"`
	Severity   string        `json:"severity"`
	Title      string        `json:"title"`
	Sentence   string        `json:"sentence"`
	Culprit    culpritDoc    `json:"culprit"`
	Since      time.Time     `json:"since"`
	Open       bool          `json:"since_or_before"`
	Until      *time.Time    `json:"until,omitempty"`
	After      *eventDoc     `json:"after"`
	Evidence   []evidenceDoc `json:"evidence"`
	Advice     []string      `json:"advice"`
	Missing    []string      `json:"missing"`
	Key        string        `json:"key,omitempty"`
	SilencedBy string        `json:"explained_by,omitempty"`
}

type culpritDoc struct {
	Kind     string `json:"kind,omitempty"`
	Name     string `json:"name,omitempty"`
	Instance string `json:"instance,omitempty"`
	Worker   string `json:"worker,omitempty"`
}

type eventDoc struct {
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"`
	Subject string    `json:"subject"`
	Detail  string    `json:"detail,omitempty"`
	BeforeS number    `json:"before_s"`
}

type evidenceDoc struct {
	Text      string         `json:"text"`
	Key       string         `json:"key,omitempty"`
	Form      string         `json:"form,omitempty"`
	By        string         `json:"by,omitempty"`
	Labels    sources.Labels `json:"labels,omitempty"`
	Value     number         `json:"value"`
	Threshold number         `json:"threshold"`
	Unit      string         `json:"unit,omitempty"`
	WindowS   number         `json:"window_s"`
	Expr      string         `json:"expr,omitempty"`
}

type blindRuleDoc struct {
	Code  string `json:"code"`
	Title string `json:"title"`
	Note  string `json:"note"`
}

// CheckJSON writes a judgement as one document.
func CheckJSON(w io.Writer, c Checked) error {
	s, j := c.Snap, c.Judgement
	doc := checkDoc{
		Schema: CheckSchema, At: j.At, Live: s.Live, Store: s.Store, Deployment: clean(c.Name), Models: cleanAll(s.Models),
		Warning: text.Clean(s.Warning, errorRunes), State: string(j.State), Exit: Exit(j.State), Line: c.line(false),
		SLA: slaDoc{seconds(c.SLA.TTFT), seconds(c.SLA.ITL)}, HaveS: seconds(j.Have), WantS: seconds(j.Want),
		Targets: checkTargets{List: targetDocs(s)}, Verdicts: verdictDocs(j.Verdicts), Silenced: verdictDocs(j.Silenced), Past: verdictDocs(j.Past),
		Blind: []blindRuleDoc{}, Tried: triedDocs(c.Tried),
	}
	doc.Targets.Up, doc.Targets.Down, doc.Targets.Pending = healths(s)
	if c.Outlook != nil {
		d := c.Outlook.doc()
		doc.Outlook = &d
	}
	if c.Tuning != nil {
		d := tuningOf(*c.Tuning)
		doc.Tuning = &d
	}
	for _, b := range j.Blind {
		doc.Blind = append(doc.Blind, blindRuleDoc{b.Code, b.Title, text.Clean(b.Note, errorRunes)})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("print the judgement: %w", err)
	}
	return nil
}

func healths(s *sources.Snapshot) (up, down, pending int) {
	for _, t := range s.Targets {
		switch t.Health {
		case sources.HealthUp:
			up++
		case sources.HealthDown:
			down++
		default:
			pending++
		}
	}
	return up, down, pending
}

func verdictDocs(in []verdict.Verdict) []verdictDoc {
	out := make([]verdictDoc, 0, len(in))
	for _, v := range in {
		d := verdictDoc{
			Code: v.Code, Severity: v.Severity.String(), Title: v.Title, Sentence: text.Clean(v.Sentence, errorRunes),
			Culprit: culpritDoc{v.Culprit.Kind, clean(v.Culprit.Name), clean(v.Culprit.Instance), clean(v.Culprit.Worker)},
			Since:   v.Since, Open: v.Open, Evidence: evidenceDocs(v.Evidence),
			Advice: cleanAll(v.Advice), Missing: cleanAll(v.Missing), Key: v.Key, SilencedBy: v.SilencedBy,
		}
		if !v.Until.IsZero() {
			d.Until = &v.Until
		}
		if e := v.After; e != nil {
			d.After = &eventDoc{e.At.UTC(), string(e.Kind), clean(e.Subject), text.Clean(e.Detail, errorRunes), seconds(v.Since.Sub(e.At))}
		}
		out = append(out, d)
	}
	return out
}

func evidenceDocs(in []verdict.Evidence) []evidenceDoc {
	out := make([]evidenceDoc, 0, len(in))
	for _, e := range in {
		out = append(out, evidenceDoc{
			Text: text.Clean(e.Text, errorRunes), Key: e.Need.Key, Form: string(e.Need.Form), By: e.Need.By, Labels: cleanLabels(e.Labels),
			Value: number(e.Value), Threshold: number(e.Threshold), Unit: e.Unit, WindowS: seconds(e.Window), Expr: text.Clean(e.Expr, exprRunes),
		})
	}
	return out
}

// CodesSchema names the form of one line of CodesJSON.
const CodesSchema = "dynascope.check.codes/1"

// Codes is a judgement of a simulation in short: codes, culprits and times
// since the scenario's start.
type Codes struct {
	Scenario  string
	Start     time.Time
	At        time.Duration // since Start
	Judgement *verdict.Judgement
	// Name spells a culprit as the scenario does.
	Name func(verdict.Culprit) string
}

type codesDoc struct {
	Schema   string    `json:"schema"`
	Scenario string    `json:"scenario"`
	AtS      number    `json:"at_s"`
	State    string    `json:"state"`
	Exit     int       `json:"exit"`
	Verdicts []codeDoc `json:"verdicts"`
	Silenced []codeDoc `json:"consequences"`
}

type codeDoc struct {
	Code       string `json:"code"`
	Severity   string `json:"severity"`
	Kind       string `json:"kind,omitempty"`
	Culprit    string `json:"culprit,omitempty"`
	SinceS     number `json:"since_s"`
	Sentence   string `json:"sentence"`
	SilencedBy string `json:"explained_by,omitempty"`
}

func (c Codes) list(in []verdict.Verdict) []codeDoc {
	out := make([]codeDoc, 0, len(in))
	for _, v := range in {
		out = append(out, codeDoc{
			v.Code, v.Severity.String(), v.Culprit.Kind, clean(c.Name(v.Culprit)), seconds(v.Since.Sub(c.Start)),
			text.Clean(v.Sentence, errorRunes), v.SilencedBy,
		})
	}
	return out
}

// CodesJSON writes one line.
func CodesJSON(w io.Writer, c Codes) error {
	j := c.Judgement
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(codesDoc{
		CodesSchema, clean(c.Scenario), seconds(c.At), string(j.State), Exit(j.State), c.list(j.Verdicts), c.list(j.Silenced),
	})
}

// CodesText writes one line for people.
func CodesText(w io.Writer, c Codes) error {
	j := c.Judgement
	line := fmt.Sprintf("%7s  %-8s", c.At, j.State)
	for i, v := range slices.Concat(j.Verdicts, j.Silenced) {
		sep := "; "
		if i == 0 {
			sep = "  "
		}
		line += sep + v.Code
		if who := clean(c.Name(v.Culprit)); who != "" {
			line += " " + who
		}
		line += " since " + v.Since.Sub(c.Start).String()
		if v.SilencedBy != "" {
			line += " (explained by " + v.SilencedBy + ")"
		}
	}
	_, err := fmt.Fprintln(w, line)
	return err
}
