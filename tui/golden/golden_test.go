package golden

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorder stands in for a test: it remembers failures instead of failing.
type recorder struct {
	testing.TB
	failed string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(f string, a ...any) {
	r.failed += fmt.Sprintf(f, a...)
}
func (r *recorder) Fatalf(f string, a ...any) {
	r.failed += fmt.Sprintf(f, a...)
}

func TestRoundTrip(t *testing.T) {
	t.Chdir(t.TempDir())
	const drawn = "\x1b[31m● ok\x1b[m   \nsecond"

	t.Setenv("UPDATE_GOLDEN", "")
	r := &recorder{}
	Check(r, "sub/case", drawn)
	if !strings.Contains(r.failed, "UPDATE_GOLDEN=1") {
		t.Errorf("a missing picture should say how to draw it: %q", r.failed)
	}
	if _, err := os.Stat("testdata"); err == nil {
		t.Error("something was written without UPDATE_GOLDEN")
	}

	t.Setenv("UPDATE_GOLDEN", "1")
	Check(t, "sub/case", drawn)
	Styled(t, "sub/styled", drawn)
	for name, want := range map[string]string{
		"case":   "● ok\nsecond\n",
		"styled": "␛[31m● ok␛[m   \nsecond\n",
	} {
		b, err := os.ReadFile(filepath.Join("testdata", "sub", name+".golden"))
		if err != nil || string(b) != want {
			t.Errorf("%s = %q, %v; want %q", name, b, err, want)
		}
	}

	t.Setenv("UPDATE_GOLDEN", "")
	Check(t, "sub/case", drawn)
	Styled(t, "sub/styled", drawn)
	r = &recorder{}
	Check(r, "sub/case", "● no\nsecond")
	if !strings.Contains(r.failed, "-  1 ● ok\n+  1 ● no\n       ^\n") {
		t.Errorf("diff is not readable:\n%s", r.failed)
	}
}
