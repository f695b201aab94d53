package tui

import (
	"slices"

	"dynascope/tui/pane"
)

// binding is one row of the key table: help, footer, palette and README are
// generated from it.
type binding struct {
	action string
	keys   []string
	help   string
	group  string
	// global actions are handled by the root, the others go to the pane.
	pane pane.Action
	// hint is the footer's word for it; empty keeps it out of the footer.
	hint string
	// changes marks what alters a server: it stands on a capital letter, asks
	// first, and is refused under --read-only.
	changes bool
}

// Actions that the root handles. Names are stable: the palette, tests and
// documents use them.
const (
	actScreen     = "screen"
	actPause      = "pause"
	actEarlier    = "step-back"
	actLater      = "step-forward"
	actLive       = "live"
	actWindow     = "window"
	actZoomIn     = "zoom-in-time"
	actZoomOut    = "zoom-out-time"
	actSource     = "source"
	actMaximise   = "maximise"
	actExplain    = "explain"
	actFilter     = "filter"
	actHelp       = "help"
	actPalette    = "palette"
	actTargets    = "targets"
	actDeployment = "deployment"
	actEvents     = "events"
	actBaseline   = "baseline"
	actCompare    = "compare"
	actTheme      = "theme"
	actRefresh    = "refresh"
	actQuit       = "quit"
	actSuspend    = "suspend"
	actEscape     = "escape"
	actLog        = "action-log"
	actAdvice     = "advice"
	actLearn      = "learn-baselines"
	actCopy       = "copy"
)

// bindings is the one key table as it is shipped. Keys are spelled as Bubble
// Tea spells them; a console's own table is its copy (remap.go).
var bindings = []binding{
	{action: actScreen, keys: []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}, help: "go to a screen by its number", group: "screens"},
	{action: string(pane.Focus), keys: []string{"tab"}, help: "focus the next part of the screen", group: "screens", pane: pane.Focus, hint: "focus"},
	{action: string(pane.Unfocus), keys: []string{"shift+tab"}, help: "focus the previous part", group: "screens", pane: pane.Unfocus},
	{action: actMaximise, keys: []string{"z"}, help: "maximise the focused part, and back", group: "screens", hint: "maximise"},
	{action: string(pane.Enter), keys: []string{"enter"}, help: "drill in", group: "screens", pane: pane.Enter},
	{action: actEscape, keys: []string{"esc"}, help: "close, clear the filter, back out; never quits", group: "screens"},

	{action: string(pane.Up), keys: []string{"k", "up"}, help: "move up", group: "move", pane: pane.Up},
	{action: string(pane.Down), keys: []string{"j", "down"}, help: "move down", group: "move", pane: pane.Down},
	{action: string(pane.Left), keys: []string{"h", "left"}, help: "chart cursor to the left", group: "move", pane: pane.Left},
	{action: string(pane.Right), keys: []string{"l", "right"}, help: "chart cursor to the right", group: "move", pane: pane.Right},
	{action: string(pane.Top), keys: []string{"g", "home"}, help: "to the first row", group: "move", pane: pane.Top},
	{action: string(pane.Bottom), keys: []string{"G", "end"}, help: "to the last row", group: "move", pane: pane.Bottom},
	{action: string(pane.PageUp), keys: []string{"pgup", "ctrl+u"}, help: "a page up", group: "move", pane: pane.PageUp},
	{action: string(pane.PageDown), keys: []string{"pgdown", "ctrl+d"}, help: "a page down", group: "move", pane: pane.PageDown},

	{action: actFilter, keys: []string{"/"}, help: "filter the rows", group: "rows", hint: "filter"},
	{action: string(pane.Next), keys: []string{"n"}, help: "next match", group: "rows", pane: pane.Next},
	{action: string(pane.Previous), keys: []string{"N"}, help: "previous match", group: "rows", pane: pane.Previous},
	{action: string(pane.Sort), keys: []string{"s"}, help: "sort by the next column", group: "rows", pane: pane.Sort, hint: "sort"},
	{action: string(pane.Invert), keys: []string{"i"}, help: "invert the order", group: "rows", pane: pane.Invert},

	{action: actPause, keys: []string{"space"}, help: "pause the view; collection goes on", group: "time", hint: "pause"},
	{action: actEarlier, keys: []string{"["}, help: "step back in time", group: "time", hint: "back"},
	{action: actLater, keys: []string{"]"}, help: "step forward in time", group: "time", hint: "forward"},
	{action: actLive, keys: []string{"\\"}, help: "back to live, or to the newest moment of a recording", group: "time"},
	{action: actWindow, keys: []string{"w"}, help: "next window", group: "time", hint: "window"},
	{action: actZoomIn, keys: []string{"+", "="}, help: "shorter window", group: "time"},
	{action: actZoomOut, keys: []string{"-"}, help: "longer window", group: "time"},

	{action: actSource, keys: []string{"o"}, help: "where latency was measured: frontend, router, engine", group: "figures", hint: "source"},
	{action: actExplain, keys: []string{"e"}, help: "explain the focused figure: meaning, query, age", group: "figures", hint: "explain"},
	{action: actTargets, keys: []string{"t"}, help: "targets: health, what each scrape costs, and what discovery tried", group: "figures"},
	{action: actDeployment, keys: []string{"d"}, help: "pick a deployment and a model, or everything", group: "figures"},
	{action: actCopy, keys: []string{"y"}, help: "copy the focused part, or what lies over it, as text (OSC 52)", group: "figures"},
	{action: actEvents, keys: []string{"v"}, help: "verdicts with their evidence and advice, and what happened; enter goes there", group: "figures"},
	{action: actAdvice, keys: []string{"a"}, help: "goodput, head-room and advice: how much more fits, and which flags could be set better", group: "figures"},
	{action: actLearn, keys: []string{"ctrl+k"}, help: "learn from the window on screen what figures are while there is little to do, and keep it", group: "figures"},
	{action: actBaseline, keys: []string{"b"}, help: "mark the window on screen as the baseline", group: "figures"},
	{action: actCompare, keys: []string{"c"}, help: "compare with the baseline, and stop comparing", group: "figures"},
	{action: actLog, keys: []string{"@"}, help: "action log: every request sent to a server, and its answer", group: "program"},
	{action: actTheme, keys: []string{"ctrl+t"}, help: "next theme", group: "program"},
	{action: actRefresh, keys: []string{"r"}, help: "refresh now", group: "program"},
	{action: actHelp, keys: []string{"?"}, help: "keys and glossary", group: "program"},
	{action: actPalette, keys: []string{":"}, help: "every action by name", group: "program"},
	{action: actSuspend, keys: []string{"ctrl+z"}, help: "suspend to the shell", group: "program"},
	{action: actQuit, keys: []string{"q", "ctrl+c"}, help: "quit", group: "program", hint: "quit"},
}

// lookup finds the row of a key.
func (t keyTable) lookup(key string) (binding, bool) {
	for _, b := range t {
		if slices.Contains(b.keys, key) {
			return b, true
		}
	}
	return binding{}, false
}
