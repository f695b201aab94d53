package replay

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func TestDemoIsWhole(t *testing.T) {
	r, err := Demo()
	if err != nil {
		t.Fatal(err)
	}
	if r.Frames() < 60 {
		t.Errorf("demo has %d frames, want at least a minute", r.Frames())
	}
	for i := range r.Frames() {
		for _, e := range r.Endpoints {
			if !bytes.Contains(r.Page(i, e), []byte("# TYPE ")) {
				t.Fatalf("frame %d of %s is no metrics page", i, e)
			}
		}
	}
}

func TestServeAnswersEachEndpoint(t *testing.T) {
	r, err := Demo()
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Serve(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(s.URLs()) != len(r.Endpoints) {
		t.Fatalf("%d addresses for %d endpoints", len(s.URLs()), len(r.Endpoints))
	}
	for i, u := range s.URLs() {
		resp, err := http.Get(u + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !bytes.Equal(body, r.Page(0, r.Endpoints[i])) && !bytes.Equal(body, r.Page(1, r.Endpoints[i])) {
			t.Errorf("%s serves another page than was recorded", r.Endpoints[i])
		}
	}
}

func pack(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	z, _ := zstd.NewWriter(&out)
	w := tar.NewWriter(z)
	for name, body := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(body))}); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, body)
	}
	w.Close()
	z.Close()
	return out.Bytes()
}

func TestReadRefusesWhatIsNoRecording(t *testing.T) {
	for name, in := range map[string][]byte{
		"not zstd":   []byte("hello"),
		"no meta":    pack(t, map[string]string{"0000/frontend.metrics.txt": "x 1\n"}),
		"bad meta":   pack(t, map[string]string{"meta.json": "{"}),
		"no frames":  pack(t, map[string]string{"meta.json": `{"interval_ms":1000,"endpoints":["frontend"]}`}),
		"large page": pack(t, map[string]string{"0000/frontend.metrics.txt": strings.Repeat("a", maxPage+1)}),
	} {
		if _, err := Read(bytes.NewReader(in)); err == nil {
			t.Errorf("%s: read without an error", name)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(pack(f, map[string]string{"meta.json": `{"interval_ms":1000,"endpoints":["frontend"]}`, "0000/frontend.metrics.txt": "x 1\n"}))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := Read(bytes.NewReader(in))
		if err == nil && r.Frames() == 0 {
			t.Fatal("a recording without frames")
		}
	})
}
