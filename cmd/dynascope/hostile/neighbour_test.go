//go:build e2e

package hostile

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// pages are the recorded pages of a small Dynamo deployment under load.
const pages = "../../../sources/testdata/pages/1.6.1/agg/during"

// recordedTTFT is the number of first tokens that its frontend has counted.
const recordedTTFT = 48

// neighbour serves the recorded frontend page: a healthy target beside the
// hostile one.
func neighbour(t *testing.T) (url string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(pages, "frontend.metrics.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the neighbour was sent the credentials of another target")
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write(page)
	})
}

// serve answers HTTP on loopback until the test ends.
func serve(t *testing.T, h http.HandlerFunc) (url string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL
}

// lives holds a document to the neighbour's figure.
func (d document) lives(t *testing.T) {
	t.Helper()
	got := d.Totals["frontend.ttft"]
	if got.Status != "ok" || got.Value == nil || *got.Value != recordedTTFT {
		t.Errorf("the neighbour's TTFT count is %s %v, want %d", got.Status, got.Value, recordedTTFT)
	}
}
