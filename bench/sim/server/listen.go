package server

import (
	"fmt"
	"net"
	"sync/atomic"
)

// door is a listener on loopback that can be as if nothing listened: what
// connects is reset.
type door struct {
	*net.TCPListener
	gate *gate // waits for what its connections start
	shut atomic.Bool
}

// newDoor listens at an address; empty is any free port.
func newDoor(addr string, g *gate) (*door, error) {
	at := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
	if addr != "" {
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			return nil, err
		}
		if !a.IP.IsLoopback() {
			return nil, fmt.Errorf("%s is not on loopback; hint: 127.0.0.1:PORT", addr)
		}
		at = a
	}
	l, err := net.ListenTCP("tcp", at)
	if err != nil {
		return nil, err
	}
	return &door{TCPListener: l, gate: g}, nil
}

func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.AcceptTCP()
		if err != nil {
			return nil, err
		}
		if !d.shut.Load() {
			return newConn(c, d.gate), nil
		}
		reset(c)
	}
}

func (d *door) url() string { return "http://" + d.Addr().String() }

// reset closes a connection so that the other side sees an error at once.
func reset(c net.Conn) {
	if t, ok := c.(interface{ SetLinger(int) error }); ok {
		_ = t.SetLinger(0) // a closed connection is closed without it too
	}
	_ = c.Close()
}
