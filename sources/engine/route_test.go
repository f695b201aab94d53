package engine

import (
	"context"
	"strings"
	"testing"
)

func TestEngineRoute(t *testing.T) {
	f := newFake(t)
	e, err := NewEngineRoute(f.URL, "", Credentials{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Ask(context.Background()); err == nil || !strings.Contains(err.Error(), "--engine-route") {
		t.Errorf("%v", err)
	}
	f.set("/engine/server_info", string(read(t, "server_info.json")), 200)
	if i, err := e.Ask(context.Background()); err != nil || i.Version != "0.5.23" {
		t.Errorf("%+v, %v", i, err)
	}
	f.set("/engine/server_info", `{"status":"error","message":"boom"}`, 200)
	if _, err := e.Ask(context.Background()); err == nil || !strings.Contains(err.Error(), "boom") {
		t.Errorf("%v", err)
	}
	for _, path := range []string{"/engine/control/start_profile", "/engine/control/x_info", "/engine/../info", "/engine/release_memory", "http://x/info", "/info", "/engine/info?x=1"} {
		if _, err := NewEngineRoute(f.URL, path, Credentials{}, nil); err == nil {
			t.Errorf("%s may be asked", path)
		}
	}
	if _, err := NewEngineRoute(f.URL, "/engine/ops/info", Credentials{}, nil); err != nil {
		t.Error(err)
	}
}
