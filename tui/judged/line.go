package judged

import (
	"fmt"
	"strings"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/themes"
	"dynascope/tui/cells"
)

// Line is the one line that says what is wrong: the cause and whom it is about,
// the evidence, since when and after what, and the key to press. When nothing is
// wrong it says on what that rests, and when nothing can be known what is
// missing.
type Line struct {
	Snap      *sources.Snapshot
	Judgement *verdict.Judgement // nil: not judged yet, or not at all
	TTFT      time.Duration      // the limit, 0 for none
	Styles    themes.Styles
	Clock     Clock // nil is the time of day
	// Silence says why there is nothing to judge; empty when there is.
	Silence string
}

// narrow is the width below which severity is its sign alone.
const narrow = 100

// Draw is the line in exactly w cells.
func (l Line) Draw(w int) string {
	s := l.Styles
	if l.Clock == nil {
		l.Clock = text.Clock
	}
	if l.Silence != "" {
		return cells.Line(w, cells.L(" "+s.Warn.Render(s.G.Or().Unknown+" NO DATA")+"  "+l.Silence, 0))
	}
	if v, ok := l.Judgement.Head(); ok {
		return cells.Fit(cells.Line(w-1, l.verdict(v, w)...), w)
	}
	word, level := Word(l.Judgement)
	mark := ""
	if word != "" {
		mark = s.Mark(level) + " " + s.Of(level).Render(word)
	}
	if l.Judgement != nil && l.Judgement.State == verdict.Unknown {
		return cells.Line(w, cells.L(" "+s.Warn.Render(s.G.Or().Unknown+" "+word)+"  "+l.missing(), 0))
	}
	parts := l.facts()
	if mark != "" {
		parts[0].Sep = "  "
		parts = append([]cells.Part{{Text: mark}}, parts...)
	}
	parts[0].Text = " " + parts[0].Text
	if old := l.age(); old != "" {
		parts = append(parts, cells.R(s.Stale.Render(old), 1))
	}
	if j := l.Judgement; j != nil {
		var notes []string
		if n := len(j.Verdicts); n > 0 {
			notes = append(notes, plural(n, "note"))
		}
		if n := len(j.Blind); n > 0 {
			notes = append(notes, plural(n, "cause")+" cannot be judged here")
		}
		if len(notes) > 0 {
			parts = append(parts, cells.R(s.Faint.Render(strings.Join(notes, ", ")), 7))
		}
	}
	return cells.Fit(cells.Line(w-1, parts...), w)
}

// verdict tells the first verdict, and that there are more.
func (l Line) verdict(v verdict.Verdict, w int) []cells.Part {
	s := l.Styles
	dot := s.Dim.Render(" " + s.G.Or().Sep + " ")
	level := Level(v.Severity)
	cause := s.Value.Render(Title(v))
	if who := Who(v.Culprit); who != "" {
		if w < narrow {
			who = strings.TrimPrefix(who, v.Culprit.Kind+" ")
		}
		cause += s.Dim.Render(" "+s.G.Or().Sep+" ") + s.Accent.Render(who)
	}
	parts := []cells.Part{{Text: " " + s.Mark(level)}}
	if w >= narrow {
		parts = append(parts, cells.Part{Text: s.Of(level).Render(strings.ToUpper(v.Severity.String())), Priority: 6, Sep: " "})
	}
	parts = append(parts, cells.Part{Text: cause, Sep: " "})
	for i, e := range Texts(v) {
		p := cells.Part{Text: s.Text.Render(e), Priority: 1, Sep: "   "}
		if i > 0 {
			p.Priority, p.Sep = 7+i, dot
		}
		parts = append(parts, p)
	}
	if old := l.age(); old != "" {
		parts = append(parts, cells.R(s.Stale.Render(old), 2))
	}
	if n := Alarms(l.Judgement) - 1; n > 0 {
		parts = append(parts, cells.R(s.Warn.Render(fmt.Sprintf("+%d more", n)), 4))
	}
	if v.Key != "" {
		parts = append(parts, cells.R(s.Dim.Render("press ")+s.Accent.Render(text.Clean(v.Key, 8)), 5))
	}
	since := s.Dim.Render(Since(v, l.Clock))
	parts = append(parts, cells.R(since, 3))
	if after := After(v); after != "" {
		parts = append(parts, cells.Part{Text: s.Dim.Render(after), Right: true, Priority: 6, Sep: s.Dim.Render(", ")})
	}
	return parts
}

// age says when it was judged, once that is no longer the moment shown.
func (l Line) age() string {
	if l.Judgement == nil {
		return ""
	}
	if age := l.Snap.At.Sub(l.Judgement.At); age > 3*verdict.Step {
		return "judged " + text.Age(age) + " ago"
	}
	return ""
}

// missing says what would let anything be judged.
func (l Line) missing() string {
	for _, b := range l.Judgement.Blind {
		if note := text.Clean(b.Note, sentenceRunes); note != "" {
			return note
		}
	}
	return "no figure has a number at this moment"
}
