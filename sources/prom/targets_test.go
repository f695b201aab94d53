package prom

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"dynascope/sources"
)

var now = time.Unix(1_700_000_000, 0)

func looked(t *testing.T, f *fake, o Options) *Store {
	t.Helper()
	o.URL = serve(t, f.ServeHTTP)
	s := quiet(t, o)
	s.now = func() time.Time { return now }
	s.refresh()
	if s.broken != "" {
		t.Fatal(s.broken)
	}
	return s
}

func at(d time.Duration) string { return now.Add(d).UTC().Format(time.RFC3339Nano) }

func TestListedTargets(t *testing.T) {
	active := func(in, job, health, interval string, scraped time.Duration) string {
		return fmt.Sprintf(`{"labels":{"instance":%q,"job":%q},"scrapeUrl":"http://u:p@%s/metrics?x=1","health":%q,"lastError":"bad\u001b[1m line","lastScrape":%q,"lastScrapeDuration":0.02,"scrapeInterval":%q}`,
			in, job, in, health, at(scraped), interval)
	}
	f := &fake{
		answers: map[string]string{
			"count by (instance, job)": vector(map[string]string{"instance": "w:1", "job": "a"}, map[string]string{"instance": "f:1", "job": "b"}, map[string]string{"instance": "f:1", "job": "c"}),
			"min_over_time":            `{"resultType":"vector","result":[{"metric":{},"value":[1,"1699999900"]}]}`,
			`up{instance=~"w:1"}[5m]`:  `{"resultType":"matrix","result":[{"metric":{"instance":"w:1"},"values":[[1699999950,"1"],[1699999965,"0"]]}]}`,
		},
		targets: `{"activeTargets":[` + strings.Join([]string{
			active("node:9100", "node", "up", "15s", -time.Second), active("w:1", "a", "down", "15s", -5*time.Second), active("f:1", "b", "up", "30s", -2*time.Second),
		}, ",") + `]}`,
	}
	s := looked(t, f, Options{KeepNames: []string{"x_bucket", "x_count", "x_sum", "y"}})
	got := s.Targets()
	if len(got) != 2 || got[0].Instance != "f:1" || got[1].Instance != "w:1" {
		t.Fatalf("targets %+v", got)
	}
	front, worker := got[0], got[1]
	if front.Health != sources.HealthUp || front.Interval != 30*time.Second || !front.LastGood.Equal(now.Add(-2*time.Second)) || front.Took != 20*time.Millisecond {
		t.Errorf("%+v", front)
	}
	if front.URL != "http://f:1/metrics" || front.Error != "bad line" || front.Role != "" {
		t.Errorf("%+v", front)
	}
	if worker.Health != sources.HealthDown || !worker.LastGood.Equal(time.Unix(1699999950, 0)) {
		t.Errorf("%+v", worker)
	}
	if s.Interval() != 30*time.Second || s.view.every != 30*time.Second {
		t.Errorf("interval %v, looks every %v", s.Interval(), s.view.every)
	}
	if !s.Oldest().Equal(time.Unix(1699999900, 0)) {
		t.Errorf("oldest %v", s.Oldest())
	}
	if w := s.Warning(); !strings.Contains(w, "f:1 is scraped by two jobs") {
		t.Errorf("warning %q", w)
	}
	if !slices.ContainsFunc(f.queries, func(q string) bool { return strings.Contains(q, `{__name__=~"x_count|y"}`) }) {
		t.Errorf("asked %q", f.queries)
	}

	// Scrapes go on between two looks, and no longer once looks fail.
	s.now = func() time.Time { return now.Add(29 * time.Second) }
	if g := s.Targets()[0].LastGood; !g.Equal(now.Add(28 * time.Second)) {
		t.Errorf("29 s later: last good %v", g.Sub(now))
	}
	s.now = func() time.Time { return now.Add(5 * time.Minute) }
	if g := s.Targets()[0].LastGood; !g.Equal(now.Add(-2 * time.Second)) {
		t.Errorf("5 min later: last good %v", g.Sub(now))
	}
}

func TestGuessedTargets(t *testing.T) {
	f := &fake{answers: map[string]string{
		"count by (instance, job)": vector(map[string]string{"instance": "w:1"}, map[string]string{"instance": "f.x:1"}, map[string]string{"instance": "pushed"}),
		`up{instance=~"f\\.x:1|pushed|w:1"}[5m]`: `{"resultType":"matrix","result":[` +
			`{"metric":{"instance":"w:1"},"values":[[1699999930,"1"],[1699999945.2,"1"],[1699999960,"1"],[1699999990,"0"]]},` +
			`{"metric":{"instance":"f.x:1"},"values":[[1699999990,"1"]]}]}`,
	}}
	s := looked(t, f, Options{KeepNames: []string{"y"}})
	got := s.Targets()
	if len(got) != 3 {
		t.Fatalf("%+v", got)
	}
	for i, want := range []sources.Target{
		{Instance: "f.x:1", Health: sources.HealthUp, LastGood: time.Unix(1699999990, 0), Interval: time.Minute},
		{Instance: "pushed", Health: sources.HealthUp, LastGood: now, Interval: time.Minute},
		{Instance: "w:1", Health: sources.HealthDown, LastGood: time.Unix(1699999960, 0), Interval: 15 * time.Second},
	} {
		g := got[i]
		if g.Instance != want.Instance || g.Health != want.Health || !g.LastGood.Equal(want.LastGood) || g.Interval != want.Interval || g.BaseInterval != want.Interval {
			t.Errorf("%+v\nwant %+v", g, want)
		}
	}
	// What the server no longer knows stays for a while, down.
	f.answers = map[string]string{"count by (instance, job)": vector(map[string]string{"instance": "w:1"})}
	s.now = func() time.Time { return now.Add(time.Minute) }
	s.refresh()
	if got := s.Targets(); len(got) != 3 || got[1].Health != sources.HealthDown || got[1].Instance != "pushed" {
		t.Errorf("a minute later: %+v", got)
	}
	s.now = func() time.Time { return now.Add(2 * time.Hour) }
	s.refresh()
	if got := s.Targets(); len(got) != 1 {
		t.Errorf("two hours later: %+v", got)
	}
}

func TestEveryTargetWithoutNames(t *testing.T) {
	f := &fake{targets: `{"activeTargets":[{"labels":{"instance":"a:1"},"health":"unknown","lastScrape":"0001-01-01T00:00:00Z","scrapeInterval":"1m"}]}`}
	s := looked(t, f, Options{})
	got := s.Targets()
	if len(got) != 1 || got[0].Health != sources.HealthPending || !got[0].LastScrape.IsZero() || got[0].Interval != time.Minute {
		t.Errorf("%+v", got)
	}
}

// TestOpenDoesNotWait: the first frame comes before a dead server is known to
// be dead, and Close does not wait for its timeout.
func TestOpenDoesNotWait(t *testing.T) {
	reached := make(chan struct{}, 8)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // the body, or the server does not see the client go
		reached <- struct{}{}
		<-r.Context().Done()
	})
	s, err := Open(context.Background(), Options{URL: url, Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if s.Targets() != nil && len(s.Targets()) != 0 || s.Interval() != 0 || !s.Oldest().IsZero() || s.Warning() != "" || s.Name() != "prometheus" {
		t.Error("a store that knows nothing says something")
	}
	<-reached // its look hangs
	asked := make(chan error)
	go func() {
		_, err := s.Instant(context.Background(), "up", now)
		asked <- err
	}()
	<-reached
	_ = s.Close()
	if err := <-asked; err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("a question cut off by Close: %v", err)
	}
	_ = s.Close()
}
