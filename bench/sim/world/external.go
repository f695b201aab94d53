package world

import "time"

// External is a request from outside the simulation.
type External struct {
	// Frontend or Worker is the endpoint's name that was called: a frontend,
	// or a plain SGLang worker.
	At string
	// Model as the client named it.
	Model string
	// Endpoint is "chat_completions" or "completions".
	Endpoint string
	ISL, OSL int
	// Prefix has a hash for each full page of the prompt (World.PageSize
	// tokens); requests with equal beginnings share hashes. May be nil.
	Prefix []uint64
	Stream bool

	// OnToken is called for tokens that leave the frontend at a time, OnDone
	// once at the end, with nil for success. Both are called while the world
	// advances and must not call back into it.
	OnToken func(n int, at time.Duration)
	OnDone  func(f *Failure, at time.Duration)
}

// Failure is how a request ended that did not succeed.
type Failure struct {
	// Kind is the frontend's error type: validation, not_found, overload,
	// unavailable, cancelled, internal …
	Kind string
	// Status is the HTTP status of an answer that has not begun.
	Status  int
	Message string
}

// failures has HTTP status and message of each error type, as Dynamo answers.
var failures = map[string]Failure{
	"validation":          {Status: 400, Message: "Invalid request"},
	"not_found":           {Status: 404, Message: "Model not found"},
	"overload":            {Status: 529, Message: "Service temporarily unavailable: all workers are busy, please retry later"},
	"unavailable":         {Status: 503, Message: "Service Unavailable: no instances available"},
	"cancelled":           {Status: 499, Message: "Request cancelled"},
	"response_timeout":    {Status: 504, Message: "Response timed out"},
	"first_token_timeout": {Status: 504, Message: "Timed out before the first token"},
	"intra_token_timeout": {Status: 504, Message: "Timed out between tokens"},
	"internal":            {Status: 500, Message: "Internal server error"},
	"not_implemented":     {Status: 501, Message: "Not implemented"},
	"backend_error":       {Status: 502, Message: "Backend error"},
	"truncated_stream":    {Status: 502, Message: "Stream ended before its end"},
}

// failure describes an error type; nil for success.
func failure(kind string) *Failure {
	if kind == "" {
		return nil
	}
	f, ok := failures[kind]
	if !ok {
		f = failures["internal"]
	}
	f.Kind = kind
	return &f
}

// Call is an external request under way.
type Call struct {
	w   *World
	ext External
	r   *request
}

// Submit lets a request enter now. It never fails at once: what is wrong with
// it is told to OnDone.
func (w *World) Submit(x External) *Call {
	c := &Call{w: w, ext: x}
	r := &request{
		endpoint: x.Endpoint, stream: x.Stream, isl: max(x.ISL, 1), osl: max(x.OSL, 1),
		prefix: x.Prefix, shared: len(x.Prefix), call: c, cancelAfter: -1,
	}
	c.r = r
	r.f = w.frontendFor(x.At)
	r.m = w.modelNamed(x.Model)
	switch {
	case r.f == nil:
		r.over = true
		c.end("unavailable", w.clock.now)
		return c
	case r.m == nil:
		r.over = true
		r.f.refused(x.Model, x.Endpoint, x.Stream)
		c.end("not_found", w.clock.now)
		return c
	}
	r.only = w.workerNamed(x.At)
	w.arrive(r)
	return c
}

// Cancel is the client going away. After the end it does nothing.
func (c *Call) Cancel() {
	if !c.r.over {
		c.w.cancel(c.r)
	}
}

func (c *Call) end(outcome string, at time.Duration) {
	if c.ext.OnDone != nil {
		c.ext.OnDone(failure(outcome), at)
	}
}
