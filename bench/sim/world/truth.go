package world

import (
	"bufio"
	"io"
	"strconv"
	"time"
)

// truth writes what really happened, one JSON object a line, times in seconds
// since the scenario's start. Kinds of line:
//
//	{"t":…, "request":{…}}   a request ended: every stage's time
//	{"t":…, "fault":"kill", "target":"worker1", "on":true}
//	{"t":…, "bound":"kv", "who":"worker2", "waiting":17}   what binds from now on
//	{"t":…, "worker":"worker1", "id":"…", "event":"registered"}
//
// A nil writer costs nothing.
type truth struct {
	w     *bufio.Writer
	err   error
	buf   []byte
	bound string
	brief bool // without the gaps between tokens
}

func newTruth(w io.Writer) *truth {
	if w == nil {
		return nil
	}
	return &truth{w: bufio.NewWriterSize(w, 64<<10)}
}

// tokens says whether the gaps between tokens are wanted.
func (l *truth) tokens() bool { return l != nil && !l.brief }

func (l *truth) open(t time.Duration) {
	l.buf = append(l.buf[:0], `{"t":`...)
	l.seconds(t)
}

func (l *truth) seconds(d time.Duration) { l.buf = appendDecimal(l.buf, int64(d), 1e9) }

// appendDecimal appends n/unit, the shortest text that is exact; unit is a
// power of ten. Most of a log are such numbers.
func appendDecimal(b []byte, n, unit int64) []byte {
	if n < 0 {
		b, n = append(b, '-'), -n
	}
	b = strconv.AppendInt(b, n/unit, 10)
	rest := n % unit
	if rest == 0 {
		return b
	}
	b = append(b, '.')
	for unit /= 10; rest > 0; unit /= 10 {
		b = append(b, byte('0'+rest/unit))
		rest %= unit
	}
	return b
}

func (l *truth) key(name string) {
	l.buf = append(l.buf, ',', '"')
	l.buf = append(l.buf, name...)
	l.buf = append(l.buf, '"', ':')
}

func (l *truth) text(name, v string) {
	l.key(name)
	l.buf = strconv.AppendQuoteToASCII(l.buf, v)
}

func (l *truth) number(name string, v int) {
	l.key(name)
	l.buf = strconv.AppendInt(l.buf, int64(v), 10)
}

func (l *truth) time(name string, v time.Duration) {
	l.key(name)
	l.seconds(v)
}

func (l *truth) close() {
	l.buf = append(l.buf, '}', '\n')
	if _, err := l.w.Write(l.buf); err != nil && l.err == nil {
		l.err = err
	}
}

// request writes the times of one that ended. A time that was not reached is
// left out. gaps are the times between tokens as the client's side of the
// frontend sees them, in microseconds.
func (l *truth) request(w *World, r *request) {
	if l == nil {
		return
	}
	l.open(w.clock.now)
	l.buf = append(l.buf, `,"request":{"id":`...)
	l.buf = strconv.AppendUint(l.buf, r.id, 10)
	l.text("frontend", r.f.name)
	l.text("model", r.m.name)
	if r.outcome == "" {
		l.text("status", "success")
	} else {
		l.text("status", r.outcome)
	}
	l.key("stream")
	l.buf = strconv.AppendBool(l.buf, r.stream)
	l.number("isl", r.isl)
	l.number("osl", r.osl)
	l.number("tokens", r.got)
	l.number("migrations", r.migrations)
	l.time("arrived", r.arrived)
	if r.preprocessed > 0 {
		l.time("preprocessed", r.preprocessed)
	}
	l.attempt("prefill", r.prefill)
	l.attempt("main", r.main)
	if r.got > 0 {
		l.time("first_token", r.first)
		l.time("ttft", r.first-r.arrived)
		l.time("last_token", r.last)
	}
	l.time("ended", r.ended)
	if len(r.allGaps) > 0 {
		l.key("gaps_us")
		l.buf = append(l.buf, '[')
		for i, g := range r.allGaps {
			if i > 0 {
				l.buf = append(l.buf, ',')
			}
			l.buf = appendDecimal(l.buf, int64(g), 1e3)
		}
		l.buf = append(l.buf, ']')
	}
	l.buf = append(l.buf, '}')
	l.close()
}

func (l *truth) attempt(name string, a *attempt) {
	if a == nil {
		return
	}
	l.key(name)
	l.buf = append(l.buf, `{"asked":`...)
	l.seconds(a.asked)
	if a.atRouter > 0 {
		l.time("at_router", a.atRouter)
	}
	if a.rank != nil {
		l.time("routed", a.routed)
		l.text("worker", a.rank.worker.name)
		l.number("rank", a.rank.index)
		l.number("believed_blocks", a.hit)
	}
	for _, s := range []struct {
		name string
		t    time.Duration
	}{{"received", a.in}, {"scheduled", a.scheduled}, {"engine_first_token", a.firstAt}, {"engine_done", a.out}} {
		if s.t > 0 {
			l.time(s.name, s.t)
		}
	}
	l.number("cached_tokens", a.cached)
	l.buf = append(l.buf, '}')
}

func (l *truth) fault(t time.Duration, kind, target string, on bool) {
	if l == nil {
		return
	}
	l.open(t)
	l.text("fault", kind)
	l.text("target", target)
	l.key("on")
	l.buf = strconv.AppendBool(l.buf, on)
	l.close()
}

func (l *truth) worker(t time.Duration, k *worker, event string) {
	if l == nil {
		return
	}
	l.open(t)
	l.text("worker", k.name)
	l.text("id", strconv.FormatUint(k.id, 16))
	l.text("event", event)
	l.close()
}

// binds writes what binds from now on, when it has changed.
func (l *truth) binds(t time.Duration, b bound) {
	if l == nil || b.what+b.who == l.bound {
		return
	}
	l.bound = b.what + b.who
	l.open(t)
	l.text("bound", b.what)
	if b.who != "" {
		l.text("who", b.who)
	}
	l.number("waiting", b.waiting)
	l.close()
}

func (l *truth) flush() error {
	if l == nil {
		return nil
	}
	if err := l.w.Flush(); err != nil && l.err == nil {
		l.err = err
	}
	return l.err
}
