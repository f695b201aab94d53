package profiling

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dynascope/sources/text"
)

// DefaultLocks is the folder of locks that all users of a host share, wherever
// their TMPDIR is.
func DefaultLocks() string { return "/tmp/dynascope-profiles" }

// BusyError says that somebody is at that worker already.
type BusyError struct{ Holder Record }

func (e *BusyError) Error() string {
	h := e.Holder
	if h.PID == 0 {
		return "profile a worker: another dynascope on this host is at it; hint: wait until it is done"
	}
	return fmt.Sprintf("profile a worker: %s (pid %d) is at it since %s, session %s, %s; hint: wait until it is done, or talk to them",
		text.Clean(h.User, 60), h.PID, h.Began.Format(time.TimeOnly), text.Clean(h.Plan.ID, 64), h.Phase)
}

// lockFile is a worker's lock on this host, with the state of its last
// session in it. It sees no other host.
type lockFile struct{ f *os.File }

// lockName is a file name for a worker: readable, and never two workers'.
func lockName(base string) string {
	if u, err := url.Parse(base); err == nil {
		host, port := u.Hostname(), u.Port()
		if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
			host = "127.0.0.1" // by whatever name
		}
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		base = net.JoinHostPort(host, port)
	}
	sum := sha256.Sum256([]byte(base))
	name := strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' {
			return r
		}
		return '_'
	}, base)
	return name[:min(len(name), 80)] + "-" + hex.EncodeToString(sum[:4]) + ".lock"
}

// takeLock opens and locks a worker's file and returns what its last session
// left. Somebody else's lock is a *BusyError. Close lets go.
func takeLock(dir, base string) (*lockFile, Record, error) {
	fail := func(err error) (*lockFile, Record, error) {
		return nil, Record{}, fmt.Errorf("lock the worker: %w", err)
	}
	if err := sharedDir(dir); err != nil {
		return fail(err)
	}
	f, err := openShared(filepath.Join(dir, lockName(base)))
	if err != nil {
		return fail(err)
	}
	got, err := tryLock(f)
	if err != nil {
		return fail(errors.Join(err, f.Close()))
	}
	l := &lockFile{f}
	last, err := l.read()
	// Whoever lists sessions holds it for the moment of a look.
	for n := 0; !got && last.Phase.Ended() && n < 10; n++ {
		time.Sleep(5 * time.Millisecond)
		var lerr error
		if got, lerr = tryLock(f); lerr != nil {
			return fail(errors.Join(lerr, f.Close()))
		}
		last, err = l.read()
	}
	if !got {
		// What it holds may be half written just now: then only that it is held.
		return nil, Record{}, errors.Join(&BusyError{last}, f.Close())
	}
	if err != nil {
		// A crash in the middle of a write: something was going on.
		last = Record{Phase: Unknown, Sent: true, Words: err.Error()}
	}
	return l, last, nil
}

// sharedDir makes the folder, or finds that it is safe to share: a real
// folder in which nobody can remove another's file.
func sharedDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err == nil {
		return os.Chmod(dir, 0o777|fs.ModeSticky) // past the umask
	} else if !errors.Is(err, fs.ErrExist) {
		return err
	}
	st, err := os.Lstat(dir)
	switch {
	case err != nil:
		return err
	case !st.IsDir():
		return fmt.Errorf("%s is no folder (a link is not followed); hint: remove it", dir)
	case st.Mode()&fs.ModeSticky == 0 && st.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("others may remove files from %s; hint: chmod +t %s", dir, dir)
	}
	return nil
}

func (l *lockFile) read() (Record, error) {
	raw, err := io.ReadAll(io.NewSectionReader(l.f, 0, mostRecord+1))
	if err != nil {
		return Record{}, fmt.Errorf("read a profile state: %w", err)
	}
	return parseRecord(raw)
}

// write keeps the record, on disk before anything else happens.
func (l *lockFile) write(r Record) error {
	raw := r.marshal()
	err := l.f.Truncate(0)
	if err == nil {
		_, err = l.f.WriteAt(raw, 0)
	}
	if err == nil {
		err = l.f.Sync()
	}
	if err != nil {
		return fmt.Errorf("keep the profile state: %w", err)
	}
	return nil
}

func (l *lockFile) close() error { return l.f.Close() } // and unlocks

// State is what the lock folder knows of one worker.
type State struct {
	Record
	Held bool // a dynascope is at it now
}

// States are the workers that this host's users profiled, the newest session
// first. Files that are none of ours are left out.
func States(dir string) ([]State, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list profile sessions: %w", err)
	}
	var out []State
	for _, e := range entries {
		if !e.Type().IsRegular() || filepath.Ext(e.Name()) != ".lock" {
			continue
		}
		if s, err := readState(filepath.Join(dir, e.Name())); err == nil && s.Schema != "" {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b State) int { return b.Began.Compare(a.Began) })
	return out, nil
}

// StateOf is the same of one worker; a zero one where it was never profiled.
func StateOf(dir, worker string) (State, error) {
	base, err := origin(worker)
	if err != nil {
		return State{}, fmt.Errorf("read a profile state: %w", err)
	}
	s, err := readState(filepath.Join(dir, lockName(base)))
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, nil
	}
	return s, err
}

// readState looks without getting in the way of a start for longer than a
// look takes.
func readState(path string) (s State, err error) {
	f, err := openToRead(path)
	if err != nil {
		return State{}, err
	}
	defer f.Close()
	got, err := tryShared(f)
	if err != nil {
		return State{}, err
	}
	s.Held = !got
	s.Record, err = (&lockFile{f}).read()
	return s, err
}
