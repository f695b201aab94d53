package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"dynascope/sources/text"
)

// Client is the Runner over HTTP/1.1, one connection a request in flight. It
// may be used by several runs at once.
type Client struct{}

// New returns a client.
func New() *Client { return &Client{} }

var _ Runner = (*Client)(nil)

// Run sends the plan and waits until every request has ended. When ctx ends,
// requests under way are cut and the error is its cause; a plan out of bounds
// is an error before anything is sent. Failed requests are no error.
func (c *Client) Run(ctx context.Context, p Plan) (Result, error) {
	p, err := p.check()
	if err != nil {
		return Result{}, err
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true) // streams that share one HTTP/2 connection wait for each other
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		MaxIdleConnsPerHost: p.Concurrency,
		DisableCompression:  true, // compressed streams arrive in lumps
		Protocols:           &protocols,
	}
	defer transport.CloseIdleConnections()
	r := &run{
		plan: p,
		http: http.Client{
			Transport: transport,
			// Credentials and load belong to the server that was named.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		result: Result{Errors: map[string]int{}},
	}
	start := time.Now()
	r.dispatch(ctx)
	r.wait.Wait()
	r.result.Elapsed = time.Since(start)
	if ctx.Err() != nil {
		return r.result, context.Cause(ctx)
	}
	return r.result, nil
}

// run is one Run under way.
type run struct {
	plan Plan
	http http.Client
	wait sync.WaitGroup

	mu     sync.Mutex
	result Result
}

// dispatch starts requests until the plan or ctx ends.
func (r *run) dispatch(ctx context.Context) {
	places := make(chan struct{}, r.plan.Concurrency)
	var over <-chan time.Time
	if r.plan.Duration > 0 {
		t := time.NewTimer(r.plan.Duration)
		defer t.Stop()
		over = t.C
	}
	gaps := rand.New(rand.NewPCG(uint64(r.plan.Seed), 1<<63))
	due := time.Now()
	for number := 0; r.plan.Requests == 0 || number < r.plan.Requests; number++ {
		if r.plan.Rate > 0 {
			due = due.Add(time.Duration(gaps.ExpFloat64() / r.plan.Rate * float64(time.Second)))
			arrival := time.NewTimer(time.Until(due))
			select {
			case <-arrival.C:
			case <-over:
				arrival.Stop()
				return
			case <-ctx.Done():
				arrival.Stop()
				return
			}
		}
		late := false
		select {
		case places <- struct{}{}:
		default:
			late = r.plan.Rate > 0
			select {
			case places <- struct{}{}:
			case <-over:
				return
			case <-ctx.Done():
				return
			}
		}
		// With a place free and the end reached at once, the end wins.
		select {
		case <-over:
			return
		case <-ctx.Done():
			return
		default:
		}
		r.mu.Lock()
		r.result.Sent++
		if late {
			r.result.Late++
		}
		r.mu.Unlock()
		r.wait.Go(func() {
			defer func() { <-places }()
			r.book(ctx, r.send(ctx, number))
		})
	}
}

// answer is what one request brought.
type answer struct {
	output, input int
	chunks        int // with text
	ttft          time.Duration
	err           error
}

const maxErrorKinds = 32

func (r *run) book(ctx context.Context, a answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	res := &r.result
	if a.chunks > 0 {
		res.Streaming++
	}
	switch {
	case a.err == nil:
		res.OK++
		res.OutputTokens += a.output
		res.InputTokens += a.input
		if r.plan.Stream {
			res.TTFT = append(res.TTFT, a.ttft)
		}
	case ctx.Err() != nil:
		res.Cancelled++
	default:
		res.Failed++
		kind := a.err.Error()
		if _, known := res.Errors[kind]; !known && len(res.Errors) >= maxErrorKinds {
			kind = "other errors"
		}
		res.Errors[kind]++
	}
}

// send makes one request. Its error is fit to be shown.
func (r *run) send(ctx context.Context, number int) answer {
	ctx, cancel := context.WithTimeout(ctx, r.plan.Timeout)
	defer cancel()
	payload, err := r.plan.body(number)
	if err != nil {
		return answer{err: fmt.Errorf("write the request: %w", err)}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.plan.URL, bytes.NewReader(payload))
	if err != nil {
		return answer{err: errors.New("write the request: the address cannot be read")}
	}
	for name, values := range r.plan.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	req.Header.Set("Content-Type", "application/json")
	start := time.Now()
	resp, err := r.http.Do(req)
	if err != nil {
		return answer{err: r.cause(ctx, err)}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return answer{err: refusal(resp)}
	}
	var a answer
	if r.plan.Stream {
		a = stream(resp.Body, start)
	} else {
		a = whole(resp.Body)
	}
	if a.err != nil {
		a.err = r.cause(ctx, a.err)
	}
	return a
}

// cause words a failure without addresses, which may hold a password and
// would make every port a kind of its own.
func (r *run) cause(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no end within the timeout of %v", r.plan.Timeout)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = fmt.Errorf("%s %s: %w", op.Op, op.Net, op.Err)
	}
	return errors.New(text.Safe(err.Error(), maxMessage))
}

const (
	maxMessage   = 200      // runes of an error
	maxErrorBody = 64 << 10 // bytes read of a refusal
	maxBody      = 64 << 20 // bytes read of a whole answer
)

// refusal words an HTTP status with the message in its body.
func refusal(resp *http.Response) error {
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // a cut body still says something
	if msg := text.Safe(errorMessage(raw), maxMessage); msg != "" {
		return fmt.Errorf("http %d: %s", resp.StatusCode, msg)
	}
	return fmt.Errorf("http %d", resp.StatusCode)
}

// errorMessage finds the words in an error body: {"message": …}, {"error": "…"},
// {"error": {"message": …}}, {"detail": "…"}, or all of it.
func errorMessage(raw []byte) string {
	var b struct {
		Message string
		Detail  any
		Error   any
	}
	if json.Unmarshal(raw, &b) != nil {
		return string(raw)
	}
	if e, ok := b.Error.(map[string]any); ok {
		if s, ok := e["message"].(string); ok && s != "" {
			return s
		}
	}
	for _, s := range []any{b.Message, b.Error, b.Detail} {
		if s, ok := s.(string); ok && s != "" {
			return s
		}
	}
	return string(raw)
}

type usage struct {
	Usage *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
	}
}

// stream reads a streamed answer to its end: closing early would look like a
// client that went away. Of the chunks only the last one is parsed.
func stream(body io.Reader, start time.Time) (a answer) {
	ev := newEvents(body)
	var last []byte
	done := false
	for {
		name, data, err := ev.next()
		if err != nil && done {
			break // all that matters has come
		}
		switch {
		case errors.Is(err, io.EOF) && last == nil:
			a.err = errors.New("an empty stream")
			return a
		case errors.Is(err, io.EOF):
			a.err = errors.New("the stream ended before [DONE]")
			return a
		case err != nil:
			a.err = fmt.Errorf("read the stream: %w", err)
			return a
		case string(name) == "error" || bytes.HasPrefix(data, []byte(`{"error"`)):
			a.err = fmt.Errorf("error in the stream: %s", errorMessage(data))
			return a
		case done:
		case string(data) == "[DONE]":
			done = true
		default:
			if hasToken(data) {
				if a.chunks++; a.chunks == 1 {
					a.ttft = time.Since(start)
				}
			}
			last = append(last[:0], data...)
		}
	}
	a.output = a.chunks
	var u usage
	if json.Unmarshal(last, &u) == nil && u.Usage != nil {
		a.output, a.input = u.Usage.Completion, u.Usage.Prompt
	}
	if a.chunks == 0 {
		a.err = errNoToken
	}
	return a
}

// errNoToken: status 200 and no text is how a broken tokenizer looks.
var errNoToken = errors.New("an answer without a token")

// whole reads an answer that is not streamed.
func whole(body io.Reader) (a answer) {
	raw, err := io.ReadAll(io.LimitReader(body, maxBody))
	if err != nil {
		a.err = fmt.Errorf("read the answer: %w", err)
		return a
	}
	var u usage
	if err := json.Unmarshal(raw, &u); err != nil {
		a.err = errors.New("read the answer: not JSON")
		return a
	}
	if !hasToken(raw) {
		a.err = errNoToken
		return a
	}
	if u.Usage != nil {
		a.output, a.input = u.Usage.Completion, u.Usage.Prompt
	}
	return a
}
