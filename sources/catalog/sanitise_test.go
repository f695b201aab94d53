package catalog

import "testing"

func TestSanitise(t *testing.T) {
	for _, c := range []struct{ in, name, label string }{
		{"test", "test", "test"},
		{"test-name", "test_name", "test_name"},
		{"test.name", "test_name", "test_name"},
		{"123test", "_123test", "_123test"},
		{"@test", "_test", "_test"},
		{"a:b", "a:b", "a_b"},
		{":a", ":a", "_a"},
		{"__test", "__test", "test"},
		{"____test", "____test", "test"},
		{"__1", "__1", "_1"},
		{"_@x", "__x", "x"},
		{"modèle", "mod_le", "mod_le"},
		{"Planner", "Planner", "Planner"},
		{"", "", ""},
		{"_", "", ""},
		{"____", "", ""},
		{"@@", "", ""},
	} {
		for what, got := range map[string]struct {
			f    func(string) (string, error)
			want string
		}{"name": {SanitiseName, c.name}, "label": {SanitiseLabel, c.label}} {
			out, err := got.f(c.in)
			if out != got.want || (err != nil) != (got.want == "") {
				t.Errorf("%s of %q is %q, %v; want %q", what, c.in, out, err, got.want)
			}
		}
	}
	// A component's metrics: the runtime joins its prefix and the sanitised
	// name with an underscore.
	if n, err := SanitiseName("123metric"); err != nil || "dynamo_component_"+n != "dynamo_component__123metric" {
		t.Errorf("dynamo_component_%s, %v", n, err)
	}
}

// FuzzSanitise: what is left is a name that Prometheus takes, and sanitising it
// again changes nothing.
func FuzzSanitise(f *testing.F) {
	for _, s := range []string{"a.b-c", "0", "__x", "é", "a:b", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for what, sanitise := range map[string]func(string) (string, error){"name": SanitiseName, "label": SanitiseLabel} {
			out, err := sanitise(in)
			if err != nil {
				continue
			}
			if again, err := sanitise(out); err != nil || again != out {
				t.Errorf("%s %q: %q, then %q, %v", what, in, out, again, err)
			}
			for i, r := range out {
				if !(r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || i > 0 && r >= '0' && r <= '9' || what == "name" && r == ':') {
					t.Errorf("%s %q: %q", what, in, out)
				}
			}
		}
	})
}
