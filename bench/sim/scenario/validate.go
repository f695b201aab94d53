package scenario

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Validate checks a complete scenario: words and ranges by the fields' tags,
// then what keys mean together. The error is Errors, with positions when the
// scenario was read from a file.
func (s *Scenario) Validate() error {
	c := &checker{s: s}
	c.tags(reflect.ValueOf(s).Elem(), "")
	if !scenarioName.MatchString(s.Name) {
		c.fail("name", fmt.Sprintf("%q cannot name a scenario", clip(s.Name)), "one word of letters, digits, dots and dashes")
	}
	if len(c.errs) == 0 { // what follows relies on words and ranges
		c.deployment()
		for i := range s.Load {
			c.segment(&s.Load[i], fmt.Sprintf("load[%d]", i))
		}
		for i := range s.Faults {
			c.fault(&s.Faults[i], fmt.Sprintf("faults[%d]", i))
		}
		for i := range s.Expect {
			c.expect(&s.Expect[i], fmt.Sprintf("expect[%d]", i))
		}
	}
	if len(c.errs) == 0 {
		return nil
	}
	sort.SliceStable(c.errs, func(i, j int) bool { return c.errs[i].Line < c.errs[j].Line })
	return c.errs[:min(len(c.errs), maxErrors)]
}

type checker struct {
	s    *Scenario
	errs Errors
}

// fail records a problem at the longest beginning of the path that was written.
func (c *checker) fail(path, problem, hint string) {
	e := &Error{File: c.s.file, Path: path, Problem: problem, Hint: hint}
	for p := path; ; {
		if at, ok := c.s.pos[p]; ok {
			e.Line, e.Column = at.line, at.column
			break
		}
		if p == "" {
			break
		}
		p = p[:max(strings.LastIndexAny(p, ".["), 0)]
	}
	c.errs = append(c.errs, e)
}

func (c *checker) written(path string) bool { _, ok := c.s.pos[path]; return ok }

// tags checks enum and range of every field below v.
func (c *checker) tags(v reflect.Value, path string) {
	for _, f := range fields(v.Type()) {
		c.field(v.FieldByIndex(f.Index), f, join(path, f.Tag.Get("yaml")))
	}
}

func (c *checker) field(v reflect.Value, f reflect.StructField, path string) {
	switch {
	case v.Type() == reflect.TypeFor[Target]():
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() {
			c.field(v.Elem(), f, path)
		}
	case v.Kind() == reflect.Struct:
		c.tags(v, path)
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			c.field(v.Index(i), f, fmt.Sprintf("%s[%d]", path, i))
		}
	default:
		if words := enumOf(f); words != nil {
			written := fmt.Sprint(v.Interface())
			// Without a default, absent is allowed: a later key or rule decides.
			_, has := f.Tag.Lookup("default")
			absent := v.IsZero() && !has && f.Tag.Get("required") == ""
			if !absent && !slices.Contains(words, written) {
				c.fail(path, fmt.Sprintf("%q is not allowed", clip(written)), hintFor(clip(written), words))
			}
		}
		if in := f.Tag.Get("range"); in != "" && !within(v, in) {
			c.fail(path, fmt.Sprintf("%v is out of range", v.Interface()), "allowed is "+rangeText(in, v.Type()))
		}
	}
}

func enumOf(f reflect.StructField) []string {
	switch tag := f.Tag.Get("enum"); tag {
	case "":
		return nil
	case "@kinds":
		var out []string
		for _, k := range FaultKinds() {
			out = append(out, string(k))
		}
		return out
	default:
		return strings.Split(tag, "|")
	}
}

// within reports whether a number lies in an interval like [0,1], (0,) or (,5].
// Ends are numbers; durations count in seconds.
func within(v reflect.Value, in string) bool {
	var x float64
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		x = time.Duration(v.Int()).Seconds()
	case v.CanFloat():
		x = v.Float()
	case v.CanInt():
		x = float64(v.Int())
	default:
		x = float64(v.Uint())
	}
	lo, hi := ends(in)
	if in[0] == '(' && x <= lo || x < lo {
		return false
	}
	return !(in[len(in)-1] == ')' && x >= hi || x > hi)
}

func ends(in string) (lo, hi float64) {
	a, b, _ := strings.Cut(in[1:len(in)-1], ",")
	lo, hi = math.Inf(-1), math.Inf(1)
	if a != "" {
		lo, _ = strconv.ParseFloat(a, 64)
	}
	if b != "" {
		hi, _ = strconv.ParseFloat(b, 64)
	}
	return lo, hi
}

// rangeText is an interval in words: "0…1", "more than 0", "0 or more".
func rangeText(in string, t reflect.Type) string {
	lo, hi := ends(in)
	unit := ""
	if t == reflect.TypeFor[time.Duration]() {
		unit = "s"
	}
	num := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) + unit }
	switch {
	case math.IsInf(hi, 1) && in[0] == '(':
		return "more than " + num(lo)
	case math.IsInf(hi, 1):
		return num(lo) + " or more"
	case in[0] == '(':
		return "more than " + num(lo) + ", at most " + num(hi)
	}
	return num(lo) + "…" + num(hi)
}

func (c *checker) deployment() {
	d := &c.s.Deployment
	names := map[string]bool{}
	served := map[string]bool{}
	roles := map[string]map[Role]bool{}
	for i, p := range d.Pools {
		path := fmt.Sprintf("deployment.pools[%d]", i)
		if !poolName(p.Name) || isNamed(p.Name) {
			c.fail(path+".name", fmt.Sprintf("%q cannot name a pool", clip(p.Name)), "lower-case letters and dashes, and none of the words that name targets")
		}
		if names[p.Name] {
			c.fail(path+".name", fmt.Sprintf("a second pool is called %q", clip(p.Name)), "give each a name")
		}
		names[p.Name], served[p.Model] = true, true
		if !slices.Contains(d.Models, p.Model) {
			c.fail(path+".model", fmt.Sprintf("no model %q", clip(p.Model)), "add it to deployment.models, or "+hintFor(clip(p.Model), d.Models))
		}
		if roles[p.Model] == nil {
			roles[p.Model] = map[Role]bool{}
		}
		roles[p.Model][p.Role] = true
		if d.Kind == "plain-sglang" && (p.Engine != "sglang" || p.Role != Aggregated) {
			c.fail(path, "plain SGLang servers are aggregated and run sglang", "or take kind: dynamo")
		}
	}
	for i, m := range d.Models {
		path := fmt.Sprintf("deployment.models[%d]", i)
		if m == "" || slices.Index(d.Models, m) < i {
			c.fail(path, "empty, or there twice", "")
		} else if !served[m] {
			c.fail(path, fmt.Sprintf("no pool serves %q", clip(m)), "add a pool with this model")
		}
		if r := roles[m]; r[Prefill] != r[Decode] {
			c.fail("deployment.pools", fmt.Sprintf("%q has one of prefill and decode, not both", clip(m)), "add a pool with the other role")
		}
	}
	for name, g := range map[string]*Grid{"ttft": d.Buckets.TTFT, "itl": d.Buckets.ITL, "request_duration": d.Buckets.RequestDuration,
		"input_sequence": d.Buckets.InputSequence, "output_sequence": d.Buckets.OutputSequence} {
		if g != nil && g.Max <= g.Min {
			c.fail("deployment.buckets."+name+".max", "not more than min", "")
		}
	}
}

func isNamed(s string) bool { return s == string(TargetAll) || slices.Contains(named, TargetKind(s)) }

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
		if f.Kind == Scale && t.Index >= 0 {
			c.fail(at, "scale meets a whole pool", "leave the number out")
		}
	}
}

// target checks that there is such a thing in this deployment.
func (c *checker) target(t Target, path string) {
	d := &c.s.Deployment
	workers, gpus, ranks := 0, 0, 0
	var pool *Pool
	var names []string
	hosts := map[int]int{} // GPUs by size of host
	for i := range d.Pools {
		p := &d.Pools[i]
		names = append(names, p.Name)
		if p.Name == t.Pool {
			pool = p
		}
		if t.Kind == TargetWorker && t.Index >= workers && t.Index < workers+p.Workers {
			ranks = p.DP
		}
		workers += p.Workers
		gpus += p.Workers * p.TP * p.DP
		hosts[p.GPUsPerHost] += p.Workers * p.TP * p.DP
	}
	count, what := 0, ""
	switch t.Kind {
	case TargetPool:
		if pool == nil {
			c.fail(path, fmt.Sprintf("no pool is called %q", clip(t.Pool)), hintFor(clip(t.Pool), names))
			return
		}
		count, what, ranks = c.most(pool), "workers in "+t.Pool, pool.DP
	case TargetWorker:
		count, what = workers, "workers"
	case TargetGPU:
		count, what = gpus, "GPUs"
	case TargetHost, TargetDCGM:
		for size, n := range hosts {
			count += (n + size - 1) / size
		}
		what = "hosts"
		if t.Kind == TargetDCGM && !d.Exporters.DCGM {
			count, what = 0, "DCGM exporters: see deployment.exporters"
		}
	case TargetFrontend:
		count, what = d.Frontends.Count, "frontends"
	case TargetRouter:
		count, what = 1, "router"
		if !d.Router.Standalone {
			count = d.Frontends.Count
		}
	case TargetKVBM:
		if count, what = workers, "KVBM endpoints"; d.Exporters.KVBM == "off" {
			count, what = 0, "KVBM endpoints: see deployment.exporters"
		}
	case TargetPlanner:
		if count, what = 1, "planner"; !d.Exporters.Planner {
			count, what = 0, "planners: see deployment.exporters"
		}
	default:
		return // all
	}
	if t.Kind == TargetFrontend || t.Kind == TargetRouter {
		if d.Kind == "plain-sglang" {
			count, what = 0, what+" before plain SGLang servers"
		}
	}
	if t.Index >= count || count == 0 {
		c.fail(path, fmt.Sprintf("there is no %s", t), fmt.Sprintf("%d %s, counted from 0", count, what))
	} else if t.Rank >= 0 && t.Rank >= ranks {
		c.fail(path, fmt.Sprintf("%s has %d ranks", t, ranks), "counted from 0; set dp on the pool")
	}
}

// most workers that a pool ever has.
func (c *checker) most(p *Pool) int {
	n := p.Workers
	for _, f := range c.s.Faults {
		if f.Kind == Scale {
			for _, t := range f.Target {
				if t.Pool == p.Name {
					n = max(n, f.Workers)
				}
			}
		}
	}
	return n
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

func (c *checker) expect(e *Expect, path string) {
	if !verdictCode.MatchString(e.Verdict) {
		c.fail(path+".verdict", fmt.Sprintf("%q is no verdict code", clip(e.Verdict)), "lower-case words joined by dashes")
	}
	if e.From >= e.To || e.To > c.s.Duration {
		c.fail(path+".from", fmt.Sprintf("from %v to %v is no stretch of the %v", e.From, e.To, c.s.Duration), "")
	}
	if e.Culprit.Kind != TargetNone {
		c.target(e.Culprit, path+".culprit")
	}
}
