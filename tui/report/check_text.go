package report

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/themes"
	"dynascope/tui/cells"
	"dynascope/tui/judged"
)

// CheckText writes a judgement for people, w cells wide; verbose adds the
// PromQL behind each number, unwrapped so that it can be pasted, and what was
// wrong and ended. With plain signs only where ascii is set.
func CheckText(out io.Writer, c Checked, w int, verbose, ascii bool) error {
	p := &page{w: max(w, 40), verbose: verbose}
	p.head(c, ascii)
	for i, v := range c.Judgement.Verdicts {
		p.verdict(i+1, v)
	}
	p.short("explained by the above", c.Judgement.Silenced, func(v verdict.Verdict) string { return "explained by " + v.SilencedBy })
	if verbose {
		p.short("ended in the last "+text.Age(verdict.Span), c.Judgement.Past, func(v verdict.Verdict) string {
			return text.Clock(v.Since) + " to " + text.Clock(v.Until)
		})
	}
	if c.Outlook != nil {
		p.section("promise and room", c.Outlook.Lines())
	}
	if c.Tuning != nil {
		p.section("could be set better", TuningLines(*c.Tuning, verbose))
	}
	p.blind(c.Judgement.Blind)
	p.targets(c)
	s := p.String()
	if ascii {
		s = cells.ASCII(s)
	}
	if _, err := io.WriteString(out, s); err != nil {
		return fmt.Errorf("print the judgement: %w", err)
	}
	return nil
}

// line is the console's verdict line with everything that fits nowhere else.
func (c Checked) line(ascii bool) string {
	theme, err := themes.Get("mono")
	if err != nil {
		panic(err) // it is built in
	}
	l := judged.Line{Snap: c.Snap, Judgement: c.Judgement, TTFT: c.SLA.TTFT, Styles: themes.NewStyles(theme.Plain(), ascii), Silence: c.silence()}
	// The blanks in its middle align it on a screen.
	return wideBlanks.ReplaceAllString(strings.TrimSpace(cells.Strip(l.Draw(lineWidth))), "   ")
}

// lineWidth is more than any part of the line wants.
const lineWidth = 1200

var wideBlanks = regexp.MustCompile(` {4,}`)

// silence says why nothing could be judged; empty when something was.
func (c Checked) silence() string {
	if c.Judgement.State != verdict.Unknown {
		return ""
	}
	return c.cause()
}

// cause says why nothing could be judged.
func (c Checked) cause() string {
	s := c.Snap
	if s.Warning != "" {
		return text.Clean(s.Warning, errorRunes)
	}
	for _, t := range s.Targets {
		if t.Health == sources.HealthDown && t.Error != "" {
			return clean(t.Instance) + ": " + text.Clean(t.Error, errorRunes)
		}
	}
	if len(s.Targets) == 0 {
		return "nothing to watch was found; hint: name the metrics ports with --target http://HOST:PORT"
	}
	for _, b := range c.Judgement.Blind {
		if b.Note != "" {
			return "no number proves anything: " + text.Clean(b.Note, errorRunes)
		}
	}
	return "no number proves anything yet; hint: a longer --for"
}

// page collects lines.
type page struct {
	strings.Builder
	w       int
	verbose bool
}

// put writes a text behind a label, wrapped under itself.
func (p *page) put(indent int, label, s string) {
	const column = 10
	lead := strings.Repeat(" ", indent)
	width := 0
	if label != "" {
		width = column
	}
	// Flags and names with dashes stay whole.
	const dash = "\u2011"
	for i, l := range cells.Wrap(strings.ReplaceAll(s, "-", dash), p.w-indent-width) {
		if i > 0 {
			label = ""
		}
		l = strings.ReplaceAll(l, dash, "-")
		p.WriteString(strings.TrimRight(lead+cells.Fit(label, width)+l, " ") + "\n")
	}
}

func (p *page) head(c Checked, ascii bool) {
	p.put(0, "", c.line(ascii))
	s, j := c.Snap, c.Judgement
	parts := []string{}
	if c.Name != "" {
		parts = append(parts, clean(c.Name))
	}
	if len(s.Models) > 0 {
		parts = append(parts, strings.Join(cleaned(s.Models), ", "))
	}
	up, down, pending := healths(s)
	targets := fmt.Sprintf("%d targets answer", up)
	if up == 1 {
		targets = "1 target answers"
	}
	if down > 0 {
		targets += fmt.Sprintf(", %d down", down)
	}
	if pending > 0 {
		targets += fmt.Sprintf(", %d pending", pending)
	}
	parts = append(parts, s.Store, j.At.Format("2006-01-02 15:04:05Z"), targets)
	if c.SLA != (verdict.SLA{}) {
		parts = append(parts, "SLA TTFT "+text.Duration(c.SLA.TTFT.Seconds())+", ITL "+text.Duration(c.SLA.ITL.Seconds()))
	}
	p.put(2, "", strings.Join(parts, " · "))
	if j.Have < j.Want {
		p.put(2, "", fmt.Sprintf("%s of the %s that the longest look-back takes are filled: rules that look further back have not judged", text.Age(j.Have), text.Age(j.Want)))
	}
	if s.Warning != "" && j.State != verdict.Unknown {
		p.put(2, "", "warning: "+text.Clean(s.Warning, errorRunes))
	}
}

func (p *page) verdict(n int, v verdict.Verdict) {
	p.WriteString("\n")
	p.put(0, "", fmt.Sprintf("%d  %s  %s (%s)", n, v.Severity, v.Title, v.Code))
	if v.Sentence != "" {
		p.put(3, "", text.Clean(v.Sentence, errorRunes))
	}
	who := judged.Who(v.Culprit)
	if v.Culprit.Instance != "" && v.Culprit.Instance != v.Culprit.Name {
		who += " at " + clean(v.Culprit.Instance)
	}
	if v.Culprit.Worker != "" && v.Culprit.Worker != v.Culprit.Name {
		who += ", id " + clean(v.Culprit.Worker)
	}
	p.put(3, "culprit", who)
	when := strings.TrimPrefix(judged.Since(v, text.Clock), "since ")
	if after := judged.After(v); after != "" {
		when += ", " + after
	}
	p.put(3, "since", when)
	for i, e := range v.Evidence {
		p.evidence([]string{"evidence", " "}[min(i, 1)], e)
	}
	for i, s := range v.Advice {
		p.put(3, []string{"advice", " "}[min(i, 1)], clean(s))
	}
	for i, s := range v.Missing {
		p.put(3, []string{"missing", " "}[min(i, 1)], clean(s))
	}
	if v.Key != "" {
		p.put(3, "next", "press "+v.Key+" in the console")
	}
}

func (p *page) evidence(label string, e verdict.Evidence) {
	s := text.Clean(e.Text, errorRunes)
	var in []string
	// A value that the text spells already is not said twice.
	if !math.IsNaN(e.Value) && e.Unit != "" && !strings.ContainsAny(s, "0123456789") {
		in = append(in, text.Value(e.Value, e.Unit))
	}
	if !math.IsNaN(e.Threshold) {
		in = append(in, "threshold "+text.Value(e.Threshold, e.Unit))
	}
	if e.Window > 0 {
		in = append(in, "over "+text.Age(e.Window))
	}
	if len(in) > 0 {
		s += " (" + strings.Join(in, ", ") + ")"
	}
	p.put(3, label, s)
	if p.verbose && e.Expr != "" {
		p.WriteString(strings.Repeat(" ", 13) + text.Clean(e.Expr, exprRunes) + "\n")
	}
}

// section lists lines, each with what is asked before two blanks.
func (p *page) section(title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	p.WriteString("\n" + title + "\n")
	for _, l := range lines {
		label, s, ok := strings.Cut(l, "  ")
		if !ok {
			label, s = "", l
		}
		p.put(3, label, s)
	}
}

// short lists verdicts, a line each.
func (p *page) short(title string, list []verdict.Verdict, why func(verdict.Verdict) string) {
	if len(list) == 0 {
		return
	}
	p.WriteString("\n" + title + "\n")
	for _, v := range list {
		s := v.Title
		if who := judged.Who(v.Culprit); who != "" {
			s += " · " + who
		}
		p.put(3, "", s+" ("+v.Code+"), "+why(v))
	}
}

// blind lists what cannot be judged here, rules with the same cause together.
func (p *page) blind(list []verdict.Blind) {
	if len(list) == 0 {
		return
	}
	p.WriteString("\nnot judged: nothing exports what would prove it\n")
	var notes []string
	by := map[string][]string{}
	for _, b := range list {
		if by[b.Note] == nil {
			notes = append(notes, b.Note)
		}
		if !slices.Contains(by[b.Note], b.Code) {
			by[b.Note] = append(by[b.Note], b.Code)
		}
	}
	for _, n := range notes {
		s := strings.Join(by[n], ", ")
		if n != "" {
			s += ": " + text.Clean(n, errorRunes)
		}
		p.put(3, "", s)
	}
}

// targets lists those that do not answer, and what discovery tried where
// nothing answers.
func (p *page) targets(c Checked) {
	lines := []string{}
	for _, t := range c.Snap.Targets {
		if t.Health == sources.HealthUp {
			continue
		}
		s := clean(t.Instance) + " is " + t.Health.String()
		if t.Error != "" {
			s += ": " + text.Clean(t.Error, errorRunes)
		}
		if !t.LastGood.IsZero() {
			s += ", last good " + text.Age(c.Snap.At.Sub(t.LastGood).Truncate(time.Second)) + " ago"
		}
		lines = append(lines, s)
	}
	if len(lines) > 0 {
		p.WriteString("\ntargets\n")
	}
	for _, l := range lines {
		p.put(3, "", l)
	}
	if c.Judgement.State != verdict.Unknown || len(c.Tried) == 0 {
		return
	}
	p.WriteString("\ndiscovery\n")
	for _, t := range c.Tried {
		p.put(3, "", strings.Join(strings.Fields(triedLine(t)), " "))
	}
}
