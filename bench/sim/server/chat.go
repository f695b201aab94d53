package server

import (
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"dynascope/bench/sim/world"
)

// maxRequest bounds the body of one request.
const maxRequest = 16 << 20

// defaultOSL is the answer's length when none is asked for.
const defaultOSL = 128

// ask is what is read of a chat or completion request.
type ask struct {
	Model    string          `json:"model"`
	Messages []message       `json:"messages"`
	Prompt   json.RawMessage `json:"prompt"`

	MaxTokens           int  `json:"max_tokens"`
	MaxCompletionTokens int  `json:"max_completion_tokens"`
	MinTokens           int  `json:"min_tokens"`
	Stream              bool `json:"stream"`
	StreamOptions       struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	NVExt map[string]json.RawMessage `json:"nvext"`
}

type message struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// text is the prompt, whatever form it was sent in.
func (a *ask) text() string {
	var b strings.Builder
	add := func(raw json.RawMessage) {
		var s string
		if json.Unmarshal(raw, &s) == nil {
			b.WriteString(s)
		} else {
			b.Write(raw) // parts, token ids: their length is what counts
		}
		b.WriteByte(' ')
	}
	for _, m := range a.Messages {
		add(m.Content)
	}
	if len(a.Prompt) > 0 {
		add(a.Prompt)
	}
	return b.String()
}

func (a *ask) osl() int {
	n := max(a.MaxTokens, a.MaxCompletionTokens)
	if n <= 0 {
		n = max(defaultOSL, a.MinTokens)
	}
	return n
}

// tokens counts a prompt's words as tokens and hashes its pages, so that equal
// beginnings are found in the simulated caches.
func tokens(text string, page int) (n int, prefix []uint64) {
	h := fnv.New64a()
	for word := range strings.FieldsSeq(text) {
		_, _ = io.WriteString(h, word+" ") // a hash takes everything
		if n++; n%page == 0 {
			prefix = append(prefix, h.Sum64())
		}
	}
	return max(n, 1), prefix
}

// readAsk reads a request; the failure is the client's fault.
func readAsk(r *http.Request) (a ask, err error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	switch {
	case err != nil:
		return a, err
	case len(raw) > maxRequest:
		return a, errors.New("the request is too large")
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return a, errors.New("Failed to deserialize the JSON body into the target type: " + err.Error())
	}
	for key := range a.NVExt {
		if key == "ignore_eos" {
			return a, errors.New("nvext: unknown field `ignore_eos`") // it belongs at the top level
		}
	}
	if len(a.Messages) == 0 && len(a.Prompt) == 0 {
		return a, errors.New("missing field `messages`")
	}
	return a, nil
}

// answers serves chat and completion requests of one endpoint.
func (s *Server) answers(at, endpoint string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a, err := readAsk(r)
		if err != nil {
			writeFailure(w, 400, err.Error())
			return
		}
		st := newStream(s.driver)
		osl := a.osl()
		n, prefix := tokens(a.text(), s.page)
		x := world.External{
			At: at, Model: a.Model, Endpoint: endpoint, ISL: n, OSL: osl, Prefix: prefix, Stream: a.Stream,
			OnToken: st.token, OnDone: func(f *world.Failure, _ time.Duration) { st.end(f) },
		}
		var call *world.Call
		begin := func() { s.driver.post(func() { call = s.world.Submit(x) }) }
		cancel := func() { s.driver.post(func() { call.Cancel() }) }
		out := writer{
			late: &s.late, start: s.driver.start, w: w, rc: http.NewResponseController(w), ask: &a, st: st, chat: endpoint == "chat_completions", http11: r.ProtoAtLeast(1, 1),
			prompt: n, id: s.nextID(),
		}
		if a.Stream {
			out.stream(r.Context(), begin, cancel)
		} else {
			out.whole(r.Context(), begin, cancel)
		}
	}
}

// writer writes one answer.
type writer struct {
	late   *lateness
	start  time.Time // of the simulation
	w      http.ResponseWriter
	rc     *http.ResponseController
	ask    *ask
	st     *stream
	chat   bool
	prompt int // tokens
	id     string

	// stamped is told of every write of tokens just before it, done of the end
	// of the answer; both may be nil.
	stamped func(n int, at time.Time)
	done    func()

	pre, post []byte // of a chunk, around its text
	buf       []byte
	written   int
	begun     bool
	http11    bool  // the transfer is in chunks
	conn      *conn // nil: everything goes through net/http
	framed    bool
	broke     bool // the client cannot be written to; read after the end
}

// stream answers by a chunk a token, one with the finish reason, one with the
// usage when asked for, and [DONE]; the driver writes them. The header waits
// for the first token, so that a request which fails before it gets a status
// of its own.
func (o *writer) stream(ctx context.Context, begin, cancel func()) {
	if c := connOf(ctx); c != nil {
		c.setDirect(true)
		defer c.setDirect(false)
		if o.http11 {
			o.conn = c
		}
	}
	o.st.sink = o // nobody else knows the stream yet
	begin()
	select {
	case <-o.st.ready:
		if o.broke {
			cancel()
		}
	case <-ctx.Done():
		o.st.detach()
		cancel()
	}
}

// write implements sink.
func (o *writer) write(due []time.Duration, done bool, failed *world.Failure) (last bool) {
	if len(due) > 0 && !o.begun {
		o.begun = true
		h := o.w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-cache")
		o.prepare()
	}
	if done && failed != nil && !o.begun {
		writeFailure(o.w, failed.Status, failed.Message)
		return true
	}
	o.buf = append(o.buf[:0], frameHead...)
	for range due {
		o.chunk()
	}
	switch {
	case !done:
	case failed == nil:
		o.finish()
	default:
		o.broken(failed)
	}
	if now := time.Now(); len(due) > 0 {
		for _, d := range due {
			o.late.add(now.Sub(o.start.Add(d)))
		}
		if o.stamped != nil {
			o.stamped(len(due), now)
		}
	}
	if err := o.send(); err != nil {
		o.broke = !done
		return true
	}
	if done && failed == nil && o.done != nil {
		o.done()
	}
	return done
}

// frameHead is room for the size of a chunk of the transfer encoding.
const frameHead = "000000\r\n"

// send writes what is in the buffer behind the frame's room. The first goes
// through net/http, which writes the header; the others are framed here and go
// to the connection at once, between two flushes of net/http, which ends the
// body when the handler returns. That halves what a token costs besides its
// system call.
func (o *writer) send() error {
	payload := len(o.buf) - len(frameHead)
	if !o.framed || o.conn == nil || payload > 0xffffff {
		o.framed = true
		if _, err := o.w.Write(o.buf[len(frameHead):]); err != nil {
			return err
		}
		return o.rc.Flush()
	}
	if payload == 0 {
		return nil // an empty chunk would be the end
	}
	for i, n := 5, payload; i >= 0; i, n = i-1, n>>4 {
		o.buf[i] = "0123456789abcdef"[n&15]
	}
	o.buf = append(o.buf, "\r\n"...)
	_, err := o.conn.Write(o.buf)
	return err
}

// whole writes one answer at the end.
func (o *writer) whole(ctx context.Context, begin, cancel func()) {
	begin()
	n := 0
	var st streamState
	for !st.done {
		select {
		case <-o.st.ready:
		case <-ctx.Done():
			cancel()
			return
		}
		st = o.st.take()
		n += st.due
	}
	if st.err != nil {
		writeFailure(o.w, st.err.Status, st.err.Message)
		return
	}
	var text []byte
	for i := range n {
		text = append(text, word(i)...)
	}
	choice := map[string]any{"index": 0, "finish_reason": "length"}
	object := "text_completion"
	if o.chat {
		object = "chat.completion"
		choice["message"] = map[string]any{"role": "assistant", "content": string(text)}
	} else {
		choice["text"] = string(text)
	}
	writeJSON(o.w, 200, map[string]any{
		"id": o.id, "object": object, "created": time.Now().Unix(), "model": o.ask.Model, "choices": []any{choice},
		"usage": map[string]int{"prompt_tokens": o.prompt, "completion_tokens": n, "total_tokens": o.prompt + n},
	})
}

// prepare renders what all chunks of the answer have in common.
func (o *writer) prepare() {
	model, _ := json.Marshal(o.ask.Model) // a string always can be
	tail := `],"created":` + strconv.FormatInt(time.Now().Unix(), 10) + `,"model":` + string(model) + `,"object":`
	if o.chat {
		o.pre = []byte(`data: {"id":"` + o.id + `","choices":[{"index":0,"delta":{"content":"`)
		o.post = []byte(`","role":"assistant"},"finish_reason":null}` + tail + `"chat.completion.chunk"}` + "\n\n")
		return
	}
	o.pre = []byte(`data: {"id":"` + o.id + `","choices":[{"index":0,"text":"`)
	o.post = []byte(`","finish_reason":null}` + tail + `"text_completion"}` + "\n\n")
}

func (o *writer) chunk() {
	o.buf = append(o.buf, o.pre...)
	o.buf = append(o.buf, word(o.written)...)
	o.buf = append(o.buf, o.post...)
	o.written++
}

func (o *writer) finish() {
	delta := `"text":"",`
	object := `"text_completion"`
	if o.chat {
		delta, object = `"delta":{},`, `"chat.completion.chunk"`
	}
	model, _ := json.Marshal(o.ask.Model)
	head := `data: {"id":"` + o.id + `","choices":[`
	tail := `],"created":` + strconv.FormatInt(time.Now().Unix(), 10) + `,"model":` + string(model) + `,"object":` + object
	o.buf = append(o.buf, head+`{"index":0,`+delta+`"finish_reason":"length"}`+tail+"}\n\n"...)
	if o.ask.StreamOptions.IncludeUsage {
		o.buf = append(o.buf, head+tail+`,"usage":{"prompt_tokens":`+strconv.Itoa(o.prompt)+`,"completion_tokens":`+
			strconv.Itoa(o.written)+`,"total_tokens":`+strconv.Itoa(o.prompt+o.written)+"}}\n\n"...)
	}
	o.buf = append(o.buf, "data: [DONE]\n\n"...)
}

// broken ends a stream that has begun.
func (o *writer) broken(f *world.Failure) {
	msg, _ := json.Marshal(map[string]any{"message": f.Message, "type": f.Kind, "code": f.Status})
	o.buf = append(o.buf, "event: error\ndata: "...)
	o.buf = append(append(o.buf, msg...), "\n\n"...)
}

// word is the text of the nth token.
func word(n int) string { return words[n%len(words)] }

var words = [...]string{" the", " lamp", " is", " on", " and", " the", " fans", " hum", " while", " the", " queue", " runs", " dry", "."}

func writeFailure(w http.ResponseWriter, status int, msg string) {
	kind := http.StatusText(status)
	if kind == "" {
		kind = "Overloaded"
	}
	writeJSON(w, status, map[string]any{"message": msg, "type": kind, "code": status})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		status, raw = 500, []byte(`{"message":"the answer cannot be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(raw) // a client that went away is no error of the server
}
