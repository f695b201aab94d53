package profiling

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "locks")
	const w = "http://127.0.0.1:9090"
	l, last, err := takeLock(dir, w)
	if err != nil || last.Schema != "" {
		t.Fatal(last, err)
	}
	st, err := os.Stat(dir)
	if err != nil || st.Mode()&os.ModeSticky == 0 {
		t.Fatalf("%v %v: not sticky", st.Mode(), err)
	}
	p, _ := good().Check()
	rec := Record{Schema: Schema, Phase: Recording, Sent: true, User: "ann", PID: 4711, Began: time.Unix(1e9, 0), Plan: p}
	if err := l.write(rec); err != nil {
		t.Fatal(err)
	}
	// By another name of this host it is the same worker.
	_, _, err = takeLock(dir, "http://localhost:9090")
	var busy *BusyError
	if !errors.As(err, &busy) || !strings.Contains(err.Error(), "ann (pid 4711)") || !strings.Contains(err.Error(), "session p1, recording") {
		t.Fatal(err)
	}
	if s, err := StateOf(dir, w); err != nil || !s.Held || !s.Left() {
		t.Errorf("%+v %v", s, err)
	}
	if other, _, err := takeLock(dir, "http://127.0.0.1:9091"); err != nil {
		t.Error(err)
	} else if err := other.close(); err != nil {
		t.Error(err)
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	// As after a crash: the lock is free, and the state is there.
	l, last, err = takeLock(dir, w)
	if err != nil || !last.Left() || last.Plan.ID != "p1" {
		t.Fatalf("%+v %v", last, err)
	}
	// A crash in the middle of a write means that something was going on.
	if err := errors.Join(l.f.Truncate(20), l.close()); err != nil {
		t.Fatal(err)
	}
	l, last, err = takeLock(dir, w)
	if err != nil || !last.Left() || last.Phase != Unknown {
		t.Fatalf("%+v %v", last, err)
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	if all, err := States(filepath.Join(dir, "nothing")); err != nil || len(all) != 0 {
		t.Errorf("%v %v", all, err)
	}
}

func TestLockFollowsNoLink(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "locks")
	if err := sharedDir(dir); err != nil {
		t.Fatal(err)
	}
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, lay := range map[string]func(string, string) error{"symbolic": os.Symlink, "hard": os.Link} {
		w := "http://" + name + ":1"
		if err := lay(victim, filepath.Join(dir, lockName(w))); err != nil {
			t.Fatal(err)
		}
		if _, _, err := takeLock(dir, w); err == nil {
			t.Errorf("a %s link is followed", name)
		}
	}
	if raw, _ := os.ReadFile(victim); string(raw) != "mine" {
		t.Errorf("the link's end was written: %s", raw)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if _, _, err := takeLock(link, "http://h:1"); err == nil {
		t.Error("a folder that is a link is followed")
	}
	open := filepath.Join(t.TempDir(), "open")
	if err := errors.Join(os.Mkdir(open, 0o777), os.Chmod(open, 0o777)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := takeLock(open, "http://h:1"); err == nil || !strings.Contains(err.Error(), "chmod +t") {
		t.Error(err)
	}
}
