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
	files    []string // target files
	gpus     bool     // sample this host's GPUs
	remote   remote
	data, at string // a recording, and the moment in it to open
	pick     string // deployment to begin with
	lean     bool   // --low-bandwidth
	name     string
	interval time.Duration
	window   time.Duration
	sla      pane.SLA
	theme    string
	ascii    bool
	readOnly bool
	mouse    bool
	conf     *configuration
	dummy    *pane.Command // of the demo
	baseline baselineFile

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

func root(in, out, errOut *os.File) *cobra.Command {
	conf := &configuration{}
	s := settings{conf: conf}
	cmd := &cobra.Command{
		Use:   "dynascope",
		Short: "on-call console for SGLang, vLLM and TensorRT-LLM on NVIDIA Dynamo",
		Long: `dynascope watches a Dynamo deployment's metrics pages and shows where the time
to first token goes, the latency histograms and the load of every worker.

  dynascope                            what runs on this host
  dynascope --target http://HOST:8000 --target http://HOST:8081
  dynascope --targets 'sd/*.json'      Prometheus target files, followed
  dynascope --prometheus https://prometheus.example
  dynascope --data DIR --at 03:12      a moment that dynascope record kept
  dynascope demo                       a simulated deployment, nothing needed
  dynascope --once --json --for 15s    the same figures for a program

Without a source it looks for one on this host's loopback: at documented ports,
and at those that local dynamo, sglang, vllm and trtllm processes name. Without
a terminal it prints --once and ends.`,
		Args:          cobra.NoArgs,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return watch(cmd.Context(), s, in, out, errOut)
		},
	}
	s.flags(cmd)
	s.remote.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&s.data, "data", "", "open the recording in `DIR` (made by dynascope record)")
	f.StringVar(&s.at, "at", "", "with --data: open at this `MOMENT`: 03:12, -20m, 2026-11-23T03:12 (default: the newest)")
	f.StringVar(&s.pick, "deployment", "", "begin with this deployment, as d lists it")
	s.collectFlags(cmd)

	demo, record, sim, check := demoCommand(in, out, errOut, conf), recordCommand(conf), simCommand(), checkCommand(out, conf)
	cmd.AddCommand(check, demo, record, sim, traceCommand(), versionCommand())
	baselines, learn := baselineCommand(conf)
	rules := rulesCommand(conf)
	cmd.AddCommand(baselines, rules)
	doctor := doctorCommand(conf)
	cmd.AddCommand(doctor)
	profile, profileStart, profileStop := profileCommand(conf, in)
	cmd.AddCommand(profile)
	conf.attach(cmd, demo, record, sim, check, learn, rules, doctor, profileStart, profileStop)
	return cmd
}

// collectFlags say what is scraped and how: for the console and the recorder.
func (s *settings) collectFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVarP(&s.targets, "target", "t", nil, "metrics endpoint `URL` of a frontend, worker or exporter (repeatable; /metrics is added)")
	f.StringArrayVar(&s.files, "targets", nil, "Prometheus target `FILE` (file_sd, JSON or YAML) or pattern, followed as it changes (repeatable)")
	f.BoolVar(&s.gpus, "gpus", true, "read this host's GPUs through NVML where there are some")
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
}

// flags registers what every way of watching shares.
func (s *settings) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.name, "name", "", "name of the deployment in the title")
	f.BoolVar(&s.lean, "low-bandwidth", false, "draw less and less often, for slow lines")
	f.DurationVar(&s.interval, "interval", time.Second, "time between scrapes of a target")
	f.DurationVar(&s.window, "window", 5*time.Minute, "look-back of rates and histograms")
	f.DurationVar(&s.sla.TTFT, "sla-ttft", 500*time.Millisecond, "time to first token that was promised")
	f.DurationVar(&s.sla.ITL, "sla-itl", 25*time.Millisecond, "inter-token latency that was promised")
	f.Var(&s.baseline, "baseline", "`FILE` of baselines instead of those in the state directory (see dynascope baseline)")
	f.StringVar(&s.theme, "theme", "", "colours: dark, light, high-contrast, colour-blind, mono")
	f.BoolVar(&s.ascii, "ascii", false, "draw with 7-bit characters only")
	f.BoolVar(&s.readOnly, "read-only", false, "refuse everything that would change a server")
	f.BoolVar(&s.mouse, "mouse", false, "take clicks and the wheel (selecting text then needs shift)")
	f.BoolVar(&s.once, "once", false, "collect for --for, print one snapshot and end")
	f.BoolVar(&s.json, "json", false, "with --once: print JSON (schema dynascope.once/1)")
	f.DurationVar(&s.wait, "for", 15*time.Second, "with --once: how long to collect")
}

func (s settings) catalogue() (*catalog.Catalog, error) {
	c := catalog.Default()
	if s.prefix != "" {
		var err error
		if c, err = c.WithFrontendPrefix(s.prefix); err != nil {
			return nil, err
		}
	}
	if exprs, _ := userExprs(s.userPanes()); len(exprs) > 0 {
		return c.WithUser(exprs...)
	}
	return c, nil
}
