package server

import (
	"context"
	"errors"
	"net"
	"sync"
)

// conn is a connection on which the driver may write: a write that the kernel
// does not take at once goes into a backlog, which a goroutine of its own sends
// on, so that a slow reader holds nobody up. Outside of a stream it is an
// ordinary connection.
type conn struct {
	*net.TCPConn
	gate *gate
	try  func(p []byte) (int, error) // writes what goes without waiting

	mu      sync.Mutex
	direct  bool
	backlog []byte
	sending bool
	err     error
}

// maxBacklog is what a reader may be behind before it is cut off.
const maxBacklog = 4 << 20

var errBehind = errors.New("the reader is too far behind")

func newConn(c *net.TCPConn, g *gate) *conn {
	return &conn{TCPConn: c, gate: g, try: tryWriter(c)}
}

// setDirect begins or ends a stream. At its end the backlog is still sent, and
// later writes come after it.
func (c *conn) setDirect(on bool) {
	c.mu.Lock()
	c.direct = on
	c.mu.Unlock()
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return 0, c.err
	}
	if !c.direct && !c.sending {
		c.mu.Unlock()
		return c.TCPConn.Write(p)
	}
	defer c.mu.Unlock()
	n := 0
	if !c.sending {
		var err error
		if n, err = c.try(p); err != nil {
			c.err = err
			return n, err
		}
		if n == len(p) {
			return n, nil
		}
	}
	if len(c.backlog)+len(p)-n > maxBacklog {
		c.err = errBehind
		return n, c.err
	}
	c.backlog = append(c.backlog, p[n:]...)
	if !c.sending {
		if !c.gate.enter() {
			c.err = net.ErrClosed
			return n, c.err
		}
		c.sending = true
		go c.drain() // the gate waits for it; closing the connection ends it
	}
	return len(p), nil
}

// drain sends the backlog until there is none.
func (c *conn) drain() {
	defer c.gate.wait.Done()
	var buf []byte
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.backlog) > 0 && c.err == nil {
		buf, c.backlog = c.backlog, buf[:0]
		c.mu.Unlock()
		_, err := c.TCPConn.Write(buf)
		c.mu.Lock()
		if err != nil {
			c.err = err
		}
	}
	c.sending = false
}

type connKey struct{}

// withConn lets a handler find its connection.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

func connOf(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn)
	return c
}
