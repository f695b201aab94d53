package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// outputTo makes a process directory whose standard error leads somewhere.
func outputTo(t *testing.T, to, cgroup string) *Reader {
	t.Helper()
	root := t.TempDir()
	fd := filepath.Join(root, "42", "fd")
	if err := os.MkdirAll(fd, 0o700); err != nil {
		t.Fatal(err)
	}
	if to != "" {
		if err := os.Symlink(to, filepath.Join(fd, "2")); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "42", "cgroup"), []byte(cgroup), 0o600); err != nil {
		t.Fatal(err)
	}
	return &Reader{root: root, uid: os.Getuid()}
}

func TestLogOfAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "worker.log")
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, "line %d of the worker\n", i)
	}
	b.WriteString("\x1b[31mloading --api-key=sk-verysecret\x1b[0m\n\n10%\r50%\r100% done\nend without newline")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	got := outputTo(t, file, "").Log(t.Context(), Process{PID: 42, UID: os.Getuid()}, 4)
	if got.From != file || got.Hint != "" || len(got.Lines) != 4 {
		t.Fatalf("%+v", got)
	}
	if got.Lines[0] != "line 4999 of the worker" || got.Lines[2] != "100% done" || got.Lines[3] != "end without newline" {
		t.Errorf("lines %q", got.Lines)
	}
	if strings.Contains(got.Lines[1], "verysecret") || strings.Contains(got.Lines[1], "\x1b") {
		t.Errorf("secret or escape in %q", got.Lines[1])
	}
	if all := outputTo(t, file, "").Log(t.Context(), Process{PID: 42, UID: os.Getuid()}, 1<<20); !strings.HasPrefix(all.Lines[0], "line ") || len(all.Lines) > 4000 {
		t.Errorf("the tail begins with %q and has %d lines", all.Lines[0], len(all.Lines))
	}
}

func TestLogElsewhere(t *testing.T) {
	for name, c := range map[string]struct {
		to, cgroup, want string
		uid              int
	}{
		"journal":       {to: "socket:[123]", cgroup: "0::/system.slice/dynamo-worker@1.service", want: "journalctl -u dynamo-worker@1.service -n 100"},
		"journal, user": {to: "socket:[123]", cgroup: "0::/user.slice/user@1000.service/app.slice/w.service", want: "journalctl -u w.service -n 100"},
		"no unit":       {to: "socket:[123]", cgroup: "0::/", want: "journalctl _PID=42 -n 100"},
		"bad unit":      {to: "socket:[123]", cgroup: "0::/x;rm -rf.service", want: "journalctl _PID=42 -n 100"},
		"pipe":          {to: "pipe:[5]", want: "pipe"},
		"nowhere":       {to: "/dev/null", want: "thrown away"},
		"nothing":       {want: "cannot be found"},
		"other user":    {to: "socket:[1]", uid: 7, want: "user id"},
	} {
		uid := os.Getuid() + c.uid
		got := outputTo(t, c.to, c.cgroup).Log(t.Context(), Process{PID: 42, UID: uid}, 10)
		if !strings.Contains(got.Hint, c.want) || got.Lines != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func FuzzLogLines(f *testing.F) {
	f.Add([]byte("a\rb\n\x1b]0;x\a c --api-key k\n"), 3)
	f.Fuzz(func(t *testing.T, raw []byte, n int) {
		lines := logLines(raw, n)
		if len(lines) > max(n, 0) {
			t.Fatalf("%d lines of %d", len(lines), n)
		}
		for _, l := range lines {
			if strings.ContainsFunc(l, unicode.IsControl) || len([]rune(l)) > maxLogLine+1 {
				t.Fatalf("line %q", l)
			}
		}
	})
}
