package text

import (
	"math"
	"strconv"
	"strings"
)

// digits is how many significant digits a number shows; more would change
// with every scrape and say nothing.
const digits = 3

// odd names what is not a finite number.
func odd(v float64) (string, bool) {
	switch {
	case math.IsNaN(v):
		return None, true
	case math.IsInf(v, 1):
		return "inf", true
	case math.IsInf(v, -1):
		return "-inf", true
	}
	return "", false
}

// round cuts a finite number to n significant digits, but never before the
// decimal point.
func round(v float64, n int) (r float64, decimals int) {
	if v == 0 {
		return 0, 0
	}
	decimals = min(max(n-1-int(math.Floor(math.Log10(math.Abs(v)))), 0), 12)
	p := math.Pow10(decimals)
	r = math.Round(v*p) / p
	return r, decimals
}

// plain prints a finite number with n significant digits, without an exponent
// and without trailing zeros, thousands apart.
func plain(v float64, n int) string {
	r, decimals := round(v, n)
	if math.Abs(r) >= 1e15 {
		return strconv.FormatFloat(r, 'g', n, 64)
	}
	s := strconv.FormatFloat(r, 'f', decimals, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return group(s)
}

// group sets a space between thousands of the whole part: "12 402".
func group(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	whole, rest := s, ""
	if i := strings.IndexByte(s, '.'); i >= 0 {
		whole, rest = s[:i], s[i:]
	}
	if len(whole) <= 3 {
		return sign + s
	}
	var b strings.Builder
	b.WriteString(sign)
	for i := range len(whole) {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(' ')
		}
		b.WriteByte(whole[i])
	}
	return b.String() + rest
}

// Count prints a whole number: "12 402". Counts over a window are
// extrapolated, so they are rounded; one that is above zero and rounds to it
// reads "<1".
func Count(n float64) string {
	if s, ok := odd(n); ok {
		return s
	}
	if n > 0 && n < 0.5 {
		return "<1"
	}
	return plain(math.Round(n), digits)
}

var prefixes = [...]string{"", "k", "M", "G", "T", "P", "E"}

// SI prints a number with a decimal prefix: "41.2", "18.4k", "1.2M", "71G".
// Positive numbers below 0.001 read "<0.001".
func SI(v float64) string {
	if s, ok := odd(v); ok {
		return s
	}
	if v > 0 && v < 0.001 {
		return "<0.001"
	}
	return scaled(v, 1000, prefixes[:])
}

// scaled divides until the rounded number has at most three whole digits.
func scaled(v, base float64, suffixes []string) string {
	i := 0
	for ; i < len(suffixes)-1; i++ {
		if r, _ := round(v, digits); math.Abs(r) < 1000 {
			break
		}
		v /= base
	}
	return plain(v, digits) + suffixes[i]
}

var (
	bytesLong  = []string{" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"}
	bytesShort = []string{"", "K", "M", "G", "T", "P", "E"}
)

// Bytes prints bytes in binary multiples: "512 B", "1.5 GiB".
func Bytes(v float64) string {
	if s, ok := odd(v); ok {
		return s
	}
	return scaled(v, 1024, bytesLong)
}

// BytesShort is Bytes for narrow cells: "71G" is 71 GiB.
func BytesShort(v float64) string {
	if s, ok := odd(v); ok {
		return s
	}
	return scaled(v, 1024, bytesShort)
}

// Percent prints a ratio (1 is 100 %): "84 %", below 10 % and between 99 and
// 100 % with one digit after the point. It never rounds to 0 or 100 what is
// not: "<0.1 %", ">-0.1 %", ">99.9 %".
func Percent(ratio float64) string {
	if s, ok := odd(ratio); ok {
		return s
	}
	p := math.Round(ratio*100*1e9) / 1e9 // 0.29*100 is not 29
	switch {
	case p > 0 && p < 0.05:
		return "<0.1 %"
	case p < 0 && p > -0.05:
		return ">-0.1 %"
	case p > 99.95 && p < 100:
		return ">99.9 %"
	case math.Abs(p) < 9.95, p > 99 && p < 100:
		return strings.TrimSuffix(strconv.FormatFloat(p, 'f', 1, 64), ".0") + " %"
	default:
		return plain(math.Round(p), digits) + " %"
	}
}
