package engine

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/embedded"
)

func TestPidsAreTheEngineAndAllItStarted(t *testing.T) {
	p := newProc(t, socket(loopback8081, os.Getuid(), 77))
	p.process(100, 1, 0, "bash", "")
	p.process(200, 100, 77, "python -m dynamo.sglang --model-path x", "")
	p.process(201, 200, 0, "sglang::scheduler_TP0", "")
	p.process(202, 200, 0, "sglang::scheduler_TP1", "")
	p.process(303, 201, 0, "helper", "")
	p.process(400, 100, 0, "python -m dynamo.sglang --model-path y", "")
	got, err := p.reader().Pids(t.Context(), "127.0.0.1:8081")
	if err != nil || !slices.Equal(got, []int{200, 201, 202, 303}) {
		t.Errorf("%v, %v", got, err)
	}
	page, err := p.reader().NewOwner("127.0.0.1:8081").Page(t.Context())
	if err != nil || !strings.Contains(string(page), `dynascope_engine_process{pid="303"} 1`) {
		t.Errorf("%s, %v", page, err)
	}
	// Beside the page of the server's own routes, at one instance.
	s, err := embedded.Open(t.Context(), embedded.Options{KeepNames: catalog.Default().Keep()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for source, page := range map[string]func(context.Context) ([]byte, error){
		"":     func(context.Context) ([]byte, error) { return []byte("dynascope_engine_page_size_tokens 64\n"), nil },
		"proc": p.reader().NewOwner("127.0.0.1:8081").Page,
	} {
		spec := embedded.LocalSpec{Instance: "127.0.0.1:8081", Interval: time.Second, Quiet: true, Page: page}
		if source != "" {
			spec.Labels = map[string]string{"source": source}
		}
		if _, err := s.AddLocal(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	q, err := catalog.Default().Query(sources.Need{Key: "engine.process", Form: sources.FormNow, By: "instance,pid"}, time.Minute, catalog.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if series, err := s.Instant(t.Context(), q.Expr, time.Now()); err == nil && len(series) == 4 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%v, %v", series, err)
		}
	}
	if _, err := p.reader().Pids(t.Context(), "10.9.9.9:8081"); err == nil {
		t.Error("the processes of another host")
	}
}
