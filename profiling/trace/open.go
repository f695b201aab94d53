package trace

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// Limits bound what one outside file may cost. Zero values mean the defaults.
type Limits struct {
	// Bytes is how much expanded JSON is read of one file (default 64 GiB).
	Bytes int64
	// Ratio is the highest gzip expansion accepted beyond the first 256 MiB
	// (default 250; real traces expand 10 to 25 times).
	Ratio int64
	// EventBytes is the longest event accepted (default 4 MiB); a longer one is
	// skipped and counted.
	EventBytes int

	calm int64 // how much is read before ratio and absence of events are judged
}

const chunkBytes = 1 << 20

func (l Limits) orDefault() Limits {
	if l.Bytes <= 0 {
		l.Bytes = 64 << 30
	}
	if l.Ratio <= 0 {
		l.Ratio = 250
	}
	if l.EventBytes <= 0 {
		l.EventBytes = 4 << 20
	}
	if l.calm <= 0 {
		l.calm = 256 << 20
	}
	return l
}

// errLimit ends the reading of a file whose part so far is still analysed.
var errLimit = errors.New("limit reached")

// source is a trace file as a stream of expanded bytes. A gzip stream is
// expanded by a goroutine of its own, which close ends and waits for.
type source struct {
	file   *os.File
	packed *counter // bytes taken from the file
	in     io.Reader
	limits Limits
	total  int64 // expanded bytes handed out
	taken  int64 // bytes of the file behind them
	gzip   bool
	ctx    context.Context // asked at every read; a source lives as long as one call

	chunks chan chunk
	spare  chan []byte
	stop   context.CancelFunc
	done   sync.WaitGroup
	rest   []byte
	held   []byte
	err    error
}

type chunk struct {
	data   []byte
	packed int64
	err    error
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// open opens a trace file; the first two bytes tell whether it is gzip.
func open(ctx context.Context, path string, limits Limits) (*source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the trace: %w", err)
	}
	if st, err := f.Stat(); err == nil && st.IsDir() {
		f.Close()
		return nil, fmt.Errorf("opening the trace %s: it is a directory; hint: name its *.trace.json.gz files", path)
	}
	s, err := newSource(ctx, f, limits)
	if err != nil {
		f.Close()
		return nil, err
	}
	s.file = f
	return s, nil
}

func newSource(ctx context.Context, r io.Reader, limits Limits) (*source, error) {
	s := &source{packed: &counter{r: r}, limits: limits.orDefault(), stop: func() {}, ctx: ctx}
	buffered := bufio.NewReaderSize(s.packed, 256<<10)
	magic, _ := buffered.Peek(2)
	s.in = buffered
	if bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("reading the gzip header: %w", err)
		}
		s.in, s.gzip = z, true
		ctx, s.stop = context.WithCancel(ctx)
		s.chunks, s.spare = make(chan chunk, 2), make(chan []byte, 4)
		for range cap(s.spare) {
			s.spare <- make([]byte, chunkBytes)
		}
		s.done.Add(1)
		go s.pump(ctx)
	}
	return s, nil
}

// pump expands ahead of the scanner until the end, an error or close.
func (s *source) pump(ctx context.Context) {
	defer s.done.Done()
	defer close(s.chunks)
	for {
		var b []byte
		select {
		case b = <-s.spare:
		case <-ctx.Done():
			return
		}
		n, err := io.ReadFull(s.in, b[:chunkBytes])
		if errors.Is(err, io.ErrUnexpectedEOF) && n > 0 {
			// ReadFull's own word for a short last chunk; a cut gzip stream says
			// the same, and the next read tells which it was.
			err = nil
		}
		select {
		case s.chunks <- chunk{data: b[:n], packed: s.packed.n, err: err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// read fills p like io.Reader. It answers errLimit where a limit ends it, and
// io.ErrUnexpectedEOF or the decoder's error where the gzip stream is cut.
func (s *source) read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	if s.total >= s.limits.Bytes {
		return 0, fmt.Errorf("%w: more than %d bytes of JSON", errLimit, s.limits.Bytes)
	}
	if !s.gzip {
		n, err := s.in.Read(p)
		s.total += int64(n)
		s.taken = s.packed.n
		return n, err
	}
	for len(s.rest) == 0 {
		if s.held != nil {
			s.spare <- s.held
			s.held = nil
		}
		if s.err != nil {
			return 0, s.err
		}
		c, ok := <-s.chunks
		if !ok {
			return 0, context.Canceled
		}
		s.rest, s.held, s.err, s.taken = c.data, c.data[:chunkBytes:chunkBytes], c.err, c.packed
		if s.total > s.limits.calm && c.packed > 0 && s.total/c.packed > s.limits.Ratio {
			return 0, fmt.Errorf("%w: gzip expands %d times", errLimit, s.total/c.packed)
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	s.total += int64(n)
	return n, nil
}

func (s *source) close() {
	s.stop()
	s.done.Wait()
	if s.file != nil {
		s.file.Close()
	}
}
