//go:build e2e && linux

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pty is a bare terminal: unlike tmux it shows when bytes arrive.
type pty struct {
	master *os.File
	cmd    *exec.Cmd

	mu   sync.Mutex
	seen []byte
	more chan struct{}
}

func startPTY(b testing.TB, cols, rows uint16, args ...string) *pty {
	b.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		b.Fatal(err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		b.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		b.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: cols, Row: rows}); err != nil {
		b.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		b.Fatal(err)
	}
	p := &pty{master: master, cmd: exec.Command(args[0], args[1:]...), more: make(chan struct{}, 1)}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = slave, slave, slave
	p.cmd.Env = append(os.Environ(), "TERM=xterm-256color")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	slave.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 32<<10)
		for {
			n, err := master.Read(buf)
			if n > 0 {
				p.mu.Lock()
				p.seen = append(p.seen, buf[:n]...)
				p.mu.Unlock()
				select {
				case p.more <- struct{}{}:
				default:
				}
			}
			if err != nil {
				return
			}
		}
	}()
	b.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		master.Close()
		<-done
	})
	return p
}

// until waits for text in what arrived after the mark, and returns the new
// mark.
func (p *pty) until(b testing.TB, mark int, text string, limit time.Duration) int {
	b.Helper()
	end := time.After(limit)
	for {
		p.mu.Lock()
		i := bytes.Index(p.seen[mark:], []byte(text))
		p.mu.Unlock()
		if i >= 0 {
			return mark + i + len(text)
		}
		select {
		case <-p.more:
		case <-end:
			p.mu.Lock()
			defer p.mu.Unlock()
			b.Fatalf("%q did not arrive within %s; last bytes: %q", text, limit, p.seen[max(0, len(p.seen)-400):])
		}
	}
}

// BenchmarkFirstFrame is the time from exec to the first drawn frame, and the
// time from a key to its effect, while every target is black-holed. Budget:
// 100 ms and 50 ms (screens.md); figures are medians.
func BenchmarkFirstFrame(b *testing.B) {
	var first, echo []time.Duration
	for b.Loop() {
		args := []string{bin(b)}
		for range 16 {
			args = append(args, "--target", blackHole(b))
		}
		began := time.Now()
		p := startPTY(b, 140, 42, args...)
		mark := p.until(b, 0, "dynascope", 5*time.Second)
		first = append(first, time.Since(began))
		for range 3 {
			began = time.Now()
			if _, err := io.WriteString(p.master, "?"); err != nil {
				b.Fatal(err)
			}
			mark = p.until(b, mark, "screens", 5*time.Second)
			echo = append(echo, time.Since(began))
			_, _ = io.WriteString(p.master, "?")
			time.Sleep(100 * time.Millisecond)
			p.mu.Lock()
			mark = len(p.seen)
			p.mu.Unlock()
		}
	}
	b.ReportMetric(0, "ns/op")
	report(b, "first-frame", first)
	report(b, "key-echo", echo)
}

func report(b *testing.B, name string, d []time.Duration) {
	slices.Sort(d)
	b.ReportMetric(float64(d[len(d)/2].Microseconds())/1000, name+"-p50-ms")
	b.ReportMetric(float64(d[len(d)-1].Microseconds())/1000, name+"-max-ms")
}
