package judged

import (
	"cmp"
	"math"
	"strings"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/themes"
)

// The most runes of outside text in a line.
const (
	nameRunes     = 40
	sentenceRunes = 300
)

// Level is a severity as a sign and a colour.
func Level(s verdict.Severity) themes.Level {
	switch s {
	case verdict.Critical:
		return themes.Bad
	case verdict.Warning:
		return themes.Warn
	}
	return themes.Idle
}

// Word is a state in one word, with its sign. No judgement has none.
func Word(j *verdict.Judgement) (word string, level themes.Level) {
	if j == nil {
		return "", themes.Unknown
	}
	switch j.State {
	case verdict.Healthy:
		return "HEALTHY", themes.Good
	case verdict.Warned:
		return "WARNING", themes.Warn
	case verdict.Critic:
		return "CRITICAL", themes.Bad
	case verdict.Learning:
		return "LEARNING " + progress(j), themes.Idle
	}
	return "NO DATA", themes.Unknown
}

// progress is how much of the longest look-back is filled: "12/30 s".
func progress(j *verdict.Judgement) string {
	if j.Want < 2*time.Minute {
		return text.Count(math.Floor(j.Have.Seconds())) + "/" + text.Count(j.Want.Seconds()) + " s"
	}
	return text.Age(j.Have) + " of " + text.Age(j.Want)
}

// Who names a culprit: "worker 7f3a". The whole deployment has no name.
func Who(c verdict.Culprit) string {
	name := text.Clean(c.Name, nameRunes)
	if name == "" || strings.HasPrefix(name, c.Kind) {
		return cmp.Or(name, c.Kind)
	}
	return strings.TrimSpace(c.Kind + " " + name)
}

// Title is a verdict's title.
func Title(v verdict.Verdict) string { return text.Clean(v.Title, nameRunes) }

// Sentence is a verdict's sentence.
func Sentence(v verdict.Verdict) string { return text.Clean(v.Sentence, sentenceRunes) }

// Clock spells moments; text.Clock unless the date matters.
type Clock func(time.Time) string

// Since says from when a verdict holds: "since 12:01:10".
func Since(v verdict.Verdict, clock Clock) string {
	when := strings.TrimSuffix(clock(v.Since), "Z")
	switch {
	case v.Open:
		return "since before " + when
	case !v.Until.IsZero():
		return when + " to " + strings.TrimSuffix(clock(v.Until), "Z")
	}
	return "since " + when
}

// happenings are the kinds of events in the past tense.
var happenings = map[sources.EventKind]string{
	sources.EventScrapeLost: "stopped answering", sources.EventScrapeBack: "answered again", sources.EventRole: "changed its role",
	sources.EventUnlisted: "left the router", sources.EventListed: "joined the router again", sources.EventModel: "was announced",
	sources.EventModelGone: "was withdrawn",
}

// After says what happened shortly before: "20 s after 91c2 restarted"; empty
// when nothing did. It claims no cause.
func After(v verdict.Verdict) string {
	e := v.After
	if e == nil {
		return ""
	}
	what := text.Clean(e.Subject, nameRunes) + " " + cmp.Or(happenings[e.Kind], string(e.Kind))
	if gap := v.Since.Sub(e.At); gap >= time.Second {
		return text.Age(gap) + " after " + what
	}
	return "as " + what
}

// Evidence spells one number in full: its text, the number where the text has
// none, and the limit that it is held against, where one was crossed:
// "KV 97 % (limit 90 %)".
func Evidence(e verdict.Evidence) string {
	out := text.Clean(e.Text, sentenceRunes)
	if e.Unit == "0/1" || e.Unit == "bool" {
		return out // "no" and "yes" say less than the text
	}
	var in []string
	if !math.IsNaN(e.Value) && !strings.ContainsAny(out, "0123456789") {
		in = append(in, text.Value(e.Value, e.Unit))
	}
	if !math.IsNaN(e.Threshold) && e.Threshold != 0 && !strings.Contains(out, text.Cell(e.Threshold, e.Unit)) {
		in = append(in, "limit "+text.Value(e.Threshold, e.Unit))
	}
	if len(in) == 0 {
		return out
	}
	return strings.TrimSpace(out + " (" + strings.Join(in, ", ") + ")")
}

// Texts are the evidence in short.
func Texts(v verdict.Verdict) []string {
	out := make([]string, 0, len(v.Evidence))
	for _, e := range v.Evidence {
		if t := text.Clean(e.Text, sentenceRunes); t != "" {
			out = append(out, t)
		}
	}
	return out
}

// Alarms counts the verdicts above info.
func Alarms(j *verdict.Judgement) (n int) {
	if j == nil {
		return 0
	}
	for _, v := range j.Verdicts {
		if v.Severity > verdict.Info {
			n++
		}
	}
	return n
}

// About is the worst verdict whose culprit is a worker or its page, silenced
// ones included; ok is false when there is none above info.
func About(j *verdict.Judgement, worker, instance string) (worst verdict.Verdict, ok bool) {
	if j == nil {
		return worst, false
	}
	for _, list := range [][]verdict.Verdict{j.Verdicts, j.Silenced} {
		for _, v := range list {
			c := v.Culprit
			if v.Severity > verdict.Info && (worker != "" && c.Worker == worker || instance != "" && c.Instance == instance) && (!ok || v.Severity > worst.Severity) {
				worst, ok = v, true
			}
		}
		if ok {
			return worst, true
		}
	}
	return worst, ok
}

// Names says whether any verdict above info names a worker.
func Names(j *verdict.Judgement) bool {
	if j == nil {
		return false
	}
	for _, list := range [][]verdict.Verdict{j.Verdicts, j.Silenced} {
		for _, v := range list {
			if v.Severity > verdict.Info && (v.Culprit.Worker != "" || v.Culprit.Kind == "worker") {
				return true
			}
		}
	}
	return false
}
