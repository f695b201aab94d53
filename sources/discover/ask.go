package discover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dynascope/sources/text"
)

// All paths this package ever asks for. pathHealth only of a frontend.
const (
	pathMetrics = "/metrics"
	pathModels  = "/v1/models"
	pathHealth  = "/health"
)

// Limits of one answer, in bytes.
const (
	maxPage   = 8 << 20
	maxModels = 64 << 10
	maxHealth = 4 << 20
	maxHead   = 64 << 10 // response headers
)

// asker speaks to the ports it was told about, on loopback, and to nothing
// else: its dialler refuses every other address.
type asker struct {
	dial    dialFunc
	allowed map[int]bool
	timeout time.Duration // of one request
	client  *http.Client
}

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

func newAsker(dial dialFunc, ports map[int]bool, timeout time.Duration) *asker {
	a := &asker{dial: dial, allowed: ports, timeout: timeout}
	a.client = &http.Client{
		Transport: &http.Transport{
			Proxy: nil, // loopback never goes through one
			DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
				return a.connect(ctx, addr)
			},
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHead,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return a
}

// connect is the only place that opens a connection.
func (a *asker) connect(ctx context.Context, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	ip, err := netip.ParseAddr(host)
	n, nerr := strconv.Atoi(port)
	if err != nil || nerr != nil || !ip.IsLoopback() || !a.allowed[n] {
		return nil, fmt.Errorf("connect to %s: not an address discovery may speak to", addr)
	}
	return a.dial(ctx, "tcp", addr)
}

// listens says whether something still takes connections there.
func (a *asker) listens(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	c, err := a.connect(ctx, addr)
	if err != nil {
		return err
	}
	return c.Close()
}

// reply is one answer.
type reply struct {
	status int
	body   []byte
	whole  bool // the body was read to its end
	err    error
}

func (a *asker) get(ctx context.Context, addr, path string, limit int) reply {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, http.NoBody)
	if err != nil {
		return reply{err: err}
	}
	req.Header.Set("User-Agent", "dynascope")
	req.Header.Set("Accept-Encoding", "identity")
	if path == pathMetrics {
		req.Header.Set("Accept", "text/plain;version=0.0.4;q=0.9,*/*;q=0.1")
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		limit = min(limit, 4<<10)
	}
	r := reply{status: resp.StatusCode}
	r.body, err = io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	if len(r.body) > limit {
		r.body, err = r.body[:limit], errors.New("longer than the limit")
	}
	r.whole = err == nil
	return r
}

// failure says how a request without an answer ended.
func failure(err error) (Outcome, string) {
	var timeout interface{ Timeout() bool }
	msg := err.Error()
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.ENETUNREACH),
		errors.Is(err, syscall.EAFNOSUPPORT):
		return OutcomeRefused, ""
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.As(err, &timeout) && timeout.Timeout():
		return OutcomeTimeout, ""
	case strings.Contains(msg, `\x15\x03`):
		return OutcomeTLS, "hint: --target https://HOST:PORT"
	case strings.Contains(msg, "malformed HTTP"):
		return OutcomeNotHTTP, ""
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return OutcomeClosed, ""
	}
	return OutcomeFailed, text.Safe(msg, 120)
}

// refusal says what an answer with another status than 200 means.
func refusal(r reply) (Outcome, string) {
	detail := strconv.Itoa(r.status)
	switch {
	case r.status == http.StatusBadRequest && strings.Contains(string(r.body), "HTTPS"):
		return OutcomeTLS, "hint: --target https://HOST:PORT"
	case r.status == http.StatusUnauthorized, r.status == http.StatusForbidden:
		detail += "; hint: it wants credentials, name it with --target"
	case r.status >= 300 && r.status < 400:
		detail += ", a redirect, which is not followed"
	}
	return OutcomeStatus, detail
}

// models are the names in an OpenAI-style list; ok is false for anything else.
func models(body []byte) (names []string, ok bool) {
	var list struct {
		Object string `json:"object"`
		Data   []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &list) != nil || list.Object != "list" {
		return nil, false
	}
	for _, m := range list.Data[:min(len(list.Data), 8)] {
		if n := text.Safe(m.ID, 80); n != "" {
			names = append(names, n)
		}
	}
	return names, true
}

// maxInstances bounds what is kept of a frontend's list.
const maxInstances = 4096

// instances reads a frontend's /health. Of a worker's endpoints the one that
// generates stands for it; the rest is chatter between router and workers.
func instances(body []byte) ([]Instance, error) {
	var health struct {
		Instances []struct {
			Component string      `json:"component"`
			Endpoint  string      `json:"endpoint"`
			Namespace string      `json:"namespace"`
			ID        json.Number `json:"instance_id"` // beyond 2^53
			Transport struct {
				TCP string `json:"tcp"`
			} `json:"transport"`
		} `json:"instances"`
	}
	if err := json.Unmarshal(body, &health); err != nil {
		return nil, errors.New("/health is not the list of instances it should be")
	}
	var out []Instance
	seen := map[string]bool{}
	for _, in := range health.Instances {
		n, err := strconv.ParseUint(in.ID.String(), 10, 64)
		if err != nil || in.Endpoint != "generate" || len(out) >= maxInstances {
			continue
		}
		id := strconv.FormatUint(n, 16)
		if seen[id] {
			continue
		}
		seen[id] = true
		addr, _, _ := strings.Cut(in.Transport.TCP, "/")
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			host = ""
		}
		out = append(out, Instance{
			ID: id, Decimal: strconv.FormatUint(n, 10),
			Namespace: text.Clean(in.Namespace, 80), Component: text.Clean(in.Component, 80), Host: text.Clean(host, 80),
		})
	}
	return out, nil
}
