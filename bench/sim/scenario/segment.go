package scenario

import "time"

// Segment is one kind of traffic over one stretch of the scenario.
type Segment struct {
	// When it begins.
	From time.Duration `yaml:"from" default:"0s" range:"[0,)" ex:"30s"`
	// When it ends: no request starts later; those under way finish. 0s is the
	// end of the scenario.
	To time.Duration `yaml:"to" default:"0s" range:"[0,)" ex:"2m"`
	// Open: requests arrive at a rate, however slow the answers are. Closed: a
	// number of users, each of whom waits for an answer before asking again.
	Kind string `yaml:"kind" default:"open" enum:"open|closed" ex:"closed"`
	// Arrivals, for an open loop. A number is a constant rate.
	Rate *Shape `yaml:"rate" unit:"requests/s" ex:"{shape: ramp, start: 2, end: 12}"`
	// Users, for a closed loop. A number is a constant number.
	Concurrency *Shape `yaml:"concurrency" unit:"users" ex:"64"`
	// Pause of a user between an answer and the next question, on average
	// (exponentially distributed), for a closed loop.
	Think time.Duration `yaml:"think" default:"0s" range:"[0,31536000]" ex:"2s"`
	// How arrivals of an open loop scatter around the rate.
	Arrival Arrival `yaml:"arrival"`
	// Prompt length. A number is a constant length.
	ISL Length `yaml:"isl" default:"1024" unit:"tokens" ex:"{dist: lognormal, mean: 2000, stddev: 1500, max: 16000}"`
	// Answer length. A number is a constant length.
	OSL Length `yaml:"osl" default:"128" unit:"tokens" ex:"{dist: normal, mean: 250, stddev: 80, min: 16}"`
	// Beginnings that prompts share.
	Prefix Prefix `yaml:"prefix"`
	// Requests that ask for a stream; the others get one answer at the end.
	Stream float64 `yaml:"stream" default:"1" range:"[0,1]" unit:"share" ex:"0.9"`
	// Clients that go away before the answer is complete.
	Cancel Cancel `yaml:"cancel"`
	// The model asked for. Without it, each request takes one of the
	// deployment's at random.
	Model string `yaml:"model" ex:"Qwen/Qwen3-8B"`
}

// Arrival is how the gaps between arrivals scatter around 1/rate.
// `arrival: constant` is short for `arrival: {process: constant}`.
type Arrival struct {
	// Constant: equal gaps. Poisson: independent arrivals. Gamma: gaps with the
	// coefficient of variation `cv`: below 1 more even than Poisson, above 1
	// in clumps.
	Process string `yaml:"process" default:"poisson" enum:"constant|poisson|gamma" ex:"gamma"`
	// Standard deviation of a gap over its mean, for gamma.
	CV float64 `yaml:"cv" default:"1" range:"(0,20]" ex:"2.5"`
}

func (Arrival) shorthand() string { return "process" }

// Prefix is the beginning (system prompt, document, conversation) that some
// requests have in common, so that engines can reuse its KV. It counts towards
// the prompt length; a shorter prompt is all prefix.
type Prefix struct {
	// Requests that begin with a shared prefix.
	Share float64 `yaml:"share" default:"0" range:"[0,1]" unit:"share" ex:"0.8"`
	// Different prefixes.
	Groups int `yaml:"groups" default:"8" range:"[1,1000000]" ex:"20"`
	// Length of each.
	Tokens int `yaml:"tokens" default:"512" range:"[1,)" unit:"tokens" ex:"800"`
	// How unevenly they are used: group i has weight i^−skew (Zipf). 0 is evenly.
	Skew float64 `yaml:"skew" default:"0" range:"[0,10]" ex:"1.1"`
	// Name of the set of prefixes. Segments with the same name draw from the
	// same prefixes, so a later one finds the earlier one's cache; another
	// name starts cold.
	Set string `yaml:"set" default:"a" ex:"b"`
}

// Cancel is how clients go away early.
type Cancel struct {
	// Requests whose client goes away.
	Share float64 `yaml:"share" default:"0" range:"[0,1]" unit:"share" ex:"0.05"`
	// After how many output tokens; 0 is before the first.
	After Length `yaml:"after" default:"16" unit:"tokens" ex:"{dist: uniform, min: 0, max: 64}"`
}
