package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
)

// The manager spreads its scrapes over the interval, so that a target's first
// one comes up to one interval late. The probe fetches the page once at Add,
// through the same client settings and limits, and stores it under the labels
// the scrapes will have. When a scrape was faster, the probe stores nothing.

// page is a parsed exposition.
type page struct {
	series []sample
	types  pageTypes
	bytes  int64
	lines  int // samples before the keep rule
}

type sample struct {
	labels labels.Labels
	value  float64
}

// pageTypes are the TYPE lines of a page.
type pageTypes map[string]model.MetricType

func (p pageTypes) GetMetadata(family string) (scrape.MetricMetadata, bool) {
	typ, ok := p[family]
	return scrape.MetricMetadata{MetricFamily: family, Type: typ}, ok
}

func (s *Store) probe(t *target) {
	timeout := scrapeTimeout(t.spec.Timeout, t.base)
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	// A millisecond ahead, lest it meets the stale marker of a target that was
	// removed just now.
	start := time.Now().Add(time.Millisecond)
	p, err := s.fetch(ctx, t)
	if s.ctx.Err() != nil {
		return
	}
	at := start.UnixMilli()
	app := s.scrapeAppender(s.ctx, t, nil, p.types, func() error { return err })
	up := 0.0
	if err == nil {
		up = 1
		for _, x := range p.series {
			if _, aerr := app.Append(0, x.labels, 0, at, x.value, nil, nil, storage.AOptions{}); aerr != nil {
				s.log.Debug("store the first scrape", "instance", t.instance, "err", aerr)
			}
		}
	}
	lb := labels.NewBuilder(t.labels)
	for _, r := range []struct {
		name  string
		value float64
	}{
		{"up", up},
		{"scrape_duration_seconds", time.Since(start).Seconds()},
		{"scrape_samples_scraped", float64(p.lines)},
		{"scrape_samples_post_metric_relabeling", float64(len(p.series))},
		{"scrape_body_size_bytes", float64(p.bytes)},
	} {
		_, _ = app.Append(0, lb.Set(model.MetricNameLabel, r.name).Labels(), 0, at, r.value, nil, nil,
			storage.AOptions{MetricFamilyName: r.name + "\xff"})
	}
	_ = app.Commit() // it warns by itself
}

// fetch gets and reads the page of a target.
func (s *Store) fetch(ctx context.Context, t *target) (page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url.String(), http.NoBody)
	if err != nil {
		return page{}, err
	}
	req.Header.Set("Accept", "text/plain;version=0.0.4;q=0.9,*/*;q=0.1")
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := t.pool.client.Do(req)
	if err != nil {
		return page{}, err
	}
	defer resp.Body.Close()
	limit := t.spec.BodyLimit
	if resp.StatusCode != http.StatusOK {
		limit = 4 << 10 // enough to see what speaks
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(io.LimitReader(resp.Body, limit)); err != nil {
		return page{}, err
	}
	t.learn(resp.Header.Get("Content-Type"), body.Bytes())
	switch {
	case resp.StatusCode != http.StatusOK:
		return page{}, fmt.Errorf("server returned HTTP status %s", resp.Status)
	case resp.Header.Get("Content-Encoding") != "":
		return page{}, errors.New("the page is compressed against the request")
	case int64(body.Len()) >= limit:
		return page{bytes: -1}, errors.New("body size limit exceeded")
	}
	return t.parse(body.Bytes(), resp.Header.Get("Content-Type"))
}

// learn keeps what a body tells about a failure.
func (t *target) learn(contentType string, body []byte) {
	start := strings.ToLower(string(bytes.TrimSpace(body[:min(len(body), 64)])))
	detail := ""
	switch {
	case strings.HasPrefix(start, "<!doctype html"), strings.HasPrefix(start, "<html"):
		detail = detailHTML
	case strings.Contains(contentType, "json") && strings.HasPrefix(start, "{"):
		detail = detailJSON
	}
	t.mu.Lock()
	t.detail = detail
	t.mu.Unlock()
}

// parse reads a page as the scraper will: target labels win over exposed ones,
// the keep rule drops, a limit refuses the whole page.
func (t *target) parse(body []byte, contentType string) (page, error) {
	p := page{types: pageTypes{}, bytes: int64(len(body))}
	if len(body) == 0 {
		return p, nil
	}
	parser, err := textparse.New(body, contentType, labels.NewSymbolTable(), textparse.ParserOptions{
		FallbackContentType: t.pool.conf.ScrapeFallbackProtocol.HeaderMediaType(),
	})
	if parser == nil {
		return p, err
	}
	for {
		entry, err := parser.Next()
		switch {
		case errors.Is(err, io.EOF):
			return p, nil
		case err != nil:
			return p, err
		}
		switch entry {
		case textparse.EntryType:
			family, typ := parser.Type()
			p.types[string(family)] = typ
		case textparse.EntrySeries:
			p.lines++
			var ls labels.Labels
			_, _, v := parser.Series()
			parser.Labels(&ls)
			if ls = t.relabel(ls); ls.IsEmpty() {
				continue
			}
			if err := t.checkLimits(ls); err != nil {
				return p, err
			}
			if len(p.series) == t.spec.SampleLimit {
				return p, errors.New("sample limit exceeded")
			}
			p.series = append(p.series, sample{ls, v})
		}
	}
}

func (t *target) relabel(ls labels.Labels) labels.Labels {
	lb := labels.NewBuilder(ls)
	t.labels.Range(func(own labels.Label) {
		if exposed := ls.Get(own.Name); exposed != "" {
			name := model.ExportedLabelPrefix + own.Name
			for lb.Get(name) != "" {
				name = model.ExportedLabelPrefix + name
			}
			lb.Set(name, exposed)
		}
		lb.Set(own.Name, own.Value)
	})
	if !relabel.ProcessBuilder(lb, t.pool.conf.MetricRelabelConfigs...) {
		return labels.EmptyLabels()
	}
	return lb.Labels()
}

func (t *target) checkLimits(ls labels.Labels) error {
	name := ls.Get(model.MetricNameLabel)
	if n := ls.Len(); n > t.spec.LabelLimit {
		return fmt.Errorf("label_limit exceeded (metric: %.50s, number of labels: %d, limit: %d)", name, n, t.spec.LabelLimit)
	}
	return ls.Validate(func(l labels.Label) error {
		if len(l.Name) > labelNameLimit || len(l.Value) > labelValueLimit {
			return fmt.Errorf("label_length_limit exceeded (metric: %.50s, label name: %.50s, length: %d)", name, l.Name, max(len(l.Name), len(l.Value)))
		}
		return nil
	})
}
