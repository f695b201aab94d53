package world

import (
	"bytes"
	"math"
	"strconv"
	"testing"
	"time"

	"dynascope/bench/sim/scenario"
)

// The wait in front of one server with a constant service time and Poisson
// arrivals is known: ρ·S/(2·(1−ρ)). What the truth says, and what the page
// says, are that.
func TestTextbookQueue(t *testing.T) {
	const load14, service = 14.0, 0.050
	rho := load14 * service
	want := rho * service / (2 * (1 - rho))
	sum, n := 0.0, 0.0
	var page samples
	// Waits of one run hang together for minutes, so several seeds.
	for seed := uint64(1); seed <= 4; seed++ {
		var truth bytes.Buffer
		w := build(t, Config{Scenario: load(t, "textbook-queue"), Seed: seed, Truth: &truth})
		w.Advance(61 * time.Minute)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(truth.Bytes()) {
			if received, ok := seconds(line, "received"); ok {
				scheduled, _ := seconds(line, "scheduled")
				sum += scheduled - received
				n++
			}
		}
		page = append(page, scrape(t, w, "worker0")...)
	}
	if got := sum / n; n < 150_000 || math.Abs(got/want-1) > 0.05 {
		t.Errorf("mean wait %.2f ms over %v requests, the textbook says %.2f", 1e3*got, n, 1e3*want)
	}
	if got := page.of("sglang:queue_time_seconds_sum") / page.of("sglang:queue_time_seconds_count"); math.Abs(got/want-1) > 0.05 {
		t.Errorf("mean wait on the page %.2f ms, the textbook says %.2f", 1e3*got, 1e3*want)
	}
	if got := page.of("sglang:time_to_first_token_seconds_sum") / page.of("sglang:time_to_first_token_seconds_count"); math.Abs(got/(want+service)-1) > 0.05 {
		t.Errorf("mean TTFT on the page %.2f ms, the textbook says %.2f", 1e3*got, 1e3*(want+service))
	}
}

// seconds reads a number of a line of the truth.
func seconds(line []byte, key string) (float64, bool) {
	_, rest, ok := bytes.Cut(line, []byte(`"`+key+`":`))
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseFloat(string(rest[:bytes.IndexAny(rest, ",}")]), 64)
	return v, err == nil
}

// Little's law holds over a long stretch: what is inside on average is the
// rate times the time inside.
func TestLittlesLaw(t *testing.T) {
	s := load(t, "healthy")
	w := build(t, Config{Scenario: s})
	inside, count := 0.0, 0.0
	w.Advance(30 * time.Second)
	a := scrape(t, w, "frontend0")
	for at := 30 * time.Second; at <= 10*time.Minute; at += 97 * time.Millisecond {
		w.Advance(at)
		for _, f := range w.frontends {
			inside += float64(len(f.live))
		}
		count++
	}
	st := stretch{map[string]samples{"f": a}, map[string]samples{"f": scrape(t, w, "frontend0")}}
	done := st.rise("f", "dynamo_frontend_request_duration_seconds_count")
	rate := done / (w.Now().Seconds() - 30)
	mean := st.mean("f", "dynamo_frontend_request_duration_seconds")
	if l := inside / count; math.Abs(l/(rate*mean)-1) > 0.02 {
		t.Errorf("%.2f inside, %.2f/s × %.3f s", l, rate, mean)
	}
	if s.Deployment.Kind != "dynamo" || scenario.Aggregated != s.Deployment.Pools[0].Role {
		t.Error("another scenario than this test was written for")
	}
}
