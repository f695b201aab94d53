package trace

import (
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

func TestSorterAgreesWithStableSort(t *testing.T) {
	type rec struct {
		key uint64
		seq int64
	}
	for _, c := range []struct{ n, limit int }{{0, 8}, {1, 8}, {100, 1000}, {20_000, 1 << 20}, {20_000, 16 * 777}} {
		dir := t.TempDir()
		sp := &spill{dir: dir}
		s := newSorter(sp, c.limit, func(r *rec) uint64 { return r.key })
		rng := rand.New(rand.NewPCG(1, 2))
		for range 2 { // the second time in the memory and file of the first
			s.reset()
			if err := sp.rewind(); err != nil {
				t.Fatal(err)
			}
			var want []rec
			for i := range c.n {
				r := rec{rng.Uint64N(uint64(c.n)/3+1) << 20, int64(i)}
				want = append(want, r)
				if err := s.add(&r); err != nil {
					t.Fatal(err)
				}
			}
			slices.SortStableFunc(want, func(a, b rec) int { return int(a.key>>20) - int(b.key>>20) })
			w, got := s.walk(), []rec(nil)
			for r := w.next(); r != nil; r = w.next() {
				got = append(got, *r)
			}
			if w.err != nil || !slices.Equal(got, want) {
				t.Fatalf("%d records, %d bytes: %v; %d came back, in order: %v", c.n, c.limit, w.err, len(got), slices.Equal(got, want))
			}
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("the spill left %v while open", left)
		}
		sp.close()
	}
}
