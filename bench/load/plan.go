package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Runner runs a plan. The result of what was done until then comes with every
// error.
type Runner interface {
	Run(ctx context.Context, p Plan) (Result, error)
}

// Plan says what to send. Requests or Duration must bound it.
type Plan struct {
	// URL is the server: http://host:8000, with or without /v1 or
	// /v1/chat/completions. host:port alone means http.
	URL   string
	Model string

	Requests    int           // at most this many; 0 leaves the end to Duration
	Duration    time.Duration // start none later than this; those under way end on their own
	Concurrency int           // in flight at once; 0 is 1, with a Rate MaxConcurrency
	// Rate, when positive, is an open loop: arrivals per second with
	// exponential gaps, whether or not earlier requests have ended, up to
	// Concurrency. Zero is a closed loop: the next starts when one ends.
	Rate float64

	// ISL is the prompt's length in syllables, each a word of two or three
	// letters: near one token on byte-level BPE tokenizers, up to two on
	// others. Result.InputTokens has the server's count.
	ISL int
	// OSL is the output length in tokens. It is exact: max_tokens, min_tokens
	// and ignore_eos are sent.
	OSL    int
	Stream bool
	// Timeout bounds one request from its start to its last byte; zero is
	// five minutes.
	Timeout time.Duration
	// Seed makes prompts and gaps repeatable. Prompts of one run all differ,
	// from the first words on, so that no prefix cache answers; a second run
	// with the same seed sends the same prompts again.
	Seed   int64
	Header http.Header // added to every request; an Authorization, say
}

// Result counts what a run did. Sent = OK + Failed + Cancelled.
type Result struct {
	Sent, OK, Failed, Cancelled int
	// Late is how many requests of an open loop waited for a free place: above
	// zero, the rate was not kept.
	Late int
	// Streaming is how many requests brought at least one token by streaming,
	// however they ended.
	Streaming int
	// OutputTokens and InputTokens are sums over OK requests, as the server's
	// usage has them. A stream without usage counts its chunks with text.
	OutputTokens, InputTokens int
	// TTFT has, for each OK streaming request in the order of their ends, the
	// time from before the request was sent to its first chunk with text
	// (answer, reasoning or tool call).
	TTFT []time.Duration
	// Errors counts failures by what they were, redacted and stripped; beyond
	// 32 kinds the rest is under "other errors".
	Errors  map[string]int
	Elapsed time.Duration // first start to last end
}

// Limits of a plan. They keep a typing error from becoming an outage.
const (
	MaxRequests    = 1_000_000
	MaxConcurrency = 4096
	MaxRate        = 10_000
	MaxISL         = 1_000_000
	MaxOSL         = 1_000_000
	MaxDuration    = 24 * time.Hour
)

const defaultTimeout = 5 * time.Minute

// check refuses what is unbounded or absurd and fills in defaults.
func (p Plan) check() (Plan, error) {
	fail := func(what, hint string) (Plan, error) {
		return p, fmt.Errorf("plan a load: %s; hint: %s", what, hint)
	}
	switch {
	case p.Model == "":
		return fail("no model", "name one that GET /v1/models lists")
	case p.Requests <= 0 && p.Duration <= 0:
		return fail("neither a number of requests nor a duration", "set one, so that it ends")
	case p.Requests < 0 || p.Requests > MaxRequests:
		return fail(fmt.Sprintf("%d requests", p.Requests), fmt.Sprintf("at most %d", MaxRequests))
	case p.Duration < 0 || p.Duration > MaxDuration:
		return fail(fmt.Sprintf("duration %v", p.Duration), fmt.Sprintf("at most %v", MaxDuration))
	case p.Concurrency < 0 || p.Concurrency > MaxConcurrency:
		return fail(fmt.Sprintf("concurrency %d", p.Concurrency), fmt.Sprintf("at most %d", MaxConcurrency))
	case !(p.Rate >= 0 && p.Rate <= MaxRate):
		return fail(fmt.Sprintf("rate %v", p.Rate), fmt.Sprintf("at most %d requests a second", MaxRate))
	case p.ISL < 1 || p.ISL > MaxISL:
		return fail(fmt.Sprintf("input length %d", p.ISL), fmt.Sprintf("1 to %d", MaxISL))
	case p.OSL < 1 || p.OSL > MaxOSL:
		return fail(fmt.Sprintf("output length %d", p.OSL), fmt.Sprintf("1 to %d", MaxOSL))
	case p.Timeout < 0:
		return fail(fmt.Sprintf("timeout %v", p.Timeout), "leave it at zero for five minutes")
	}
	if p.Concurrency == 0 {
		p.Concurrency = 1
		if p.Rate > 0 {
			p.Concurrency = MaxConcurrency
		}
	}
	if p.Timeout == 0 {
		p.Timeout = defaultTimeout
	}
	var err error
	if p.URL, err = endpoint(p.URL); err != nil {
		return p, fmt.Errorf("plan a load: %w; hint: http://host:port", err)
	}
	return p, nil
}

// endpoint completes an address to that of chat completions.
func endpoint(raw string) (string, error) {
	const path = "/v1/chat/completions"
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return "", errors.New("the address cannot be read") // the cause repeats it, with its password
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("scheme %q is neither http nor https", u.Scheme)
	case u.Hostname() == "":
		return "", errors.New("the address has no host")
	}
	base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimRight(u.Path, "/"), path), "/v1")
	u.Path, u.RawPath = strings.TrimRight(base, "/")+path, ""
	u.Fragment = ""
	return u.String(), nil
}
