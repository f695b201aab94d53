package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"dynascope/sources/text"
)

// Limits on what is read of a log.
const (
	maxLogTail = 64 << 10 // bytes from its end
	maxLogLine = 400      // runes of a line, as shown
)

// Log is the end of what a local process wrote.
type Log struct {
	From  string   // the file, cleaned; empty when there is none to read
	Lines []string // oldest first, without secrets and controls
	// Hint is what to do where there is no file: a command, or a sentence.
	Hint string
}

// Log reads the last lines of the file that a process writes its output to.
// It follows the process' own standard output and error to regular files only;
// of a journal or a terminal it says the command to run. Like Flags it reads
// under /proc and belongs on its own goroutine. It never fails.
func (r *Reader) Log(ctx context.Context, p Process, lines int) Log {
	if p.PID <= 0 {
		return Log{Hint: "the worker's process is not known here"}
	}
	dir := filepath.Join(r.root, strconv.Itoa(p.PID))
	if p.UID != r.uid {
		return Log{Hint: fmt.Sprintf("its output belongs to user id %d; run dynascope as that user, or: %s", p.UID, r.journal(dir, p.PID))}
	}
	kind := ""
	for _, fd := range []string{"2", "1"} { // engines log to the standard error
		if ctx.Err() != nil {
			return Log{Hint: "not read in time"}
		}
		name := filepath.Join(dir, "fd", fd)
		to, err := os.Readlink(name)
		if err != nil {
			continue
		}
		fi, err := os.Stat(name)
		if err != nil || !fi.Mode().IsRegular() {
			kind = to
			continue
		}
		raw, err := tail(name, maxLogTail)
		if err != nil {
			kind = to
			continue
		}
		return Log{From: text.Safe(to, 200), Lines: logLines(raw, lines)}
	}
	switch {
	case strings.HasPrefix(kind, "socket:"):
		return Log{Hint: r.journal(dir, p.PID)}
	case strings.HasPrefix(kind, "pipe:"):
		return Log{Hint: "its output goes into a pipe (a container's, mostly): read it where that ends, or: " + r.journal(dir, p.PID)}
	case strings.HasPrefix(kind, "/dev/null"):
		return Log{Hint: "its output is thrown away; hint: start it with its output in a file"}
	case kind != "":
		return Log{Hint: "its output goes to " + text.Safe(kind, 100) + ", which is no file"}
	}
	return Log{Hint: "its output cannot be found; try: " + r.journal(dir, p.PID)}
}

// journal is the command that shows the journal of a process: of its unit
// where its cgroup names one.
func (r *Reader) journal(dir string, pid int) string {
	raw, err := readFile(filepath.Join(dir, "cgroup"), 64<<10)
	if err == nil {
		if unit := unitOf(string(raw)); unit != "" {
			return "journalctl -u " + unit + " -n 100"
		}
	}
	return fmt.Sprintf("journalctl _PID=%d -n 100", pid)
}

// unitOf finds the innermost systemd service in /proc/PID/cgroup. Only plain
// names: it is shown as part of a command.
func unitOf(cgroup string) string {
	unit := ""
	for line := range strings.Lines(cgroup) {
		for part := range strings.SplitSeq(strings.TrimSpace(line), "/") {
			if strings.HasSuffix(part, ".service") && !strings.HasPrefix(part, "user@") && len(part) < 120 && !strings.ContainsFunc(part, notUnit) {
				unit = part
			}
		}
		if unit != "" {
			return unit
		}
	}
	return ""
}

func notUnit(c rune) bool {
	return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.@:", c))
}

// tail reads the last bytes of a file, from the start of a line on.
func tail(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil || !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("read the end of a log: not a regular file: %w", os.ErrInvalid)
	}
	from := max(fi.Size()-limit, 0)
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil, err
	}
	if from > 0 {
		// The first line is cut, and half a secret is not seen as one.
		_, raw, _ = bytes.Cut(raw, []byte("\n"))
	}
	return raw, nil
}

// logLines are the last lines as they may be shown: progress bars as their
// last state, no blank lines, no secrets.
func logLines(raw []byte, n int) []string {
	var out []string
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimRight(line, "\r\n")
		if i := strings.LastIndexByte(line, '\r'); i >= 0 {
			line = line[i+1:]
		}
		if line = strings.TrimRight(text.Safe(line, maxLogLine), " "); line != "" {
			out = append(out, line)
		}
	}
	return out[max(0, len(out)-max(n, 0)):]
}
