package scenario

import (
	"math"
	"time"
)

// Shape is a number over the time of a segment: a rate or a concurrency.
// A bare number is short for {shape: constant, value: …}.
type Shape struct {
	// Its form; each uses the keys named with it below.
	Form string `yaml:"shape" default:"constant" enum:"constant|ramp|sine|steps|burst" ex:"sine"`
	// The number, for constant.
	Value float64 `yaml:"value" default:"0" range:"[0,)" ex:"4"`
	// At the segment's start, for ramp.
	Start float64 `yaml:"start" default:"0" range:"[0,)" ex:"2"`
	// At the segment's end, for ramp; a straight line between.
	End float64 `yaml:"end" default:"0" range:"[0,)" ex:"12"`
	// The middle, for sine.
	Mean float64 `yaml:"mean" default:"0" range:"[0,)" ex:"6"`
	// Greatest distance from the middle, for sine; at most `mean`.
	Amplitude float64 `yaml:"amplitude" default:"0" range:"[0,)" ex:"4"`
	// Of one wave (sine), or from one peak's beginning to the next (burst).
	Period time.Duration `yaml:"period" default:"60s" range:"(0,31536000]" ex:"24h"`
	// How far into the first period the segment starts (sine, burst). A sine
	// starts at its middle and rises; a burst period starts with the peak.
	Phase time.Duration `yaml:"phase" default:"0s" range:"[0,31536000]" ex:"6h"`
	// Values from given times on, for steps.
	Steps []Step `yaml:"steps"`
	// Between peaks, for burst.
	Base float64 `yaml:"base" default:"0" range:"[0,)" ex:"2"`
	// In a peak, for burst.
	Peak float64 `yaml:"peak" default:"0" range:"[0,)" ex:"20"`
	// How long a peak lasts, for burst; less than `period`.
	For time.Duration `yaml:"for" default:"5s" range:"(0,)" ex:"3s"`
}

// Step is one level of a shape of steps.
type Step struct {
	// From when on, counted from the segment's start. Ascending; before the
	// first, the number is 0.
	At time.Duration `yaml:"at" default:"0s" range:"[0,)" ex:"30s"`
	// The number from then on.
	Value float64 `yaml:"value" default:"0" range:"[0,)" ex:"8"`
}

func (Shape) shorthand() string { return "value" }

// At returns the number at a time since the segment's start, in a segment of
// the given length.
func (s *Shape) At(t, length time.Duration) float64 {
	switch s.Form {
	case "ramp":
		if length <= 0 {
			return s.End
		}
		f := min(max(float64(t)/float64(length), 0), 1)
		return s.Start + (s.End-s.Start)*f
	case "sine":
		return max(s.Mean+s.Amplitude*math.Sin(s.angle(t)), 0)
	case "steps":
		v := 0.0
		for _, st := range s.Steps {
			if st.At > t {
				break
			}
			v = st.Value
		}
		return v
	case "burst":
		if (t+s.Phase)%s.Period < s.For {
			return s.Peak
		}
		return s.Base
	default:
		return s.Value
	}
}

// Area returns the integral of At from the segment's start to t, in units
// times seconds: the expected number of arrivals where the shape is a rate.
func (s *Shape) Area(t, length time.Duration) float64 {
	if t <= 0 {
		return 0
	}
	sec := t.Seconds()
	switch s.Form {
	case "ramp":
		if length <= 0 {
			return s.End * sec
		}
		whole := min(sec, length.Seconds())
		area := s.Start*whole + (s.End-s.Start)*whole*whole/(2*length.Seconds())
		return area + s.End*(sec-whole)
	case "sine":
		per := s.Period.Seconds() / (2 * math.Pi)
		return s.Mean*sec + s.Amplitude*per*(math.Cos(s.angle(0))-math.Cos(s.angle(t)))
	case "steps":
		area := 0.0
		for i, st := range s.Steps {
			end := t
			if i+1 < len(s.Steps) {
				end = min(end, s.Steps[i+1].At)
			}
			if end > st.At {
				area += st.Value * (end - st.At).Seconds()
			}
		}
		return area
	case "burst":
		peaks := func(x time.Duration) float64 { // seconds of peak in phase time 0…x
			return float64(x/s.Period)*s.For.Seconds() + min(x%s.Period, s.For).Seconds()
		}
		on := peaks(t+s.Phase) - peaks(s.Phase)
		return s.Peak*on + s.Base*(sec-on)
	default:
		return s.Value * sec
	}
}

// Max returns the greatest number the shape reaches.
func (s *Shape) Max() float64 {
	switch s.Form {
	case "ramp":
		return max(s.Start, s.End)
	case "sine":
		return s.Mean + s.Amplitude
	case "steps":
		v := 0.0
		for _, st := range s.Steps {
			v = max(v, st.Value)
		}
		return v
	case "burst":
		return max(s.Base, s.Peak)
	default:
		return s.Value
	}
}

// angle of a sine at t; whole periods are left out first, so that a week keeps
// its precision.
func (s *Shape) angle(t time.Duration) float64 {
	return 2 * math.Pi * float64((t+s.Phase)%s.Period) / float64(s.Period)
}
