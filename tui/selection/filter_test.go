package selection

import (
	"strings"
	"testing"
)

// part is a row for tests: something with a name, a kind, and how much of it
// is known.
type part struct {
	name, kind   string
	load, lo, hi float64
	loaded       bool
}

var parts = []part{
	{"7f3a/dp0", "decode", 0.91, 2.2, 4.7, true},
	{"7f3a/dp1", "decode", 0.9, 2.2, 4.7, true},
	{"91c2", "Prefill", 0.57, 0.22, 0.47, true},
	{"node-7:9090", "idle", 0, 0, 0, false},
}

func language() Language[part] {
	return Language[part]{
		Free: func(p part) string { return strings.ToLower(p.name + "\n" + p.kind) },
		Words: []Words[part]{
			{Keys: []string{"name", "id"}, Of: func(p part) string { return p.name }},
			{Keys: []string{"kind"}, Of: func(p part) string { return p.kind }, Match: strings.HasPrefix, Sample: "decode"},
		},
		Numbers: []Number[part]{
			{Keys: []string{"kv", "load"}, Scale: Percent, Of: func(p part) (float64, float64, bool) { return p.load, p.load, p.loaded }},
			{Keys: []string{"ttft"}, Scale: Seconds, Of: func(p part) (float64, float64, bool) { return p.lo, p.hi, p.loaded }},
			{Keys: []string{"tok"}, Of: func(p part) (float64, float64, bool) { return p.load * 4000, p.load * 4000, p.loaded }},
		},
		Inverse: "!kind:idle",
	}
}

func passing(f Filter[part]) string {
	var out []string
	for _, p := range parts {
		if f.Match(p) {
			out = append(out, p.name)
		}
	}
	return strings.Join(out, " ")
}

func TestFilter(t *testing.T) {
	const all = "7f3a/dp0 7f3a/dp1 91c2 node-7:9090"
	for _, c := range []struct{ filter, want string }{
		{"", all},
		{"  ", all},
		{"7f3a", "7f3a/dp0 7f3a/dp1"},
		{"7F3A/DP1", "7f3a/dp1"},
		{"node-7:9090", "node-7:9090"}, // no key: a key is letters
		{"prefill", "91c2"},
		{"name:3a/", "7f3a/dp0 7f3a/dp1"},
		{"id:91", "91c2"},
		{"kind:dec", "7f3a/dp0 7f3a/dp1"},
		{"kind:ode", ""}, // from its start
		{"kind:PRE", "91c2"},
		{"!kind:decode", "91c2 node-7:9090"},
		{"!!prefill", "91c2"},
		{"kv>90", "7f3a/dp0"},
		{"kv>=90", "7f3a/dp0 7f3a/dp1"},
		{"load<90%", "91c2"},
		{"kv<=90", "7f3a/dp1 91c2"},
		{"kv=57", "91c2"}, // the float that 0.57 is
		{"!kv>90", "7f3a/dp1 91c2 node-7:9090"},
		{"tok>2.4k", "7f3a/dp0 7f3a/dp1"},
		// A bucket is beyond a limit as a whole.
		{"ttft>2.2s", "7f3a/dp0 7f3a/dp1"},
		{"ttft>3s", ""},
		{"ttft<3s", "91c2"},
		{"ttft<470ms", ""},
		{"ttft<=470ms", "91c2"},
		{"ttft>0.01m", "7f3a/dp0 7f3a/dp1"},
		{"ttft=2.2s", ""},
		{"kind:decode kv>90", "7f3a/dp0"},
		{"kind:decode !dp0", "7f3a/dp1"},
	} {
		f, err := language().Parse(c.filter)
		if err != nil {
			t.Errorf("%q: %v", c.filter, err)
			continue
		}
		if got := passing(f); got != c.want || f.Text != strings.TrimSpace(c.filter) {
			t.Errorf("%q, kept as %q:\n got %s\nwant %s", c.filter, f.Text, got, c.want)
		}
	}
}

func TestBadFilter(t *testing.T) {
	for filter, want := range map[string]string{
		"kv>":        `read filter "kv>": "" is no limit of kv, hint: kv>90 (percent)`,
		"kv>high":    `"high" is no limit of kv`,
		"kv:90":      "kv is a number, hint: kv>90",
		"load>x":     "hint: load>90",
		"tok>-1":     `"-1" is no limit of tok, hint: tok>5`,
		"tok>1e5":    `"1e5" is no limit`,
		"tok>0x1":    "is no limit",
		"tok>nan":    "is no limit",
		"tok>1.2.3":  "is no limit",
		"tok>5%":     "is no limit",
		"ttft>1":     "hint: ttft>500ms",
		"ttft>ms":    "is no limit",
		"kind>3":     "kind is no number, hint: kind:decode",
		"kind:":      "nothing after kind:, hint: kind:decode",
		"id:":        "nothing after id:, hint: id:TEXT",
		"colour:red": `no such key "colour", hint: name: kind: or a number: kv ttft tok`,
		"gpu>3":      `no such key "gpu"`,
		"host:9090":  `no such key "host"`,
		"!":          "nothing after !, hint: !kind:idle",
		"a !kv>Bad":  `read filter "!kv>Bad": "bad" is no limit of kv`,
	} {
		f, err := language().Parse("kind:decode")
		if err != nil {
			t.Fatal(err)
		}
		err = f.Set(language(), filter)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "hint:") {
			t.Errorf("%q: %v, want %s", filter, err, want)
		}
		if f.Text != "kind:decode" || passing(f) != "7f3a/dp0 7f3a/dp1" {
			t.Errorf("%q: the filter in force is %q", filter, f.Text)
		}
	}
}

// Where addresses are expected, what reads like one is no key.
func TestAddresses(t *testing.T) {
	l := language()
	l.Addresses = true
	l.Free = func(p part) string { return "local" + p.kind + ":9090" }
	if f, err := l.Parse("localidle:9090"); err != nil || passing(f) != "node-7:9090" {
		t.Errorf("%q, %v", passing(f), err)
	}
	for _, text := range []string{"host:name", "host:99999", "host:", "host>9090"} {
		if _, err := l.Parse(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestLimitOfItsOwn(t *testing.T) {
	l := language()
	l.Limit = func(s string, sc Scale) (float64, bool) { return 0.6, s == "most" && sc == Percent }
	if f, err := l.Parse("kv<most"); err != nil || passing(f) != "91c2" {
		t.Errorf("%q, %v", passing(f), err)
	}
	if _, err := l.Parse("kv<60"); err == nil {
		t.Error("what it refuses is taken")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "kind:decode kv>90 !x", "ttft>=1.5s", "!!a:b", "kv>99999999999999999999", "\x1b[2J:\xff", "tok=k"} {
		f.Add(s)
	}
	l := language()
	l.Addresses = true
	f.Fuzz(func(t *testing.T, s string) {
		got, err := l.Parse(s)
		if err != nil {
			if msg := err.Error(); !strings.Contains(msg, "hint:") {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		again, err := l.Parse(got.Text)
		if err != nil {
			t.Fatalf("%q: its own text is refused: %v", s, err)
		}
		inverse, err := l.Parse("!" + strings.ReplaceAll(got.Text, " ", " !"))
		for _, p := range parts {
			if got.Match(p) != again.Match(p) {
				t.Errorf("%q: two answers", s)
			}
			if err == nil && len(got.terms) == 1 && len(inverse.terms) == 1 && got.Match(p) == inverse.Match(p) {
				t.Errorf("%q: its inverse is the same", s)
			}
		}
	})
}
