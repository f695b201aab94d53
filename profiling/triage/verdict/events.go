package verdict

import (
	"cmp"
	"slices"

	"dynascope/sources"
)

// Events are the beginnings and the ends of verdicts within what was judged,
// newest first. What another verdict explains, and what is worth no alarm, is
// none; nor is the beginning of what was there at the first column.
func (j *Judgement) Events() []sources.Event {
	if j == nil {
		return nil
	}
	var out []sources.Event
	for _, v := range slices.Concat(j.Verdicts, j.Past) {
		if v.Severity == Info || v.SilencedBy != "" {
			continue
		}
		e := sources.Event{
			Kind: sources.EventVerdict, At: v.Since, Subject: cmp.Or(v.Culprit.Name, "deployment"),
			Detail: v.Severity.String() + ": " + v.Title, Instance: v.Culprit.Instance, Worker: v.Culprit.Worker,
		}
		if !v.Open {
			out = append(out, e)
		}
		if !v.Until.IsZero() {
			e.Kind, e.At, e.Detail = sources.EventVerdictOver, v.Until, "no longer: "+v.Title
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b sources.Event) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Subject, b.Subject))
	})
	return out
}
