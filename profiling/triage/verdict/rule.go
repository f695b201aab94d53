package verdict

import (
	"time"

	"dynascope/sources"
)

// Level is how a rule finds a culprit at one moment.
type Level int

// The levels. Between Stays and Fires lies the hysteresis: a verdict begins
// only at Fires, and ends only below Stays.
const (
	Clear Level = iota
	Stays
	Fires
)

// Finding is what a rule says of one culprit at one moment. Findings of one
// rule are told apart by their culprit's Kind and Name.
type Finding struct {
	Culprit  Culprit
	Level    Level
	Severity Severity
	// Score orders verdicts of equal severity and rank: how many times the
	// threshold, say.
	Score float64
}

// Story is how a verdict is told.
type Story struct {
	Title    string // empty: the rule's
	Sentence string
	Evidence []Evidence
	Advice   []string
	Missing  []string
}

// Silence is what makes a verdict silent: another active one, which explains
// it.
type Silence struct {
	Code string
	// Same: only where both have the same culprit, by worker id, instance or
	// name; else whoever the other one is about.
	Same bool
}

// Alert is how Prometheus says the same without this program.
type Alert struct {
	// Expr is PromQL over {key:form} and {key:form:labels} of the catalogue,
	// the syntax of derived.csv with the labels that stay apart. Empty: the
	// rule cannot be said in one expression, and Why says why.
	Expr string
	For  time.Duration
	// Why says in what the alert is simpler than the rule, or why there is
	// none.
	Why string
	// Critical: whenever it fires, the rule's own finding would be critical.
	Critical bool
}

// Rule is one verdict as data. A new verdict is a new Rule and its scenarios.
type Rule struct {
	Code, Title string
	// Rank orders verdicts of equal severity: lower is more of a cause, higher
	// more of a symptom.
	Rank int
	// Hold is how long Fires must have lasted, Release how long it must have
	// been Clear to end; zero means at once.
	Hold, Release time.Duration
	// Needs are asked as courses. A look-back without a Window takes Look.
	Needs []sources.Need
	// Proof are those of Needs without which the rule is blind: none of their
	// families exists. Empty: it is never blind.
	Proof []sources.Need
	// Judge looks at one moment. It must be quick: it runs once a column.
	Judge func(Moment) []Finding
	// Tell says it in words, once, for the newest moment of an active verdict
	// at which it was found.
	Tell func(Moment, Finding) Story
	// Silenced lists what explains this verdict away.
	Silenced []Silence
	// General: it says that something is wrong and names no cause, so that it
	// may stand beside whatever is.
	General bool
	// Key is the key to press next: the screen that shows it, or P.
	Key string
	// Help says for the documentation when it fires, with its thresholds, and
	// what to do.
	Help  string
	Alert Alert
}

// The grid of judgement.
const (
	// Step lies between two columns, and so between two judgements.
	Step = 5 * time.Second
	// Span is how far back is judged, to find since when.
	Span = 10 * time.Minute
	// Look is the window of rates and histograms in rules.
	Look = time.Minute
)

// SLA is what the users of the deployment were promised; zero means nothing.
type SLA struct{ TTFT, ITL time.Duration }

// Needs are what a judgement by rules asks of the feed.
func Needs(rules []Rule) []sources.Need {
	var out []sources.Need
	seen := map[sources.Need]bool{}
	for _, r := range rules {
		for _, n := range r.Needs {
			if n = course(n); !seen[n] {
				seen[n] = true
				out = append(out, n)
			}
		}
	}
	return out
}

// course is a rule's need as the feed is asked for it.
func course(n sources.Need) sources.Need {
	if n.Window <= 0 && looksBack(n.Form) {
		n.Window = Look
	}
	return n.Over(Span, Step)
}

// looksBack says whether a form reads a window. Derived expressions may; they
// are taken to.
func looksBack(f sources.Form) bool { return f != sources.FormNow && f != sources.FormTotal }
