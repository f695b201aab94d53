package embedded

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"dynascope/sources"
)

// The manager spreads its scrapes over the interval, so that a target's first
// one comes up to one interval late. The probe fetches the page once at Add,
// through the same client settings and limits, and stores it under the labels
// the scrapes will have. When a scrape was faster, the probe stores nothing.

func (s *Store) probe(t *target) {
	s.firstPage(t)
	s.learnAgain(t)
}

// learnAgain asks again a target that gave no answer to learn from: a scrape's
// failure shows a status at most, and what explains it stands in the body. A
// target that answers well, or never, is left alone.
func (s *Store) learnAgain(t *target) {
	for range 3 {
		if t.understood() {
			return
		}
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(4 * t.base):
		}
		if t.understood() || t.isRemoved() {
			return
		}
		ctx, cancel := context.WithTimeout(s.ctx, scrapeTimeout(t.spec.Timeout, t.base))
		s.fetch(ctx, t)
		cancel()
	}
}

func (t *target) understood() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.learned || t.status.Health == sources.HealthUp
}

func (s *Store) firstPage(t *target) {
	timeout := scrapeTimeout(t.spec.Timeout, t.base)
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	// A millisecond ahead, lest it meets the stale marker of a target that was
	// removed just now.
	start := time.Now().Add(time.Millisecond)
	a := s.fetch(ctx, t)
	took := time.Since(start)
	// One page at a time: hundreds of targets added at once would hold all
	// their pages in pieces beside each other, and most of these pages the
	// scrapes have stored by then.
	s.probing.Lock()
	defer s.probing.Unlock()
	if s.ctx.Err() != nil || t.scraped() {
		return
	}
	if err := newIntake(s, t).scrape(s.ctx, start.UnixMilli(), a, func() time.Duration { return took }); err != nil {
		s.log.Debug("store the first scrape", "instance", t.instance, "err", err)
	}
}

// fetch gets the page of a target.
func (s *Store) fetch(ctx context.Context, t *target) answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url.String(), http.NoBody)
	if err != nil {
		return answer{err: err}
	}
	req.Header.Set("Accept", "text/plain;version=0.0.4;q=0.9,*/*;q=0.1")
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := t.pool.client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	limit := t.spec.BodyLimit
	if resp.StatusCode != http.StatusOK {
		limit = 4 << 10 // enough to see what speaks
	}
	// Packed against the request, it is still taken, as the scrapes do.
	var content io.Reader = resp.Body
	if resp.Header.Get("Content-Encoding") == "gzip" {
		if content, err = gzip.NewReader(resp.Body); err != nil {
			return answer{err: err}
		}
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(io.LimitReader(content, limit)); err != nil {
		return answer{err: err}
	}
	contentType := resp.Header.Get("Content-Type")
	t.learn(contentType, body.Bytes())
	if resp.StatusCode != http.StatusOK {
		return answer{err: fmt.Errorf("server returned HTTP status %s", resp.Status)}
	}
	return t.whole(body.Bytes(), contentType)
}

// whole is the answer of a page, if it is not too long.
func (t *target) whole(body []byte, contentType string) answer {
	if int64(len(body)) >= t.spec.BodyLimit {
		return answer{bytes: -1, err: errBodyLimit}
	}
	return answer{body: body, contentType: contentType, bytes: int64(len(body))}
}

// learn keeps what a body tells about a failure.
func (t *target) learn(contentType string, body []byte) {
	start := strings.ToLower(string(bytes.TrimSpace(body[:min(len(body), 512)])))
	detail := ""
	switch {
	case strings.HasPrefix(start, "<!doctype html"), strings.HasPrefix(start, "<html"):
		detail = detailHTML
	case strings.Contains(contentType, "json") && strings.HasPrefix(start, "{"):
		detail = detailJSON
	case strings.Contains(start, "http request") && strings.Contains(start, "https"):
		detail = detailTLS // as Go's servers and nginx say it
	}
	t.mu.Lock()
	t.detail, t.learned = detail, true
	t.mu.Unlock()
}
