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
