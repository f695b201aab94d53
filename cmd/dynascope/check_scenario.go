package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"dynascope/bench/sim/scenario"
	"dynascope/cmd/dynascope/trial"
	"dynascope/profiling/triage/rules"
	"dynascope/profiling/triage/verdict"
	"dynascope/tui/report"
)

// scenarioEvery is the time between judgements of a simulation.
const scenarioEvery = 10 * time.Second

// playScenario judges a simulation in virtual time, a line a judgement.
func (s *checkSettings) playScenario(cmd *cobra.Command, out *os.File) error {
	sc, err := scenario.Load(s.scenario)
	if err != nil {
		return err
	}
	o := trial.Options{Interval: s.interval, Every: s.every}
	if o.Interval <= 0 || o.Every < 0 {
		return fmt.Errorf("read --interval and --every: not positive; hint: --interval 1s --every 10s")
	}
	if s.at != "" {
		if o.At, err = time.ParseDuration(s.at); err != nil || o.At <= 0 {
			return fmt.Errorf("read --at %q: no time since the scenario's start; hint: --at 10m", s.at)
		}
		if sc.Duration > 0 && !sc.Repeat && o.At > sc.Duration {
			return fmt.Errorf("read --at %s: the scenario ends after %s; hint: an earlier moment", s.at, sc.Duration)
		}
		if o.Every == 0 {
			o.Every, o.Until = scenarioEvery, o.At // one judgement
		}
	}
	if o.Every == 0 {
		o.Every = scenarioEvery
	}
	// Baselines of real deployments are not the simulation's.
	o.Rules = rules.All()
	// What the scenario promises holds unless the user promises otherwise.
	o.SLA = verdict.SLA{TTFT: sc.SLA.TTFT, ITL: sc.SLA.ITL}
	if o.SLA.TTFT == 0 || cmd.Flags().Changed("sla-ttft") {
		o.SLA.TTFT = s.sla.TTFT
	}
	if o.SLA.ITL == 0 || cmd.Flags().Changed("sla-itl") {
		o.SLA.ITL = s.sla.ITL
	}
	return trial.Run(cmd.Context(), sc, o, func(x trial.Sight) error {
		c := report.Codes{Scenario: sc.Name, Start: trial.Epoch, At: x.At, Judgement: x.Judgement, Name: trial.Name}
		if s.json {
			return report.CodesJSON(out, c)
		}
		return report.CodesText(out, c)
	})
}
