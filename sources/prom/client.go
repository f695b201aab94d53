package prom

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/api"
)

// errUnreachable marks requests that got no answer at all.
var errUnreachable = errors.New("no answer")

// client is the api.Client below the API's own: it adds the credentials, holds
// answers to their limit, follows no redirect that leads away, and fails at
// once while the server is known not to answer.
type client struct {
	opts *Options
	base *url.URL
	http *http.Client
	note func(infos []string)

	large chan struct{} // a token for the one answer that may be large

	mu     sync.Mutex
	missed int   // requests in a row without an answer
	why    error // of the newest of them
}

var _ api.Client = (*client)(nil)

const (
	smallAnswer = 1 << 20   // larger ones are read and decoded one at a time
	errorAnswer = 128 << 10 // as much as is read of an answer that is an error
)

// errTooLarge marks an answer beyond BodyLimit.
var errTooLarge = errors.New("its answer is larger than")

// holdKey finds the hold in the context of a question.
type holdKey struct{}

// hold keeps the token for a large answer until its question is done with it:
// four of them at once would take a gigabyte.
type hold struct{ release func() }

func (h *hold) done() {
	if h.release != nil {
		h.release()
	}
	h.release = nil
}

func newClient(o *Options, base *url.URL, note func([]string)) (*client, error) {
	conf, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	c := &client{opts: o, base: base, note: note, large: make(chan struct{}, 1)}
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: o.Timeout}).DialContext,
			TLSClientConfig:        conf,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        90 * time.Second,
			TLSHandshakeTimeout:    o.Timeout,
			MaxResponseHeaderBytes: 256 << 10,
			DisableCompression:     true, // asked for and undone in read, within the limit
		},
		CheckRedirect: c.redirect,
	}
	return c, nil
}

// redirectError says that the server sent us elsewhere.
type redirectError struct{ to, why string }

func (e *redirectError) Error() string { return "it redirects to " + e.to + ", " + e.why }

// redirect lets a request be sent again only to the same origin and with the
// same method: 301 and 302 would turn the question into a GET without one.
func (c *client) redirect(req *http.Request, via []*http.Request) error {
	to := shown(req.URL)
	switch {
	case !sameOrigin(req.URL, c.base):
		return &redirectError{to, "which is another server; hint: give that address if it is the right one, or the login that keeps it from answering"}
	case req.Method != via[0].Method:
		return &redirectError{to, "which loses the question; hint: check the path, or give the login that it wants"}
	case len(via) >= 5:
		return &redirectError{to, "and so on; hint: check the path"}
	}
	return nil
}

func sameOrigin(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		switch {
		case u.Port() != "":
			return u.Port()
		case u.Scheme == "https":
			return "443"
		}
		return "80"
	}
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

// shown is an address as it may be printed: without credentials and
// parameters.
func shown(u *url.URL) string {
	v := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return v.String()
}

// URL is the address of an endpoint below the server's prefix.
func (c *client) URL(ep string, args map[string]string) *url.URL {
	p := path.Join("/", c.base.Path, ep)
	for arg, val := range args {
		p = strings.ReplaceAll(p, ":"+arg, val)
	}
	u := *c.base
	u.Path = p
	return &u
}

// lookKey marks the context of the background's requests, which are made even
// while the server is known not to answer.
type lookKey struct{}

// Do sends a request and reads its answer. Answers with an error come back as
// *answerError, but for 400 and 422, whose body the API reads itself.
func (c *client) Do(ctx context.Context, req *http.Request) (*http.Response, []byte, error) {
	if err := c.known(ctx); err != nil {
		return nil, nil, err
	}
	if err := c.sign(req); err != nil {
		return nil, nil, &plainError{err}
	}
	asker := ctx
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	resp, err := c.http.Do(req.WithContext(ctx))
	if err != nil {
		err = c.unsent(asker, err)
		c.answered(asker, err)
		return nil, nil, err
	}
	defer resp.Body.Close()
	h, held := ctx.Value(holdKey{}).(*hold)
	if !held {
		h = &hold{}
		defer h.done()
	}
	body, err := c.read(ctx, h, resp)
	if err != nil {
		if asker.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("%w that is complete within %v: %w", errUnreachable, c.opts.Timeout, context.DeadlineExceeded)
		}
		c.answered(asker, err)
		return nil, nil, err
	}
	c.answered(asker, nil)
	if resp.StatusCode/100 != 2 && resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusUnprocessableEntity || !isJSON(body) {
		return resp, body, newAnswerError(resp, body)
	}
	if c.note != nil && bytes.Contains(body, []byte(`"infos"`)) {
		var v struct {
			Infos []string `json:"infos"`
		}
		if json.Unmarshal(body, &v) == nil {
			c.note(v.Infos)
		}
	}
	return resp, body, nil
}

// CloseIdleConnections ends the connections that nothing is asked over.
func (c *client) CloseIdleConnections() { c.http.CloseIdleConnections() }

func (c *client) sign(req *http.Request) error {
	for n, v := range c.opts.Headers {
		req.Header.Set(n, v)
	}
	req.Header.Set("User-Agent", "dynascope")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Encoding", "gzip")
	o := c.opts
	token, password := o.Bearer, o.Password
	var err error
	if o.BearerFile != "" {
		if token, err = readSecret(o.BearerFile); err != nil {
			return err
		}
	}
	if o.PasswordFile != "" {
		if password, err = readSecret(o.PasswordFile); err != nil {
			return err
		}
	}
	switch {
	case token != "":
		req.Header.Set("Authorization", "Bearer "+token)
	case o.Username != "":
		req.SetBasicAuth(o.Username, password)
	}
	return nil
}

// read returns the body, unpacked, within the limit; of an error its beginning.
// While another large answer is held, it waits before it takes in a second.
func (c *client) read(ctx context.Context, h *hold, resp *http.Response) ([]byte, error) {
	var r io.Reader = resp.Body
	if strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		z, err := gzip.NewReader(resp.Body)
		if err != nil {
			return nil, plainf("its answer cannot be unpacked: %w; hint: does a proxy in between mark it as packed?", err)
		}
		r = z
	}
	broken := func(err error) ([]byte, error) {
		return nil, plainf("its answer broke off: %w; hint: http or https? a proxy in between may have given up", err)
	}
	var buf bytes.Buffer
	if resp.StatusCode/100 != 2 {
		if _, err := buf.ReadFrom(io.LimitReader(r, errorAnswer)); err != nil {
			return broken(err)
		}
		return buf.Bytes(), nil
	}
	n, err := buf.ReadFrom(io.LimitReader(r, min(smallAnswer, c.opts.BodyLimit+1)))
	if err == nil && n == smallAnswer && h.release == nil {
		select {
		case c.large <- struct{}{}:
			h.release = func() { <-c.large }
		case <-ctx.Done():
			return broken(ctx.Err())
		}
	}
	// In pieces: a buffer that doubles holds three times what it reads.
	pieces := [][]byte{buf.Bytes()}
	for more := n; err == nil && more == smallAnswer && n <= c.opts.BodyLimit; n += more {
		var piece bytes.Buffer
		piece.Grow(smallAnswer + bytes.MinRead)
		more, err = piece.ReadFrom(io.LimitReader(r, smallAnswer))
		pieces = append(pieces, piece.Bytes())
	}
	switch {
	case n > c.opts.BodyLimit:
		return nil, plainf("%w %d bytes; hint: pick one deployment, a shorter span or a longer step", errTooLarge, c.opts.BodyLimit)
	case err != nil:
		return broken(err)
	}
	return bytes.Join(pieces, nil), nil
}

// unsent words why a request got no answer.
func (c *client) unsent(asker context.Context, err error) error {
	var away *redirectError
	var u *url.Error
	switch {
	case asker.Err() != nil:
		return asker.Err()
	case errors.As(err, &away):
		return away
	case errors.As(err, &u):
		err = u.Err // without the address, which may be long
	}
	var slow net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &slow) && slow.Timeout() {
		return fmt.Errorf("%w within %v: %w", errUnreachable, c.opts.Timeout, context.DeadlineExceeded)
	}
	return fmt.Errorf("%w: %w", errUnreachable, err)
}

// known refuses a question while the server is known not to answer.
func (c *client) known(ctx context.Context) error {
	if ctx.Value(lookKey{}) != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.missed >= 2 {
		return c.why
	}
	return nil
}

// answered notes how a request went.
func (c *client) answered(asker context.Context, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case asker.Err() != nil:
	case errors.Is(err, errUnreachable):
		c.missed, c.why = c.missed+1, err
	default:
		c.missed, c.why = 0, nil
	}
}

func isJSON(body []byte) bool {
	b := bytes.TrimLeft(body, " \t\r\n")
	return len(b) > 0 && b[0] == '{'
}
