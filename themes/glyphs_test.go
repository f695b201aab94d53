package themes

import (
	"reflect"
	"testing"

	"charm.land/lipgloss/v2"
)

// signs returns every sign of a set by name.
func signs(g Glyphs) map[string][]string {
	out := map[string][]string{}
	v := reflect.ValueOf(g)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		switch f := v.Field(i).Interface().(type) {
		case string:
			out[name] = []string{f}
		case []string:
			out[name] = f
		case rune:
			out[name] = []string{string(f)}
		case []rune:
			for _, r := range f {
				out[name] = append(out[name], string(r))
			}
		}
	}
	return out
}

func TestGlyphsAreOneCellWide(t *testing.T) {
	for set, g := range map[string]Glyphs{"unicode": Unicode(), "ascii": ASCII()} {
		for name, list := range signs(g) {
			if len(list) == 0 {
				t.Errorf("%s: %s is not set", set, name)
			}
			for _, s := range list {
				if lipgloss.Width(s) != 1 {
					t.Errorf("%s: %s %q is %d cells wide", set, name, s, lipgloss.Width(s))
				}
				if g.ASCII && (len(s) != 1 || s[0] > '~') {
					t.Errorf("%s: %s %q is not 7-bit", set, name, s)
				}
			}
		}
		if len(g.BarParts) != 8 || len(g.Spark) != 8 {
			t.Errorf("%s: bars and sparklines need eight steps", set)
		}
	}
}

// Severity must be readable without colour: no two levels share a glyph.
func TestLevelsHaveTheirOwnGlyph(t *testing.T) {
	for _, ascii := range []bool{false, true} {
		s := NewStyles(mono(), ascii)
		seen := map[string]Level{}
		for _, l := range []Level{Unknown, Good, Warn, Bad, Idle, Absent, Stale} {
			m := s.Mark(l)
			if lipgloss.Width(m) != 1 {
				t.Errorf("mark of level %d is %d cells wide", l, lipgloss.Width(m))
			}
			for other, ol := range seen {
				if other == m {
					t.Errorf("levels %d and %d share the mark %q", l, ol, m)
				}
			}
			seen[m] = l
		}
	}
}
