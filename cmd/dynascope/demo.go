package main

import (
	"os"

	"github.com/spf13/cobra"

	"dynascope/bench/replay"
)

// demoCommand replays a recorded deployment through the real scraper.
func demoCommand(in, out, errOut *os.File) *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "the console on a recorded Dynamo deployment; nothing else is needed",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rec, err := replay.Demo()
			if err != nil {
				return err
			}
			server, err := rec.Serve(cmd.Context())
			if err != nil {
				return err
			}
			defer server.Close()
			s.targets = server.URLs()
			s.name = "demo (recorded Dynamo " + rec.Release + ")"
			return watch(cmd.Context(), s, in, out, errOut)
		},
	}
	s.flags(cmd)
	return cmd
}
