package main

import (
	"fmt"
	"strings"

	"dynascope/cmd/dynascope/config"
	"dynascope/sources/catalog"
	"dynascope/tui/pane"
	"dynascope/tui/panes"
	"dynascope/tui/panes/user"
)

// userExprs are the expressions of the user's panes as the catalogue takes
// them, and the panes that ask for them by key.
func userExprs(defined []config.Pane) (exprs []catalog.UserExpr, specs []user.Spec) {
	taken := map[string]bool{}
	for _, p := range defined {
		slug := unique(slugOf(p.Title), taken)
		spec := user.Spec{ID: "user-" + strings.ReplaceAll(slug, "_", "-"), Title: p.Title, Short: p.Short}
		inPane := map[string]bool{}
		for _, row := range p.Rows {
			var line []user.Widget
			for _, w := range row {
				key := catalog.UserPrefix + slug + "." + unique(slugOf(w.Title), inPane)
				exprs = append(exprs, catalog.UserExpr{Key: key, Title: w.Title, Unit: w.Unit, Expr: w.Expr})
				line = append(line, user.Widget{Key: key, Title: w.Title, Kind: user.Kind(w.Kind), Unit: w.Unit, Legend: w.Legend})
			}
			spec.Rows = append(spec.Rows, line)
		}
		specs = append(specs, spec)
	}
	return exprs, specs
}

// slugOf is a title as a part of a catalogue key: small letters, digits and
// underscores, a letter first.
func slugOf(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	s := strings.Trim(b.String(), "_")
	if s == "" || s[0] < 'a' {
		s = "p" + s
	}
	return s
}

func unique(s string, taken map[string]bool) string {
	out := s
	for i := 2; taken[out]; i++ {
		out = fmt.Sprintf("%s_%d", s, i)
	}
	taken[out] = true
	return out
}

// panes are the screens: the program's and the user's.
func (s settings) panes() []pane.Pane {
	all := panes.All()
	_, specs := userExprs(s.userPanes())
	for _, spec := range specs {
		all = append(all, user.New(spec))
	}
	return all
}

func (s settings) userPanes() []config.Pane {
	if s.conf == nil || s.conf.Effective == nil {
		return nil
	}
	return s.conf.Panes
}
