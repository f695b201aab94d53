package doctor

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"dynascope/sources"
	"dynascope/sources/text"
)

// width is what the text fits into: a terminal over SSH.
const width = 80

const (
	maxField   = 600 // characters of one field
	maxDetails = 6   // lines of one finding; JSON has them all
)

// Text writes a diagnosis for people, worst first, then the targets.
func Text(w io.Writer, g *Gathered, d Diagnosis) error {
	p := &printer{}
	p.head(g, d)
	for _, f := range d.Findings {
		p.finding(f)
	}
	p.targets(g)
	p.line("")
	p.line("%d blocking, %s, %s: exit status %d", d.Count(Blocks), count(d.Count(Warning), "warning"), count(d.Count(Note), "note"), d.Exit())
	_, err := io.WriteString(w, p.b.String())
	if err != nil {
		return fmt.Errorf("print the diagnosis: %w", err)
	}
	return nil
}

type printer struct{ b strings.Builder }

func (p *printer) line(format string, args ...any) {
	p.b.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " "))
	p.b.WriteByte('\n')
}

func (p *printer) head(g *Gathered, d Diagnosis) {
	p.line("dynascope doctor %s, %s", text.Safe(g.Version, 30), g.At.UTC().Format("2006-01-02 15:04:05Z"))
	from := "scraped from here"
	if r := g.Remote; r != nil {
		from = "asked at " + text.Safe(r.URL, 60)
		if r.Version != "" {
			from += " (Prometheus " + text.Safe(r.Version, 20) + ")"
		}
	}
	p.block("", "", fmt.Sprintf("%d of %d targets answer, %s", d.Answered, len(g.Endpoints), from))
	if v := g.versions(); len(v) > 0 {
		p.block("", "", "processes: "+strings.Join(v, ", "))
	}
}

// finding is one finding: a head line, then its fields under words of equal
// width.
func (p *printer) finding(f Finding) {
	p.line("")
	head := fmt.Sprintf("%-8s %s", strings.ToUpper(f.Severity.String()), f.Code)
	if len(f.Subjects) > 0 {
		head += "  " + text.Safe(some(f.Subjects, 3), 200)
	}
	p.line("%s", ansi.Truncate(head, width, "…"))
	p.block("", indent, f.What)
	for i, d := range f.Details {
		if i == maxDetails {
			p.block("", indent, fmt.Sprintf("… %d more; --json lists all", len(f.Details)-i))
			break
		}
		p.block("  - ", indent, d)
	}
	p.field("why", f.Why)
	p.field("do", f.Do)
	for _, l := range f.Lines {
		for _, clean := range text.Request(l) { // whole: they are to be copied
			p.line("%s  %s", indent, clean)
		}
	}
}

const indent = "         "

func (p *printer) field(name, value string) {
	if value != "" {
		p.wrap(fmt.Sprintf("%6s   ", name), indent, value)
	}
}

// block writes wrapped text, each line after the margin; the first begins with
// the mark, the others are as far in.
func (p *printer) block(mark, margin, value string) {
	p.wrap(margin+mark, margin+strings.Repeat(" ", len(mark)), value)
}

func (p *printer) wrap(first, margin, value string) {
	value = text.Safe(value, maxField)
	for i, l := range strings.Split(ansi.Wrap(value, width-len(margin), ""), "\n") {
		start := margin
		if i == 0 {
			start = first
		}
		p.line("%s%s", start, strings.TrimSpace(l))
	}
}

// targets is the table of what was looked at.
func (p *printer) targets(g *Gathered) {
	if len(g.Endpoints) == 0 {
		return
	}
	x := g.spellings()
	p.line("")
	p.line("%-9s %-23s %-14s %9s %6s %7s %6s", "role", "target", "names", "page", "lines", "server", "share")
	for _, e := range g.Endpoints {
		role := e.Role
		switch {
		case e.Health == sources.HealthDown && !e.Answered(), e.Health == sources.HealthPending:
			role = "dead"
		case role == "":
			role = text.None
		}
		names := text.None
		if e.Page != nil {
			for _, r := range x.Releases(e.Page) {
				if r.Product == "dynamo" || names == text.None {
					names = r.brief()
				}
			}
		}
		size, lines, server, share := text.None, text.None, text.None, text.None
		if e.Bytes > 0 {
			size = text.Bytes(float64(e.Bytes))
		}
		if e.Samples > 0 {
			lines = fmt.Sprint(e.Samples)
		}
		if e.ServerShare > 0 {
			server, share = text.Duration(e.ServerShare.Seconds()), text.Percent(e.Share())
		}
		p.line("%s %s %s %s %s %s %s", cell(role, 9), cell(e.Instance, 23), cell(names, 14), right(size, 9), right(lines, 6), right(server, 7), right(share, 6))
	}
}

// brief is a release in few characters.
func (r Release) brief() string {
	product := ""
	if r.Product != "dynamo" {
		product = r.Product + " "
	}
	switch {
	case r.From != "" && r.Before != "":
		return product + r.From + "–<" + r.Before
	case r.From != "":
		return product + "≥" + r.From
	case r.Before != "":
		return product + "<" + r.Before
	}
	return product + r.Last
}

func cell(s string, n int) string {
	s = ansi.Truncate(text.Safe(s, 200), n, "…")
	return s + strings.Repeat(" ", n-ansi.StringWidth(s))
}

func right(s string, n int) string {
	s = ansi.Truncate(s, n, "…")
	return strings.Repeat(" ", n-ansi.StringWidth(s)) + s
}

// versions are the programs behind the workers, as far as they are known.
func (g *Gathered) versions() (out []string) {
	for _, in := range sorted(g.Processes) {
		p := g.Processes[in]
		s := strings.TrimSpace(cmp.Or(p.Program, p.Engine)+" "+p.Version) + " at " + in
		if p.PID != 0 {
			s += fmt.Sprintf(" (pid %d)", p.PID)
		}
		out = append(out, text.Safe(s, 120))
		if len(out) == 8 {
			return out
		}
	}
	return out
}
