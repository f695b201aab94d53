package profiling

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"dynascope/profiling/trace"
	"dynascope/sources/text"
)

// File is one file of a session.
type File struct {
	Path    string `json:"path"`
	Rank    string `json:"rank,omitempty"` // "TP 0", "TP 1 DP 0", "TP 0 DECODE", as its name says; empty: it names none
	Size    int64  `json:"bytes"`
	Whole   bool   `json:"whole"`             // read to its end, closing record and all
	Trouble string `json:"trouble,omitempty"` // why it is not whole

	tp      int // -1: its name has none
	stage   string
	changed time.Time
}

// mostFiles bounds a folder's listing.
const mostFiles = 10_000

var (
	traceFile = regexp.MustCompile(`\.(trace|pt\.trace)\.json(\.gz)?$`)
	rankParts = regexp.MustCompile(`-(TP|DP|PP|EP)-(\d{1,5})`)
	rankStage = regexp.MustCompile(`(?i)-(EXTEND|DECODE|PREFILL)(\.part\d+|-part\d+|part\d+)?\.trace\.json`)
)

// readName takes a rank out of SGLang's file names.
func (f *File) readName(after string) {
	f.tp = -1
	var parts []string
	for _, m := range rankParts.FindAllStringSubmatch(after, 8) {
		if m[1] == "TP" {
			_, _ = fmt.Sscanf(m[2], "%d", &f.tp) // digits
		}
		parts = append(parts, m[1]+" "+m[2])
	}
	if m := rankStage.FindStringSubmatch(after); m != nil {
		f.stage = strings.ToUpper(m[1])
		if f.stage == "PREFILL" {
			f.stage = "EXTEND"
		}
		parts = append(parts, f.stage)
	}
	f.Rank = strings.Join(parts, " ")
}

// folder watches what a session writes. Only files that rest are read, and
// each once.
type folder struct {
	dir   string
	id    string    // in the names; empty takes any trace
	since time.Time // and then only those changed since
	known map[string]File
}

// look lists the files as they are now, in the order of their names, and says
// whether anything changed since the last look. A folder that is not there
// has no files: it is made when the first is written.
func (d *folder) look(ctx context.Context) (files []File, changed bool, err error) {
	entries, err := readSome(d.dir)
	if os.IsNotExist(err) {
		return nil, len(d.known) > 0, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("look for trace files: %w", err)
	}
	now := map[string]File{}
	for _, e := range entries {
		name := e.Name()
		_, after, ours := strings.Cut(name, d.id)
		if !ours || !traceFile.MatchString(name) || !e.Type().IsRegular() {
			continue
		}
		st, err := e.Info()
		if err != nil || d.id == "" && st.ModTime().Before(d.since) {
			continue // gone again; or an older session's
		}
		f := File{Path: filepath.Join(d.dir, name), Size: st.Size(), changed: st.ModTime()}
		f.readName(after)
		was, known := d.known[name]
		if known && was.Size == f.Size && was.changed.Equal(f.changed) {
			f.Whole, f.Trouble = was.Whole, was.Trouble
			if !f.Whole && f.Trouble == "" { // it rests: read it
				f.Whole, f.Trouble = whole(ctx, f.Path)
				changed = true
			}
		} else {
			changed = true
		}
		now[name] = f
		files = append(files, f)
	}
	changed = changed || len(now) != len(d.known)
	d.known = now
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, changed, ctx.Err()
}

func readSome(dir string) ([]os.DirEntry, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(mostFiles)
	if len(entries) > 0 || err == nil {
		return entries, nil
	}
	if st, serr := f.Stat(); serr == nil && st.IsDir() {
		return nil, nil // io.EOF: empty
	}
	return nil, err
}

// whole reads a file to its end.
func whole(ctx context.Context, path string) (bool, string) {
	n, err := trace.Check(ctx, path)
	switch {
	case ctx.Err() != nil:
		return false, ""
	case err != nil:
		return false, text.Safe(err.Error(), 300)
	case n.Complete():
		return true, ""
	case n.Cut != "":
		return false, text.Safe("it ends early: "+n.Cut, 300)
	case !n.Ended:
		return false, "its JSON does not close"
	case !n.Closing:
		return false, "the record that is written last is not in it"
	}
	return false, fmt.Sprintf("events were lost in %d places", n.Malformed)
}

// missing are the ranks of a plan that no file belongs to. Of an unknown
// number of ranks, those up to the highest seen are expected.
func missing(p Plan, files []File) (out []string) {
	if p.Worker.Engine == VLLM {
		if n := p.Worker.Ranks - len(files); n > 0 {
			return []string{fmt.Sprintf("%d of %d files", n, p.Worker.Ranks)}
		}
		return nil
	}
	ranks := p.Worker.Ranks
	have := map[string]bool{}
	for _, f := range files {
		if f.tp >= 0 && f.tp < 4096 {
			have[fmt.Sprint(f.tp, f.stage)] = true
			if p.Worker.Ranks == 0 {
				ranks = max(ranks, f.tp+1)
			}
		}
	}
	stages := []string{""}
	if p.ByStage {
		stages = []string{"EXTEND", "DECODE"}
	}
	for tp := range ranks {
		for _, s := range stages {
			if !have[fmt.Sprint(tp, s)] {
				out = append(out, strings.TrimSpace(fmt.Sprintf("TP %d %s", tp, s)))
			}
		}
	}
	return out
}

func allWhole(files []File) bool {
	return len(files) > 0 && !slices.ContainsFunc(files, func(f File) bool { return !f.Whole })
}
