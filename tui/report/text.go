package report

import (
	"fmt"
	"io"
	"strings"

	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

// textHeight is the height given to each pane on paper; blank lines at its
// end are dropped.
const textHeight = 32

// errorRunes is the most of an error's text that is written, on one line.
const errorRunes = 500

// Text writes the verdict and the panes one below the other, without colour,
// then the targets, and what discovery tried, if it ran. The frame's size and snapshot
// decide the rest.
func Text(w io.Writer, f pane.Frame, panes []pane.Pane, tried ...TriedLine) error {
	var b strings.Builder
	s := f.Snap
	fmt.Fprintf(&b, "dynascope  %s  %s  %s  window %s", strings.Join(cleaned(s.Models), ", "), s.Store, text.Clock(s.At), text.Age(s.Window))
	if s.Have < s.Window {
		fmt.Fprintf(&b, " (have %s)", text.Age(s.Have))
	}
	b.WriteString("\n" + verdictText(f))
	for _, p := range panes {
		fmt.Fprintf(&b, "\n== %s ==\n", strings.ToLower(p.Title()))
		b.WriteString(Plain(p.View(f.Size(f.W, textHeight))))
	}
	b.WriteString("\n== targets ==\n")
	if s.Warning != "" {
		b.WriteString("warning: " + text.Clean(s.Warning, errorRunes) + "\n")
	}
	for _, t := range s.Targets {
		b.WriteString(targetLine(s, t) + "\n")
	}
	if len(tried) > 0 {
		b.WriteString("\n== discovery ==\n")
		for _, t := range tried {
			b.WriteString(triedLine(t) + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Plain strips colours, blanks at line ends and blank lines at the end.
func Plain(block string) string {
	lines := cells.Lines(block)
	for i, l := range lines {
		lines[i] = strings.TrimRight(cells.Strip(l), " ")
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return strings.Join(lines, "\n") + "\n"
}

func targetLine(s *sources.Snapshot, t sources.Target) string {
	line := fmt.Sprintf("%-8s %-24s %-9s", t.Health, text.Clean(t.Instance, 60), text.Clean(t.Role, 20))
	if t.Health == sources.HealthUp {
		line += fmt.Sprintf(" %s every %s, server %s, %s, %s lines", text.Millis(t.Took.Seconds()), text.Age(t.Interval), text.Millis(t.ServerShare.Seconds()), text.Bytes(float64(t.Bytes)), text.Count(float64(t.Samples)))
	}
	if t.Error != "" {
		line += " " + text.Clean(t.Error, errorRunes)
	}
	if t.Health == sources.HealthDown && !t.LastGood.IsZero() {
		line += " (last good " + text.Age(s.At.Sub(t.LastGood)) + " ago)"
	}
	return line
}

func cleaned(in []string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = text.Clean(s, 80)
	}
	return out
}

// Summary is the one screen that stays in the scrollback after the console
// was left: the newest facts.
func Summary(w io.Writer, s *sources.Snapshot) {
	if s == nil {
		return
	}
	fmt.Fprintf(w, "dynascope  %s  %s\n", strings.Join(cleaned(s.Models), ", "), text.Clock(s.At))
	for _, k := range []string{"frontend.ttft", "frontend.itl", "engine.ttft"} {
		f := s.Figure(sources.Need{Key: k, Form: sources.FormBuckets})
		b, ok := f.Buckets()
		if !ok || b.N <= 0 {
			continue
		}
		fmt.Fprintf(w, "  %-14s n %s over %s", k, text.Count(b.N), text.Age(f.Window))
		if mean, ok := s.Figure(sources.Need{Key: k, Form: sources.FormMean}).Value(); ok {
			fmt.Fprintf(w, "  mean %s", text.Duration(mean))
		}
		for _, q := range []float64{0.5, 0.95, 0.99} {
			if x, ok := b.Quantile(q); ok {
				fmt.Fprintf(w, "  p%g %s", q*100, text.Bounds(x, "seconds"))
			}
		}
		fmt.Fprintln(w)
	}
	for _, wk := range s.Workers {
		fmt.Fprintf(w, "  worker %-10s %-10s %-8s %s\n", text.Clean(wk.Short, 40), text.Clean(wk.Role, 20), text.Clean(string(wk.State), 20), text.Clean(wk.Instance, 60))
	}
	for _, t := range s.Targets {
		if t.Health != sources.HealthUp {
			fmt.Fprintln(w, "  "+targetLine(s, t))
		}
	}
}
