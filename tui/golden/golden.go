// Package golden compares drawings with pictures under testdata. It is for
// tests only.
//
// UPDATE_GOLDEN=1 rewrites the pictures, and only that: without it nothing is
// written. It does not judge whether a picture is right.
package golden

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

// Check compares a drawing, stripped of its styles and of blanks at line
// ends, with testdata/<name>.golden. The name may hold slashes.
func Check(t testing.TB, name, got string) {
	t.Helper()
	check(t, name, Picture(got))
}

// Styled compares a drawing with its styles; an escape is written as ␛ so
// that the file can be read.
func Styled(t testing.TB, name, got string) {
	t.Helper()
	check(t, name, strings.ReplaceAll(got, "\x1b", "␛")+"\n")
}

// Picture returns what Check stores: no styles, no blanks at line ends, one
// newline at the end.
func Picture(s string) string {
	lines := strings.Split(ansi.Strip(s), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n") + "\n"
}

func check(t testing.TB, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", filepath.FromSlash(name)+".golden")
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := write(path, got); err != nil {
			t.Fatalf("update picture: %v", err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read picture: %v; hint: UPDATE_GOLDEN=1 draws it. got:\n%s", err, got)
	}
	if string(want) != got {
		t.Errorf("%s differs (- stored, + drawn); hint: UPDATE_GOLDEN=1 accepts it\n%s", path, Diff(string(want), got))
	}
}

func write(path, got string) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == got {
		return nil // keeps the time of files that did not change
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(got), 0o644)
}

// Diff lays two pictures on each other line by line: equal lines are shown
// once, others as - want and + got with a caret line under the first cell
// that differs. Pictures keep their lines in place, so no line is matched
// with another row.
func Diff(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	var out strings.Builder
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			fmt.Fprintf(&out, "+%3d %s\n", i+1, b[i])
		case i >= len(b):
			fmt.Fprintf(&out, "-%3d %s\n", i+1, a[i])
		case a[i] == b[i]:
			fmt.Fprintf(&out, " %3d %s\n", i+1, a[i])
		default:
			fmt.Fprintf(&out, "-%3d %s\n+%3d %s\n     %s^\n", i+1, a[i], i+1, b[i],
				strings.Repeat(" ", shared(a[i], b[i])))
		}
	}
	return strings.TrimRight(out.String(), "\n")
}

// shared is the width of what two lines have in common at their start.
func shared(a, b string) int {
	ra, rb := []rune(a), []rune(b)
	n := 0
	for n < len(ra) && n < len(rb) && ra[n] == rb[n] {
		n++
	}
	return ansi.StringWidth(string(ra[:n]))
}
