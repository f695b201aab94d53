package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// all reads a stream as "name|data" lines.
func all(r io.Reader) (out []string, err error) {
	ev := newEvents(r)
	for {
		name, data, err := ev.next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, string(name)+"|"+string(data))
	}
}

func TestEvents(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"data: a\n\ndata: b\n\n", "[|a |b]"},
		{"data:a\r\n\r\ndata:  b\r\n\r\n", "[|a | b]"},
		{"data: a\ndata: b\n\n", "[|a\nb]"},
		{": ping\n\ndata: a\nid: 7\nretry: 5\n\n", "[|a]"},
		{"event: error\n: worker gone\n\n", "[error|worker gone]"},
		{"event: error\ndata: x\n: y\n\n", "[error|x]"},
		{"data\n\n", "[|]"},
		{"data: [DONE]", "[|[DONE]]"},
		{"data: a\n", "[|a]"},
		{"\n\n\n", "[]"},
		{"<html>\nno events\n", "[]"},
		{"", "[]"},
	} {
		for name, r := range map[string]io.Reader{
			"whole":     strings.NewReader(c.in),
			"by bytes":  iotest.OneByteReader(strings.NewReader(c.in)),
			"with ends": iotest.DataErrReader(strings.NewReader(c.in)),
		} {
			got, err := all(r)
			if err != nil || fmt.Sprint(got) != c.want {
				t.Errorf("%q %s: got %q, %v, want %s", c.in, name, got, err, c.want)
			}
		}
	}
	for name, in := range map[string]string{
		"a line without end":     strings.Repeat("x", 3*maxEvent),
		"an event without end":   strings.Repeat("data: "+strings.Repeat("x", 1000)+"\n", 2000),
		"a data line, very long": "data: " + strings.Repeat("x", maxEvent) + "\n\n",
	} {
		if _, err := all(strings.NewReader(in)); !errors.Is(err, errEventTooLong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := all(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("data: a\n\n")))); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("a broken reader: %q, %v", got, err)
	}
}

func TestEventsDoNotAllocate(t *testing.T) {
	in := strings.Repeat(`data: {"id":"x","choices":[{"delta":{"content":" ba"}}],"usage":null}`+"\n\n", 2000)
	ev := newEvents(strings.NewReader(in))
	n := testing.AllocsPerRun(1000, func() {
		if _, data, err := ev.next(); err != nil || !hasToken(data) {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}

func TestHasToken(t *testing.T) {
	for in, want := range map[string]bool{
		`{"choices":[{"delta":{"content":"a"}}]}`:                                           true,
		`{"choices":[{"delta":{"content": "\""}}]}`:                                         true,
		`{"choices":[{"delta":{"role":"assistant","content":""}}]}`:                         false,
		`{"choices":[{"delta":{"content":null}}]}`:                                          false,
		`{"choices":[{"delta":{"content":"","reasoning_content":"hm"}}]}`:                   true,
		`{"choices":[{"delta":{"content":null,"reasoning":"hm"}}]}`:                         true,
		`{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{"}}]}}]}`:           true,
		`{"choices":[{"delta":{"content":""}},{"delta":{"content":"b"}}]}`:                  true,
		`{"choices":[{"delta":{"content":""},"note":"\"content\":\"x\""}]}`:                 false,
		`{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}`: false,
		`{"choices":[{"delta":{},"finish_reason":"length"}]}`:                               false,
		``: false, `"content":`: false, `"content":"`: false,
	} {
		if got := hasToken([]byte(in)); got != want {
			t.Errorf("%s: %v", in, got)
		}
	}
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte("data: a\n\n: c\nevent: error\n: d\n\ndata: [DONE]\n\n"), uint8(1))
	f.Add([]byte("data: a\r\ndata:b\r\n\r\n\xff\x00"), uint8(3))
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		want, err := all(bytes.NewReader(in))
		if err != nil {
			if errors.Is(err, errEventTooLong) && len(in) >= maxEvent {
				return
			}
			t.Fatal(err)
		}
		// How the bytes arrive changes nothing.
		got, err := all(&steps{in, int(step)%7 + 1})
		if err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("in steps: %q, %v, want %q", got, err, want)
		}
		// Every event has a blank line of its own, but for the last.
		if n := bytes.Count(in, []byte("\n")) + 1; len(got) > n {
			t.Errorf("%d events from %d lines", len(got), n)
		}
		// Reading a stream and its chunks never panics and always ends.
		_ = stream(bytes.NewReader(in), epoch)
		_ = whole(bytes.NewReader(in))
	})
}

type steps struct {
	rest []byte
	n    int
}

func (s *steps) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.n)], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}
