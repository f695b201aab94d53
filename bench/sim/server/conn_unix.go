//go:build unix

package server

import (
	"errors"
	"net"
	"syscall"
)

// tryWriter writes to a socket without ever waiting for it: sockets of the
// runtime are non-blocking. n is less than asked for when the kernel's buffer
// is full.
func tryWriter(c *net.TCPConn) func(p []byte) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return func([]byte) (int, error) { return 0, err }
	}
	var p []byte
	var n int
	var failed error
	once := func(fd uintptr) bool {
		for {
			n, failed = syscall.Write(int(fd), p)
			if !errors.Is(failed, syscall.EINTR) {
				return true // whatever came of it: the runtime must not wait
			}
		}
	}
	return func(b []byte) (int, error) {
		p, n, failed = b, 0, nil
		err := raw.Write(once)
		p = nil
		if err != nil {
			return 0, err
		}
		if failed != nil {
			if errors.Is(failed, syscall.EAGAIN) {
				return 0, nil
			}
			return 0, failed
		}
		return n, nil
	}
}
