// Package panetest holds every pane to its contract (tui/pane): exactly its
// rectangle at any size, whatever the data, the same picture from the same
// frame, and nothing but colours in the text. It is for tests only.
//
// It knows no pane: what a pane is fed with is built from the pane's own
// needs. It does not judge whether a picture is good; that is what goldens
// are looked at for.
package panetest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/themes"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

// Sizes are the areas that every pane must fill, width and height.
var sizes = [][2]int{{0, 0}, {1, 1}, {0, 5}, {5, 0}, {20, 4}, {80, 20}, {140, 38}, {250, 66}}

// actions are all that a pane may be asked, in an order that walks down a
// list, drills in and backs out.
var actions = []pane.Action{
	pane.Down, pane.Right, pane.Sort, pane.Invert, pane.Bottom, pane.PageUp, pane.Top, pane.PageDown, pane.Up, pane.Left,
	pane.Focus, pane.Right, pane.Next, pane.Previous, pane.Enter, pane.Down, pane.Right, pane.Back, pane.Unfocus, pane.Back,
}

// Frame is an area over which a snapshot from Fill can be drawn: the default
// theme, a window of five minutes, and limits of 500 ms TTFT and 25 ms ITL.
// Its snapshot is nil.
func Frame(w, h int) pane.Frame {
	theme, err := themes.Get("")
	if err != nil {
		panic(err) // the default theme is built in
	}
	return pane.Frame{
		W: w, H: h,
		Styles: themes.NewStyles(theme, false),
		SLA:    pane.SLA{TTFT: 500 * time.Millisecond, ITL: 25 * time.Millisecond},
		Window: 5 * time.Minute,
		Source: pane.FromFrontend,
	}
}

// With fills a frame with what the pane asks for in it, as the root does:
// the needs may follow what the snapshot shows, so they are asked twice.
func With(p pane.Pane, f pane.Frame, d Dataset) pane.Frame {
	for range 2 {
		if needs := p.Needs(f); f.Snap == nil || !answers(f.Snap, needs) {
			f.Snap = Fill(f, needs, d)
		}
	}
	return f
}

// answers says whether a snapshot holds exactly these needs.
func answers(s *sources.Snapshot, needs []sources.Need) bool {
	distinct := map[sources.Need]bool{}
	for _, n := range needs {
		distinct[n] = true
	}
	have := s.Figures()
	for _, f := range have {
		if !distinct[f.Need] {
			return false
		}
	}
	return len(have) == len(distinct)
}

// Run holds a pane to the contract. New gives a fresh pane, as panes.All does.
func Run(t *testing.T, fresh func() pane.Pane) {
	t.Helper()
	p := fresh()
	for name, v := range map[string]string{"ID": p.ID(), "Title": p.Title(), "Short": p.Short()} {
		if v == "" || v != cells.Strip(v) || len(v) > 16 {
			t.Errorf("%s is %q: not a short plain word", name, v)
		}
	}
	for _, d := range Datasets() {
		for _, size := range sizes {
			if d == Many && size != [2]int{80, 20} && size != [2]int{250, 66} {
				continue // the many are for cost
			}
			t.Run(fmt.Sprintf("%s/%dx%d", d, size[0], size[1]), func(t *testing.T) {
				runOne(t, fresh, Frame(size[0], size[1]), d)
			})
		}
	}
	t.Run("settings", func(t *testing.T) { runSettings(t, fresh) })
}

func runOne(t *testing.T, fresh func() pane.Pane, f pane.Frame, d Dataset) {
	p := fresh()
	f = With(p, f, d)
	checkNeeds(t, p.Needs(f))
	before := dump(f.Snap)
	first := checkView(t, "fresh", p, f)
	if again := p.View(f); again != first {
		t.Errorf("the second drawing of one frame differs from the first")
	}
	if other := fresh().View(f); other != first {
		t.Errorf("another fresh pane draws the same frame differently: state outside the pane?")
	}
	if d != Nil {
		// A tick later a need is new and unanswered, or the snapshot is gone.
		checkView(t, "unanswered", p, with(f, Fill(f, nil, d)))
		checkView(t, "nil snapshot", p, with(f, nil))
	}
	judged := f
	judged.Judgement = Judgement(f.Snap, d)
	judged = With(p, judged, d) // needs may follow from what room is left
	checkView(t, "judged", p, judged)
	explain(t, p, judged)
	explain(t, p, f)
	if press, ok := p.(pane.Presser); ok {
		for _, a := range actions {
			press.Press(a, f)
			f = With(p, f, d)
			checkNeeds(t, p.Needs(f))
			checkView(t, "after "+string(a), p, f)
			explain(t, p, f)
		}
		f = With(p, f, d)
		before = dump(f.Snap)
		checkView(t, "after all actions", p, f)
	}
	if filter, ok := p.(pane.Filterer); ok {
		for _, text := range []string{"a", "zzz no such row", "role:decode", "\x1b[2J\x1b]0;x\x07界", "!!!:><", ""} {
			_ = filter.SetFilter(text)
			f = With(p, f, d)
			before = dump(f.Snap)
			checkView(t, fmt.Sprintf("filtered by %q", text), p, f)
		}
		if filter.Filter() != "" {
			t.Errorf("the filter is %q after the empty one was set", filter.Filter())
		}
	}
	if dump(f.Snap) != before {
		t.Errorf("drawing changed the snapshot")
	}
}

// runSettings draws what the user can switch: zoom, pause, source, window,
// limits, theme and glyphs.
func runSettings(t *testing.T, fresh func() pane.Pane) {
	for name, set := range map[string]func(*pane.Frame){
		"zoom":           func(f *pane.Frame) { f.Zoom = true },
		"paused":         func(f *pane.Frame) { f.Paused = true },
		"from router":    func(f *pane.Frame) { f.Source = pane.FromRouter },
		"from engine":    func(f *pane.Frame) { f.Source = pane.FromEngine },
		"no source":      func(f *pane.Frame) { f.Source = "" },
		"no limits":      func(f *pane.Frame) { f.SLA = pane.SLA{} },
		"window 1m":      func(f *pane.Frame) { f.Window = time.Minute },
		"window 2h":      func(f *pane.Frame) { f.Window = 2 * time.Hour },
		"no window":      func(f *pane.Frame) { f.Window = 0 },
		"no styles":      func(f *pane.Frame) { f.Styles = themes.Styles{} },
		"ascii, no hues": func(f *pane.Frame) { f.Styles = themes.NewStyles(f.Styles.Plain(), true) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range sizes {
				p, f := fresh(), Frame(size[0], size[1])
				set(&f)
				f = With(p, f, Full)
				out := checkView(t, name, p, f)
				checkShape(t, "in 7 bits", cells.ASCII(out), f)
			}
		})
	}
}

func with(f pane.Frame, s *sources.Snapshot) pane.Frame {
	f.Snap = s
	return f
}

func explain(t *testing.T, p pane.Pane, f pane.Frame) {
	t.Helper()
	e, ok := p.(pane.Explainer)
	if !ok {
		return
	}
	asked := map[sources.Need]bool{}
	for _, n := range p.Needs(f) {
		asked[n] = true
	}
	for _, n := range e.Explain(f) {
		if !asked[n] {
			t.Errorf("explains %+v, which it does not ask for", n)
		}
	}
}

// checkNeeds refuses questions that the feed cannot answer, or would have to
// answer twice.
func checkNeeds(t *testing.T, needs []sources.Need) {
	t.Helper()
	for _, n := range needs {
		if _, err := catalog.Default().Query(n, 5*time.Minute, catalog.Scope{}); err != nil {
			t.Errorf("need %+v: %v", n, err)
		}
		switch {
		case strings.ContainsAny(n.By, " \t"):
			t.Errorf("need %+v: blanks in By make it another question than the same without", n)
		case n.Span < 0 || n.Step < 0 || n.IsRange() && n.Step < time.Second:
			t.Errorf("need %+v: a course needs steps of at least a second", n)
		case n.IsRange() && n.Span/n.Step > 1000:
			t.Errorf("need %+v asks for %d columns", n, n.Span/n.Step)
		}
	}
}

func checkView(t *testing.T, when string, p pane.Pane, f pane.Frame) string {
	t.Helper()
	out := p.View(f)
	checkShape(t, when, out, f)
	return out
}

var sgr = regexp.MustCompile(`\x1b\[[0-9;:]*m`)

// checkShape says whether the text is exactly H lines of W cells without
// anything but colours in it.
func checkShape(t *testing.T, when, out string, f pane.Frame) {
	t.Helper()
	if f.H == 0 || f.W == 0 && f.H <= 1 {
		if out != "" {
			t.Fatalf("%s: %q in an area of %d×%d", when, out, f.W, f.H)
		}
		return
	}
	lines := strings.Split(out, "\n")
	if len(lines) != f.H {
		t.Fatalf("%s: %d lines, want %d:\n%s", when, len(lines), f.H, ansi.Strip(out))
	}
	for i, l := range lines {
		if w := ansi.StringWidth(l); w != f.W {
			t.Fatalf("%s: line %d has %d cells, want %d: %q", when, i+1, w, f.W, l)
		}
		bare := sgr.ReplaceAllString(l, "")
		if at := strings.IndexFunc(bare, unicode.IsControl); at >= 0 {
			t.Fatalf("%s: line %d has a control character: %q", when, i+1, bare)
		}
	}
}

// dump writes a snapshot's figures out, to see whether they were changed.
func dump(s *sources.Snapshot) string {
	if s == nil || len(s.Workers) > 16 { // the many are for cost, not for this
		return ""
	}
	var b strings.Builder
	for _, f := range s.Figures() {
		fmt.Fprintf(&b, "%+v\n", *f)
	}
	fmt.Fprintf(&b, "%+v %+v", s.Workers, s.Targets)
	return b.String()
}
