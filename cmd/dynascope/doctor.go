package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"dynascope/profiling/doctor"
)

// doctorLook is how long the doctor collects by default: two scrapes, and a
// target that hangs has had its time.
const doctorLook = 5 * time.Second

// doctorCommand says what is wrong between the endpoints and the screens.
func doctorCommand(conf *configuration) *cobra.Command {
	s := settings{window: time.Minute, conf: conf}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "say why figures are missing, from the endpoint to the screen",
		Long: `doctor looks at everything between an endpoint and a screen: targets that do not
answer or answer with something else, names and releases, missing labels, screens
that stay empty and the flag that fills each, clocks, what a scrape costs, bucket
edges against --sla-ttft and --sla-itl, NVML, and profile routes (without calling
one). The flags that name targets are the console's; without any it searches this
host. With --prometheus the pages that --target names, or that run on this host,
are compared with what the server scrapes. Beside the scrapes, each page is
fetched once more; nothing else than GET is ever sent.

Exit status: 0 all is well, 1 warnings, 2 something that blocks, 3 no target
answered, or the doctor could not look. docs/troubleshooting.md lists every finding.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return couldNotLook(diagnose(cmd, s))
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return couldNotLook(err) })
	f := cmd.Flags()
	f.DurationVar(&s.interval, "interval", time.Second, "time between scrapes of a target")
	f.DurationVar(&s.sla.TTFT, "sla-ttft", 500*time.Millisecond, "time to first token that was promised")
	f.DurationVar(&s.sla.ITL, "sla-itl", 25*time.Millisecond, "inter-token latency that was promised")
	f.BoolVar(&s.json, "json", false, "print JSON (schema "+doctor.Schema+")")
	f.DurationVar(&s.wait, "for", doctorLook, "how long to collect")
	s.collectFlags(cmd)
	s.remote.flags(cmd)
	return cmd
}

// couldNotLook keeps a failure of the command itself apart from a warning that
// it gives: nothing was reached then.
func couldNotLook(err error) error {
	var exit exitError
	if err == nil || errors.As(err, &exit) {
		return err
	}
	return exitError{code: doctor.ExitNothing, msg: err.Error()}
}

// diagnose gathers, judges and prints.
func diagnose(cmd *cobra.Command, s settings) error {
	if err := s.checkInterval(); err != nil {
		return err
	}
	switch {
	case s.wait <= 0 || s.wait > 10*time.Minute:
		return fmt.Errorf("read --for %s: out of range; hint: --for %s", s.wait, doctorLook)
	case s.sla.TTFT <= 0 || s.sla.ITL <= 0:
		return fmt.Errorf("read --sla-ttft and --sla-itl: not positive; hint: --sla-ttft 500ms --sla-itl 25ms")
	}
	flags := cmd.Flags()
	ours := !flags.Changed("sla-ttft") && !flags.Changed("sla-itl")
	g, err := gather(cmd.Context(), s)
	switch {
	case errors.Is(err, context.Canceled):
		return exitError{code: 130, msg: "stopped before the end of --for"}
	case err != nil:
		return err
	}
	g.SLA = doctor.SLA{TTFT: s.sla.TTFT, ITL: s.sla.ITL, Default: ours}
	g.Host, _ = os.Hostname() // without one, loopback alone is this host
	d := doctor.Diagnose(g)
	write := doctor.Text
	if s.json {
		write = doctor.JSON
	}
	if err := write(cmd.OutOrStdout(), g, d); err != nil {
		return err
	}
	if code := d.Exit(); code != doctor.ExitFine {
		return exitError{code: code}
	}
	return nil
}
