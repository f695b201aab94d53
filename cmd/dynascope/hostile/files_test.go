//go:build e2e

package hostile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTargetFiles: a broken target file beside a good one.
func TestTargetFiles(t *testing.T) {
	for _, row := range []struct {
		name string
		file string // its name; the test makes it in a directory of its own
		make func(t *testing.T, path string)
		want []string // of the warning
	}{
		{"not JSON", "bad.json", write("{{{"), []string{"bad.json", "hint: "}},
		{"not YAML", "bad.yml", write("- targets: [a:1\n  labels: {"), []string{"bad.yml", "hint: "}},
		{"other YAML", "bad.yml", write("targets:\n  a: 1\n"), []string{"bad.yml"}},
		{"a web page", "bad.json", write("<html>" + evil), []string{"bad.json"}},
		{"binary", "bad.yml", write("\x00\xff\x1b[31m"), []string{"bad.yml"}},
		{"escapes", "bad.yml", write("- targets: [\"a:1\"]\n  labels: {\"\\e[31m" + strings.Repeat("x", 300) + "\": 1}\n"), []string{"bad.yml", "label"}},
		{"a bad address", "bad.json", write(`[{"targets":["http://ops:` + secret + `@h:1/metrics"]}]`), []string{"bad.json"}},
		{"a billion laughs", "bad.yml", write(laughs()), []string{"bad.yml"}},
		{"large", "bad.json", write(strings.Repeat(" ", 2<<20)), []string{"bad.json", "larger"}},
		{"a directory", "bad.json", func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, []string{"bad.json", "not a regular file"}},
		{"a pipe", "bad.json", func(t *testing.T, path string) { must(t, syscall.Mkfifo(path, 0o600)) }, []string{"bad.json", "not a regular file"}},
		{"none", "bad.json", func(*testing.T, string) {}, []string{"bad.json", "no such file", "hint: "}},
		{"a pattern of nothing", "bad*.json", func(*testing.T, string) {}, []string{"no file matches"}},
		{"a loop of links", "bad.json", func(t *testing.T, path string) { must(t, os.Symlink(path, path)) }, []string{"bad.json", "hint: "}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			good := filepath.Join(dir, "good.json")
			must(t, os.WriteFile(good, fileSD(neighbour(t)), 0o600))
			bad := filepath.Join(dir, row.file)
			row.make(t, bad)
			args := []string{"--once", "--for", look.String(), "--gpus=false", "--targets", good, "--targets", bad}
			r := dynascope(t, append(args, "--json")...)
			d := r.read(t)
			t.Logf("%d MiB: %s", r.rss>>20, d.Warning)
			if r.code != 0 || len(d.Targets) != 1 {
				t.Errorf("exit status %d, %d targets: %s", r.code, len(d.Targets), r.err)
			}
			d.lives(t)
			goodLine(t, d.Warning)
			within(t, d.Warning, row.want...)
			text := dynascope(t, args...)
			within(t, text.out, append([]string{"warning: "}, row.want...)...)
		})
	}
}

// TestVanishingTargetFile: its targets stay, and the file is named.
func TestVanishingTargetFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "fleet.json")
	must(t, os.WriteFile(file, fileSD(neighbour(t)), 0o600))
	gone := time.AfterFunc(3*time.Second, func() { _ = os.Remove(file) })
	defer gone.Stop()
	r := dynascope(t, "--once", "--json", "--gpus=false", "--for", "9s", "--targets", file)
	d := r.read(t)
	d.lives(t)
	goodLine(t, d.Warning)
	within(t, d.Warning, "the file is gone", "1 targets stay")
}

// TestNotATargetFile is refused before anything is started.
func TestNotATargetFile(t *testing.T) {
	t.Parallel()
	r := dynascope(t, "--once", "--json", "--targets", "/etc/"+"\x1b[31m.conf")
	if r.code != 1 || r.out != "" {
		t.Errorf("exit status %d: %s", r.code, r.out)
	}
	within(t, r.err, "dynascope: ", "not a target file", "hint: ")
}

func write(content string) func(*testing.T, string) {
	return func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte(content), 0o600)) }
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fileSD(url string) []byte {
	b, _ := json.Marshal([]map[string][]string{{"targets": {strings.TrimPrefix(url, "http://")}}})
	return b
}

// laughs is YAML whose anchors unfold to a billion items.
func laughs() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 10; i++ {
		ref := fmt.Sprintf("*a%d", i-1)
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.Join([]string{ref, ref, ref, ref, ref, ref, ref, ref, ref}, ","))
	}
	return b.String()
}

// recorded records the neighbour for some seconds.
func recorded(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "rec")
	var said bytes.Buffer
	cmd := exec.Command(os.Getenv("DYNASCOPE_BIN"), "record", "--data", dir, "--gpus=false", "--target", neighbour(t))
	cmd.Stderr = &said
	must(t, cmd.Start())
	time.Sleep(6 * time.Second)
	must(t, cmd.Process.Signal(syscall.SIGTERM))
	if err := cmd.Wait(); err != nil {
		t.Fatalf("record: %v: %s", err, said.String())
	}
	return dir
}

// copied is a recording of one's own.
func copied(t *testing.T, from string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "rec")
	must(t, os.CopyFS(dir, os.DirFS(from)))
	return dir
}

// newest is the newest file of the log.
func newest(t *testing.T, dir string) string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "wal", "0*"))
	if err != nil || len(list) == 0 {
		t.Fatalf("no log: %v", err)
	}
	return list[len(list)-1]
}

// TestRecordings opens damaged recordings.
func TestRecordings(t *testing.T) {
	from := recorded(t)
	edit := func(change func(string) string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, "recording.json")
			raw, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(path, []byte(change(string(raw))), 0o600))
		}
	}
	for _, row := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		want  []string // of the refusal; none: it opens
		shows bool     // the recorded figure is still there
	}{
		{"whole", func(*testing.T, string) {}, nil, true},
		{"no directory", func(t *testing.T, dir string) { must(t, os.RemoveAll(dir)) }, []string{"no recording", "hint: "}, false},
		{"a file", func(t *testing.T, dir string) {
			must(t, os.RemoveAll(dir))
			must(t, os.WriteFile(dir, []byte(evil), 0o600))
		}, []string{"open the recording", "hint: "}, false},
		{"empty", func(t *testing.T, dir string) {
			must(t, os.RemoveAll(dir))
			must(t, os.Mkdir(dir, 0o700))
		}, []string{"no recording", "hint: "}, false},
		{"description torn", edit(func(s string) string { return s[:len(s)/2] }), []string{"damaged", "hint: "}, false},
		{"description of another program", edit(func(string) string { return `{"version":` + `99` + `}` }), []string{"version 99", "hint: "}, false},
		{"description with escapes", edit(func(s string) string {
			return strings.ReplaceAll(s, `"role": "frontend"`, `"role": "\u001b[31mx\u009b5m"`)
		}), nil, true},
		{"log torn", func(t *testing.T, dir string) {
			path := newest(t, dir)
			info, err := os.Stat(path)
			must(t, err)
			must(t, os.Truncate(path, info.Size()*3/4))
		}, nil, true},
		{"log with garbage at its end", func(t *testing.T, dir string) {
			f, err := os.OpenFile(newest(t, dir), os.O_WRONLY|os.O_APPEND, 0)
			must(t, err)
			_, err = f.WriteString(strings.Repeat("\x1b[31m"+secret, 1000))
			must(t, err)
			must(t, f.Close())
		}, nil, true},
		{"log of garbage", func(t *testing.T, dir string) {
			must(t, os.WriteFile(newest(t, dir), bytes.Repeat([]byte("\x07garbage"), 10_000), 0o600))
		}, nil, false},
		{"no log", func(t *testing.T, dir string) { must(t, os.RemoveAll(filepath.Join(dir, "wal"))) }, nil, false},
		{"a block of nonsense", func(t *testing.T, dir string) {
			block := filepath.Join(dir, "01ARZ3NDEKTSV4RRFFQ69G5FAV")
			must(t, os.MkdirAll(filepath.Join(block, "chunks"), 0o700))
			must(t, os.WriteFile(filepath.Join(block, "meta.json"), []byte("{\x1b[31m"), 0o600))
			must(t, os.WriteFile(filepath.Join(block, "index"), []byte("\x00"), 0o600))
		}, nil, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := copied(t, from)
			row.spoil(t, dir)
			r := dynascope(t, "--once", "--json", "--gpus=false", "--data", dir)
			if row.want != nil {
				t.Logf("%s", r.err)
				if r.code != 1 {
					t.Errorf("exit status %d", r.code)
				}
				within(t, r.err, append([]string{"dynascope: "}, row.want...)...)
				goodLine(t, strings.TrimSuffix(strings.TrimPrefix(r.err, "dynascope: "), "\n"))
				return
			}
			d := r.read(t)
			t.Logf("%d MiB, exit %d: %s", r.rss>>20, r.code, d.Warning)
			if d.Warning != "" {
				goodLine(t, d.Warning)
			}
			if row.shows {
				d.lives(t)
			}
		})
	}
}

// TestRecordIntoAForeignDirectory is refused, and touches nothing there.
func TestRecordIntoAForeignDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "thesis.txt"), []byte("mine"), 0o600))
	r := dynascope(t, "record", "--data", dir, "--gpus=false", "--target", "http://127.0.0.1:1")
	if r.code != 1 {
		t.Errorf("exit status %d", r.code)
	}
	within(t, r.err, "other things", "hint: ")
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("left there: %v", list)
	}
}
