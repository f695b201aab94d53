package trace

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// SliceResult is what a slice holds.
type SliceResult struct {
	Events  int64 // written
	Bytes   int64 // of JSON written
	Left    int64 // events of the window that are no valid JSON, left out
	Cut     bool  // the size limit ended it
	Partial bool  // the source trace is cut
}

// sliceBytes is how much JSON a browser's viewer opens without trouble.
const (
	sliceBytes    = 100 << 20
	sliceMetadata = 20_000
)

// Slice writes the part of an analysed file that touches a window (absolute
// ns, as in the report) as a trace of its own, plain JSON: all names of
// processes and threads, and the events, flows and counters of the window. At
// most maxBytes of events are written (0: 100 MiB).
func Slice(ctx context.Context, f *File, window Window, maxBytes int64, out io.Writer) (SliceResult, error) {
	var res SliceResult
	if window.End <= window.Start {
		return res, fmt.Errorf("slicing %s: the window is empty", f.Path)
	}
	if maxBytes <= 0 {
		maxBytes = sliceBytes
	}
	src, err := open(ctx, f.Path, Limits{})
	if err != nil {
		return res, fmt.Errorf("slicing: %w", err)
	}
	defer src.close()
	from, to := window.Start-f.Base, window.End-f.Base
	w := bufio.NewWriterSize(out, 256<<10)
	put := func(parts ...[]byte) {
		for _, p := range parts {
			n, _ := w.Write(p) // a failure stays until Flush
			res.Bytes += int64(n)
		}
	}
	put(fmt.Appendf(nil, "{\n\"schemaVersion\": 1,\n\"displayTimeUnit\": \"ms\",\n\"baseTimeNanoseconds\": %d,\n\"traceEvents\": [", f.Base))
	var header [][]byte
	metadata, full := 0, errors.New("full")
	notes := Notes{}
	d := document{w: newWindow(src), notes: &notes}
	d.header = func(key string, value []byte) {
		if key != "baseTimeNanoseconds" && len(value) < 1<<20 && json.Valid(value) {
			name, _ := json.Marshal(key)
			header = append(header, append(append(name, ": "...), value...))
		}
	}
	d.event = func(e *event, raw []byte) error {
		switch {
		case e.ph == 'M':
			if metadata++; metadata > sliceMetadata {
				return nil
			}
		case !e.hasTS || e.ts >= to || e.dur < 0 || e.ts < from && e.ts+e.dur <= from:
			return nil
		}
		if !json.Valid(raw) {
			res.Left++
			return nil
		}
		if res.Bytes+int64(len(raw)) > maxBytes {
			return full
		}
		sep := []byte(",\n")
		if res.Events == 0 {
			sep = sep[1:]
		}
		put(sep, bytes.TrimSpace(raw))
		res.Events++
		return nil
	}
	err = d.read()
	if res.Cut = errors.Is(err, full); err != nil && !res.Cut {
		return res, fmt.Errorf("slicing %s: %w", f.Path, err)
	}
	res.Partial = !notes.Ended && !res.Cut
	put([]byte("\n]"))
	for _, h := range header {
		put([]byte(",\n"), h)
	}
	put([]byte("\n}\n"))
	if err := w.Flush(); err != nil {
		return res, fmt.Errorf("writing the slice: %w", err)
	}
	return res, nil
}
