package trace

import (
	"bytes"
	"errors"
	"fmt"
)

// Notes count what a document's reading met besides its events. A trace with
// notes is analysed all the same, and its report says what is missing.
type Notes struct {
	Events    int64  `json:"events"`
	Repaired  int64  `json:"repaired,omitempty"`  // events whose unescaped quotes were read around
	Malformed int64  `json:"malformed,omitempty"` // places where events were lost and the reader found the next one
	Oversized int64  `json:"oversized,omitempty"` // events beyond the length limit, skipped
	BadTimes  int64  `json:"bad_times,omitempty"` // events without a usable ts or dur, left out
	Negative  int64  `json:"negative_durations,omitempty"`
	Ended     bool   `json:"complete"`             // the JSON closes
	Closing   bool   `json:"closing_record"`       // "Record Window End" was there
	Cut       string `json:"cut,omitempty"`        // why it ends early: the gzip stream, a limit
	Bytes     int64  `json:"json_bytes"`           // of expanded JSON read
	Gzip      bool   `json:"gzip"`                 //
	Packed    int64  `json:"packed_bytes"`         // of the file read
	TooMany   string `json:"over_limit,omitempty"` // what was more than is kept apart: threads, names, streams
}

// errNotTrace is a document that holds no trace events.
var errNotTrace = errors.New("not a PyTorch trace")

// document reads one trace document: header keys on both sides of the events,
// or a bare array of events.
type document struct {
	w      *window
	notes  *Notes
	ev     event
	header func(key string, value []byte) // of a wanted key; the value is raw JSON
	event  func(e *event, raw []byte) error
	nodes  bool // an execution graph's key was seen
	found  bool // traceEvents was there
	bare   bool // the document is the array of events itself
	failed error
}

// wanted are the header keys whose value is kept; each is small in a real
// trace, and dropped when it is larger than the window may grow.
var wanted = map[string]bool{
	"baseTimeNanoseconds": true, "distributedInfo": true, "deviceProperties": true,
	"with_stack": true, "record_shapes": true, "profile_memory": true, "trace_id": true,
	"cuda_version": true, "cuda_runtime_version": true, "cuda_driver_version": true, "host_name": true,
}

func (d *document) read() error {
	w := d.w
	err := d.top()
	if err == nil && d.notes.Ended {
		// The gzip trailer tells whether the file was written to its end.
		for w.pos = w.end; w.more() && w.offset() < d.w.src.limits.Bytes; {
			w.pos = w.end
		}
	}
	d.notes.Bytes, d.notes.Gzip, d.notes.Packed = w.src.total, w.src.gzip, w.src.taken
	d.notes.Cut = w.cut()
	if err != nil {
		return err
	}
	if ctxErr := w.src.ctx.Err(); ctxErr != nil {
		return ctxErr
	}
	switch {
	case d.found && d.notes.Events > 0:
		return nil
	case d.nodes:
		return fmt.Errorf("%w: an execution graph (nodes, no events); hint: the trace is the *.trace.json.gz beside it", errNotTrace)
	case d.notes.Cut != "":
		return fmt.Errorf("%w: no event before the end: %s", errNotTrace, d.notes.Cut)
	case d.found && !d.notes.Ended:
		return fmt.Errorf("%w: the file ends before its first event; hint: it may still be written", errNotTrace)
	case d.found:
		return fmt.Errorf("%w: traceEvents is empty", errNotTrace)
	}
	return fmt.Errorf("%w: no traceEvents in it", errNotTrace)
}

func (d *document) top() error {
	w := d.w
	if !w.space() {
		return nil
	}
	if w.end-w.pos < 3 {
		w.more()
	}
	if bytes.HasPrefix(w.buf[w.pos:w.end], []byte("\xef\xbb\xbf")) {
		w.pos += 3
		if !w.space() {
			return nil
		}
	}
	switch w.buf[w.pos] {
	case '[':
		d.found = true
		w.pos++
		d.bare = true
		return d.events()
	case '{':
		w.pos++
	default:
		return fmt.Errorf("%w: it starts with neither { nor [", errNotTrace)
	}
	for {
		if !w.space() {
			return nil
		}
		switch w.buf[w.pos] {
		case '}':
			w.pos++
			d.notes.Ended = true
			return nil
		case ',':
			w.pos++
			continue
		case '"':
		default:
			if d.found {
				return nil // behind the events: what there is stays
			}
			return fmt.Errorf("%w: no JSON at byte %d", errNotTrace, w.offset())
		}
		key, ok := d.key()
		if !ok || !w.space() {
			return nil
		}
		if err := d.value(key); err != nil {
			return err
		}
		if !d.found && w.offset() > w.src.limits.calm {
			return fmt.Errorf("%w: no event in the first %d bytes", errNotTrace, w.offset())
		}
	}
}

// key reads a header key and its colon.
func (d *document) key() (string, bool) {
	w := d.w
	for {
		k, next, v := quoted(w.buf[w.pos:w.end], 0, false)
		if v == good {
			key := string(k[:min(len(k), 256)])
			w.pos += next
			if !w.space() || w.buf[w.pos] != ':' {
				return "", false
			}
			w.pos++
			return key, true
		}
		if v == bad || !w.more() {
			return "", false
		}
	}
}

func (d *document) value(key string) error {
	w := d.w
	if key == "traceEvents" && w.buf[w.pos] == '[' {
		d.found = true
		w.pos++
		return d.events()
	}
	if key == "nodes" {
		d.nodes = true
	}
	if wanted[key] {
		for {
			next, v := skip(w.buf[w.pos:w.end], 0, false)
			if v == good {
				if d.header != nil {
					d.header(key, w.buf[w.pos:w.pos+next])
				}
				w.pos += next
				return nil
			}
			if v == bad || !w.more() {
				break
			}
		}
	}
	d.pass()
	return nil
}

// pass skips a value of any size, keeping none of it.
func (d *document) pass() {
	w := d.w
	depth, inside, escape := 0, false, false
	for {
		for w.pos < w.end {
			c := w.buf[w.pos]
			switch {
			case inside:
				switch {
				case escape:
					escape = false
				case c == '\\':
					escape = true
				case c == '"':
					inside = false
				}
				w.pos++
				if !inside && depth == 0 {
					return
				}
				continue
			case c == '"':
				inside = true
			case c == '{' || c == '[':
				depth++
			case c == '}' || c == ']':
				if depth == 0 {
					return
				}
				if depth--; depth == 0 {
					w.pos++
					return
				}
			case c == ',' && depth == 0:
				return
			}
			w.pos++
		}
		if w.offset() > w.src.limits.calm && !d.found || !w.more() {
			return
		}
	}
}

// events reads the array of events up to its bracket or the document's end.
func (d *document) events() error {
	w := d.w
	for {
		if d.failed != nil {
			return d.failed
		}
		if !w.space() {
			return nil
		}
		switch w.buf[w.pos] {
		case ',':
			w.pos++
			continue
		case ']':
			w.pos++
			d.notes.Ended = d.bare // else the object has still to close
			return nil
		case '{':
			n, v := d.ev.read(w.buf[w.pos:w.end], false)
			switch v {
			case good:
				d.failed = d.one(n)
				continue
			case short:
				if w.more() {
					continue
				}
				if !w.full() && !d.salvage() {
					return nil // the cut goes through this event
				}
				if w.full() {
					d.notes.Oversized++
					w.pos++
					if !d.resync() {
						return nil
					}
				}
				continue
			case bad:
				if d.salvage() {
					continue
				}
			}
		}
		d.notes.Malformed++
		w.pos++
		if !d.resync() {
			return nil
		}
	}
}

func (d *document) one(n int) error {
	w := d.w
	d.notes.Events++
	err := d.event(&d.ev, w.buf[w.pos:w.pos+n])
	w.pos += n
	return err
}

// salvage reads the event at pos once more, taking quotes that JSON cannot
// have meant as closing ones for part of their string. It looks no further
// than to where the next event starts.
func (d *document) salvage() bool {
	w := d.w
	at := nextEvent(w.buf[w.pos+1 : w.end])
	for at < 0 && w.more() {
		at = nextEvent(w.buf[w.pos+1 : w.end])
	}
	bound := w.end
	if at >= 0 {
		bound = w.pos + 1 + at
	}
	n, v := d.ev.read(w.buf[w.pos:bound], true)
	if v != good || d.ev.ph == 0 {
		return false
	}
	d.notes.Repaired++
	d.failed = d.one(n)
	return true
}

// resync moves pos to the next place where an event starts or the array ends.
func (d *document) resync() bool {
	w := d.w
	for {
		if at := nextEvent(w.buf[w.pos:w.end]); at >= 0 {
			w.pos += at
			return true
		}
		w.pos = max(w.pos, w.end-256)
		if !w.more() {
			w.pos = w.end
			return false
		}
	}
}

// nextEvent finds a brace that opens an event: behind a comma or a bracket,
// before a key that events have; or the bracket that closes the events. It
// answers -1 where none is whole.
func nextEvent(b []byte) int {
	for i := 0; i < len(b); {
		j := bytes.IndexByte(b[i:], '{')
		if j < 0 {
			break
		}
		j += i
		i = j + 1
		p := j - 1
		for p >= 0 && b[p] <= ' ' {
			p--
		}
		if p < 0 || b[p] != ',' && b[p] != '[' {
			continue
		}
		k := blank(b, j+1)
		for _, key := range eventKeys {
			if bytes.HasPrefix(b[k:], key) {
				return j
			}
		}
	}
	if j := bytes.LastIndexByte(b, ']'); j > 0 {
		p := j - 1
		for p >= 0 && b[p] <= ' ' {
			p--
		}
		n := blank(b, j+1)
		if p >= 0 && b[p] == '}' && n < len(b) && (b[n] == '}' || b[n] == ',') {
			return j
		}
	}
	return -1
}

var eventKeys = [][]byte{[]byte(`"ph"`), []byte(`"name"`), []byte(`"cat"`), []byte(`"pid"`), []byte(`"tid"`), []byte(`"ts"`), []byte(`"dur"`), []byte(`"args"`), []byte(`"id"`)}
