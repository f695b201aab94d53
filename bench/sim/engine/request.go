package engine

import "time"

// Request is one generation request as the engine sees it: lengths, no text.
type Request struct {
	// ID names the request in events; unique among those the engine holds.
	ID uint64
	// ISL is the prompt's length in tokens, at least 1.
	ISL int
	// OSL is how many tokens the answer will have, at least 1. The engine
	// knows it from the start and uses it where a real one would use
	// max_tokens: in the admission estimate.
	OSL int
	// Prefix holds one hash for each full page of the prompt, first page
	// first. Requests whose first n hashes agree share n pages. Where it is
	// shorter than the prompt, the remaining pages are this request's own;
	// where it is longer, the rest names pages of the answer, so that a next
	// turn of the same conversation can find them. It is read, never written,
	// and must not change until the request ends.
	Prefix []uint64
	// Arrive is when the client's request began; the engine only carries it.
	Arrive time.Duration
	// RemotePrefilled says that another engine computed the prompt's KV and
	// that it has arrived: the request needs room and a place, no prefill.
	RemotePrefilled bool
}

// Kind says what an Event reports.
type Kind uint8

// The kinds of events. Every submitted request ends exactly once: by Finished,
// by Rejected, or by a Cancel that returned true.
const (
	// Scheduled: the request is in a batch for the first time, its queue time
	// ends. Cached is the prompt tokens found in the prefix cache.
	Scheduled Kind = iota
	// PrefillChunk: a step computed Tokens of the request's prompt (after a
	// retraction: of prompt and answer so far).
	PrefillChunk
	// FirstToken: the first token of the answer.
	FirstToken
	// Token: one further token.
	Token
	// Finished: all tokens are out; Tokens is their number. In the prefill
	// role it follows the first token, and Tokens is 1.
	Finished
	// Retracted: the request lost its pages and is back at the queue's end.
	// Tokens is the answer's length so far, all of which is kept and counted.
	Retracted
	// Rejected: the request can never fit into the pool.
	Rejected
)

var kindNames = [...]string{"scheduled", "prefill chunk", "first token", "token", "finished", "retracted", "rejected"}

// String returns the kind's name in words.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Event is what happened to one request at one time.
type Event struct {
	Kind   Kind
	ID     uint64
	At     time.Duration
	Tokens int // tokens this event is about, see Kind
	Cached int // prompt tokens found in the prefix cache, on Scheduled
}

// request is a Request on its way through the engine.
type request struct {
	Request

	generated int    // tokens of the answer so far
	ctx       int    // tokens whose KV the pool holds, or will at the step's end
	target    int    // tokens that prefill has to cover: prompt and answer so far
	path      []node // shared pages this request holds, root first
	tail      uint64 // key of the path's last page
	private   int    // pages of its own besides
	chunk     int    // tokens the step under way computes
	scheduled bool   // Scheduled was emitted
	retracted bool   // at least once
	gone      bool   // cancelled while in a batch
}

// pages returns how many pages the request holds.
func (r *request) pages() int { return len(r.path) + r.private }

// left returns the tokens still to come.
func (r *request) left() int { return r.OSL - r.generated }
