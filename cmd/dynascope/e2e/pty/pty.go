//go:build linux

// Package pty runs a program on a bare terminal and keeps what it writes, with
// the moment at which it came.
//
// It interprets nothing (package tmux has a screen) and answers no question
// that a program asks its terminal.
package pty

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Terminal is one program on its terminal.
type Terminal struct {
	master *os.File
	cmd    *exec.Cmd
	read   chan struct{} // closed when the terminal has ended

	mu   sync.Mutex
	seen []byte
	more chan struct{}
}

// Start runs a command line on a terminal of the given size, with env beside
// this process' environment.
func Start(cols, rows int, env []string, args ...string) (*Terminal, error) {
	master, slave, err := open(cols, rows)
	if err != nil {
		return nil, fmt.Errorf("open a terminal: %w", err)
	}
	defer slave.Close()
	t := &Terminal{master: master, cmd: exec.Command(args[0], args[1:]...), read: make(chan struct{}), more: make(chan struct{}, 1)}
	t.cmd.Stdin, t.cmd.Stdout, t.cmd.Stderr = slave, slave, slave
	t.cmd.Env = append(append(os.Environ(), "TERM=xterm-256color"), env...)
	t.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := t.cmd.Start(); err != nil {
		master.Close()
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	go t.follow()
	return t, nil
}

func open(cols, rows int) (master, slave *os.File, err error) {
	if master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			master.Close()
		}
	}()
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, err
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, nil, err
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(cols), Row: uint16(rows)}); err != nil {
		return nil, nil, err
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	return master, slave, err
}

func (t *Terminal) follow() {
	defer close(t.read)
	buf := make([]byte, 32<<10)
	for {
		n, err := t.master.Read(buf)
		if n > 0 {
			t.mu.Lock()
			t.seen = append(t.seen, buf[:n]...)
			t.mu.Unlock()
			select {
			case t.more <- struct{}{}:
			default:
			}
		}
		if err != nil {
			return
		}
	}
}

// PID is the program's.
func (t *Terminal) PID() int { return t.cmd.Process.Pid }

// Type sends keys.
func (t *Terminal) Type(keys string) error {
	_, err := io.WriteString(t.master, keys)
	return err
}

// Mark is how many bytes have come so far.
func (t *Terminal) Mark() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.seen)
}

// Until waits for text in what came after a mark, and returns the mark behind
// it.
func (t *Terminal) Until(mark int, text string, limit time.Duration) (int, error) {
	end := time.After(limit)
	for {
		t.mu.Lock()
		i := bytes.Index(t.seen[mark:], []byte(text))
		t.mu.Unlock()
		if i >= 0 {
			return mark + i + len(text), nil
		}
		select {
		case <-t.more:
		case <-t.read:
			return mark, fmt.Errorf("wait for %q: the program ended; last bytes: %q", text, t.last())
		case <-end:
			return mark, fmt.Errorf("wait for %q: not within %s; last bytes: %q", text, limit, t.last())
		}
	}
}

func (t *Terminal) last() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen[max(0, len(t.seen)-400):]
}

// Since returns what came after a mark.
func (t *Terminal) Since(mark int) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.seen[mark:])
}

// Close kills the program and waits for it.
func (t *Terminal) Close() {
	_ = t.cmd.Process.Kill()
	_ = t.cmd.Wait()
	t.master.Close()
	<-t.read
}
