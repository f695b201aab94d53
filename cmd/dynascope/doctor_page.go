package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	config_util "github.com/prometheus/common/config"
)

// pageTime is how long the doctor waits for one answer, pageLimit how much of
// it is read.
const (
	pageTime  = 5 * time.Second
	pageLimit = 8 << 20
)

// pageReader fetches what a store does not keep: whole pages, and the clock of
// the server. Every request is a GET; redirects are not followed, and
// credentials go only to what was named (honesty.md 19).
type pageReader struct {
	conf    config_util.HTTPClientConfig
	headers map[string]string
}

func newPageReader(a auth, named bool) pageReader {
	c := config_util.DefaultHTTPClientConfig // a copy
	c.FollowRedirects, c.EnableHTTP2 = false, false
	if named {
		if a.bearerFile != "" {
			c.Authorization = &config_util.Authorization{Type: "Bearer", CredentialsFile: a.bearerFile}
		}
		if a.username != "" {
			c.BasicAuth = &config_util.BasicAuth{Username: a.username, PasswordFile: a.passwordFile}
		}
		c.TLSConfig = config_util.TLSConfig{CAFile: a.caFile, CertFile: a.certFile, KeyFile: a.keyFile, InsecureSkipVerify: a.insecure}
	}
	return pageReader{conf: c}
}

// fetched is one answer.
type fetched struct {
	status          int
	date, sent, got time.Time
	body            []byte
	err             error
}

// get fetches a page: of a URL without a path, its metrics.
func (r pageReader) get(ctx context.Context, raw string, limit int64) (out fetched) {
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return fetched{err: errors.New("read the address: not a URL")} // the text may hold a password
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/metrics"
	}
	if u.User != nil {
		password, _ := u.User.Password()
		r.conf.Authorization = nil
		r.conf.BasicAuth = &config_util.BasicAuth{Username: u.User.Username(), Password: config_util.Secret(password)}
		u.User = nil
	}
	client, err := config_util.NewClientFromConfig(r.conf, "doctor", config_util.WithKeepAlivesDisabled())
	if err != nil {
		return fetched{err: fmt.Errorf("read the credentials: %w", err)}
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return fetched{err: errors.New("read the address: not a URL")}
	}
	req.Header.Set("User-Agent", "dynascope")
	req.Header.Set("Accept", "text/plain;version=0.0.4;q=0.9,*/*;q=0.1")
	for n, v := range r.headers {
		req.Header.Set(n, v)
	}
	out.sent = time.Now()
	resp, err := client.Do(req)
	out.got = time.Now()
	if err != nil {
		var inURL *url.Error
		if errors.As(err, &inURL) {
			err = inURL.Err // the URL may hold a secret
		}
		return fetched{err: err}
	}
	defer resp.Body.Close()
	out.status = resp.StatusCode
	if d, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		out.date = d
	}
	if limit <= 0 {
		limit = pageLimit
	}
	out.body, out.err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case out.err != nil:
	case int64(len(out.body)) > limit:
		out.err = fmt.Errorf("the page is larger than %d bytes", limit)
	case resp.StatusCode != http.StatusOK:
		out.err = fmt.Errorf("the server answered %s", strings.ToLower(resp.Status))
	}
	return out
}
