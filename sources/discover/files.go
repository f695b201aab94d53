package discover

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"dynascope/sources/text"
)

// filePattern is what Prometheus takes as a file_sd path: "*" in the last
// element only.
var filePattern = regexp.MustCompile(`^[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)$`)

// filePoll is how often target files are looked at.
const filePoll = 2 * time.Second

// FileReport is what target files say now.
type FileReport struct {
	At time.Time
	// Targets in force: of a file that cannot be read, its last good ones.
	// Of two targets with one URL the first counts.
	Targets []Target
	// Files are the files looked at, by path.
	Files []FileState
	// Err joins what is wrong: of files, of patterns that match nothing, and
	// of limits.
	Err error
}

// FileState is one target file.
type FileState struct {
	Path    string    `json:"path"`
	Targets int       `json:"targets"`         // in force
	Err     error     `json:"-"`               // of the last reading
	Good    time.Time `json:"good"`            // last read without error
	Kept    bool      `json:"kept,omitempty"`  // Targets are from before Err
	Error   string    `json:"error,omitempty"` // Err as text
}

// Files reads and watches Prometheus target files (file_sd). It is not safe
// for concurrent use.
type Files struct {
	patterns []string
	seen     map[string]*fileMemory
	after    func(time.Duration) <-chan time.Time
	now      func() time.Time
}

type fileMemory struct {
	info    fs.FileInfo // of the last reading
	read    time.Time
	sum     [sha256.Size]byte
	pattern string
	targets []Target
	good    time.Time
	err     error
}

// File takes the paths of --targets: a file, or a pattern like dir/*.json.
// It is an error when one cannot be a target file's; that files are missing
// shows in the report.
func File(patterns ...string) (*Files, error) {
	for _, p := range patterns {
		if !filePattern.MatchString(p) {
			return nil, fmt.Errorf("read --targets %s: not a target file; hint: a path ending in .json, .yml or .yaml, with * in its last element only", text.Clean(p, 200))
		}
		if _, err := filepath.Match(filepath.Base(p), ""); err != nil {
			return nil, fmt.Errorf("read --targets %s: bad pattern", text.Clean(p, 200))
		}
	}
	return &Files{patterns: slices.Clone(patterns), seen: map[string]*fileMemory{}, after: time.After, now: time.Now}, nil
}

// Watch reads the files at once and then every two seconds, and hands over a
// report at first and whenever targets or errors changed. It returns when ctx
// ends; the caller runs it in a goroutine and waits for it.
func (f *Files) Watch(ctx context.Context, fn func(FileReport)) {
	for first := true; ctx.Err() == nil; first = false {
		if r, changed := f.poll(); changed || first {
			fn(r)
		}
		select {
		case <-ctx.Done():
			return
		case <-f.after(filePoll):
		}
	}
}

// Read looks at the files once.
func (f *Files) Read() FileReport {
	r, _ := f.poll()
	return r
}

func (f *Files) poll() (r FileReport, changed bool) {
	r.At = f.now()
	var errs []error
	live := map[string]bool{}
	for _, pattern := range f.patterns {
		paths, err := f.match(pattern)
		if err != nil {
			errs = append(errs, err)
		}
		for _, path := range paths {
			if live[path] {
				continue
			}
			if len(live) >= maxFiles {
				errs = append(errs, fmt.Errorf("read --targets %s: more than %d files; hint: name fewer", text.Clean(pattern, 200), maxFiles))
				break
			}
			live[path] = true
			changed = f.reread(path, pattern) || changed
		}
	}
	for path := range f.seen {
		if !live[path] {
			delete(f.seen, path)
			changed = true
		}
	}
	byURL := map[string]bool{}
	for _, path := range f.paths() {
		m := f.seen[path]
		state := FileState{Path: text.Clean(path, 400), Targets: len(m.targets), Good: m.good, Err: m.err, Kept: m.err != nil && len(m.targets) > 0}
		if m.err != nil {
			state.Error = m.err.Error()
			errs = append(errs, m.err)
		}
		r.Files = append(r.Files, state)
		for _, t := range m.targets {
			if !byURL[t.URL] {
				byURL[t.URL] = true
				r.Targets = append(r.Targets, t)
			}
		}
	}
	if len(r.Targets) > maxTargets {
		r.Targets = r.Targets[:maxTargets]
		errs = append(errs, fmt.Errorf("read --targets: more than %d targets, the rest is left out; hint: ask a Prometheus by --prometheus", maxTargets))
	}
	r.Err = errors.Join(errs...)
	return r, changed
}

// paths are the known files in the order of the patterns, then by name.
func (f *Files) paths() []string {
	out := make([]string, 0, len(f.seen))
	for p := range f.seen {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b string) int {
		i, j := slices.Index(f.patterns, f.seen[a].pattern), slices.Index(f.patterns, f.seen[b].pattern)
		if i != j {
			return i - j
		}
		return strings.Compare(a, b)
	})
	return out
}

// match are the files of a pattern. A plain path is always looked at. As for
// Prometheus, a file that a pattern no longer matches takes its targets along;
// but where it matches nothing at all any more, something went wrong, and
// everything stays with an error.
func (f *Files) match(pattern string) ([]string, error) {
	if !strings.ContainsAny(pattern, "*?[") {
		return []string{pattern}, nil
	}
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) > 0 {
		return paths, err
	}
	for p, m := range f.seen {
		if m.pattern == pattern {
			paths = append(paths, p) // each will say that it is gone
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("read --targets %s: no file matches; hint: is the pattern right?", text.Clean(pattern, 200))
	}
	return paths, nil
}

// reread looks at one file, and says whether that changed anything.
func (f *Files) reread(path, pattern string) bool {
	m := f.seen[path]
	if m == nil {
		m = &fileMemory{pattern: pattern}
		f.seen[path] = m
	}
	now := f.now()
	info, err := os.Stat(path)
	if err != nil {
		m.info = nil
		return m.fails(path, err)
	}
	// A file that was young when read can have changed within the grain of its
	// time stamp: it is read again.
	if old := m.info; old != nil && os.SameFile(old, info) && old.ModTime().Equal(info.ModTime()) && old.Size() == info.Size() &&
		m.read.Sub(info.ModTime()) > filePoll {
		return false
	}
	data, err := readFile(path)
	if err != nil {
		m.info = nil
		return m.fails(path, err)
	}
	sum := sha256.Sum256(data)
	same := m.info != nil && sum == m.sum
	m.info, m.read, m.sum = info, now, sum
	if same {
		return false
	}
	targets, err := parseTargets(path, data)
	if err != nil {
		return m.fails(path, err)
	}
	m.targets, m.good, m.err = targets, now, nil
	return true
}

// fails keeps the last good targets, and says whether the error is a new one.
func (m *fileMemory) fails(path string, err error) bool {
	var ours *FileError
	if !errors.As(err, &ours) {
		ours = &FileError{File: path, Problem: "cannot be read", Hint: text.Clean(err.Error(), 200)}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			ours.Problem, ours.Hint = "no such file", "is the path right?"
			if !m.good.IsZero() {
				ours.Problem, ours.Hint = "the file is gone", "put it back, or write an empty list into it"
			}
		case errors.Is(err, fs.ErrPermission):
			ours.Problem, ours.Hint = "no permission to read it", "check its mode"
		}
	}
	if len(m.targets) > 0 && !strings.Contains(ours.Problem, "stay") {
		ours.Problem += fmt.Sprintf(" (%d targets stay)", len(m.targets))
	}
	if m.err != nil && m.err.Error() == ours.Error() {
		return false
	}
	m.err = ours
	return true
}

// readFile reads a regular file of sane size, and never waits for a pipe.
func readFile(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &FileError{File: path, Problem: "not a regular file", Hint: "name a file, or a pattern such as dir/*.json"}
	}
	return io.ReadAll(io.LimitReader(file, maxFileBytes+1))
}
