package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"dynascope/sources/catalog"
	"dynascope/tui/pane"
)

// settings are the flags that the console, --once and the demo share.
type settings struct {
	targets  []string
	name     string
	interval time.Duration
	window   time.Duration
	sla      pane.SLA
	theme    string
	ascii    bool

	once bool
	json bool
	wait time.Duration

	prefix string
	auth   auth
}

// auth are the credentials for the targets named by --target, and only those.
type auth struct {
	bearerFile        string
	username          string
	passwordFile      string
	caFile            string
	certFile, keyFile string
	insecure          bool
	bodyLimit         int64
	sampleLimit       int
	timeout           time.Duration
}

// defaultTargets are asked when no --target is given: the documented ports of
// a Dynamo frontend and of a worker's system server, on this host only.
var defaultTargets = []string{"http://127.0.0.1:8000", "http://127.0.0.1:8081"}

func root(in, out, errOut *os.File) *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "dynascope",
		Short: "on-call console for SGLang, vLLM and TensorRT-LLM on NVIDIA Dynamo",
		Long: `dynascope watches a Dynamo deployment's metrics pages and shows where the time
to first token goes, the latency histograms and the load of every worker.

  dynascope --target http://HOST:8000 --target http://HOST:8081
  dynascope demo                       a simulated deployment, nothing needed
  dynascope --once --json --for 15s    the same figures for a program

Without --target it asks http://127.0.0.1:8000 and :8081. Without a terminal
it prints --once and ends.`,
		Args:          cobra.NoArgs,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(s.targets) == 0 {
				s.targets = defaultTargets
			}
			return watch(cmd.Context(), s, in, out, errOut)
		},
	}
	s.flags(cmd)
	f := cmd.Flags()
	f.StringArrayVarP(&s.targets, "target", "t", nil, "metrics endpoint `URL` of a frontend, worker or exporter (repeatable; /metrics is added)")
	f.StringVar(&s.name, "name", "", "name of the deployment in the title")
	f.StringVar(&s.prefix, "frontend-prefix", "", "metric prefix of the frontend when DYN_METRICS_PREFIX renames dynamo_frontend")
	f.StringVar(&s.auth.bearerFile, "bearer-token-file", "", "`FILE` with the token for the targets")
	f.StringVar(&s.auth.username, "username", "", "user for basic auth at the targets")
	f.StringVar(&s.auth.passwordFile, "password-file", "", "`FILE` with the password for basic auth")
	f.StringVar(&s.auth.caFile, "ca-file", "", "`FILE` with the CA that signed the targets' certificates")
	f.StringVar(&s.auth.certFile, "cert-file", "", "client certificate `FILE`")
	f.StringVar(&s.auth.keyFile, "key-file", "", "client key `FILE`")
	f.BoolVar(&s.auth.insecure, "insecure", false, "do not verify the targets' TLS certificates (marked on screen)")
	f.DurationVar(&s.auth.timeout, "timeout", 0, "time a target has to answer (default: the interval, at most 1s)")
	f.Int64Var(&s.auth.bodyLimit, "body-limit", 0, "largest page in bytes (default 8 MiB)")
	f.IntVar(&s.auth.sampleLimit, "sample-limit", 0, "most kept series of one target (default 20000)")

	cmd.AddCommand(demoCommand(in, out, errOut), simCommand(), versionCommand())
	return cmd
}

// flags registers what every way of watching shares.
func (s *settings) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.DurationVar(&s.interval, "interval", time.Second, "time between scrapes of a target")
	f.DurationVar(&s.window, "window", 5*time.Minute, "look-back of rates and histograms")
	f.DurationVar(&s.sla.TTFT, "sla-ttft", 500*time.Millisecond, "time to first token that was promised")
	f.DurationVar(&s.sla.ITL, "sla-itl", 25*time.Millisecond, "inter-token latency that was promised")
	f.StringVar(&s.theme, "theme", "", "colours: dark, light, high-contrast, colour-blind, mono")
	f.BoolVar(&s.ascii, "ascii", false, "draw with 7-bit characters only")
	f.BoolVar(&s.once, "once", false, "collect for --for, print one snapshot and end")
	f.BoolVar(&s.json, "json", false, "with --once: print JSON (schema dynascope.once/1)")
	f.DurationVar(&s.wait, "for", 15*time.Second, "with --once: how long to collect")
}

func (s settings) catalogue() (*catalog.Catalog, error) {
	c := catalog.Default()
	if s.prefix == "" {
		return c, nil
	}
	return c.WithFrontendPrefix(s.prefix)
}
