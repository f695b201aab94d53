// Package replay serves recorded metrics pages over HTTP on loopback, frame
// by frame as they were recorded, so that the console can be seen and tested
// on a real deployment's numbers without one.
//
// It answers /metrics and nothing else, and simulates nothing: what was not
// recorded cannot happen.
package replay

import (
	"archive/tar"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
)

//go:embed demo.tar.zst
var demo []byte

// maxPage and maxTotal bound what an archive may unpack to.
const (
	maxPage  = 8 << 20
	maxTotal = 512 << 20
)

// Recording is a sequence of frames, each one page per endpoint.
type Recording struct {
	Release   string
	Model     string
	Interval  time.Duration
	Endpoints []string // "frontend", "worker0", …
	frames    []map[string][]byte
}

// Demo returns the recording that is built in.
func Demo() (*Recording, error) { return Read(bytes.NewReader(demo)) }

// Frames is the number of frames.
func (r *Recording) Frames() int { return len(r.frames) }

// Page is the page of an endpoint in frame i, nil when there is none.
func (r *Recording) Page(i int, endpoint string) []byte {
	if i < 0 || i >= len(r.frames) {
		return nil
	}
	return r.frames[i][endpoint]
}

// Read unpacks a recording: a tar compressed with zstd that holds meta.json
// and, per frame, NNNN/<endpoint>.metrics.txt in order.
func Read(in io.Reader) (*Recording, error) {
	z, err := zstd.NewReader(in, zstd.WithDecoderMaxMemory(maxTotal))
	if err != nil {
		return nil, fmt.Errorf("open recording: %w", err)
	}
	defer z.Close()
	var (
		r     Recording
		total int64
		meta  struct {
			Release    string   `json:"release"`
			Model      string   `json:"model"`
			IntervalMS int64    `json:"interval_ms"`
			Endpoints  []string `json:"endpoints"`
		}
		at = map[string]int{}
	)
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read recording: %w", err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if total += h.Size; h.Size > maxPage || total > maxTotal {
			return nil, fmt.Errorf("read recording: %s is too large; hint: a page holds at most %d MiB, a recording %d MiB", h.Name, maxPage>>20, maxTotal>>20)
		}
		body, err := io.ReadAll(t)
		if err != nil {
			return nil, fmt.Errorf("read %s of the recording: %w", h.Name, err)
		}
		if h.Name == "meta.json" {
			if err := json.Unmarshal(body, &meta); err != nil {
				return nil, fmt.Errorf("read meta.json of the recording: %w", err)
			}
			continue
		}
		frame, endpoint := path.Dir(h.Name), strings.TrimSuffix(path.Base(h.Name), ".metrics.txt")
		i, ok := at[frame]
		if !ok {
			i = len(r.frames)
			at[frame] = i
			r.frames = append(r.frames, map[string][]byte{})
		}
		r.frames[i][endpoint] = body
	}
	if len(r.frames) == 0 || len(meta.Endpoints) == 0 || meta.IntervalMS <= 0 {
		return nil, errors.New("read recording: no frames, endpoints or interval in it; hint: is it a dynascope recording?")
	}
	r.Release, r.Model, r.Endpoints = meta.Release, meta.Model, meta.Endpoints
	r.Interval = time.Duration(meta.IntervalMS) * time.Millisecond
	return &r, nil
}

// Server plays a recording in a loop. When it starts over the counters fall,
// which a scraper reads as a restart.
type Server struct {
	rec     *Recording
	began   time.Time
	servers []*http.Server
	urls    []string
	wg      sync.WaitGroup
}

// Serve starts one loopback listener per endpoint. The caller closes it.
func (r *Recording) Serve(ctx context.Context) (*Server, error) {
	s := &Server{rec: r, began: time.Now()}
	for _, endpoint := range r.Endpoints {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("serve recorded %s: %w", endpoint, err)
		}
		mux := http.NewServeMux()
		mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
			page := r.Page(s.frame(), endpoint)
			if page == nil {
				http.Error(w, "not recorded", http.StatusServiceUnavailable)
				return
			}
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = w.Write(page)
		})
		h := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
		s.servers = append(s.servers, h)
		s.urls = append(s.urls, "http://"+l.Addr().String())
		s.wg.Go(func() { _ = h.Serve(l) })
	}
	return s, nil
}

// URLs are the endpoints' addresses, in the recording's order.
func (s *Server) URLs() []string { return s.urls }

func (s *Server) frame() int {
	return int(time.Since(s.began)/s.rec.Interval) % len(s.rec.frames)
}

// Close stops the listeners and waits for them.
func (s *Server) Close() {
	for _, h := range s.servers {
		_ = h.Close()
	}
	s.wg.Wait()
}
