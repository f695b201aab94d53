package load

import (
	"bytes"
	"errors"
	"io"
)

// maxEvent bounds one server-sent event, and so the memory of a stream.
const maxEvent = 1 << 20

var errEventTooLong = errors.New("an event of the stream is longer than 1 MiB")

// events reads server-sent events (the WHATWG's text/event-stream, with line
// ends LF and CRLF) without allocating per event.
type events struct {
	r          io.Reader
	buf        []byte
	start, end int // unread part of buf
	name, data []byte
}

func newEvents(r io.Reader) *events { return &events{r: r, buf: make([]byte, 16<<10)} }

// next returns the name (empty for plain events) and the data of the next
// event that has either; both are valid until the next call. A last event
// without its blank line is returned before io.EOF, because some servers end
// so. Comments are skipped, but an event named error keeps its comment as data:
// that is where Dynamo writes the cause.
func (e *events) next() (name, data []byte, err error) {
	e.name, e.data = e.name[:0], e.data[:0]
	lines, comment := 0, []byte(nil)
	for {
		line, err := e.line()
		if err != nil {
			if errors.Is(err, io.EOF) && (lines > 0 || len(e.name) > 0) {
				return e.name, e.data, nil
			}
			return nil, nil, err
		}
		if len(line) == 0 {
			if lines == 0 && len(e.name) > 0 && comment != nil {
				e.data = append(e.data, comment...)
			}
			if lines > 0 || len(e.name) > 0 {
				return e.name, e.data, nil
			}
			comment = nil
			continue
		}
		field, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimPrefix(value, []byte{' '})
		switch string(field) {
		case "":
			if comment == nil && len(value) < 1024 {
				comment = bytes.Clone(value)
			}
		case "data":
			if len(e.data)+len(value) >= maxEvent {
				return nil, nil, errEventTooLong
			}
			if lines > 0 {
				e.data = append(e.data, '\n')
			}
			e.data = append(e.data, value...)
			lines++
		case "event":
			e.name = append(e.name[:0], value...)
		}
	}
}

// line returns the next line without its end, valid until the next call. A
// last line without an end is a line.
func (e *events) line() ([]byte, error) {
	seen := 0
	for {
		if i := bytes.IndexByte(e.buf[e.start+seen:e.end], '\n'); i >= 0 {
			line := e.buf[e.start : e.start+seen+i]
			e.start += seen + i + 1
			return bytes.TrimSuffix(line, []byte{'\r'}), nil
		}
		seen = e.end - e.start
		if seen >= maxEvent {
			return nil, errEventTooLong
		}
		if err := e.fill(); err != nil {
			if errors.Is(err, io.EOF) && seen > 0 {
				line := e.buf[e.start:e.end]
				e.start = e.end
				return bytes.TrimSuffix(line, []byte{'\r'}), nil
			}
			return nil, err
		}
	}
}

// fill reads at least one more byte behind the unread part.
func (e *events) fill() error {
	if e.start > 0 {
		e.end = copy(e.buf, e.buf[e.start:e.end])
		e.start = 0
	}
	if e.end == len(e.buf) {
		e.buf = append(e.buf, make([]byte, len(e.buf))...)
	}
	for range 100 {
		n, err := e.r.Read(e.buf[e.end:])
		e.end += n
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// Keys of a delta whose non-empty text is a token: the answer, two spellings of
// reasoning, a tool call. A quote inside a JSON string is escaped, so these
// bytes cannot be part of the text itself.
var tokenKeys = [][]byte{
	[]byte(`"content":`), []byte(`"reasoning_content":`), []byte(`"reasoning":`), []byte(`"arguments":`),
}

// hasToken says whether a chunk brings text. A role alone, null and "" do not.
func hasToken(chunk []byte) bool {
	for _, key := range tokenKeys {
		rest := chunk
		for {
			i := bytes.Index(rest, key)
			if i < 0 {
				break
			}
			rest = bytes.TrimLeft(rest[i+len(key):], " ")
			if len(rest) >= 2 && rest[0] == '"' && rest[1] != '"' {
				return true
			}
		}
	}
	return false
}
