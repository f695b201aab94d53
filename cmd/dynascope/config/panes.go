package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"dynascope/sources/catalog"
)

// Pane is a screen that a user defined.
type Pane struct {
	Title, Short string
	Rows         [][]Widget
	At           Pos
}

// Widget is one titled expression of a pane.
type Widget struct {
	Title string
	Expr  string // PromQL, checked
	Kind  string // one of WidgetKinds
	Unit  string // the catalogue's words: seconds, tokens, ratio, bytes …
	// Legend names a series: text with {{label}}; empty lists its labels.
	Legend string
	At     Pos
}

// WidgetKinds are the ways to draw an expression; the first is the default.
var WidgetKinds = []string{"line", "sparkline", "table", "heatmap"}

var (
	paneKeys   = []string{"title", "short", "rows"}
	widgetKeys = []string{"title", "expr", "kind", "unit", "legend"}
)

func (r *reader) panes(n ast.Node) []Pane {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		r.fail(n, "panes is not a list", "panes: [{title: …, rows: […]}]")
		return nil
	}
	if len(seq.Values) > maxPanes {
		r.fail(n, fmt.Sprintf("more than %d panes", maxPanes), "")
		return nil
	}
	var out []Pane
	for _, v := range seq.Values {
		p := Pane{At: r.pos(v)}
		for _, e := range r.mapping(v, "a pane") {
			switch e.name {
			case "title":
				p.Title = r.word(e)
			case "short":
				p.Short = r.word(e)
			case "rows":
				p.Rows = r.rows(e)
			default:
				r.strange(e, paneKeys)
			}
		}
		switch {
		case p.Title == "":
			r.fail(v, "a pane without a title", "title: NAME")
		case len(p.Rows) == 0:
			r.fail(v, "the pane "+quoted(p.Title)+" shows nothing", "rows: [{title: …, expr: …}]")
		}
		if p.Short == "" {
			p.Short = string([]rune(p.Title)[:min(4, len([]rune(p.Title)))])
		}
		out = append(out, p)
	}
	return out
}

// The most that a pane can show; each widget is a question a tick.
const (
	mostRows    = 8
	mostColumns = 6
)

// rows reads a list of widgets and of lists of widgets that stand beside each
// other.
func (r *reader) rows(e entry) [][]Widget {
	seq, ok := e.value.(*ast.SequenceNode)
	if !ok || len(seq.Values) > mostRows {
		r.fail(e.key, fmt.Sprintf("rows is not a list of at most %d", mostRows), "rows: [{title: …, expr: …}]")
		return nil
	}
	var out [][]Widget
	for _, v := range seq.Values {
		row, ok := v.(*ast.SequenceNode)
		if !ok {
			out = append(out, []Widget{r.widget(v)})
			continue
		}
		if len(row.Values) == 0 || len(row.Values) > mostColumns {
			r.fail(v, fmt.Sprintf("a row has 1 to %d widgets", mostColumns), "")
			continue
		}
		var line []Widget
		for _, w := range row.Values {
			line = append(line, r.widget(w))
		}
		out = append(out, line)
	}
	return out
}

func (r *reader) widget(n ast.Node) Widget {
	w := Widget{At: r.pos(n), Kind: WidgetKinds[0]}
	before := len(r.errs)
	for _, e := range r.mapping(n, "a widget") {
		switch e.name {
		case "title":
			w.Title = r.word(e)
		case "expr":
			w.Expr = r.word(e)
			if err := catalog.CheckExpr(w.Expr); err != nil {
				r.errs = append(r.errs, fmt.Errorf("%s: expr: %w", r.pos(e.value), err))
			}
		case "kind":
			if w.Kind = r.word(e); !slices.Contains(WidgetKinds, w.Kind) {
				r.fail(e.value, "kind "+quoted(w.Kind)+" is unknown", "one of "+strings.Join(WidgetKinds, ", "))
			}
		case "unit":
			w.Unit = r.word(e)
		case "legend":
			w.Legend = r.word(e)
		default:
			r.strange(e, widgetKeys)
		}
	}
	if len(r.errs) == before && (w.Title == "" || w.Expr == "") {
		r.fail(n, "a widget needs a title and an expr", "{title: Running, expr: 'sum(…)'}")
	}
	return w
}

func (r *reader) word(e entry) string {
	s, ok := scalar(e.value)
	if !ok {
		r.fail(e.value, e.name+" takes one plain value", e.name+": VALUE")
	}
	return strings.TrimSpace(s)
}

func (r *reader) strange(e entry, known []string) {
	hint := "one of " + strings.Join(known, ", ")
	if near := Nearest(e.name, known); near != "" {
		hint = near + "?"
	}
	r.fail(e.key, "unknown key "+quoted(e.name), hint)
}
