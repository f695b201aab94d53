package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dynascope/bench/sim/scenario"
	"dynascope/bench/sim/world"
)

// told is what the tests read of dynascope.doctor/1.
type told struct {
	Exit, Answered int
	Findings       []toldFinding
	Targets        []struct{ Instance string }
}

type toldFinding struct {
	Code, Severity, What, Do string
	Subjects, Lines          []string
}

func (d told) codes(subject string) (out []string) {
	for _, f := range d.Findings {
		if slices.Contains(f.Subjects, subject) {
			out = append(out, f.Code)
		}
	}
	return out
}

// doctorSays runs the command as a user does and reads its answer.
func doctorSays(t *testing.T, args ...string) told {
	t.Helper()
	dir := t.TempDir()
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	errOut, err := os.Create(filepath.Join(dir, "err"))
	if err != nil {
		t.Fatal(err)
	}
	defer errOut.Close()
	code := run(t.Context(), append([]string{"doctor", "--json", "--gpus=false"}, args...), os.Stdin, out, errOut)
	raw, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	var d told
	if err := json.Unmarshal(raw, &d); err != nil {
		said, _ := os.ReadFile(errOut.Name())
		t.Fatalf("exit %d: %v\n%s\n%s", code, err, raw, said)
	}
	if code != d.Exit {
		t.Errorf("exit status %d, and the document says %d", code, d.Exit)
	}
	return d
}

// doctorWaits gives a busy machine more time: until what is said holds.
func doctorWaits(t *testing.T, args []string, holds func(told) error) told {
	t.Helper()
	var err error
	for _, wait := range []string{"1s", "4s", "20s"} {
		d := doctorSays(t, append([]string{"--for", wait}, args...)...)
		if err = holds(d); err == nil {
			return d
		}
	}
	t.Fatal(err)
	return told{}
}

// Every kind of target that does not behave has its code.
func TestDoctorHostile(t *testing.T) {
	t.Parallel()
	body := func(status int, kind, text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		})
	}
	const evil = "\x1b]0;x\x07\x1b[2J password=Hunter2Secret "
	const plain = "text/plain; version=0.0.4"
	hang := make(chan struct{})
	cases := []struct {
		code  string
		serve http.Handler
		tls   bool   // the server speaks it
		as    string // scheme it is asked by
	}{
		{code: "page-html", serve: body(200, "text/html", "<!DOCTYPE html><html>"+evil)},
		{code: "page-json", serve: body(200, "application/json", `{"object":"list"}`)},
		{code: "page-broken", serve: body(200, plain, evil+"\n")},
		{code: "page-empty", serve: body(200, plain, "")},
		{code: "page-stranger", serve: body(200, plain, "# TYPE node_cpu_seconds_total counter\nnode_cpu_seconds_total{cpu=\"0\"} 1\n")},
		{code: "page-too-large", serve: body(200, plain, strings.Repeat("x{a=\"0123456789\"} 1\n", 10_000))},
		{code: "endpoint-auth", serve: body(401, "text/plain", evil)},
		{code: "endpoint-path", serve: body(404, "application/json", `{"detail":"Not Found"}`)},
		{code: "endpoint-status", serve: body(503, "text/plain", evil)},
		{code: "endpoint-tls", serve: body(200, plain, "v 1\n"), as: "https"},
		{code: "endpoint-tls", serve: body(200, plain, "v 1\n"), tls: true, as: "http"},
		{code: "endpoint-tls", serve: body(200, plain, "v 1\n"), tls: true},
		{code: "endpoint-timeout", serve: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		})},
		{code: "clock-skew", serve: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
			_, _ = io.WriteString(w, "node_load1 1\n")
		})},
	}
	args := []string{"--body-limit", "100000"}
	want := map[string]string{}
	for _, c := range cases {
		s := httptest.NewUnstartedServer(c.serve)
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		if c.tls {
			s.StartTLS()
		} else {
			s.Start()
		}
		t.Cleanup(s.Close)
		scheme, address, _ := strings.Cut(s.URL, "://")
		want[address] = c.code
		args = append(args, "-t", cmp.Or(c.as, scheme)+"://"+address)
	}
	t.Cleanup(func() { close(hang) }) // before the servers close
	d := doctorWaits(t, args, func(d told) error {
		if d.Exit != 2 || len(d.Targets) != len(cases) {
			return fmt.Errorf("exit %d, %d targets", d.Exit, len(d.Targets))
		}
		for address, code := range want {
			if got := d.codes(address); !slices.Contains(got, code) {
				return fmt.Errorf("%v, want %s", got, code)
			}
		}
		return nil
	})
	for _, f := range d.Findings {
		if strings.ContainsAny(f.What+f.Do, "\x1b\x07") || strings.Contains(f.What+f.Do, "Hunter2") {
			t.Errorf("%q", f.What+f.Do)
		}
		if blocks := strings.HasPrefix(f.Code, "endpoint-") || strings.HasPrefix(f.Code, "page-") && f.Code != "page-stranger"; blocks != (f.Severity == "blocks") {
			t.Errorf("%s: %s", f.Code, f.Severity)
		}
	}
}

func TestDoctorDeadAddress(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	doctorWaits(t, []string{"-t", "http://" + addr}, func(d told) error {
		if got := d.codes(addr); d.Exit != 3 || d.Answered != 0 || !slices.Contains(got, "endpoint-refused") {
			return fmt.Errorf("%+v", d)
		}
		return nil
	})
}

// A mistake of the command line is no warning of the doctor's.
func TestDoctorMistakes(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--for", "0s"}, {"--sla-ttft", "-1s"}, {"--interval", "1h"}, {"--no-such-flag"}, {"--for", "x"}} {
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if code := run(t.Context(), append([]string{"doctor"}, args...), null, null, null); code != 3 {
			t.Errorf("%v: exit %d", args, code)
		}
		_ = null.Close()
	}
}

// A simulated deployment that is well has no finding that blocks and none about
// its pages, whatever its engine, release and shape.
func TestDoctorSimulated(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"healthy", "old-generation", "plain-sglang", "vllm", "several-models"} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name != "healthy" {
				t.Skip("one is enough")
			}
			t.Parallel()
			args := []string{"--timeout", "1s"}
			for _, page := range simulatedPages(t, name) {
				s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(page) }))
				t.Cleanup(s.Close)
				args = append(args, "-t", s.URL)
			}
			d := doctorWaits(t, args, func(d told) error {
				if d.Answered == 0 || d.Answered != len(d.Targets) {
					return fmt.Errorf("%d of %d answered", d.Answered, len(d.Targets))
				}
				return nil
			})
			for _, f := range d.Findings {
				about := strings.HasPrefix(f.Code, "labels-") || strings.HasPrefix(f.Code, "worker-") || strings.HasPrefix(f.Code, "page-") || f.Code == "engine-silent"
				if f.Severity == "blocks" || about {
					t.Errorf("%s %s %v: %s", f.Severity, f.Code, f.Subjects, f.What)
				}
			}
		})
	}
}

// simulatedPages are the pages of a scenario that has run for a while. They are
// served by others than the simulation, which a busy machine holds up.
func simulatedPages(t *testing.T, name string) (out [][]byte) {
	t.Helper()
	sc, err := scenario.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(world.Config{Scenario: sc, Start: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	w.Advance(20 * time.Second)
	for _, e := range w.Endpoints() {
		if p := w.Page(e.Name); len(p.Body) > 0 {
			out = append(out, p.Body)
		}
	}
	return out
}

// A server that speaks the API and scrapes nothing of ours gets the lines to
// add, with the page that was named.
func TestDoctorRemote(t *testing.T) {
	t.Parallel()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "# TYPE dynamo_frontend_disconnected_clients gauge\ndynamo_frontend_disconnected_clients 0\n")
	}))
	t.Cleanup(page.Close)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/api/v1/status/buildinfo":
			fmt.Fprint(w, `{"status":"success","data":{"version":"3.15.0"}}`)
		case "/api/v1/targets":
			fmt.Fprint(w, `{"status":"success","data":{"activeTargets":[{"labels":{"instance":"x:1"},"scrapeUrl":"http://x:1/metrics"}]}}`)
		default:
			fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
		}
	}))
	t.Cleanup(api.Close)
	address := strings.TrimPrefix(page.URL, "http://")
	d := doctorWaits(t, []string{"--prometheus", api.URL, "-t", page.URL}, func(d told) error {
		empty := slices.ContainsFunc(d.Findings, func(f toldFinding) bool { return f.Code == "prometheus-no-targets" })
		if got := d.codes(address); d.Exit != 3 || !empty || !slices.Equal(got, []string{"prometheus-misses"}) {
			return fmt.Errorf("exit %d, %v: %+v", d.Exit, got, d.Findings)
		}
		return nil
	})
	for _, f := range d.Findings {
		if f.Code == "prometheus-misses" && !strings.Contains(strings.Join(f.Lines, "\n"), `targets: ["`+address+`"]`) {
			t.Errorf("%q", f.Lines)
		}
	}
}
