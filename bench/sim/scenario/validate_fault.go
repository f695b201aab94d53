package scenario

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

func (c *checker) fault(f *Fault, path string) {
	rule := ruleOf(f.Kind)
	v := reflect.ValueOf(f).Elem()
	for _, key := range rule.needs {
		if fl, ok := fieldByKey(v.Type(), key); ok && v.FieldByIndex(fl.Index).IsZero() || key == "target" && c.s.pos != nil && !c.written(path+".target") {
			c.fail(path, fmt.Sprintf("the kind %s needs %q", f.Kind, key), rule.doc)
		}
	}
	used := append(slices.Concat(rule.needs, rule.uses), "at", "for", "every", "times", "target")
	c.unused(v.Type(), path, "kind", string(f.Kind), used)
	switch {
	case f.Kind == SlowStage && (f.Factor == 0) == (f.Delay == 0):
		c.fail(path, "slow_stage needs one of \"factor\" and \"delay\"", rule.doc)
	case f.Kind != ClockSkew && f.Delay < 0:
		c.fail(path+".delay", fmt.Sprintf("%v is negative", f.Delay), "only clock_skew can be")
	}
	if f.At >= c.s.Duration {
		c.fail(path+".at", fmt.Sprintf("%v is not before the end, %v", f.At, c.s.Duration), "make duration longer")
	}
	if f.Every > 0 && (f.For == 0 || f.For >= f.Every) && f.Kind != FlushCache {
		c.fail(path+".every", "with it, for must be set and shorter", "for: how long each time, every: from one beginning to the next")
	}
	if f.Times > 0 && f.Every == 0 {
		c.fail(path+".times", "means nothing without every", "")
	}
	if f.Model != "" && !slices.Contains(c.s.Deployment.Models, f.Model) {
		c.fail(path+".model", fmt.Sprintf("no model %q", clip(f.Model)), hintFor(clip(f.Model), c.s.Deployment.Models))
	}
	for i, t := range f.Target {
		at := path + ".target"
		if c.written(fmt.Sprintf("%s[%d]", at, i)) {
			at = fmt.Sprintf("%s[%d]", at, i)
		}
		if !slices.Contains(rule.targets, t.Kind) {
			c.fail(at, fmt.Sprintf("%s cannot meet %s", f.Kind, t), "it meets "+kindsText(rule.targets))
			continue
		}
		c.target(t, at)
		if f.Kind == SlowStage {
			c.stage(f.Stage, t, path+".stage")
		}
		if f.Kind == Scale && t.Index >= 0 {
			c.fail(at, "scale meets a whole pool", "leave the number out")
		}
	}
}

// stage checks that the target has such a stage.
func (c *checker) stage(stage string, t Target, path string) {
	r := &c.s.Deployment.Router
	routers := slices.Contains(routerStages, stage)
	switch {
	case routers && stage != "scheduling" && r.Mode != "kv":
		c.fail(path, fmt.Sprintf("a router of mode %s has no stage %s", r.Mode, stage), "mode: kv has")
	case r.Standalone && routers && t.Kind != TargetRouter:
		c.fail(path, fmt.Sprintf("%s is not in %s: the router is standalone", stage, t), "target: router")
	case r.Standalone && !routers && t.Kind == TargetRouter:
		c.fail(path, fmt.Sprintf("%s is not in a standalone router", stage), "target: frontend")
	}
}

func kindsText(kinds []TargetKind) string {
	var out []string
	for _, k := range kinds {
		if k == TargetPool {
			out = append(out, "a pool's name")
			continue
		}
		out = append(out, string(k))
	}
	return strings.Join(out, ", ")
}

var (
	verdictCode  = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	scenarioName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
)

func (c *checker) verdict(code, path string) {
	if !verdictCode.MatchString(code) {
		c.fail(path, fmt.Sprintf("%q is no verdict code", clip(code)), "lower-case words joined by dashes")
	}
}

func (c *checker) expect(e *Expect, path string) {
	c.verdict(e.Verdict, path+".verdict")
	if e.From >= e.To || e.To > c.s.Duration {
		c.fail(path+".from", fmt.Sprintf("from %v to %v is no stretch of the %v", e.From, e.To, c.s.Duration), "")
	}
	if e.Culprit.Kind != TargetNone {
		c.target(e.Culprit, path+".culprit")
	}
}
