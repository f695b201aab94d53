package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"dynascope/profiling/doctor"
	"dynascope/profiling/triage/rules"
	"dynascope/profiling/triage/verdict"
	"dynascope/sources/text"
)

const troubleshooting = "../../docs/troubleshooting.md"

// TestTroubleshooting holds docs/troubleshooting.md against the tables of the
// verdicts and of the doctor; make golden rewrites it.
func TestTroubleshooting(t *testing.T) {
	want := troubleshootingDoc(rules.All(), doctor.Codes())
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(troubleshooting, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(troubleshooting)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the tables say; hint: make golden, then look at the diff", troubleshooting)
	}
}

// troubleshootingDoc writes the document.
func troubleshootingDoc(verdicts []verdict.Rule, codes []doctor.Code) string {
	var b strings.Builder
	b.WriteString(`# Troubleshooting

<!-- Generated from the tables of profiling/triage/rules and profiling/doctor: make golden -->

Two questions, two tables. *The deployment is slow or broken*: the verdicts, which the console's first line, ` + "`dynascope check`" + ` and
` + "`dynascope rules`" + ` (Prometheus alerts) give. *A figure or a screen is missing*: the findings of ` + "`dynascope doctor`" + `.

`)
	fmt.Fprintf(&b, "- [Verdicts](#verdicts) (%d)\n- [Findings of the doctor](#findings-of-the-doctor) (%d)\n\n## Verdicts\n\n", len(verdicts), len(codes))
	b.WriteString("A verdict is judged every " + verdict.Step.String() + " over the last " + short(verdict.Look) + ", begins when it has held for its hold, and names its evidence, its culprit and the screen to look at next.\n\n")
	verdicts = slices.SortedFunc(slices.Values(verdicts), func(a, b verdict.Rule) int { return strings.Compare(a.Code, b.Code) })
	b.WriteString("| code | what | hold | key |\n|---|---|---|---|\n")
	for _, r := range verdicts {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s | `%s` |\n", r.Code, r.Code, text.EscapeMarkdown(r.Title), short(r.Hold), r.Key)
	}
	for _, r := range verdicts {
		fmt.Fprintf(&b, "\n### %s\n\n**%s.** %s\n", r.Code, text.EscapeMarkdown(upper(r.Title)), prose(r.Help))
		if r.Alert.Expr == "" {
			fmt.Fprintf(&b, "\nNo alert for Prometheus: %s\n", prose(r.Alert.Why))
		} else {
			fmt.Fprintf(&b, "\nAs an alert for Prometheus (`dynascope rules`), after %s%s\n", short(max(r.Alert.For, r.Hold)), reason(r.Alert.Why))
		}
		var by []string
		for _, s := range r.Silenced {
			by = append(by, "`"+s.Code+"`")
		}
		if len(by) > 0 {
			fmt.Fprintf(&b, "\nNot told while explained by %s.\n", strings.Join(by, ", "))
		}
	}
	b.WriteString("\n## Findings of the doctor\n\n`dynascope doctor` looks from the endpoint to the screen and prints what it finds, worst first. Exit status: 0 no more than notes, 1 warnings, 2 something that blocks, 3 no target answered. [doctor-json.md](doctor-json.md) describes `--json`.\n\n")
	b.WriteString("| code | severity | what it is, and what to do |\n|---|---|---|\n")
	for _, c := range codes {
		fmt.Fprintf(&b, "| `%s` | %s | **%s.** %s |\n", c.Code, c.Severity, text.EscapeMarkdown(upper(c.Title)), prose(c.Help))
	}
	return b.String()
}

// prose is a help text as Markdown: our own words, so only what would be taken
// for markup is escaped.
func prose(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`, "_", `\_`).Replace(strings.Join(strings.Fields(s), " "))
}

func reason(why string) string {
	if why == "" {
		return "."
	}
	return ": " + prose(why)
}

// short spells a duration without zero parts: 30s, 2m.
func short[D fmt.Stringer](d D) string {
	s := d.String()
	s = strings.TrimSuffix(s, "m0s")
	if s != d.String() {
		s += "m"
	}
	if s == "0s" {
		return "–"
	}
	return s
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
