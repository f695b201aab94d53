package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"dynascope/cmd/dynascope/config"
	"dynascope/profiling"
	"dynascope/sources/text"
	"dynascope/tui"
)

// profileLocks is a variable for the tests alone; nothing else may move it.
var profileLocks = profiling.DefaultLocks()

// profiler is what profile start and stop share.
type profiler struct {
	settings
	in      *os.File
	plan    profiling.Plan
	keyFile string
	yes     bool
	burst   string // frontend that a burst goes to
	model   string
	json    bool
}

// profileCommand records torch traces of workers.
func profileCommand(conf *configuration, in *os.File) (group, start, stop *cobra.Command) {
	group = &cobra.Command{
		Use:   "profile",
		Short: "record torch profiler traces of a worker",
		Long: `profile starts and stops the torch profiler of an SGLang or vLLM worker, at its
Dynamo system port or its own server, and checks the files. A worker stands
still while it writes them. Every request is shown and confirmed first, and
kept in the action log; --read-only refuses them all.

The worker tells nobody whether its profiler is on: a lock per worker keeps
users of this host apart (it does not see other hosts), and what a crash left
is picked up by the next start or stop.`,
		Args: cobra.NoArgs,
	}
	start, stop = profileStart(conf, in), profileStop(conf, in)
	group.AddCommand(start, stop, profileStatus(), profileList())
	return group, start, stop
}

func (p *profiler) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&p.plan.Worker.Engine, "engine", profiling.SGLang, "engine of the worker: sglang, vllm")
	f.IntVar(&p.plan.Worker.Ranks, "ranks", 0, "tensor-parallel ranks that write a file each (0: not known)")
	f.StringVar(&p.keyFile, "admin-key-file", "", "`FILE` with the server's admin key, or its API key where it has no other (or "+engineKeyEnv+")")
	f.BoolVar(&p.yes, "yes", false, "send without asking")
	f.BoolVar(&p.json, "json", false, "print the session as JSON (schema "+profiling.Schema+")")
	f.BoolVar(&p.readOnly, "read-only", false, "refuse everything that would change a server")
}

func profileStart(conf *configuration, in *os.File) *cobra.Command {
	p := &profiler{settings: settings{conf: conf}, in: in}
	cmd := &cobra.Command{
		Use:   "start URL",
		Short: "record a few steps, wait for the export and check the files",
		Long: `start records --steps forward steps of one worker (vLLM: --for), waits while it
exports, and reads every file to its end. ^C while it records stops the
profiler; a second ^C leaves it to the next start or stop.

  dynascope profile start http://HOST:9090 --ranks 8
  dynascope profile start http://HOST:9090 --burst http://HOST:8000 --model NAME`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.start(cmd, args[0]) },
	}
	p.flags(cmd)
	f := cmd.Flags()
	f.IntVar(&p.plan.Steps, "steps", 0, fmt.Sprintf("forward steps to record (default %d, at most %d)", profiling.DefaultSteps, profiling.MaxSteps))
	f.DurationVar(&p.plan.For, "for", 0, fmt.Sprintf("vLLM: how long to record (default %s, at most %s)", profiling.DefaultFor, profiling.MaxFor))
	f.StringVar(&p.plan.Dir, "dir", "", "output `FOLDER` on the worker (default: one of its own in /tmp; vLLM has its own)")
	f.BoolVar(&p.plan.Stacks, "stacks", false, "record Python stacks: larger files, a longer freeze")
	f.BoolVar(&p.plan.RecordShapes, "shapes", false, "record operators' shapes")
	f.BoolVar(&p.plan.ByStage, "by-stage", false, "separate files for prefill and decode, --steps of each")
	f.BoolVar(&p.plan.Memory, "memory", false, "record the allocator's events")
	f.BoolVar(&p.plan.Forced, "force", false, "allow more steps than are good for a worker that serves")
	f.BoolVar(&p.plan.Settle, "settle", false, "first stop what an earlier session may have left on")
	f.StringVar(&p.plan.Pool, "pool", "", "`NAME` of the worker's pool: of one pool only one worker is profiled at once")
	f.BoolVar(&p.plan.Beside, "beside", false, "start although another worker of the pool is being profiled")
	f.StringVar(&p.burst, "burst", "", "without traffic, send a small burst of requests to the frontend at this `URL`")
	f.StringVar(&p.model, "model", "", "model of the burst's requests (default: the only one its page names)")
	config.Mark(f, config.FlagOnly, "engine", "ranks", "admin-key-file", "yes", "json", "steps", "for", "dir", "stacks", "shapes", "by-stage",
		"memory", "force", "settle", "pool", "beside", "burst", "model")
	return cmd
}

func profileStop(conf *configuration, in *os.File) *cobra.Command {
	p := &profiler{settings: settings{conf: conf}, in: in}
	cmd := &cobra.Command{
		Use:   "stop URL",
		Short: "stop whatever a worker is recording, and check the files that are known",
		Args:  cobra.ExactArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return p.stop(cmd, args[0]) },
	}
	p.flags(cmd)
	config.Mark(cmd.Flags(), config.FlagOnly, "engine", "ranks", "admin-key-file", "yes", "json")
	return cmd
}

func (p *profiler) start(cmd *cobra.Command, url string) error {
	ctx, out := cmd.Context(), cmd.ErrOrStderr()
	plan := &p.plan
	plan.Worker.URL, plan.Worker.Local = url, isLocal(url)
	plan.ID = profiling.NewID(time.Now())
	if plan.Dir == "" && plan.Worker.Engine != profiling.VLLM {
		plan.Dir = "/tmp/" + plan.ID
	}
	checked, err := plan.Check()
	if err != nil {
		return err
	}
	*plan = checked
	state, err := profiling.StateOf(profileLocks, url)
	if err != nil {
		return err
	}
	request := plan.Request(state.Producer) + "\nat its end, unless its files show that it is over:\n" + profiling.StopRequest(plan.Worker, state.Producer)
	switch {
	case state.Held:
		return &profiling.BusyError{Holder: state.Record}
	case state.Left() && !plan.Settle:
		return fmt.Errorf("%w with --settle", &profiling.LeftError{Left: state.Record})
	case state.Left():
		request = "first, for the session that was left: " + profiling.StopRequest(plan.Worker, state.Producer) + "\n" + request
	}
	var traffic string
	if p.readOnlyWhy() == "" { // else there is nothing to be ready for
		if traffic, err = p.traffic(ctx); err != nil {
			return err
		}
		if plan.Burst != nil {
			request += "\nmeanwhile: " + plan.Burst.String()
		}
	}
	fmt.Fprintf(out, "session %s: %s\n", plan.ID, text.Clean(traffic, 200))
	if n := plan.Estimate(); n > 0 {
		fmt.Fprintf(out, "about %s of files; ", text.Bytes(float64(n)))
	}
	disk := "the free space of the worker's disk is not known"
	if plan.Worker.Local {
		disk = "its disk is checked first"
	}
	fmt.Fprintf(out, "the worker stands still for about %s while it writes them, often longer; %s\n", text.Duration(plan.Freeze().Seconds()), disk)
	fmt.Fprintln(out, "the lock sees no other host: a session started elsewhere would lose its trace")
	return p.act(cmd, "profile "+plan.Worker.URL, request, func(r *profiling.Runner, tell func(profiling.Event)) (profiling.Record, error) {
		return r.Start(ctx, *plan, tell)
	})
}

func (p *profiler) stop(cmd *cobra.Command, url string) error {
	w := p.plan.Worker
	w.URL, w.Local = url, isLocal(url)
	state, err := profiling.StateOf(profileLocks, url)
	if err != nil {
		return err
	}
	probe, err := profiling.Plan{Worker: w, ID: "x", Dir: "/x"}.Check() // the address
	if err != nil {
		return err
	}
	return p.act(cmd, "stop the profile of "+probe.Worker.URL, profiling.StopRequest(probe.Worker, state.Producer),
		func(r *profiling.Runner, tell func(profiling.Event)) (profiling.Record, error) {
			return r.Stop(cmd.Context(), w, tell)
		})
}

// act shows a request, asks, logs, runs and reports.
func (p *profiler) act(cmd *cobra.Command, title, request string, run func(*profiling.Runner, func(profiling.Event)) (profiling.Record, error)) error {
	out := cmd.ErrOrStderr()
	for _, line := range text.Request(request) {
		fmt.Fprintln(out, "  "+line)
	}
	if why := p.readOnlyWhy(); why != "" {
		return fmt.Errorf("refused: %s; nothing was sent", text.Clean(why, 200))
	}
	key, err := p.key()
	if err != nil {
		return err
	}
	if !p.yes {
		if err := askTerminal(cmd.Context(), p.in, out); err != nil {
			return err
		}
	}
	began := time.Now()
	sent := tui.Sent{Time: began, ID: fmt.Sprintf("%d-%d-1", os.Getpid(), began.UnixNano()), State: "sent", Title: title, Request: request}
	log := actionLog()
	if err := log.Append(sent); err != nil {
		return fmt.Errorf("not sent: %w", err) // what cannot be logged is not sent
	}
	// The first ^C stops the profiler in good order; the second ends the program.
	defer context.AfterFunc(cmd.Context(), func() { signal.Reset(os.Interrupt) })()
	r := &profiling.Runner{Locks: profileLocks, Key: key}
	rec, err := run(r, teller(out))
	sent.State, sent.Time, sent.Answer = "ok", time.Now(), string(rec.Phase)+": "+rec.Words
	sent.TookMS = sent.Time.Sub(began).Milliseconds()
	if err != nil {
		sent.State, sent.Error = "failed", err.Error()
	}
	err = errors.Join(err, log.Append(sent))
	return errors.Join(p.print(cmd.OutOrStdout(), rec), err)
}

// teller prints a line a phase, and every ten seconds that it goes on.
func teller(out io.Writer) func(profiling.Event) {
	var phase profiling.Phase
	var words string
	var next time.Duration
	return func(e profiling.Event) {
		switch r := e.Record; {
		case r.Phase != phase || r.Words != words:
			phase, words, next = r.Phase, r.Words, 10*time.Second
			fmt.Fprintf(out, "%s: %s\n", phase, text.Safe(words, 600))
		case e.Elapsed >= next && !phase.Ended():
			next += 10 * time.Second
			fmt.Fprintf(out, "%s for %s\n", phase, text.Age(e.Elapsed))
		}
	}
}

// askTerminal takes a yes from a terminal, and nothing else for one.
func askTerminal(ctx context.Context, in *os.File, out io.Writer) error {
	if !term.IsTerminal(in.Fd()) {
		return errors.New("refused: there is no terminal to ask on, and nothing was sent; hint: --yes")
	}
	fmt.Fprint(out, "send it? [y/N] ")
	got := make(chan string, 1)
	go func() { // ends with the program at the latest: a terminal's read cannot be given up
		line, _ := bufio.NewReader(in).ReadString('\n') // what was read until an error is the answer
		got <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
	case line := <-got:
		if line == "y" || line == "yes" {
			return nil
		}
	}
	return errors.New("cancelled, nothing was sent")
}

func (p *profiler) print(out io.Writer, r profiling.Record) error {
	if p.json {
		return printJSON(out, r)
	}
	return printSession(out, r)
}

func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printSession is one session's files, and how to get at them.
func printSession(out io.Writer, r profiling.Record) error {
	if r.Schema == "" {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, f := range r.Files {
		state := "whole"
		if !f.Whole {
			state = "not whole: " + text.Safe(f.Trouble, 200)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", text.Clean(f.Path, 400), text.Clean(f.Rank, 40), text.Bytes(float64(f.Size)), state)
	}
	for _, m := range r.Missing {
		fmt.Fprintf(w, "missing\t%s\t\t\n", text.Clean(m, 60))
	}
	switch p := r.Plan; {
	case len(r.Files) > 0:
		fmt.Fprintf(w, "read them: dynascope trace summary %s\n", text.Clean(p.Dir, 400))
	case r.Phase == profiling.Done && p.Dir != "":
		fmt.Fprintf(w, "fetch them from the worker's host: %s/*%s*\n", text.Clean(p.Dir, 400), p.ID)
	}
	return w.Flush()
}

func profileStatus() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status URL",
		Short: "what this host knows of a worker's last session; asks the worker nothing",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := profiling.StateOf(profileLocks, args[0])
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if asJSON {
				return printJSON(out, s)
			}
			if s.Schema == "" {
				_, err = fmt.Fprintln(out, "no session of this host is known; whether another host's is on, the worker does not tell")
				return err
			}
			if _, err := fmt.Fprintln(out, sessionLine(s)); err != nil {
				return err
			}
			return printSession(out, s.Record)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	config.Mark(cmd.Flags(), config.FlagOnly, "json")
	return cmd
}

func sessionLine(s profiling.State) string {
	line := fmt.Sprintf("%s  %s  %s  %s  %s", s.Began.Local().Format(time.DateTime), text.Clean(s.Plan.Worker.URL, 200), text.Clean(s.Plan.ID, 64), text.Clean(s.User, 60), s.Phase)
	switch {
	case s.Held:
		line += fmt.Sprintf(", under way (pid %d)", s.PID)
	case s.Left():
		line += ", left: its profiler may be on; hint: dynascope profile stop"
	}
	if s.Words != "" {
		line += ": " + text.Safe(s.Words, 400)
	}
	return line
}

func profileList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "the last session of every worker that users of this host profiled",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := profiling.States(profileLocks)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if asJSON {
				return printJSON(out, all)
			}
			for _, s := range all {
				if _, err := fmt.Fprintln(out, sessionLine(s)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	config.Mark(cmd.Flags(), config.FlagOnly, "json")
	return cmd
}
