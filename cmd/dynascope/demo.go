package main

import (
	"os"

	"github.com/spf13/cobra"

	"dynascope/bench/replay"
	"dynascope/bench/sim/server"
)

// demoCommand shows the console on a deployment of its own: simulated, or as
// recorded from a real one. Both go through the real scraper.
func demoCommand(in, out, errOut *os.File, conf *configuration) *cobra.Command {
	s := settings{conf: conf, dummy: dummy()}
	var sim simSettings
	var recorded bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "the console on a simulated (or recorded) deployment; nothing else is needed",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if recorded {
				rec, err := replay.Demo()
				if err != nil {
					return err
				}
				server, err := rec.Serve(ctx)
				if err != nil {
					return err
				}
				defer server.Close()
				s.targets, s.name = server.URLs(), "demo (recorded Dynamo "+rec.Release+")"
				return watch(ctx, s, in, out, errOut)
			}
			return sim.run(ctx, func(sv *server.Server) error {
				for _, e := range sv.Endpoints() {
					s.targets = append(s.targets, e.Metrics)
				}
				s.name = "demo (" + sim.scenario + ", simulated)"
				if !cmd.Flags().Changed("sla-ttft") && sim.sla.TTFT > 0 {
					s.sla.TTFT = sim.sla.TTFT
				}
				if !cmd.Flags().Changed("sla-itl") && sim.sla.ITL > 0 {
					s.sla.ITL = sim.sla.ITL
				}
				return watch(ctx, s, in, out, errOut)
			})
		},
	}
	s.flags(cmd)
	sim.flags(cmd, "demo")
	cmd.Flags().BoolVar(&recorded, "recorded", false, "replay 150 s of a real Dynamo 1.6.1 instead of simulating")
	return cmd
}
