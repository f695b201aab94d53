package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"dynascope/cmd/dynascope/config"
	"dynascope/profiling/triage/verdict"
	"dynascope/sources/feed"
	"dynascope/tui/judged"
	"dynascope/tui/report"
)

// checkSettings are those of check alone.
type checkSettings struct {
	settings
	verbose  bool
	scenario string
	every    time.Duration
}

// checkCommand judges once and says so by its exit status.
func checkCommand(out *os.File, conf *configuration) *cobra.Command {
	s := checkSettings{settings: settings{conf: conf}}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "judge once and end: exit status 0 healthy, 1 warning, 2 critical, 3 unknown",
		Long: `check collects for --for, judges once by the rules of the console's verdict
line, and says what is wrong, since when, by what evidence and what to do. The
flags that name sources are the console's; a recording and a remote server are
judged at once. Rules that look back over a minute judge only when it is filled
(--for 90s): until then what the others found counts.

  dynascope check --target http://HOST:8000 --target http://HOST:8081
  dynascope check --prometheus https://prometheus.example --deployment prod
  dynascope check --data DIR --at 03:12 -v
  dynascope check --scenario kv-pressure --every 10s --json

Exit status: 0 healthy, 1 warning, 2 critical, 3 when nothing could be judged or
check itself failed. --scenario judges a simulation in virtual time instead, a
line a judgement, and ends with 0 when it ran.
docs/check-json.md describes --json.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.scenario != "" {
				return s.playScenario(cmd, out)
			}
			if cmd.Flags().Changed("every") {
				return errors.New("--every is the time between judgements of a simulation; hint: --scenario NAME --every 10s")
			}
			return s.judge(cmd.Context(), out)
		},
	}
	f := cmd.Flags()
	f.DurationVar(&s.wait, "for", 30*time.Second, "how long to collect before judging")
	f.BoolVar(&s.json, "json", false, "print JSON (schema "+report.CheckSchema+")")
	f.BoolVarP(&s.verbose, "verbose", "v", false, "print the PromQL behind each number, and what was wrong and ended")
	f.StringVar(&s.name, "name", "", "name of the deployment in the title")
	f.StringVar(&s.pick, "deployment", "", "judge this deployment, as d of the console lists it")
	f.DurationVar(&s.interval, "interval", time.Second, "time between scrapes of a target")
	f.DurationVar(&s.window, "window", 5*time.Minute, "look-back of the figures in the line of a healthy deployment")
	f.DurationVar(&s.sla.TTFT, "sla-ttft", 500*time.Millisecond, "time to first token that was promised")
	f.DurationVar(&s.sla.ITL, "sla-itl", 25*time.Millisecond, "inter-token latency that was promised")
	f.Var(&s.baseline, "baseline", "`FILE` of baselines instead of those in the state directory (see dynascope baseline)")
	f.BoolVar(&s.ascii, "ascii", false, "write 7-bit characters only")
	f.StringVar(&s.data, "data", "", "judge the recording in `DIR` (made by dynascope record)")
	f.StringVar(&s.at, "at", "", "with --data: judge this `MOMENT`: 03:12, -20m; with --scenario: the first judgement, such as 10m")
	f.StringVar(&s.scenario, "scenario", "", "judge the scenario `NAME|FILE` in virtual time instead")
	f.DurationVar(&s.every, "every", 0, "with --scenario: time between judgements (default 10s; with --at alone one judgement)")
	s.remote.flags(cmd)
	s.collectFlags(cmd)
	// A file's scenario is for the demo: it must not keep check from looking at
	// what runs.
	config.Mark(f, config.FlagOnly, "scenario")
	return cmd
}

// judge collects, judges once, prints and ends with the judgement's status.
func (s *checkSettings) judge(ctx context.Context, out *os.File) (err error) {
	s.once = true // --json is meant
	if err := s.check(); err != nil {
		return err
	}
	cat, err := s.catalogue()
	if err != nil {
		return err
	}
	o, err := openOrigin(ctx, s.settings, cat)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := o.Close(); cerr != nil {
			err = cerr
		}
	}()
	if err := o.fill(ctx, s.wait); err != nil {
		return err
	}
	court := s.court(s.baselines())
	ask := feed.Ask{Needs: slices.Concat(judged.Needs(), court.Needs(), report.OutlookNeeds()), Window: s.window, At: o.now(), Events: verdict.Span}
	c := report.Checked{SLA: court.SLA, Name: s.name}
	if s.pick != "" {
		list, err := lister(o, cat)(ctx)
		if err != nil {
			return err
		}
		picked, err := pickDeployment(list, s.pick)
		if err != nil {
			return err
		}
		ask.Scope = picked.Scope
		if c.Name == "" {
			c.Name = picked.Name
		}
	}
	c.Snap = o.feed(cat).Tick(ctx, ask)
	if ctx.Err() != nil {
		return exitError{code: 130, msg: "stopped before it was judged"}
	}
	c.Judgement = court.Judge(c.Snap)
	outlook := report.OutlookOf(c.Snap, court.SLA)
	tuning := adviser(o, cat, court.SLA)(ctx, c.Snap.At, ask.Scope)
	c.Outlook, c.Tuning = &outlook, &tuning
	if o.tried != nil {
		c.Tried = o.tried()
	}
	if s.json {
		err = report.CheckJSON(out, c)
	} else {
		err = report.CheckText(out, c, checkWidth, s.verbose, s.ascii)
	}
	if err != nil {
		return err
	}
	return exitError{code: report.Exit(c.Judgement.State)}
}

// checkWidth is the width of the text: that of the narrowest terminal that is
// fully served.
const checkWidth = 80

// unknownStatus turns a failure of check itself into its status for not knowing.
func unknownStatus(err error) error {
	var exit exitError
	if err == nil || errors.As(err, &exit) {
		return err
	}
	return exitError{code: report.Exit(verdict.Unknown), msg: fmt.Sprint(err)}
}
