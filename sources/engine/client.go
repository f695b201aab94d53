package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"dynascope/sources/text"
)

// Credentials are the key of one named server. At most one is set. A file or a
// variable is read when the server is asked first, and again after a refusal.
type Credentials struct {
	Key     string
	KeyFile string
	KeyEnv  string // name of an environment variable
}

func (c Credentials) read() (string, error) {
	switch {
	case c.KeyFile != "":
		raw, err := readFile(c.KeyFile, 64<<10)
		if err != nil {
			var pe *os.PathError
			if errors.As(err, &pe) {
				err = pe.Err
			}
			return "", fmt.Errorf("read the key file %s: %w", text.Clean(c.KeyFile, 200), err)
		}
		return strings.TrimSpace(string(raw)), nil
	case c.KeyEnv != "":
		v := os.Getenv(c.KeyEnv)
		if v == "" {
			return "", fmt.Errorf("read the key: the variable %s is not set", text.Clean(c.KeyEnv, 80))
		}
		return v, nil
	}
	return c.Key, nil
}

// client asks one origin, with its key and nobody else's.
type client struct {
	base string // scheme://host:port[/prefix]
	cred Credentials
	key  string
	have bool // key was read
	http *http.Client
}

// newClient reads a server's address: "http://host:30000", also as the URL of
// its /metrics.
func newClient(rawURL string, cred Credentials, transport http.RoundTripper) (*client, error) {
	if !strings.Contains(rawURL, "://") {
		rawURL = "http://" + rawURL
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("read the server's address %q: not of the form http://host:port", text.Safe(rawURL, 120))
	}
	if u.User != nil {
		return nil, fmt.Errorf("read the server's address %s://%s: it holds a password; hint: give the key by file or variable", u.Scheme, u.Host)
	}
	n := 0
	for _, s := range []string{cred.Key, cred.KeyFile, cred.KeyEnv} {
		if s != "" {
			n++
		}
	}
	if n > 1 {
		return nil, fmt.Errorf("read the key of %s: more than one is given", u.Host)
	}
	if transport == nil {
		transport = &http.Transport{
			// No proxy: an engine is asked directly or not at all.
			DialContext:            (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
			TLSHandshakeTimeout:    2 * time.Second,
			MaxIdleConnsPerHost:    1,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true, // nothing to expand, nothing to explode
		}
	}
	return &client{
		base: u.Scheme + "://" + u.Host + strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/metrics"),
		cred: cred,
		http: &http.Client{
			Transport: transport,
			// The key belongs to this origin; so do the questions.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// statusError is an answer that is none: its status, and nothing of its body.
type statusError int

func (e statusError) Error() string {
	switch {
	case e == http.StatusUnauthorized || e == http.StatusForbidden:
		return fmt.Sprintf("answered %d %s; hint: the server wants its key, give it by file or variable", int(e), http.StatusText(int(e)))
	case e >= 300 && e < 400:
		return fmt.Sprintf("answered %d, and redirects are not followed; hint: give the address it points to", int(e))
	}
	return fmt.Sprintf("answered %d %s", int(e), http.StatusText(int(e)))
}

// get asks one route. wait is from the request's last byte to the answer's
// first, the whole time where there was none.
func (c *client) get(ctx context.Context, r Route, timeout time.Duration) (body []byte, wait time.Duration, err error) {
	if !c.have {
		if c.key, err = c.cred.read(); err != nil {
			return nil, 0, err
		}
		c.have = true
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	start := time.Now()
	var wrote, first time.Time
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest:         func(httptrace.WroteRequestInfo) { wrote = time.Now() },
		GotFirstResponseByte: func() { first = time.Now() },
	})
	req, err := http.NewRequestWithContext(ctx, r.Method, c.base+r.Path, nil)
	if err != nil {
		return nil, 0, errors.New("the address cannot be asked")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "dynascope")
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, time.Since(start), c.hide(err)
	}
	defer resp.Body.Close()
	wait = time.Since(start)
	if !wrote.IsZero() && first.After(wrote) {
		wait = first.Sub(wrote)
	}
	if resp.StatusCode != http.StatusOK {
		_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection lives on
		if resp.StatusCode == http.StatusUnauthorized {
			c.have = false // the file may have a newer one
		}
		return nil, wait, statusError(resp.StatusCode)
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, r.Limit+1))
	switch {
	case err != nil:
		return nil, wait, c.hide(err)
	case int64(len(body)) > r.Limit:
		return nil, wait, fmt.Errorf("the answer is larger than %d KiB", r.Limit>>10)
	}
	return body, wait, nil
}

// hide gives a transport's error without the URL, which the caller names, and
// without the key.
func (c *client) hide(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing listens there: %w", syscall.ECONNREFUSED)
	}
	s := err.Error()
	if c.key != "" {
		s = strings.ReplaceAll(s, c.key, text.Hidden)
	}
	return errors.New(text.Safe(s, 200))
}
