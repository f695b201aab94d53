package trace

import "bytes"

// event is one object of traceEvents, its strings still raw JSON text inside
// the window: they live until the next event is read.
type event struct {
	ph       byte
	cat      []byte
	name     []byte
	pid, tid []byte // the token, without quotes
	ts, dur  int64  // ns
	hasTS    bool
	badTime  bool // a ts or dur that is no number, or beyond int64

	args []byte // the raw object, braces included; nil without

	hurry bool // of flows, read no more than that they are flows
}

// arguments are the args that the analysis uses, of GPU work, launches and
// allocator events. Absent integers are -1.
type arguments struct {
	device, stream, correlation, bytes int64
	graph                              int64
	allocated, reserved, deviceType    int64
	inElems, outElems, groupSize, seq  int64
	collective, dtype, group, members  []byte
}

var noArguments = arguments{device: -1, stream: -1, correlation: -1, bytes: -1, graph: -1,
	allocated: -1, reserved: -1, deviceType: -1, inElems: -1, outElems: -1, groupSize: -1, seq: -1}

// verdict is how reading a piece of JSON from a window ended.
type verdict uint8

const (
	good  verdict = iota
	short         // the window ends inside it
	bad           // it is not JSON, or not what must stand here
)

// maxDepth bounds nesting: a legal event nests three deep.
const maxDepth = 256

// quoted reads the string whose opening quote stands at b[i] and answers its raw
// inside and the index behind the closing quote. Lenient, a quote closes the
// string only where JSON could go on behind it: so names whose quotes were
// written unescaped are read whole.
func quoted(b []byte, i int, lenient bool) (s []byte, next int, v verdict) {
	i++
	from := i
	for {
		j := bytes.IndexByte(b[i:], '"')
		if j < 0 {
			return nil, 0, short
		}
		j += i
		if j > from && b[j-1] == '\\' && escaped(b[from:j]) {
			i = j + 1
			continue
		}
		if lenient {
			switch closes(b[j+1:]) {
			case short:
				return nil, 0, short
			case bad:
				i = j + 1
				continue
			}
		}
		// A string with a line end in it began at a quote that closes another.
		if j-from > 256 && bytes.IndexByte(b[from:j], '\n') >= 0 {
			return nil, 0, bad
		}
		return b[from:j], j + 1, good
	}
}

// keyAt is quoted for keys, which are short and plain.
func keyAt(b []byte, i int, lenient bool) (s []byte, next int, v verdict) {
	for j := i + 1; j < len(b) && j < i+10; j++ {
		if c := b[j]; c == '"' {
			return b[i+1 : j], j + 1, good
		} else if c == '\\' {
			break
		}
	}
	return quoted(b, i, lenient)
}

// plainTail says that nothing in the rest of an object could open, hide or
// close another.
func plainTail(b []byte) bool {
	return bytes.IndexByte(b, '{') < 0 && bytes.IndexByte(b, '\\') < 0 && bytes.Count(b, quote)%2 == 0
}

// escaped says whether what follows s is escaped: an odd number of
// backslashes.
func escaped(s []byte) bool {
	n := 0
	for n < len(s) && s[len(s)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// closes says whether JSON can go on behind a closing quote: a colon, a
// closing bracket, or a comma before the next key or value.
func closes(b []byte) verdict {
	i := blank(b, 0)
	if i == len(b) {
		return short
	}
	switch b[i] {
	case ':', '}', ']':
		return good
	case ',':
		if i = blank(b, i+1); i == len(b) {
			return short
		}
		if c := b[i]; c == '"' || c == '{' || c == '[' || c == '-' || c >= '0' && c <= '9' {
			return good
		}
	}
	return bad
}

func blank(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' {
		i++
	}
	return i
}

// skip passes over the value at b[i].
func skip(b []byte, i int, lenient bool) (next int, v verdict) {
	switch b[i] {
	case '"':
		_, next, v = quoted(b, i, lenient)
		return next, v
	case '{', '[':
		return skipNested(b, i, lenient)
	}
	from := i
	for i < len(b) {
		switch c := b[i]; {
		case c == ',' || c == '}' || c == ']' || c <= ' ':
			if i == from {
				return 0, bad
			}
			return i, good
		case c == '"' || c == '{' || c == '[' || c == ':':
			return 0, bad
		}
		i++
	}
	return 0, short
}

func skipNested(b []byte, i int, lenient bool) (next int, v verdict) {
	// Most objects are flat, and pass at the speed of memory.
	if b[i] == '{' && !lenient {
		if j := bytes.IndexByte(b[i+1:], '}'); j >= 0 {
			in := b[i+1 : i+1+j]
			if plainTail(in) {
				return i + j + 2, good
			}
		}
	}
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			from := i
			_, i, v = quoted(b, i, lenient)
			if v != good {
				return 0, v
			}
			if !lenient && bytes.IndexByte(b[from:i], '\n') >= 0 {
				return 0, bad
			}
			continue
		case '{', '[':
			if depth++; depth > maxDepth {
				return 0, bad
			}
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1, good
			}
		}
		i++
	}
	return 0, short
}

var quote = []byte{'"'}

// token reads a string or a number as raw text.
func token(b []byte, i int, lenient bool) (s []byte, next int, v verdict) {
	if b[i] == '"' {
		return quoted(b, i, lenient)
	}
	next, v = skip(b, i, lenient)
	if v != good {
		return nil, 0, v
	}
	return b[i:next], next, good
}

// read reads the event whose brace stands at b[0] and answers how many bytes
// it takes.
func (e *event) read(b []byte, lenient bool) (n int, v verdict) {
	*e = event{hurry: e.hurry}
	i, size := 1, len(b)
	for {
		for i < size && b[i] <= ' ' {
			i++
		}
		if i >= size {
			return 0, short
		}
		if b[i] == '}' {
			return i + 1, good
		}
		if b[i] == ',' {
			i++
			continue
		}
		if b[i] != '"' {
			return 0, bad
		}
		key, j, v := keyAt(b, i, lenient)
		if v != good {
			return 0, v
		}
		i = j
		for i < size && b[i] <= ' ' {
			i++
		}
		if i >= size {
			return 0, short
		}
		if b[i] != ':' {
			return 0, bad
		}
		i++
		for i < size && b[i] <= ' ' {
			i++
		}
		if i >= size {
			return 0, short
		}
		switch string(key) {
		case "ph":
			s, next, v := token(b, i, lenient)
			if v != good {
				return 0, v
			}
			if len(s) == 1 {
				e.ph = s[0]
			}
			i = next
			// Flows are a third of a trace, flat, and nothing is asked of them.
			if e.hurry && (e.ph == 's' || e.ph == 'f') {
				if j := bytes.IndexByte(b[i:], '}'); j >= 0 && plainTail(b[i:i+j]) {
					return i + j + 1, good
				}
			}
		case "cat":
			e.cat, i, v = token(b, i, lenient)
		case "name":
			e.name, i, v = token(b, i, lenient)
		case "pid":
			e.pid, i, v = token(b, i, lenient)
		case "tid":
			e.tid, i, v = token(b, i, lenient)
		case "ts":
			e.ts, e.hasTS, i, v = e.time(b, i)
		case "dur":
			e.dur, _, i, v = e.time(b, i)
		case "args":
			from := i
			if i, v = skip(b, i, lenient); v == good && b[from] == '{' {
				e.args = b[from:i]
			}
		default:
			i, v = skip(b, i, lenient)
		}
		if v != good {
			return 0, v
		}
		for i < size && b[i] <= ' ' {
			i++
		}
		if i >= size {
			return 0, short
		}
		if b[i] == ',' {
			i++
		} else if b[i] != '}' {
			return 0, bad
		}
	}
}

// time reads a number of microseconds, bare or as a string. What is no number
// marks the event, and the event goes on.
func (e *event) time(b []byte, i int) (ns int64, ok bool, next int, v verdict) {
	if c := b[i]; c >= '0' && c <= '9' {
		ns, n, ok := nanos(b[i:])
		if ok {
			// The token must end inside the window, or digits could be missing.
			if i+n >= len(b) {
				return 0, false, 0, short
			}
			if c := b[i+n]; c == ',' || c == '}' || c <= ' ' {
				return ns, true, i + n, good
			}
		}
	}
	s, next, v := token(b, i, false)
	if v != good {
		return 0, false, next, v
	}
	ns, n, ok := nanos(s)
	if !ok || n != len(s) {
		e.badTime = true
		return 0, false, next, good
	}
	return ns, true, next, good
}

// read takes the arguments out of a raw object. It cannot fail: what it does
// not understand is passed over, and it stops where the text is no JSON.
func (a *arguments) read(b []byte) {
	*a = noArguments
	for i := 1; i < len(b); {
		c := b[i]
		if c <= ' ' || c == ',' {
			i++
			continue
		}
		if c != '"' {
			return
		}
		j := bytes.IndexByte(b[i+1:], '"')
		if j < 0 {
			return
		}
		key := b[i+1 : i+1+j]
		if i = blank(b, i+j+2); i >= len(b) || b[i] != ':' {
			return
		}
		if i = blank(b, i+1); i >= len(b) {
			return
		}
		number, words := a.field(key)
		switch {
		case number != nil:
			s, next, v := token(b, i, false)
			if v != good {
				return
			}
			if n, _, ok := whole(s); ok {
				*number = n
			}
			i = next
		case words != nil:
			s, next, v := token(b, i, false)
			if v != good {
				return
			}
			*words, i = s, next
		case b[i] == '[':
			j := bytes.IndexByte(b[i:], ']')
			if j < 0 {
				return
			}
			i += j + 1
		default:
			next, v := skip(b, i, false)
			if v != good {
				return
			}
			i = next
		}
	}
}

func (a *arguments) field(key []byte) (*int64, *[]byte) {
	switch string(key) {
	case "correlation":
		return &a.correlation, nil
	case "device":
		return &a.device, nil
	case "stream":
		return &a.stream, nil
	case "bytes", "Bytes", "size":
		return &a.bytes, nil
	case "graph id":
		return &a.graph, nil
	case "Total Allocated":
		return &a.allocated, nil
	case "Total Reserved":
		return &a.reserved, nil
	case "Device Type":
		return &a.deviceType, nil
	case "Device Id":
		return &a.device, nil
	case "In msg nelems", "in_msg_nelems":
		return &a.inElems, nil
	case "Out msg nelems", "out_msg_nelems":
		return &a.outElems, nil
	case "Group size", "group_size":
		return &a.groupSize, nil
	case "Seq":
		return &a.seq, nil
	case "Collective name", "collective_name":
		return nil, &a.collective
	case "dtype":
		return nil, &a.dtype
	case "Process Group Name", "process_group_name":
		return nil, &a.group
	case "Process Group Ranks", "process_group_ranks":
		return nil, &a.members
	}
	return nil, nil
}
