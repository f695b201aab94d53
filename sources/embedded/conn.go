package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// errElsewhere is what a redirect to an address that is no target runs into.
var errElsewhere = errors.New("refused to connect to an address that is no target")

// connTracker dials for all scrapes. It knows each connection, so that those
// of a removed target can be cut; it dials only addresses of targets, so that
// a redirect leads nowhere else; and it times how long each address takes
// from the request written to the first byte of the answer.
//
// Two targets on one address share the timing. Over TLS 1.3 the first request
// of a connection is timed too short: the server's session ticket comes first.
type connTracker struct {
	mu     sync.Mutex
	addrs  map[string]*address
	closed bool
}

type address struct {
	users int // targets on it
	ctx   context.Context
	cut   context.CancelFunc // ends dials under way
	conns map[*conn]struct{}
	wait  time.Duration // of the newest answer
	fresh bool          // wait was not taken yet
}

func newConnTracker() *connTracker {
	return &connTracker{addrs: map[string]*address{}}
}

// allow counts one more target on addr ("host:port").
func (t *connTracker) allow(addr string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.addrs[addr]
	if a == nil {
		a = &address{conns: map[*conn]struct{}{}}
		a.ctx, a.cut = context.WithCancel(context.Background())
		t.addrs[addr] = a
	}
	a.users++
}

// forbid takes one target from addr; with the last one every connection to it
// is cut and no new one is made.
func (t *connTracker) forbid(addr string) {
	t.mu.Lock()
	a := t.addrs[addr]
	if a == nil {
		t.mu.Unlock()
		return
	}
	a.users--
	if a.users > 0 {
		t.mu.Unlock()
		return
	}
	delete(t.addrs, addr)
	t.mu.Unlock()
	t.end(a)
}

// closeAll cuts everything and refuses every later dial.
func (t *connTracker) closeAll() {
	t.mu.Lock()
	all := t.addrs
	t.addrs, t.closed = map[string]*address{}, true
	t.mu.Unlock()
	for _, a := range all {
		t.end(a)
	}
}

// end cuts an address that is no longer in the table. Dials of it that succeed
// nevertheless find that out in dial.
func (t *connTracker) end(a *address) {
	a.cut()
	t.mu.Lock()
	conns := a.conns
	a.conns = nil
	t.mu.Unlock()
	for c := range conns {
		_ = c.Conn.Close()
	}
}

func (t *connTracker) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	t.mu.Lock()
	a, closed := t.addrs[addr], t.closed
	t.mu.Unlock()
	switch {
	case closed:
		return nil, net.ErrClosed
	case a == nil:
		return nil, fmt.Errorf("%w: %s", errElsewhere, addr)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(a.ctx, cancel)
	defer stop()
	raw, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, tracker: t, address: a}
	t.mu.Lock()
	gone := a.conns == nil
	if !gone {
		a.conns[c] = struct{}{}
	}
	t.mu.Unlock()
	if gone {
		_ = raw.Close()
		return nil, net.ErrClosed
	}
	return c, nil
}

// take returns how long the newest answer of addr was waited for; ok is false
// when none came since the last call.
func (t *connTracker) take(addr string) (wait time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.addrs[addr]
	if a == nil || !a.fresh {
		return 0, false
	}
	a.fresh = false
	return a.wait, true
}

// conn is a tracked connection.
type conn struct {
	net.Conn
	tracker *connTracker
	address *address

	mu      sync.Mutex
	written time.Time // of a request that was not answered yet, else zero
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.mu.Lock()
	c.written = time.Now()
	c.mu.Unlock()
	return n, err
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.mu.Lock()
		written := c.written
		c.written = time.Time{}
		c.mu.Unlock()
		if !written.IsZero() {
			c.tracker.mu.Lock()
			c.address.wait, c.address.fresh = time.Since(written), true
			c.tracker.mu.Unlock()
		}
	}
	return n, err
}

func (c *conn) Close() error {
	c.tracker.mu.Lock()
	delete(c.address.conns, c)
	c.tracker.mu.Unlock()
	return c.Conn.Close()
}
