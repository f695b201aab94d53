package advice

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources/text"
)

// Write prints a report as lines of text, without colours: what was seen, what
// to set, what it brings and costs, and then what could not be judged.
func Write(w io.Writer, r Report) error {
	b := bufio.NewWriter(w)
	for i, a := range r.Advice {
		if i > 0 {
			fmt.Fprintln(b)
		}
		fmt.Fprintf(b, "%s: %s\n", whose(a.Culprit, a.Also), a.Title)
		fmt.Fprintf(b, "  seen    %s\n", a.Observation)
		set := a.Flag
		if a.Now != "" {
			set += "   (now " + a.Now + ")"
		}
		fmt.Fprintf(b, "  set     %s\n  brings  %s\n  costs   %s\n", set, a.Effect, a.Cost)
		for _, u := range a.Unknown {
			fmt.Fprintf(b, "  unknown %s: %s\n", u.Setting, text.Clean(u.Reveal, 300))
		}
		fmt.Fprintf(b, "  rule    %s\n", a.Code)
	}
	if len(r.Advice) == 0 {
		fmt.Fprintln(b, "nothing to set better that these figures show")
	}
	for _, u := range r.Unknown {
		fmt.Fprintf(b, "not judged: %s (%s) of %s: %s is not known: %s\n", u.Title, u.Code, whose(u.Culprit, u.Also), u.Setting, text.Clean(u.Reveal, 300))
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("print advice: %w", err)
	}
	return nil
}

// whose names those whose flag it is.
func whose(c verdict.Culprit, also []verdict.Culprit) string {
	names := []string{text.Clean(c.Name, 40)}
	for _, o := range also {
		names = append(names, text.Clean(o.Name, 40))
	}
	if len(names) > 4 {
		names = append(names[:3:3], fmt.Sprintf("%d more", len(names)-3))
	}
	s := list(names)
	if c.Kind == "worker" && !strings.Contains(s, ":") {
		s = "worker " + s
		if len(also) > 0 {
			s = "workers " + strings.TrimPrefix(s, "worker ")
		}
	}
	return s
}
