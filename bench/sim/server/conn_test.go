package server

import (
	"bytes"
	"io"
	"net"
	"testing"
)

// A stream to a reader that is slow, and then reads everything: the writer
// never waits, and no byte is lost or out of place.
func TestConnNeverWaits(t *testing.T) {
	var g gate
	d, err := newDoor("", &g)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	client, err := net.Dial("tcp", d.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	accepted, err := d.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := accepted.(*conn)
	c.setDirect(true)
	var want bytes.Buffer
	piece := make([]byte, 1000)
	write := func() error {
		for i := range piece {
			piece[i] = byte(want.Len() / 7)
		}
		want.Write(piece)
		_, err := c.Write(piece)
		return err
	}
	// Nobody reads; the kernel's buffers take a part.
	for range 3000 {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	c.setDirect(false)
	if err := write(); err != nil { // after the stream, behind the backlog
		t.Fatal(err)
	}
	got := make([]byte, want.Len())
	if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%v, equal %v", err, bytes.Equal(got, want.Bytes()))
	}
	// A reader that stays away is cut off.
	c.setDirect(true)
	for err == nil {
		err = write()
	}
	c.Close()
	g.close()
}
