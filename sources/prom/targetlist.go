package prom

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"dynascope/sources"
	"dynascope/sources/text"
)

// activeTarget is one element of /api/v1/targets. The client's own type lacks
// the interval.
type activeTarget struct {
	Labels             map[string]string `json:"labels"`
	ScrapeURL          string            `json:"scrapeUrl"`
	LastError          string            `json:"lastError"`
	LastScrape         time.Time         `json:"lastScrape"`
	LastScrapeDuration float64           `json:"lastScrapeDuration"`
	Health             string            `json:"health"`
	ScrapeInterval     string            `json:"scrapeInterval"`
}

// fetchTargets asks for the list.
func fetchTargets(ctx context.Context, c *client, u *url.URL) ([]activeTarget, error) {
	req, err := http.NewRequest(http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	_, body, err := c.Do(ctx, req)
	if err != nil {
		return nil, err
	}
	return decodeTargets(body)
}

func decodeTargets(body []byte) ([]activeTarget, error) {
	var v struct {
		Status    string       `json:"status"`
		ErrorType v1.ErrorType `json:"errorType"`
		Error     string       `json:"error"`
		Data      struct {
			ActiveTargets []activeTarget `json:"activeTargets"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, &v1.Error{Type: v1.ErrBadResponse, Msg: err.Error()}
	}
	if v.Status == "error" {
		return nil, &v1.Error{Type: v.ErrorType, Msg: v.Error}
	}
	return v.Data.ActiveTargets, nil
}

// target is the element in our terms.
func (a activeTarget) target() sources.Target {
	t := sources.Target{
		Instance: a.Labels[model.InstanceLabel], Error: text.Safe(a.LastError, lineLength),
	}
	if u, err := url.Parse(a.ScrapeURL); err == nil {
		t.URL = shown(u)
	}
	if a.LastScrape.Year() > 1970 {
		t.LastScrape = a.LastScrape
	}
	if d := a.LastScrapeDuration; d > 0 && d < math.MaxInt32 {
		t.Took = time.Duration(d * float64(time.Second))
	}
	switch a.Health {
	case string(v1.HealthGood):
		t.Health, t.LastGood = sources.HealthUp, t.LastScrape
	case string(v1.HealthBad):
		t.Health = sources.HealthDown
	}
	if d, err := model.ParseDuration(a.ScrapeInterval); err == nil {
		t.Interval = time.Duration(d)
	}
	return t
}
