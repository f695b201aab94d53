package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"dynascope/bench/sim/scenario"
	"dynascope/bench/sim/server"
	"dynascope/bench/sim/world"
	"dynascope/tui/pane"
)

// simSettings say what to simulate.
type simSettings struct {
	scenario string
	seed     uint64
	truth    string
	sla      pane.SLA // of the scenario, once it runs
}

func (s *simSettings) flags(cmd *cobra.Command, name string) {
	f := cmd.Flags()
	f.StringVar(&s.scenario, "scenario", name, "scenario `NAME|FILE`: a shipped one (docs/scenarios.md lists them) or a file")
	f.Uint64Var(&s.seed, "seed", 0, "seed of everything random (default: the scenario's)")
	f.StringVar(&s.truth, "truth", "", "`FILE` for what really happened, one JSON object a line")
}

// simCommand runs a simulated deployment until it is stopped.
func simCommand() *cobra.Command {
	var s simSettings
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "run a simulated Dynamo deployment on loopback",
		Long: `sim runs real HTTP servers on loopback that behave like a Dynamo deployment:
frontend, KV router, workers with their system ports, exporters. It prints one
JSON line naming every endpoint once all of them listen, and runs until it is
stopped. docs/scenarios.md documents the scenario files.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.run(cmd.Context(), func(sim *server.Server) error {
				line := struct {
					Scenario  string            `json:"scenario"`
					Endpoints []server.Endpoint `json:"endpoints"`
				}{s.scenario, sim.Endpoints()}
				if err := json.NewEncoder(cmd.OutOrStdout()).Encode(line); err != nil {
					return fmt.Errorf("print the endpoints: %w", err)
				}
				<-cmd.Context().Done()
				return nil
			})
		},
	}
	s.flags(cmd, "demo")
	return cmd
}

// run starts the deployment, hands it over and stops it.
func (s *simSettings) run(ctx context.Context, use func(*server.Server) error) (err error) {
	sc, err := scenario.Load(s.scenario)
	if err != nil {
		return err
	}
	s.sla = pane.SLA{TTFT: time.Duration(sc.SLA.TTFT), ITL: time.Duration(sc.SLA.ITL)}
	var truth io.Writer
	if s.truth != "" {
		f, err := os.OpenFile(filepath.Clean(s.truth), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			return fmt.Errorf("open the truth log: %w", err)
		}
		defer func() {
			if cerr := f.Close(); err == nil && cerr != nil {
				err = fmt.Errorf("close the truth log: %w", cerr)
			}
		}()
		truth = f
	}
	sim, err := server.Start(ctx, world.Config{Scenario: sc, Seed: s.seed, Start: time.Now(), Truth: truth}, server.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sim.Close()) }()
	return use(sim)
}
