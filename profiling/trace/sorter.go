package trace

import (
	"bufio"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"
)

// sorter holds fixed-size records and gives them back by rising key, those of
// one key as they came. Beyond its limit it writes sorted runs to a spill file
// and merges them: the memory does not grow with the trace. T must hold no
// pointers.
type sorter[T any] struct {
	key    func(*T) uint64
	limit  int // records held in memory
	spill  *spill
	blocks [][]T
	n      int
	last   uint64
	sorted bool // what is held came in order
	runs   []span
	total  int64

	keys, keys2 []uint64
	idx, idx2   []uint32
}

const blockRecords = 1 << 13

type span struct{ from, bytes int64 }

// newSorter makes a sorter that holds about limitBytes of records in memory
// (half as much again while it sorts).
func newSorter[T any](sp *spill, limitBytes int, key func(*T) uint64) *sorter[T] {
	var zero T
	limit := max(limitBytes/int(unsafe.Sizeof(zero)), 1)
	return &sorter[T]{key: key, limit: limit, spill: sp, sorted: true}
}

func (s *sorter[T]) add(rec *T) error {
	if s.n == s.limit {
		if err := s.flush(); err != nil {
			return err
		}
	}
	b := s.n / blockRecords
	if b == len(s.blocks) {
		s.blocks = append(s.blocks, make([]T, blockRecords))
	}
	s.blocks[b][s.n%blockRecords] = *rec
	if k := s.key(rec); k < s.last {
		s.sorted = false
	} else {
		s.last = k
	}
	s.n++
	s.total++
	return nil
}

func (s *sorter[T]) at(i int) *T { return &s.blocks[i/blockRecords][i%blockRecords] }

// order answers the held records' order by key as indices; nil says as held.
func (s *sorter[T]) order() []uint32 {
	if s.sorted {
		return nil
	}
	if cap(s.keys) < s.n {
		size := min(s.limit, max(2*s.n, blockRecords))
		s.keys, s.keys2 = make([]uint64, size), make([]uint64, size)
		s.idx, s.idx2 = make([]uint32, size), make([]uint32, size)
	}
	keys, keys2, idx, idx2 := s.keys[:s.n], s.keys2[:s.n], s.idx[:s.n], s.idx2[:s.n]
	all, none := ^uint64(0), uint64(0)
	for i := range keys {
		k := s.key(s.at(i))
		keys[i], idx[i] = k, uint32(i)
		all &= k
		none |= k
	}
	// Least significant digit first, passing over digits that all keys share.
	const digit = 11
	var counts [1 << digit]uint32
	for shift := 0; shift < 64; shift += digit {
		if (all^none)>>shift&(1<<digit-1) == 0 {
			continue
		}
		clear(counts[:])
		for _, k := range keys {
			counts[k>>shift&(1<<digit-1)]++
		}
		sum := uint32(0)
		for d := range counts {
			counts[d], sum = sum, sum+counts[d]
		}
		for i, k := range keys {
			d := k >> shift & (1<<digit - 1)
			keys2[counts[d]], idx2[counts[d]] = k, idx[i]
			counts[d]++
		}
		keys, keys2, idx, idx2 = keys2, keys, idx2, idx
	}
	return idx
}

// flush writes what is held as one sorted run.
func (s *sorter[T]) flush() error {
	order := s.order()
	out, err := s.spill.writer()
	if err != nil {
		return err
	}
	from := out.at
	for i := range s.n {
		rec := s.at(i)
		if order != nil {
			rec = s.at(int(order[i]))
		}
		if _, err := out.Write(bytesOf(rec)); err != nil {
			return fmt.Errorf("writing the spill file: %w; hint: a trace of this size needs free space in %s (TMPDIR moves it)", err, os.TempDir())
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing the spill file: %w; hint: a trace of this size needs free space in %s (TMPDIR moves it)", err, os.TempDir())
	}
	var zero T
	size := int64(s.n) * int64(unsafe.Sizeof(zero))
	out.at = from + size
	s.runs = append(s.runs, span{from, size})
	s.empty()
	return nil
}

func (s *sorter[T]) empty() { s.n, s.last, s.sorted = 0, 0, true }

// reset forgets everything and keeps the memory for the next file.
func (s *sorter[T]) reset() {
	s.empty()
	s.runs, s.total = nil, 0
}

// bytesOf is a record as it lies in memory: the spill file is read by the
// process that wrote it, and by nobody else.
func bytesOf[T any](rec *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(rec)), unsafe.Sizeof(*rec))
}

// walk is one pass over a sorter's records in order.
type walk[T any] struct {
	s     *sorter[T]
	order []uint32
	i     int
	merge mergeHeap[T]
	rec   T
	err   error
}

// walk begins a pass. The sorter must not be added to while it lasts.
func (s *sorter[T]) walk() *walk[T] {
	w := &walk[T]{s: s}
	if len(s.runs) == 0 {
		w.order = s.order()
		return w
	}
	if s.n > 0 {
		if w.err = s.flush(); w.err != nil {
			return w
		}
	}
	for n, r := range s.runs {
		c := &runCursor[T]{run: n, in: bufio.NewReaderSize(io.NewSectionReader(s.spill.file, r.from, r.bytes), 32<<10)}
		if c.advance(s.key) {
			w.merge = append(w.merge, c)
		} else if w.err = c.err; w.err != nil {
			return w
		}
	}
	heap.Init(&w.merge)
	return w
}

// next answers the next record, nil behind the last or at an error (see err).
// The record lives until the next call.
func (w *walk[T]) next() *T {
	if len(w.s.runs) == 0 {
		if w.i >= w.s.n || w.err != nil {
			return nil
		}
		i := w.i
		w.i++
		if w.order != nil {
			return w.s.at(int(w.order[i]))
		}
		return w.s.at(i)
	}
	if len(w.merge) == 0 || w.err != nil {
		return nil
	}
	c := w.merge[0]
	w.rec = c.rec
	if c.advance(w.s.key) {
		heap.Fix(&w.merge, 0)
	} else {
		w.err = c.err
		heap.Pop(&w.merge)
	}
	return &w.rec
}

type runCursor[T any] struct {
	run int
	in  *bufio.Reader
	rec T
	key uint64
	err error
}

func (c *runCursor[T]) advance(key func(*T) uint64) bool {
	if _, err := io.ReadFull(c.in, bytesOf(&c.rec)); err != nil {
		if !errors.Is(err, io.EOF) {
			c.err = fmt.Errorf("reading the spill file: %w", err)
		}
		return false
	}
	c.key = key(&c.rec)
	return true
}

// mergeHeap orders runs by their next key; equal keys by run, so that records
// come as they were added.
type mergeHeap[T any] []*runCursor[T]

func (h mergeHeap[T]) Len() int { return len(h) }
func (h mergeHeap[T]) Less(i, j int) bool {
	return h[i].key < h[j].key || h[i].key == h[j].key && h[i].run < h[j].run
}
func (h mergeHeap[T]) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *mergeHeap[T]) Push(x any)   { *h = append(*h, x.(*runCursor[T])) }
func (h *mergeHeap[T]) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// spill is one file in a private directory that all sorters share. Where the
// system allows it, both are unlinked as soon as they are open, so that not
// even a killed process leaves them.
type spill struct {
	dir  string // parent; "" is the system's
	made string
	file *os.File
	out  *spillWriter
}

type spillWriter struct {
	*bufio.Writer
	at int64
}

func (s *spill) writer() (*spillWriter, error) {
	if s.file != nil {
		return s.out, nil
	}
	made, err := os.MkdirTemp(s.dir, "dynascope-trace-") // 0700
	if err != nil {
		return nil, fmt.Errorf("making a directory for the spill file: %w", err)
	}
	f, err := os.CreateTemp(made, "spill") // 0600
	if err != nil {
		os.Remove(made)
		return nil, fmt.Errorf("making the spill file: %w", err)
	}
	s.made, s.file = made, f
	s.out = &spillWriter{Writer: bufio.NewWriterSize(f, 256<<10)}
	_ = os.RemoveAll(made) // what an open file does not allow, close does
	return s.out, nil
}

func (s *spill) close() {
	if s.file == nil {
		return
	}
	s.file.Close()
	_ = os.RemoveAll(s.made)
	s.file, s.out = nil, nil
}

// rewind lets the next file's runs overwrite this one's.
func (s *spill) rewind() error {
	if s.file == nil {
		return nil
	}
	s.out.Reset(s.file)
	s.out.at = 0
	if err := s.file.Truncate(0); err != nil {
		return err
	}
	_, err := s.file.Seek(0, io.SeekStart)
	return err
}
