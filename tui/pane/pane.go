// Package pane is the contract between the root and its panes: what a pane is
// given (Frame), what it answers (needs and a rectangle of text), and the
// actions it may handle.
//
// A pane is pure: its View depends on the frame and its own cursor alone. It
// reads no clock, does no I/O, reaches no source and keeps no package
// variable. This package draws nothing itself.
package pane

import (
	"time"

	"dynascope/profiling/triage"
	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/themes"
)

// Pane is one screen of the console.
type Pane interface {
	// ID is the stable name used in commands, tests and documents: "latency".
	ID() string
	// Title and Short are the tab's text, on wide and on narrow screens.
	Title() string
	Short() string
	// Needs are the figures that View will draw. They may depend on the
	// frame's size and source and on the pane's cursor.
	Needs(Frame) []sources.Need
	// View returns exactly f.H lines of exactly f.W cells.
	View(Frame) string
}

// Presser is a pane that handles actions while it is on screen.
type Presser interface {
	// Press handles an action and says whether it changed anything. The frame
	// is that of the last drawing.
	Press(Action, Frame) bool
}

// Explainer is a pane that can say which figures stand under its focus, the
// focused one first; the e key explains them.
type Explainer interface {
	Explain(Frame) []sources.Need
}

// Filterer is a pane whose rows can be filtered by text.
type Filterer interface {
	// SetFilter takes the text typed after /; an error is shown while typing.
	SetFilter(text string) error
	// Filter is the filter in force, empty when none.
	Filter() string
}

// Detailer is a pane that shows what no store holds about a worker: the flags
// that its process was started with, its last log lines. The root asks for it
// beside the drawing and hands it over in Frame.Details.
type Detailer interface {
	Details(Frame) []DetailNeed
}

// Finder is a pane that can put its cursor on whom a verdict is about.
type Finder interface {
	// Find goes there, and says whether there is such a one. The frame may not
	// hold the answers to the pane's needs yet.
	Find(verdict.Culprit, Frame) bool
}

// Action is something a key can ask of a pane. The root owns the keys; panes
// see only actions, so no pane can rebind a global key.
type Action string

// The actions that panes may handle.
const (
	Up       Action = "up"
	Down     Action = "down"
	Left     Action = "left"
	Right    Action = "right"
	Top      Action = "top"
	Bottom   Action = "bottom"
	PageUp   Action = "page-up"
	PageDown Action = "page-down"
	Enter    Action = "enter"
	Back     Action = "back"
	Sort     Action = "sort"
	Invert   Action = "invert"
	Next     Action = "next-match"
	Previous Action = "previous-match"
	Focus    Action = "focus"
	Unfocus  Action = "focus-back"
)

// Source names where a latency figure was measured (the o key).
type Source string

// The sources of a latency figure, outermost first.
const (
	FromFrontend Source = "frontend"
	FromRouter   Source = "router"
	FromEngine   Source = "engine"
)

// sourceOrder is the order in which o cycles.
var sourceOrder = [...]Source{FromFrontend, FromRouter, FromEngine}

// After returns the source that o switches to.
func (s Source) After() Source {
	for i, o := range sourceOrder {
		if o == s {
			return sourceOrder[(i+1)%len(sourceOrder)]
		}
	}
	return FromFrontend
}

// SLA is what the user promised: the limits that shares and marks refer to.
type SLA struct {
	TTFT, ITL time.Duration
}

// Frame is everything a pane may draw from.
type Frame struct {
	W, H   int
	Snap   *sources.Snapshot // may be nil before the first tick
	Styles themes.Styles
	SLA    SLA
	// Window is the look-back chosen with w; it is also the span of charts.
	Window time.Duration
	Source Source
	// Zoom: only the focused part of the pane is wanted, over the whole area.
	Zoom bool
	// LowBandwidth: the line is thin; what changes with every second without
	// saying anything (ages, spinners, chart shifts) is better left out.
	LowBandwidth bool
	// Paused: the user stopped the view or went back in time.
	Paused bool
	// Judgement is what is wrong at the moment shown; nil while it is not
	// known, or without rules. It is immutable.
	Judgement *verdict.Judgement
	// Events are what happened, newest first: those of the snapshot, those of
	// this program's jobs, and beginnings and ends of verdicts.
	Events []sources.Event
	// Compare: numbers are compared with those of Snap.Baseline, where a
	// window is marked.
	Compare bool
	// Changes are the comparison's headline numbers, while comparing.
	Changes []triage.Compared
	// Details are the answers to a Detailer; what is missing is under way.
	Details map[DetailNeed]Detail
}

// Change is the comparison of a headline number, by its id; ok is false while
// nothing is compared.
func (f Frame) Change(id string) (c triage.Compared, ok bool) {
	for _, c := range f.Changes {
		if c.ID == id && f.Compare {
			return c, true
		}
	}
	return triage.Compared{}, false
}

// Baseline is the snapshot to compare with, nil when nothing is compared.
func (f Frame) Baseline() *sources.Snapshot {
	if f.Snap == nil || !f.Compare {
		return nil
	}
	return f.Snap.Baseline
}

// Size returns the frame with another size, for parts of a pane.
func (f Frame) Size(w, h int) Frame {
	f.W, f.H = max(w, 0), max(h, 0)
	return f
}

// Now is the moment the frame shows, zero before the first tick.
func (f Frame) Now() time.Time {
	if f.Snap == nil {
		return time.Time{}
	}
	return f.Snap.At
}

// spans are the time axes of charts while the window is not filled yet.
var spans = [...]time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}

// Span is the time that charts cover: the window, and in the first minutes
// the next round time that holds what there is, so that a chart is not a
// sliver at the right of an empty field.
func (f Frame) Span() time.Duration {
	var have time.Duration
	if f.Snap != nil {
		have = f.Snap.Have
	}
	for _, s := range spans {
		if s >= have && s < f.Window {
			return s
		}
	}
	return f.Window
}

// Columns returns the span and the step of a chart that is w columns wide:
// whole seconds a column, at least one, so that equal widths share one
// course. With low bandwidth a column is drawn two cells wide.
func (f Frame) Columns(w int) (span, step time.Duration) {
	w = max(w, 1)
	if f.LowBandwidth {
		w = max(w/2, 1)
	}
	want := f.Span()
	step = max(want/time.Duration(w), time.Second).Round(time.Second)
	if step*time.Duration(w) < want {
		step += time.Second
	}
	return step * time.Duration(w), step
}
