package tui

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"dynascope/sources/text"
)

// Sent is one line of the action log. A request has two: one written before
// it leaves, and one with its answer; they share the id, so that a request
// whose answer was never seen is known too.
type Sent struct {
	Time    time.Time `json:"time"`
	ID      string    `json:"id"`
	State   string    `json:"state"` // sent, ok, failed
	Title   string    `json:"title"`
	Request string    `json:"request"`
	Answer  string    `json:"answer,omitempty"`
	Error   string    `json:"error,omitempty"`
	TookMS  int64     `json:"took_ms,omitempty"`
	PID     int       `json:"pid"`
}

// The states of a request.
const (
	stateSent   = "sent"
	stateOK     = "ok"
	stateFailed = "failed"
)

// The most of an outside text that the log keeps, in characters.
const mostLogged = 8000

// ActionLog is the file of requests sent to servers: a JSON object a line,
// appended and synced one by one, its owner's alone. It holds no secrets:
// they are replaced before they are written. Several consoles may share it.
type ActionLog struct {
	path string
	mu   sync.Mutex
}

// NewActionLog names the file; it is made with the first request.
func NewActionLog(path string) *ActionLog { return &ActionLog{path: path} }

// Append writes one line and waits until the disk has it.
func (l *ActionLog) Append(e Sent) (err error) {
	if l == nil {
		return nil
	}
	e.Title, e.Request = text.Safe(e.Title, mostLogged), redactLines(e.Request)
	e.Answer, e.Error = text.Safe(e.Answer, mostLogged), text.Safe(e.Error, mostLogged)
	e.PID = os.Getpid()
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write the action log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() {
		if err != nil {
			err = fmt.Errorf("write the action log: %w; hint: set XDG_STATE_HOME to a folder that can be written", err)
		}
	}()
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Chmod(0o600); err != nil { // whatever it was before
		return err
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		return err
	}
	return f.Sync()
}

// redactLines keeps a request's line ends, and nothing that is secret.
func redactLines(s string) string {
	out := []rune(strings.Join(text.Request(s), "\n"))
	return string(out[:min(len(out), mostLogged)])
}

// mostRead bounds how much of the file's end is read for the list.
const mostRead = 512 << 10

// Recent returns the newest requests, newest first, at most n. A file that is
// not there is an empty one.
func (l *ActionLog) Recent(n int) ([]Sent, error) {
	if l == nil {
		return nil, nil
	}
	f, err := os.Open(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the action log: %w", err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = f.Seek(max(0, size-mostRead), io.SeekStart)
	}
	if err != nil {
		return nil, fmt.Errorf("read the action log: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(f, mostRead))
	if err != nil {
		return nil, fmt.Errorf("read the action log: %w", err)
	}
	return readSent(raw, n), nil
}

// readSent joins the two lines of each request, newest first. Lines that are
// none (cut off at the start, or by a crash) are left out.
func readSent(raw []byte, n int) []Sent {
	var out []Sent
	at := map[string]int{}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, mostRead+1)
	for lines.Scan() {
		var e Sent
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.ID == "" {
			continue
		}
		i, known := at[e.ID]
		if !known {
			at[e.ID] = len(out)
			out = append(out, e)
			continue
		}
		sent := out[i].Time
		out[i] = e
		out[i].Time = sent // when it left, not when the answer came
	}
	slices.Reverse(out)
	return out[:min(len(out), n)]
}
