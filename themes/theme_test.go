package themes

import (
	"image/color"
	"math"
	"reflect"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"
)

func TestGet(t *testing.T) {
	for _, name := range Names() {
		th, err := Get(name)
		if err != nil || th.Name != name {
			t.Errorf("Get(%q) = %q, %v", name, th.Name, err)
		}
	}
	if th, err := Get(""); err != nil || th.Name != "dark" {
		t.Errorf("default = %q, %v", th.Name, err)
	}
	_, err := Get("solarized")
	if err == nil || !strings.Contains(err.Error(), "hint:") || !strings.Contains(err.Error(), "colour-blind") {
		t.Errorf("error should hint at the names: %v", err)
	}
}

func TestEveryThemeSetsEveryRole(t *testing.T) {
	// The terminal's own foreground on purpose; mono tells these by glyph.
	plain := map[string]bool{"Text": true, "Value": true}
	monoPlain := map[string]bool{"Good": true, "Bar": true, "TabIdle": true}
	for _, th := range all() {
		v := reflect.ValueOf(th)
		for i := range v.NumField() {
			f := v.Type().Field(i)
			st, ok := v.Field(i).Interface().(Style)
			if !ok {
				continue
			}
			out := st.Render("x")
			if out == "x" && !plain[f.Name] && !(th.NoColor && monoPlain[f.Name]) {
				t.Errorf("%s: role %s is not set", th.Name, f.Name)
			}
			if lipgloss.Width(out) != 1 {
				t.Errorf("%s: role %s changes the width of a text", th.Name, f.Name)
			}
			if th.NoColor && (strings.Contains(out, "38;") || strings.Contains(out, "48;")) {
				t.Errorf("%s: role %s has a colour: %q", th.Name, f.Name, out)
			}
		}
		if len(th.Series) < 6 {
			t.Errorf("%s: %d series colours, want at least 6", th.Name, len(th.Series))
		}
		if len(th.Heat) < 4 {
			t.Errorf("%s: %d heat steps, want at least 4", th.Name, len(th.Heat))
		}
		if !strings.Contains(th.Select.Render("x"), "7m") {
			t.Errorf("%s: the selection is not reverse video", th.Name)
		}
		if p := th.Plain(); !p.NoColor || p.Name != th.Name {
			t.Errorf("%s: Plain() = %q, no colour %v", th.Name, p.Name, p.NoColor)
		}
	}
}

func TestContrast(t *testing.T) {
	for _, th := range coloured() {
		bg := lipgloss.Color(th.Background)
		least := 4.5
		if th.Name == "high-contrast" {
			least = 7
		}
		for name, st := range map[string]Style{
			"title": th.Title, "dim": th.Dim, "label": th.Label, "unit": th.Unit, "accent": th.Accent,
			"good": th.Good, "warn": th.Warn, "bad": th.Bad, "stale": th.Stale, "tab": th.TabIdle,
		} {
			if c := contrast(st.Foreground(), bg); c < least {
				t.Errorf("%s: %s has contrast %.1f, want %.1f", th.Name, name, c, least)
			}
		}
		if c := contrast(th.Faint.Foreground(), bg); c < 3 {
			t.Errorf("%s: faint has contrast %.1f, want 3", th.Name, c)
		}
		for i, st := range th.Series {
			if c := contrast(st.Foreground(), bg); c < 3 {
				t.Errorf("%s: series %d has contrast %.1f, want 3", th.Name, i, c)
			}
		}
	}
}

// Two lines of a chart must be told apart, and none may look like a verdict.
func TestSeriesAreApart(t *testing.T) {
	for _, th := range coloured() {
		for i, a := range th.Series {
			for j, b := range th.Series[:i] {
				if d := distance(a.Foreground(), b.Foreground()); d < 15 {
					t.Errorf("%s: series %d and %d are only %.0f apart", th.Name, j, i, d)
				}
			}
			for name, v := range map[string]Style{"good": th.Good, "warn": th.Warn, "bad": th.Bad} {
				if d := distance(a.Foreground(), v.Foreground()); d < 20 {
					t.Errorf("%s: series %d looks like %s (%.0f apart)", th.Name, i, name, d)
				}
			}
		}
	}
}

func TestHeatGrowsMonotonically(t *testing.T) {
	for _, th := range coloured() {
		bg := lipgloss.Color(th.Background)
		prev := 1.0
		for i, st := range th.Heat {
			c := contrast(st.Foreground(), bg)
			if c <= prev {
				t.Errorf("%s: heat step %d (contrast %.2f) is not stronger than the one before (%.2f)", th.Name, i, c, prev)
			}
			prev = c
		}
	}
}

func TestColourBlindVerdictsStayApart(t *testing.T) {
	th, _ := Get("colour-blind")
	g, w, b := deuteranopia(th.Good), deuteranopia(th.Warn), deuteranopia(th.Bad)
	for name, d := range map[string]float64{
		"good–warn": distance(g, w), "good–bad": distance(g, b), "warn–bad": distance(w, b),
	} {
		if d < 35 {
			t.Errorf("%s are %.0f apart under deuteranopia, want 35", name, d)
		}
	}
}

func coloured() []Theme {
	var out []Theme
	for _, th := range all() {
		if !th.NoColor {
			out = append(out, th)
		}
	}
	return out
}

// linear returns the colour's channels in linear light, 0…1.
func linear(c color.Color) [3]float64 {
	r, g, b, _ := c.RGBA()
	var out [3]float64
	for i, v := range []uint32{r, g, b} {
		x := float64(v) / 0xffff
		if x <= 0.04045 {
			out[i] = x / 12.92
		} else {
			out[i] = math.Pow((x+0.055)/1.055, 2.4)
		}
	}
	return out
}

// contrast is the WCAG 2 contrast ratio, 1…21.
func contrast(a, b color.Color) float64 {
	lum := func(c color.Color) float64 {
		l := linear(c)
		return 0.2126*l[0] + 0.7152*l[1] + 0.0722*l[2]
	}
	x, y := lum(a), lum(b)
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

// distance is the CIE76 colour difference; about 2 is just noticeable.
func distance(a, b color.Color) float64 {
	lab := func(c color.Color) [3]float64 {
		l := linear(c)
		f := func(t float64) float64 {
			if t > 216.0/24389 {
				return math.Cbrt(t)
			}
			return (24389.0/27*t + 16) / 116
		}
		x := f((0.4124*l[0] + 0.3576*l[1] + 0.1805*l[2]) / 0.95047)
		y := f(0.2126*l[0] + 0.7152*l[1] + 0.0722*l[2])
		z := f((0.0193*l[0] + 0.1192*l[1] + 0.9505*l[2]) / 1.08883)
		return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
	}
	p, q := lab(a), lab(b)
	return math.Sqrt((p[0]-q[0])*(p[0]-q[0]) + (p[1]-q[1])*(p[1]-q[1]) + (p[2]-q[2])*(p[2]-q[2]))
}

// deuteranopia simulates a reader without green cones, in linear light, with
// the matrix of Machado, Oliveira and Fernandes (2009) at full severity.
func deuteranopia(st Style) color.Color {
	l := linear(st.Foreground())
	m := [3][3]float64{
		{0.367322, 0.860646, -0.227968},
		{0.280085, 0.672501, 0.047413},
		{-0.011820, 0.042940, 0.968881},
	}
	var out [3]uint8
	for i := range m {
		v := m[i][0]*l[0] + m[i][1]*l[1] + m[i][2]*l[2]
		v = math.Min(1, math.Max(0, v))
		if v <= 0.0031308 {
			v *= 12.92
		} else {
			v = 1.055*math.Pow(v, 1/2.4) - 0.055
		}
		out[i] = uint8(math.Round(v * 255))
	}
	return color.RGBA{R: out[0], G: out[1], B: out[2], A: 0xff}
}
