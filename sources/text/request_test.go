package text

import (
	"slices"
	"strings"
	"testing"
)

func TestRequest(t *testing.T) {
	for in, want := range map[string][]string{
		"":                                 {""},
		"POST /x\r\n\r\n{\n  \"a\":  1\n}": {"POST /x", "", "{", "  \"a\":  1", "}"},
		"a\x1b[2Jb\x07\u202ec\td":          {"abc d"},
		strings.Repeat("x ", 5000):         {strings.Repeat("x ", 5000)},
	} {
		if got := Request(in); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for _, secret := range []string{"Authorization: Bearer hunter2abc\nX: y", "{\n  \"password\": \"hunter2abc\"\n}", "pass\x00word=hunter2abc", "https://me:hunter2abc@h/"} {
		if got := strings.Join(Request(secret), "\n"); strings.Contains(got, "hunter2abc") {
			t.Errorf("%q: %q", secret, got)
		}
	}
}
