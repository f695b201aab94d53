package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"dynascope/cmd/dynascope/config"
	"dynascope/profiling/triage/baseline"
	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/text"
)

// baselineFile is a file of baselines as the value of a flag: one that cannot
// be read is a flag that is wrong.
type baselineFile struct {
	path string
	set  *baseline.Set
}

// String is the file's name.
func (b *baselineFile) String() string { return b.path }

// Type names the value in the help.
func (b *baselineFile) Type() string { return "string" }

// Set reads the file; an empty name takes it away.
func (b *baselineFile) Set(path string) (err error) {
	b.path, b.set = path, nil
	if path != "" {
		b.set, err = baseline.ReadFile(path)
	}
	return err
}

// baselineFolder is where this user's baselines are kept.
func baselineFolder() string { return filepath.Join(stateFolder(), "baselines") }

// baselines finds the baselines of what a snapshot shows: those of --baseline,
// else those that were learned. A demo is nobody's deployment, whatever it calls
// itself: only what is learned while it is watched counts there.
func (s settings) baselines() *knownBaselines {
	k := &knownBaselines{set: &baseline.Set{}, given: s.baseline.set != nil, demo: s.dummy != nil}
	switch {
	case k.given:
		k.set = s.baseline.set
	case !k.demo:
		set, err := baseline.ReadFolder(baselineFolder())
		if err != nil {
			fmt.Fprintln(os.Stderr, "dynascope: "+err.Error())
		}
		k.set = set
	}
	return k
}

// knownBaselines are those by which a running program judges; more may be
// learned meanwhile.
type knownBaselines struct {
	given, demo bool
	mu          sync.Mutex
	set         *baseline.Set
}

// of finds those of what a snapshot shows.
func (k *knownBaselines) of(snap *sources.Snapshot) verdict.Baselines {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.set.Of(snap)
}

// learned takes what was learned just now.
func (k *knownBaselines) learned(set *baseline.Set) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.set = k.set.With(set)
}

// learnBaselines learns from the window of a length up to a moment (zero is the
// present) and keeps what it found, in a file unless keep is false. It is what a
// console's action calls, on a goroutine of its own: its feed is not the
// screen's.
func learnBaselines(o *origin, cat *catalog.Catalog, keep bool) func(ctx context.Context, at time.Time, span time.Duration, scope catalog.Scope) (baseline.Learned, string, error) {
	return func(ctx context.Context, at time.Time, span time.Duration, scope catalog.Scope) (baseline.Learned, string, error) {
		if at.IsZero() {
			at = o.now()
		}
		got, err := baseline.From(ctx, o.feed(cat).Feed, at, span, scope)
		if err != nil || !keep {
			return got, "", err
		}
		path, err := baseline.Save(baselineFolder(), got.Deployment, got.Set)
		return got, path, err
	}
}

// baselineCommand learns and shows baselines.
func baselineCommand(conf *configuration) (group, learn *cobra.Command) {
	group = &cobra.Command{
		Use:   "baseline",
		Short: "learn and show what figures are while there is little to do",
		Long: `Verdicts call a number a multiple only of a baseline that was measured. A
baseline is the exact mean of a figure over the moments of a window in which
nothing waited and the engines were little filled. It is learned by this command
or by an action of the console, never by itself, and kept per deployment and
model; the console and check find it by the Dynamo namespace and the model.`,
		Args: cobra.NoArgs,
	}
	learn = learnCommand(conf)
	group.AddCommand(learn, showCommand())
	return group, learn
}

func learnCommand(conf *configuration) *cobra.Command {
	s := settings{conf: conf, window: time.Minute, once: true}
	var outFile string
	cmd := &cobra.Command{
		Use:   "learn",
		Short: "learn the baselines of a deployment over the last --for",
		Long: `learn collects for --for and keeps the means of the quiet moments in it. From a
recording or a remote server, --for is how far back it looks, at once:

  dynascope baseline learn --for 10m --target http://HOST:8000 --target http://HOST:8081
  dynascope baseline learn --prometheus https://prometheus.example --for 1h
  dynascope baseline learn --data DIR --at 03:12 --for 20m --out night.prom
  dynascope --baseline night.prom`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.learn(cmd.Context(), cmd.OutOrStdout(), outFile) },
	}
	f := cmd.Flags()
	f.DurationVar(&s.wait, "for", 10*time.Minute, "length of the window")
	f.StringVar(&outFile, "out", "", "write to this `FILE` instead of the state directory")
	f.StringVar(&s.pick, "deployment", "", "learn this deployment's, as d of the console lists it")
	f.DurationVar(&s.interval, "interval", time.Second, "time between scrapes of a target")
	f.StringVar(&s.data, "data", "", "learn from the recording in `DIR`")
	f.StringVar(&s.at, "at", "", "with --data: the `MOMENT` at which the window ends (default: the newest)")
	s.remote.flags(cmd)
	s.collectFlags(cmd)
	config.Mark(f, config.FlagOnly, "for", "out") // not those of the console
	return cmd
}

func (s settings) learn(ctx context.Context, out io.Writer, file string) (err error) {
	s.sla.TTFT, s.sla.ITL = time.Second, time.Second // not asked for here
	if err := s.check(); err != nil {
		return err
	}
	if s.wait < time.Minute {
		return fmt.Errorf("read --for %s: too short; hint: at least 1m, better 10m", s.wait)
	}
	cat, err := s.catalogue()
	if err != nil {
		return err
	}
	o, err := openOrigin(ctx, s, cat)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	if err := o.fill(ctx, s.wait); err != nil {
		return err
	}
	var scope catalog.Scope
	if s.pick != "" {
		list, err := lister(o, cat)(ctx)
		if err != nil {
			return err
		}
		picked, err := pickDeployment(list, s.pick)
		if err != nil {
			return err
		}
		scope = picked.Scope
	}
	got, err := baseline.From(ctx, o.feed(cat), o.now(), s.wait, scope)
	if err != nil {
		return err
	}
	path := file
	if file != "" {
		err = baseline.WriteFile(file, got.Set)
	} else {
		path, err = baseline.Save(baselineFolder(), got.Deployment, got.Set)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d of %d moments from %s to %s had little to do\n", got.Low, got.Columns, got.From.Format(time.DateTime), got.To.Format(time.TimeOnly))
	if err := printBaselines(out, got.Set); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(got.Few)) {
		fmt.Fprintf(out, "%s: %.0f observations are too few\n", key, got.Few[key])
	}
	_, err = fmt.Fprintf(out, "kept in %s\n", path)
	return err
}

func showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show [FILE]",
		Short: "show the baselines that were learned, or those of a file",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			from := baselineFolder()
			var set *baseline.Set
			var err error
			if len(args) > 0 {
				from = args[0]
				set, err = baseline.ReadFile(from)
			} else {
				set, err = baseline.ReadFolder(from)
			}
			if set.Len() == 0 && err == nil {
				err = fmt.Errorf("no baselines in %s; hint: dynascope baseline learn", from)
			}
			if perr := printBaselines(cmd.OutOrStdout(), set); err == nil {
				err = perr
			}
			return err
		},
	}
}

// printBaselines prints a table, a line a baseline.
func printBaselines(out io.Writer, set *baseline.Set) error {
	if set.Len() == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DEPLOYMENT\tMODEL\tKEY\tMEAN\tN\tLEARNED")
	any := func(s string) string {
		if s == "" {
			return "any"
		}
		return s
	}
	for _, e := range set.Entries() {
		m, _ := catalog.Default().Metric(e.Key) // the file was read with it
		learned := "unknown"
		if !e.Learned.IsZero() {
			learned = e.Learned.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", any(e.Deployment), any(e.Model), e.Key, text.Value(e.Mean, m.Unit), text.Count(e.N), learned)
	}
	return w.Flush()
}
