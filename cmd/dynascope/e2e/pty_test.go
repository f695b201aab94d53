//go:build e2e && linux

package e2e

import (
	"slices"
	"testing"
	"time"

	"dynascope/cmd/dynascope/e2e/pty"
)

// BenchmarkFirstFrame is the time from exec to the first drawn frame, and the
// time from a key to its effect, while every target is black-holed. Budget:
// 100 ms and 50 ms (screens.md); figures are medians.
func BenchmarkFirstFrame(b *testing.B) {
	var first, echo []time.Duration
	for b.Loop() {
		args := []string{bin(b)}
		for range 16 {
			args = append(args, "--target", blackHole(b))
		}
		began := time.Now()
		p, err := pty.Start(140, 42, nil, args...)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(p.Close)
		until := func(mark int, text string) int {
			mark, err := p.Until(mark, text, 5*time.Second)
			if err != nil {
				b.Fatal(err)
			}
			return mark
		}
		mark := until(0, "dynascope")
		first = append(first, time.Since(began))
		for range 3 {
			began = time.Now()
			if err := p.Type("?"); err != nil {
				b.Fatal(err)
			}
			mark = until(mark, "screens")
			echo = append(echo, time.Since(began))
			_ = p.Type("?")
			time.Sleep(100 * time.Millisecond)
			mark = p.Mark()
		}
	}
	b.ReportMetric(0, "ns/op")
	report(b, "first-frame", first)
	report(b, "key-echo", echo)
}

func report(b *testing.B, name string, d []time.Duration) {
	slices.Sort(d)
	b.ReportMetric(float64(d[len(d)/2].Microseconds())/1000, name+"-p50-ms")
	b.ReportMetric(float64(d[len(d)-1].Microseconds())/1000, name+"-max-ms")
}
