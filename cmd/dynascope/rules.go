package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"dynascope/cmd/dynascope/config"
	"dynascope/profiling/triage/alerts"
	"dynascope/profiling/triage/rules"
	"dynascope/profiling/triage/verdict"
)

// formatPrometheus is the one format of rules that there is.
const formatPrometheus = "prometheus"

// rulesCommand writes the verdicts as rules for a Prometheus server.
func rulesCommand(conf *configuration) *cobra.Command {
	s := settings{conf: conf}
	var format string
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "print recording and alerting rules with the PromQL part of each verdict",
		Long: `rules prints a rule file for Prometheus: the figures of the catalogue as recording
rules, one spelling for all engines and releases, and over them one alert for
each verdict that PromQL can say. The numbers of each alert stand in a comment
before it, and in what it is simpler than the verdict; verdicts that no
expression says are listed with the reason.

  dynascope rules > dynascope.rules.yml
  promtool check rules dynascope.rules.yml

--window should hold four scrapes: with a scrape_interval of 30s, --window 2m.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.printRules(cmd.OutOrStdout(), format) },
	}
	f := cmd.Flags()
	f.StringVar(&format, "format", formatPrometheus, "form of the rules: "+formatPrometheus)
	f.DurationVar(&s.window, "window", verdict.Look, "look-back of rates and histograms")
	f.DurationVar(&s.interval, "interval", 15*time.Second, "time between evaluations")
	f.StringVar(&s.prefix, "frontend-prefix", "", "metric prefix of the frontend when DYN_METRICS_PREFIX renames dynamo_frontend")
	config.Mark(f, config.FlagOnly, "format", "window", "interval") // not those of the console
	return cmd
}

func (s settings) printRules(out io.Writer, format string) error {
	switch {
	case format != formatPrometheus:
		return fmt.Errorf("read --format %q: there is no such format; hint: --format %s", format, formatPrometheus)
	case s.window < 10*time.Second:
		return fmt.Errorf("read --window %s: too short; hint: four times the scrape interval", s.window)
	case s.interval < time.Second:
		return fmt.Errorf("read --interval %s: too short; hint: --interval 15s", s.interval)
	}
	cat, err := s.catalogue()
	if err != nil {
		return err
	}
	return alerts.Write(out, cat, rules.All(), alerts.Options{Window: s.window, Every: s.interval, By: "dynascope " + version})
}
