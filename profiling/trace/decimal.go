package trace

import (
	"math"
	"math/big"
)

// nanos reads a JSON number of microseconds, such as 1712195495519703.772, as
// whole nanoseconds, digit by digit: float64 resolves only 0.25 µs at that
// size. Digits behind the third decimal round. It answers how many bytes the
// number takes.
func nanos(b []byte) (ns int64, n int, ok bool) {
	i, neg := 0, false
	if i < len(b) && b[i] == '-' {
		neg, i = true, 1
	}
	v, first := uint64(0), i
	for i < len(b) {
		d := b[i] - '0'
		if d > 9 {
			break
		}
		if v > (math.MaxInt64-9)/10 {
			return 0, i, false
		}
		v = v*10 + uint64(d)
		i++
	}
	if i == first {
		return 0, i, false
	}
	if v > math.MaxInt64/1000-1 {
		return exotic(b)
	}
	v *= 1000
	if i < len(b) && b[i] == '.' {
		i++
		for weight := uint64(100); i < len(b); i++ {
			d := b[i] - '0'
			if d > 9 {
				break
			}
			if weight > 0 {
				v += uint64(d) * weight
				if weight == 1 && i+1 < len(b) && b[i+1] >= '5' && b[i+1] <= '9' {
					v++
				}
				weight /= 10
			}
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		return exotic(b)
	}
	if neg {
		return -int64(v), i, true
	}
	return int64(v), i, true
}

// exotic reads a number that is written with an exponent, exactly.
func exotic(b []byte) (ns int64, n int, ok bool) {
	for n < len(b) && n < 64 && (b[n] >= '0' && b[n] <= '9' || b[n] == '-' || b[n] == '+' || b[n] == '.' || b[n] == 'e' || b[n] == 'E') {
		n++
	}
	f, _, err := big.ParseFloat(string(b[:n]), 10, 128, big.ToNearestEven)
	if err != nil {
		return 0, n, false
	}
	f.Mul(f, big.NewFloat(1000))
	limit := big.NewFloat(math.MaxInt64 / 2)
	if f.Cmp(limit) > 0 || f.Cmp(new(big.Float).Neg(limit)) < 0 {
		return 0, n, false
	}
	half := big.NewFloat(0.5)
	if f.Sign() < 0 {
		half.Neg(half)
	}
	ns, _ = f.Add(f, half).Int64()
	return ns, n, true
}

// whole reads a JSON integer; a fraction is dropped. It answers how many bytes
// the number takes.
func whole(b []byte) (v int64, n int, ok bool) {
	i, neg := 0, false
	if i < len(b) && b[i] == '-' {
		neg, i = true, 1
	}
	first := i
	for i < len(b) {
		d := b[i] - '0'
		if d > 9 {
			break
		}
		if v > (math.MaxInt64-9)/10 {
			return 0, i, false
		}
		v = v*10 + int64(d)
		i++
	}
	ok = i > first
	for i < len(b) && (b[i] >= '0' && b[i] <= '9' || b[i] == '.' || b[i] == 'e' || b[i] == 'E' || b[i] == '+' || b[i] == '-') {
		i++
	}
	if neg {
		v = -v
	}
	return v, i, ok
}
