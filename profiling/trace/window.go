package trace

import (
	"errors"
	"fmt"
	"io"
)

// window is the part of the document under the scanner: buf[pos:end]. It
// grows only while one event does not fit, and never beyond its limit.
type window struct {
	src   *source
	buf   []byte
	pos   int
	end   int
	base  int64 // offset of buf[0] in the document
	limit int
	err   error // why no more comes; io.EOF at the document's end
}

func newWindow(src *source) *window {
	limit := max(src.limits.EventBytes, 4096)
	return &window{src: src, buf: make([]byte, min(2*chunkBytes, 2*limit)), limit: limit}
}

// offset is where buf[pos] stands in the expanded document.
func (w *window) offset() int64 { return w.base + int64(w.pos) }

// more brings further bytes behind end, keeping everything from pos. It
// answers false when none come or when what is kept has reached the limit.
func (w *window) more() bool {
	if w.err != nil {
		return false
	}
	kept := w.end - w.pos
	if w.pos > 0 && (w.end == len(w.buf) || w.pos > len(w.buf)/2) {
		copy(w.buf, w.buf[w.pos:w.end])
		w.base += int64(w.pos)
		w.pos, w.end = 0, kept
	}
	if w.end == len(w.buf) {
		if kept >= w.limit {
			return false
		}
		bigger := make([]byte, 2*len(w.buf))
		copy(bigger, w.buf[:w.end])
		w.buf = bigger
	}
	n, err := w.src.read(w.buf[w.end:])
	w.end += n
	if err != nil {
		w.err = err
	}
	return n > 0 || (err == nil && w.more())
}

// full says that more answered false for the limit's sake, not at the end.
func (w *window) full() bool { return w.err == nil }

// cut says how the document ended if not at its own end: "" after a plain end.
func (w *window) cut() string {
	switch {
	case w.err == nil || errors.Is(w.err, io.EOF):
		return ""
	case errors.Is(w.err, io.ErrUnexpectedEOF):
		return "the gzip stream is cut"
	default:
		return w.err.Error()
	}
}

// space moves pos to the next byte that is not white space. White space
// without end is no document.
func (w *window) space() bool {
	for begin := w.offset(); w.offset()-begin <= w.src.limits.calm; {
		for w.pos < w.end {
			if w.buf[w.pos] > ' ' {
				return true
			}
			w.pos++
		}
		if !w.more() {
			return false
		}
	}
	w.err = fmt.Errorf("%w: only white space", errLimit)
	return false
}
