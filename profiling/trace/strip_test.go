package trace

import (
	"context"
	"reflect"
	"testing"

	"dynascope/profiling/trace/tracegen"
)

// TestStripShowsWhatRan holds the strip to the busy time, and a strip read
// anew to the one that came with the analysis.
func TestStripShowsWhatRan(t *testing.T) {
	paths, _ := generate(t, tracegen.Spec{Steps: 30, Overlap: true, Prefill: 4}, false)
	r := analyse(t, paths, Options{})
	k := &r.Ranks[0]
	if len(k.Strip.Streams) != 2 || k.Strip.Left != 0 {
		t.Fatalf("%d streams", len(k.Strip.Streams))
	}
	again, err := ReadStrip(context.Background(), &r.Files[0], k.Device, k.Window)
	if err != nil || len(again.Streams) != 2 {
		t.Fatalf("%v %+v", err, again)
	}
	for _, s := range k.Strip.Streams {
		same := false
		for _, o := range again.Streams {
			same = same || reflect.DeepEqual(s, o)
		}
		if !same {
			t.Errorf("stream %s differs when read again", s.Label)
		}
	}
	filled := func(s *Strip) (share float64) {
		for bin := range s.Bins {
			most := uint8(0)
			for _, st := range s.Streams {
				most = max(most, st.Fill[bin])
			}
			share += float64(most) / 255 / float64(s.Bins)
		}
		return share
	}
	if got, want := filled(k.Strip), float64(k.Busy)/float64(k.Elapsed); got < want-0.1 || got > want+0.02 {
		t.Errorf("the strip is %.3f full, busy is %.3f", got, want)
	}
	step := k.Sequence[4]
	zoom, err := ReadStrip(context.Background(), &r.Files[0], k.Device, Window{step.GPUStart, step.GPUEnd})
	if err != nil {
		t.Fatal(err)
	}
	attention := uint8(index(categories, "attention"))
	seen := false
	for _, s := range zoom.Streams {
		for i, c := range s.Category {
			seen = seen || c == attention && s.Fill[i] == 255
		}
	}
	if !seen {
		t.Error("no bin of the zoomed step is full of attention")
	}
}

// TestStripBinsAreWhole holds the bins' edges to the window for odd lengths.
func TestStripBinsAreWhole(t *testing.T) {
	for _, length := range []int64{1, 7, 2047, 2048, 2049, 1_000_003, 3 << 40} {
		p := newStrip(0, length)
		if p.edge(0) != 0 || p.edge(stripBins) != length {
			t.Errorf("%d: edges %d to %d", length, p.edge(0), p.edge(stripBins))
		}
		for _, at := range []int64{0, length / 3, length - 1} {
			if b := p.bin(at); p.edge(b) > at || b+1 < stripBins && p.edge(b+1) <= at {
				t.Errorf("%d: %d is not in bin %d", length, at, b)
			}
		}
	}
}
