package scenario

import (
	"math"
	"math/rand/v2"
)

// Length is a distribution of token counts. A bare number is short for
// {dist: constant, value: …}.
type Length struct {
	// Its form; each uses the keys named with it below.
	Dist string `yaml:"dist" default:"constant" enum:"constant|normal|lognormal|uniform|choice" ex:"lognormal"`
	// The length, for constant.
	Value int `yaml:"value" default:"0" range:"[0,)" unit:"tokens" ex:"1024"`
	// Mean, for normal and lognormal (before `min` and `max` cut).
	Mean float64 `yaml:"mean" default:"0" range:"[0,)" unit:"tokens" ex:"2000"`
	// Standard deviation, for normal and lognormal: of the lengths themselves,
	// not of their logarithms.
	StdDev float64 `yaml:"stddev" default:"0" range:"[0,)" unit:"tokens" ex:"1500"`
	// No length is less. With uniform, the least.
	Min int `yaml:"min" default:"1" range:"[0,)" unit:"tokens" ex:"16"`
	// No length is more; 0 is no limit. With uniform, the greatest.
	Max int `yaml:"max" default:"0" range:"[0,)" unit:"tokens" ex:"16000"`
	// Possible lengths, for choice.
	Values []int `yaml:"values" range:"[0,)" unit:"tokens" ex:"[128, 1024, 8192]"`
	// How likely each of `values` is, relative to each other; without them,
	// equally.
	Weights []float64 `yaml:"weights" range:"[0,)" ex:"[6, 3, 1]"`
}

func (Length) shorthand() string { return "value" }

// Sample draws one length in tokens.
func (l *Length) Sample(rng *rand.Rand) int {
	switch l.Dist {
	case "normal":
		return l.cut(l.Mean + l.StdDev*rng.NormFloat64())
	case "lognormal":
		mu, sigma := l.logParams()
		return l.cut(math.Exp(mu + sigma*rng.NormFloat64()))
	case "uniform":
		return l.Min + rng.IntN(l.Max-l.Min+1)
	case "choice":
		return l.Values[l.pick(rng)]
	default:
		return l.Value
	}
}

// Expected returns the mean length in tokens, before `min` and `max` cut.
func (l *Length) Expected() float64 {
	switch l.Dist {
	case "normal", "lognormal":
		return l.Mean
	case "uniform":
		return float64(l.Min+l.Max) / 2
	case "choice":
		sum, all := 0.0, 0.0
		for i, v := range l.Values {
			w := 1.0
			if l.Weights != nil {
				w = l.Weights[i]
			}
			sum, all = sum+w*float64(v), all+w
		}
		return sum / all
	default:
		return float64(l.Value)
	}
}

// logParams converts mean and deviation of the lengths to those of their
// logarithms.
func (l *Length) logParams() (mu, sigma float64) {
	r := l.StdDev / l.Mean
	s2 := math.Log1p(r * r)
	return math.Log(l.Mean) - s2/2, math.Sqrt(s2)
}

func (l *Length) cut(x float64) int {
	if l.Max > 0 {
		x = min(x, float64(l.Max))
	}
	return int(math.Round(min(max(x, float64(l.Min)), 1<<40)))
}

func (l *Length) pick(rng *rand.Rand) int {
	if l.Weights == nil {
		return rng.IntN(len(l.Values))
	}
	all := 0.0
	for _, w := range l.Weights {
		all += w
	}
	u := rng.Float64() * all
	for i, w := range l.Weights {
		if u < w {
			return i
		}
		u -= w
	}
	return len(l.Weights) - 1
}
