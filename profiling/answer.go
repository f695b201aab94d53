package profiling

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"dynascope/sources/text"
)

// mostAnswer bounds what is read of an answer.
const mostAnswer = 64 << 10

// outcome is what an answer means.
type outcome uint8

const (
	said          outcome = iota // yes
	noRoute                      // 404: try the older one
	notInProgress                // nothing is recording
	inProgress                   // something is, and goes on
	overran                      // a second start took a running session's handle away
	refused                      // no, whatever the cause
	notSent                      // nobody was reached
	lost                         // sent, and no answer came: it may have been done
)

// answer is one request's end.
type answer struct {
	what   outcome
	route  Route
	words  string // for people: stripped, redacted
	status int
}

// judge reads a status and a body. It never fails: what it does not know is a
// refusal with the server's words.
func judge(status int, body []byte) (outcome, string) {
	said200 := status >= 200 && status < 300
	var j struct {
		Status  string          `json:"status"`
		Message string          `json:"message"`
		Error   json.RawMessage `json:"error"`
	}
	isJSON := json.Unmarshal(body, &j) == nil
	words := strings.TrimSpace(text.Safe(string(body), 400))
	if isJSON && j.Message != "" {
		words = text.Safe(j.Message, 400)
	}
	low := strings.ToLower(string(body))
	isError := !said200 || isJSON && strings.EqualFold(j.Status, "error")
	switch {
	case !isError:
		return said, words
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed:
		return noRoute, words
	case strings.Contains(low, "not in progress"):
		return notInProgress, words
	case strings.Contains(low, "already in progress"):
		return inProgress, words
	case strings.Contains(low, "kineto profiler when it's not running"), strings.Contains(low, "profiler is already enabled"):
		return overran, words
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return refused, fmt.Sprintf("HTTP %d: %s; hint: a profile needs the admin key where the server has one (--admin-api-key), its API key otherwise", status, words)
	case status >= 300 && status < 400:
		return refused, fmt.Sprintf("HTTP %d: it redirects, which is not followed", status)
	case strings.Contains(low, "typeerror"):
		return refused, fmt.Sprintf("HTTP %d: %s; hint: Dynamo before July 2026 and a newer SGLang do not agree on this request", status, words)
	case status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout:
		// Somebody between, or a worker that stands still: it may have been done.
		return lost, fmt.Sprintf("HTTP %d: %s", status, words)
	case said200:
		return refused, fmt.Sprintf("HTTP %d with status error: %s", status, words)
	}
	return refused, fmt.Sprintf("HTTP %d: %s", status, words)
}

// hail sends an action by the routes in turn until one is there.
func (r *Runner) hail(ctx context.Context, w Worker, action, remembered string, body func(string) []byte, limit time.Duration) answer {
	var tried []string
	for _, route := range Routes(w.Engine, action, remembered) {
		a := r.send(ctx, w.URL, route, body(route.Body), limit)
		a.route = route
		if a.what != noRoute {
			return a
		}
		tried = append(tried, route.Path)
	}
	return answer{what: noRoute, status: http.StatusNotFound, words: "404 on " + strings.Join(tried, ", ") +
		"; either this is not the port of a worker that can profile (a mocker, a frontend, vLLM without a profiler folder), or an operator hides the route " +
		"(DYN_DISABLE_ENGINE_ROUTES, DYN_ENGINE_ROUTES_ALLOW, DYN_ENGINE_ROUTES_DENY): the two look the same from outside; hint: the worker's system port (DYN_SYSTEM_PORT)"}
}

// send is one request. It is never repeated: a start that may have been done
// must not be sent again.
func (r *Runner) send(ctx context.Context, base string, route Route, body []byte, limit time.Duration) answer {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, route.Method, base+route.Path, bytes.NewReader(body))
	if err != nil {
		return answer{what: notSent, words: text.Safe(err.Error(), 300)}
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.Key != "" {
		req.Header.Set("Authorization", "Bearer "+r.Key)
	}
	resp, err := r.client().Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			return answer{what: notSent, words: "not reached: " + text.Safe(op.Error(), 300)}
		}
		return answer{what: lost, words: "no answer: " + text.Safe(err.Error(), 300)}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	if err != nil {
		return answer{what: lost, status: resp.StatusCode, words: "its answer broke off: " + text.Safe(err.Error(), 300)}
	}
	what, words := judge(resp.StatusCode, raw)
	return answer{what: what, status: resp.StatusCode, words: words}
}

// plainClient goes straight to the worker, follows nothing and keeps no
// connection: one that broke must not be mistaken for a lost answer.
var plainClient = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (r *Runner) client() *http.Client {
	if r.Client != nil {
		return r.Client
	}
	return plainClient
}
