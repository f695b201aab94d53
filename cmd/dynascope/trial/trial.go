package trial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"dynascope/bench/sim/scenario"
	"dynascope/bench/sim/virtual"
	"dynascope/bench/sim/world"
	"dynascope/profiling/triage/verdict"
	"dynascope/sources/catalog"
	"dynascope/sources/embedded"
	"dynascope/sources/feed"
)

// Epoch is when a scenario begins in virtual time.
var Epoch = time.Date(2031, 2, 3, 4, 5, 0, 0, time.UTC)

// Options say how a scenario is watched; the zero value scrapes all of it once
// a second and judges every five seconds to its end.
type Options struct {
	Rules    []verdict.Rule
	Base     verdict.Baselines
	SLA      verdict.SLA   // zero: the scenario's
	Interval time.Duration // between two scrapes of a target
	Every    time.Duration // between two judgements
	At       time.Duration // of the first judgement; zero is the first Every
	Until    time.Duration // of the last; zero is the scenario's end
	Seed     uint64        // zero: the scenario's
	Truth    io.Writer     // the truth log; may be nil
	Retain   time.Duration // of the store; zero: what a store keeps by itself
	// Evidence also judges without any hold, to tell when a rule's condition
	// was met first; it doubles the cost of judging. Wants, where set, says at
	// which moments.
	Evidence bool
	Wants    func(at time.Duration) bool
}

// Sight is one judgement.
type Sight struct {
	At        time.Duration // since the scenario's start
	Judgement *verdict.Judgement
	// Met are the verdicts of the same rules without their holds; nil unless
	// asked for.
	Met []verdict.Verdict
}

// Run plays a scenario and hands over each judgement. Its error, or that of
// each, ends the run.
func Run(ctx context.Context, sc *scenario.Scenario, o Options, each func(Sight) error) (err error) {
	if o.Interval <= 0 {
		o.Interval = time.Second
	}
	if o.Every <= 0 {
		o.Every = verdict.Step
	}
	if o.At <= 0 {
		o.At = o.Every
	}
	if o.Until <= 0 {
		o.Until = sc.Duration
	}
	if o.SLA == (verdict.SLA{}) {
		o.SLA = verdict.SLA{TTFT: sc.SLA.TTFT, ITL: sc.SLA.ITL}
	}
	w, err := world.New(world.Config{Scenario: sc, Start: Epoch, Truth: o.Truth, Seed: o.Seed})
	if err != nil {
		return fmt.Errorf("build the deployment of %s: %w", sc.Name, err)
	}
	store, err := embedded.Open(ctx, embedded.Options{Retention: o.Retain, KeepNames: catalog.Default().Keep()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	watch := feed.New(store, catalog.Default())
	needs := verdict.Needs(o.Rules)
	unheld := withoutHold(o.Rules)
	next := o.At
	_, err = virtual.Run(ctx, w, store, virtual.Options{
		Interval: o.Interval, Until: o.Until,
		OnScrape: func(at time.Time) error {
			if at.Sub(Epoch) < next {
				return nil
			}
			for at.Sub(Epoch) >= next {
				next += o.Every
			}
			snap := watch.Tick(ctx, feed.Ask{Needs: needs, At: at, Events: verdict.Span})
			in := verdict.Input{Snap: snap, Base: o.Base, SLA: o.SLA, Rules: o.Rules}
			s := Sight{At: at.Sub(Epoch), Judgement: verdict.Judge(in)}
			if o.Evidence && (o.Wants == nil || o.Wants(s.At)) {
				in.Rules = unheld
				j := verdict.Judge(in)
				s.Met = append(j.Verdicts, j.Silenced...)
			}
			return each(s)
		},
	})
	if err == nil {
		err = w.Flush()
	}
	return err
}

func withoutHold(rules []verdict.Rule) []verdict.Rule {
	out := append([]verdict.Rule(nil), rules...)
	for i := range out {
		out[i].Hold = 0
	}
	return out
}

// Name is whom a verdict names, in the scenario's words where there is one:
// "worker1", "frontend0", "gpu3", else the culprit's own name. Targets of a
// simulation are called by their endpoint and a port.
func Name(c verdict.Culprit) string {
	if c.Kind == "gpu" {
		return c.Kind + c.Name[strings.LastIndexFunc(c.Name, func(r rune) bool { return r < '0' || r > '9' })+1:]
	}
	if name, _, ok := strings.Cut(c.Instance, ":"); ok {
		return name
	}
	return c.Name
}
