package scenario

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

func (c *checker) segment(s *Segment, path string) {
	if s.From >= s.To {
		c.fail(path+".from", fmt.Sprintf("from %v is not before to %v", s.From, s.To), "")
	}
	if s.To > c.s.Duration {
		c.fail(path+".to", fmt.Sprintf("%v is after the end, %v", s.To, c.s.Duration), "make duration longer")
	}
	used, other := s.Rate, s.Concurrency
	key, otherKey := "rate", "concurrency"
	if s.Kind == "closed" {
		used, other, key, otherKey = other, used, otherKey, key
	}
	if used == nil {
		c.fail(path, fmt.Sprintf("a load of kind %s needs %q", s.Kind, key), "for example "+key+": 8")
	} else {
		c.shape(used, join(path, key))
	}
	if other != nil {
		c.fail(join(path, otherKey), fmt.Sprintf("a load of kind %s has no %q", s.Kind, otherKey), "remove it, or change kind")
	}
	if s.Kind != "closed" && s.Think != 0 {
		c.fail(path+".think", "an open load has no think time", "remove it, or take kind: closed")
	}
	if s.Kind == "closed" && c.written(path+".arrival") {
		c.fail(path+".arrival", "a closed load has no arrival process", "remove it, or take kind: open")
	}
	if s.Arrival.Process != "gamma" && c.written(path+".arrival.cv") {
		c.fail(path+".arrival.cv", "only gamma has a cv", "take process: gamma")
	}
	c.length(&s.ISL, path+".isl", 1)
	c.length(&s.OSL, path+".osl", 1)
	c.length(&s.Cancel.After, path+".cancel.after", 0)
	if s.Model != "" && !slices.Contains(c.s.Deployment.Models, s.Model) {
		c.fail(path+".model", fmt.Sprintf("no model %q", clip(s.Model)), hintFor(clip(s.Model), c.s.Deployment.Models))
	}
}

// formKeys are the keys that each form of a shape uses.
var formKeys = map[string][]string{
	"constant": {"value"},
	"ramp":     {"start", "end"},
	"sine":     {"mean", "amplitude", "period", "phase"},
	"steps":    {"steps"},
	"burst":    {"base", "peak", "period", "phase", "for"},
}

// distKeys are the keys that each distribution of lengths uses.
var distKeys = map[string][]string{
	"constant":  {"value"},
	"normal":    {"mean", "stddev", "min", "max"},
	"lognormal": {"mean", "stddev", "min", "max"},
	"uniform":   {"min", "max"},
	"choice":    {"values", "weights"},
}

// unused reports keys that were written and mean nothing in this form.
func (c *checker) unused(t reflect.Type, path, selector, form string, used []string) {
	for _, key := range keysOf(t) {
		if key != selector && !slices.Contains(used, key) && c.written(join(path, key)) {
			c.fail(join(path, key), fmt.Sprintf("means nothing with %s: %s", selector, form), "it uses "+strings.Join(used, ", "))
		}
	}
}

func (c *checker) shape(s *Shape, path string) {
	c.unused(reflect.TypeFor[Shape](), path, "shape", s.Form, formKeys[s.Form])
	switch s.Form {
	case "sine":
		if s.Amplitude > s.Mean {
			c.fail(path+".amplitude", fmt.Sprintf("%v is more than the mean, %v", s.Amplitude, s.Mean), "a load cannot be negative")
		}
	case "steps":
		for i := 1; i < len(s.Steps); i++ {
			if s.Steps[i].At <= s.Steps[i-1].At {
				c.fail(fmt.Sprintf("%s.steps[%d].at", path, i), "not after the step before", "times ascend")
			}
		}
	case "burst":
		if s.For >= s.Period {
			c.fail(path+".for", fmt.Sprintf("%v is not less than the period, %v", s.For, s.Period), "")
		}
	}
	if s.Max() <= 0 {
		c.fail(path, "never more than 0", "it uses "+strings.Join(formKeys[s.Form], ", "))
	}
	if s.Max() > 1e6 {
		c.fail(path, fmt.Sprintf("%v is too much to simulate", s.Max()), "at most 1000000")
	}
}

func (c *checker) length(l *Length, path string, least int) {
	c.unused(reflect.TypeFor[Length](), path, "dist", l.Dist, distKeys[l.Dist])
	hint := "it uses " + strings.Join(distKeys[l.Dist], ", ")
	bad := func(problem string) { c.fail(path, problem, hint) }
	short := fmt.Sprintf("less than %d", least)
	switch l.Dist {
	case "constant":
		if l.Value < least {
			bad(short)
		}
	case "normal", "lognormal":
		if l.Mean <= 0 {
			bad("the mean is not more than 0")
		}
		fallthrough
	case "uniform":
		if l.Min < least {
			bad(short)
		}
		if l.Max < l.Min && (l.Max != 0 || l.Dist == "uniform") {
			bad(fmt.Sprintf("max %d is less than min %d", l.Max, l.Min))
		}
	case "choice":
		if len(l.Values) == 0 {
			bad("no values")
		}
		for _, v := range l.Values {
			if v < least {
				bad(short)
			}
		}
		sum := 0.0
		for _, w := range l.Weights {
			sum += w
		}
		if l.Weights != nil && (len(l.Weights) != len(l.Values) || sum <= 0) {
			bad(fmt.Sprintf("%d weights for %d values, or all 0", len(l.Weights), len(l.Values)))
		}
	}
}
