package text

import (
	"math"
	"strconv"

	"dynascope/sources"
)

// Bounds prints a quantile as the bucket it lies in, both ends in the unit of
// the upper one: "2.2–4.7 s", "45–84 ms", "< 100 ms" in the first bucket,
// "> 480 s" past the last finite edge. Times above 100 ms are in seconds, so
// that an edge keeps the two digits it was configured with ("0.22–0.47 s").
// That too few samples or a pinned edge are marked is the caller's work.
func Bounds(b sources.Bounds, unit string) string {
	if math.IsNaN(b.Lo) || math.IsNaN(b.Hi) {
		return None
	}
	if b.Over || math.IsInf(b.Hi, 1) {
		if b.First || math.IsInf(b.Lo, 0) {
			return None // a histogram without a finite edge knows nothing
		}
		factor, suffix := boundsUnit(b.Lo, unit)
		return "> " + edge(b.Lo*factor) + suffix
	}
	factor, suffix := boundsUnit(b.Hi, unit)
	hi := edge(b.Hi*factor) + suffix
	switch {
	case b.Lo == b.Hi:
		return hi // the bucket at 0
	case b.First || math.IsInf(b.Lo, -1):
		return "< " + hi
	default:
		return edge(b.Lo*factor) + "–" + hi
	}
}

// edge prints one end. Edges are configuration, not measurement: four digits,
// since SGLang's geometric grids need them to differ.
func edge(v float64) string { return plain(v, 4) }

// boundsUnit picks the factor and suffix for a range that ends at v.
func boundsUnit(v float64, unit string) (factor float64, suffix string) {
	if f := times[unit]; f != 0 {
		switch s := math.Abs(v * f); {
		case s > 0.1 || s == 0:
			return f, " s"
		case s >= 1e-3:
			return f * 1e3, " ms"
		default:
			return f * 1e6, " µs"
		}
	}
	if f := ratios[unit]; f != 0 {
		return 100 / f, " %"
	}
	if f := sizes[unit]; f != 0 {
		for i := len(bytesLong) - 1; i > 0; i-- {
			if math.Abs(v*f) >= math.Pow(1024, float64(i)) {
				return f / math.Pow(1024, float64(i)), bytesLong[i]
			}
		}
		return f, bytesLong[0]
	}
	word := counted(unit)
	if word == "" {
		word = symbols[unit]
	}
	if word != "" {
		word = " " + word
	}
	if math.Abs(v) >= 100_000 {
		return 1e-3, "k" + word
	}
	return 1, word
}

// Share prints a share of requests (ratios, 1 is 100 %) that is known as a
// range: "58–71 %". Ends are rounded outwards, so the range never claims more
// than is known. Equal ends read like Percent: "84 %".
func Share(lo, hi float64) string {
	if math.IsNaN(lo) || math.IsNaN(hi) || math.IsInf(lo, 0) || math.IsInf(hi, 0) {
		return None
	}
	if hi-lo < 1e-9 {
		return Percent(hi)
	}
	steps := 1.0 // a percent
	if hi <= 0.1 || lo >= 0.99 {
		steps = 10
	}
	// The tolerance keeps 0.58, which is 57.999… %, at 58.
	l := math.Floor(lo*100*steps+1e-7) / steps
	h := math.Ceil(hi*100*steps-1e-7) / steps
	return strconv.FormatFloat(l, 'f', -1, 64) + "–" + strconv.FormatFloat(h, 'f', -1, 64) + " %"
}
