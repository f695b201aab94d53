package composite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/embedded"
)

var start = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// store holds one page, scraped every second for 20 s.
func store(t *testing.T, instance, page string) sources.Store {
	t.Helper()
	s, err := embedded.Open(context.Background(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	p, err := s.Push(embedded.TargetSpec{URL: "http://" + instance + "/metrics"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 21 {
		if err := p.Page(start.Add(time.Duration(i)*time.Second), []byte(page), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func gpus(source string, util map[string]int) string {
	var b strings.Builder
	for u, v := range util {
		fmt.Fprintf(&b, "DCGM_FI_DEV_GPU_UTIL{gpu=\"0\",UUID=%q,Hostname=\"h\"%s} %d\n", u, source, v)
		fmt.Fprintf(&b, "DCGM_FI_DEV_POWER_USAGE{gpu=\"0\",UUID=%q,Hostname=\"h\"%s} %d\n", u, source, 10*v)
	}
	return b.String()
}

const nvml = `,source="nvml"`

func both(t *testing.T) *Store {
	t.Helper()
	remote := store(t, "remote:9400", gpus("", map[string]int{"GPU-a": 10, "GPU-b": 20, "GPU-c": 40})+"dynamo_frontend_disconnected_clients 3\n")
	local := store(t, "local:1", gpus(nvml, map[string]int{"GPU-b": 90})+"dynamo_frontend_disconnected_clients 99\ndynascope_engine_requests 5\n")
	return New(remote, local)
}

func (s *Store) values(t *testing.T, expr, label string) map[string]float64 {
	t.Helper()
	got, err := s.Instant(context.Background(), expr, start.Add(20*time.Second))
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	out := map[string]float64{}
	for _, x := range got {
		if _, twice := out[x.Labels[label]]; twice {
			t.Errorf("%s: %v comes twice", expr, x.Labels)
		}
		out[x.Labels[label]] = x.Points[0].V
	}
	return out
}

func TestGPUsOfBothCountOnce(t *testing.T) {
	s := both(t)
	query := func(key string, form sources.Form, by string) string {
		q, err := catalog.Default().Query(sources.Need{Key: key, Form: form, By: by}, 10*time.Second, catalog.Scope{})
		if err != nil {
			t.Fatal(err)
		}
		return q.Expr
	}
	for _, c := range []struct {
		name, expr, label string
		want              map[string]float64
	}{
		{"by GPU", query("gpu.util", sources.FormNow, "uuid"), "uuid", map[string]float64{"GPU-a": 0.1, "GPU-b": 0.9, "GPU-c": 0.4}},
		{"sum", query("gpu.power", sources.FormNow, ""), "", map[string]float64{"": 100 + 900 + 400}},
		{"mean", query("gpu.util", sources.FormNow, ""), "", map[string]float64{"": (0.1 + 0.9 + 0.4) / 3}},
		{"max", `max(DCGM_FI_DEV_GPU_UTIL)`, "", map[string]float64{"": 90}},
		{"min", `min(DCGM_FI_DEV_GPU_UTIL)`, "", map[string]float64{"": 10}},
		{"count", `count(DCGM_FI_DEV_GPU_UTIL)`, "", map[string]float64{"": 3}},
		{"local alone", `dynascope_engine_requests`, "instance", map[string]float64{"local:1": 5}},
		{"remote alone", `dynamo_frontend_disconnected_clients`, "instance", map[string]float64{"remote:9400": 3}},
		{"spanning is remote", `count(DCGM_FI_DEV_GPU_UTIL) + sum(dynamo_frontend_disconnected_clients)`, "", map[string]float64{"": 6}},
		{"targets", "up", "instance", map[string]float64{"remote:9400": 1, "local:1": 1}},
		{"presence", `count by (instance) (last_over_time({__name__=~"DCGM_FI_DEV_GPU_UTIL|dynamo_frontend_disconnected_clients"}[5m]))`, "instance", map[string]float64{"remote:9400": 4, "local:1": 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := s.values(t, c.expr, c.label)
			if len(got) != len(c.want) {
				t.Fatalf("%v, want %v", got, c.want)
			}
			for k, v := range c.want {
				if d := got[k] - v; d > 1e-9 || d < -1e-9 {
					t.Errorf("%q is %v, want %v", k, got[k], v)
				}
			}
		})
	}
}

func TestRange(t *testing.T) {
	s := both(t)
	got, err := s.Range(context.Background(), "avg(DCGM_FI_DEV_GPU_UTIL)", sources.Span{From: start.Add(5 * time.Second), To: start.Add(15 * time.Second), Step: time.Second})
	if err != nil || len(got) != 1 || len(got[0].Points) != 11 {
		t.Fatalf("%v %v", got, err)
	}
	for _, p := range got[0].Points {
		if d := p.V - 140./3; d > 1e-9 || d < -1e-9 {
			t.Errorf("%v", p)
		}
	}
}

func TestTargetsOfBoth(t *testing.T) {
	s := both(t)
	var names []string
	for _, g := range s.Targets() {
		names = append(names, g.Instance)
	}
	if !slices.Equal(names, []string{"remote:9400", "local:1"}) {
		t.Errorf("targets %v", names)
	}
	if s.Name() != "embedded" || s.Oldest().IsZero() {
		t.Errorf("name %q, oldest %v", s.Name(), s.Oldest())
	}
}

// broken is a store that answers nothing.
type broken struct{ sources.Store }

func (broken) Instant(context.Context, string, time.Time) ([]sources.Series, error) {
	return nil, errors.New("no answer")
}

func TestOneFailsTheOtherStays(t *testing.T) {
	whole := both(t)
	for name, s := range map[string]*Store{"remote": New(broken{whole.remote}, whole.local), "local": New(whole.remote, broken{whole.local})} {
		if got := s.values(t, "DCGM_FI_DEV_GPU_UTIL", "UUID"); len(got) == 0 {
			t.Errorf("without the %s store nothing is left", name)
		}
		if got := s.values(t, "up", "instance"); len(got) != 1 {
			t.Errorf("without the %s store: up %v", name, got)
		}
	}
	if _, err := New(broken{whole.remote}, whole.local).Instant(context.Background(), "dynamo_frontend_disconnected_clients", start); err == nil {
		t.Error("a question to a dead remote server got an answer")
	}
	if _, err := whole.Instant(context.Background(), "sum(", start); err == nil {
		t.Error("an expression that cannot be read got an answer")
	}
}
