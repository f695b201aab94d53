package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dynascope/profiling/trace"
	"dynascope/sources/text"
)

// traceCommand reads PyTorch traces where they lie. It talks to no server.
func traceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trace",
		Short: "read PyTorch profiler traces: where the GPU's time went",
		Long: `trace reads PyTorch (Kineto) traces, gzip or plain, of any size in bounded
memory. A name may be a directory: then its *.json and *.json.gz are meant.`,
	}
	cmd.AddCommand(traceSummary(), traceDiff(), traceSlice())
	return cmd
}

// form is how a result is written.
type form struct{ json, markdown bool }

func (f *form) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.json, "json", false, "JSON, all rows; durations in ns, sizes in bytes")
	cmd.Flags().BoolVar(&f.markdown, "markdown", false, "Markdown, for a ticket")
	cmd.MarkFlagsMutuallyExclusive("json", "markdown")
}

// written is what trace reports can do.
type written interface {
	WriteJSON(io.Writer) error
	WriteMarkdown(io.Writer) error
	WriteText(io.Writer) error
}

func (f *form) write(w io.Writer, r written) error {
	switch {
	case f.json:
		return r.WriteJSON(w)
	case f.markdown:
		return r.WriteMarkdown(w)
	}
	return r.WriteText(w)
}

func traceSummary() *cobra.Command {
	var f form
	cmd := &cobra.Command{
		Use:   "summary FILE…",
		Short: "where the time went, per rank and over all; several ranks also tell who is late",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := analyseFiles(cmd.Context(), args)
			if err != nil {
				return err
			}
			return f.write(cmd.OutOrStdout(), r)
		},
	}
	f.flags(cmd)
	return cmd
}

func traceDiff() *cobra.Command {
	var f form
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "what changed from A to B, per step; each a file or a directory of ranks",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := analyseFiles(cmd.Context(), args[:1])
			if err != nil {
				return err
			}
			b, err := analyseFiles(cmd.Context(), args[1:])
			if err != nil {
				return err
			}
			return f.write(cmd.OutOrStdout(), trace.Compare(a, b))
		},
	}
	f.flags(cmd)
	return cmd
}

// traceFiles turns directories into the trace files in them.
func traceFiles(names []string) (files []string, err error) {
	for _, name := range names {
		st, err := os.Stat(name)
		if err != nil || !st.IsDir() {
			files = append(files, name) // what is wrong with it, reading it tells
			continue
		}
		entries, err := os.ReadDir(name)
		if err != nil {
			return nil, fmt.Errorf("listing traces: %w", err)
		}
		n := len(files)
		for _, e := range entries {
			if e.Type().IsRegular() && (strings.HasSuffix(e.Name(), ".json") || strings.HasSuffix(e.Name(), ".json.gz")) && e.Name() != "server_args.json" {
				files = append(files, filepath.Join(name, e.Name()))
			}
		}
		if len(files) == n {
			return nil, fmt.Errorf("listing traces: no *.json or *.json.gz in %s", name)
		}
	}
	return files, nil
}

func analyseFiles(ctx context.Context, names []string) (*trace.Report, error) {
	files, err := traceFiles(names)
	if err != nil {
		return nil, err
	}
	return trace.Analyse(ctx, files, trace.Options{})
}

// cut says which part of a trace a slice takes.
type cut struct {
	step     string // "12" or "12-14"
	slowest  string // kind of step
	from, to time.Duration
	out      string
	max      int64
}

func traceSlice() *cobra.Command {
	var c cut
	cmd := &cobra.Command{
		Use:   "slice FILE",
		Short: "cut a few steps or milliseconds out into a file that a browser's viewer opens",
		Example: `  dynascope trace slice rank0.trace.json.gz --slowest decode
  dynascope trace slice rank0.trace.json.gz --step 12-14 -o steps.json.gz
  dynascope trace slice rank0.trace.json.gz --from 350ms --to 400ms`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&c.step, "step", "", "these `STEPS`, counted from 0: 12 or 12-14")
	f.StringVar(&c.slowest, "slowest", "", "the step of this `KIND` that keeps the GPU longest: prefill, decode, mixed, step")
	f.DurationVar(&c.from, "from", 0, "from this `TIME` after the recording's start")
	f.DurationVar(&c.to, "to", 0, "up to this `TIME` after the recording's start")
	f.StringVarP(&c.out, "output", "o", "", "`FILE` to write, gzip if it ends in .gz (default: the trace's name with .slice.json.gz, in the current directory)")
	f.Int64Var(&c.max, "max-bytes", 0, "most bytes of JSON written (default 100 MiB)")
	cmd.MarkFlagsMutuallyExclusive("step", "slowest", "to")
	cmd.MarkFlagsOneRequired("step", "slowest", "to")
	return cmd
}

func (c *cut) run(cmd *cobra.Command, path string) error {
	r, err := trace.Analyse(cmd.Context(), []string{path}, trace.Options{})
	if err != nil {
		return err
	}
	window, err := c.window(r)
	if err != nil {
		return fmt.Errorf("slicing %s: %w", path, err)
	}
	name := c.out
	if name == "" {
		base := filepath.Base(path)
		for _, end := range []string{".gz", ".json", ".trace"} {
			base = strings.TrimSuffix(base, end)
		}
		name = base + ".slice.json.gz"
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("writing the slice: %s is there already; hint: -o another name", name)
	}
	if err != nil {
		return fmt.Errorf("writing the slice: %w", err)
	}
	res, err := writeSlice(cmd.Context(), f, &r.Files[0], window, c.max, strings.HasSuffix(name, ".gz"))
	if err != nil {
		os.Remove(name)
		return err
	}
	notes := ""
	if res.Cut {
		notes += "; it ends at the size limit (--max-bytes)"
	}
	if res.Partial {
		notes += "; the trace itself is cut"
	}
	if res.Left > 0 {
		notes += fmt.Sprintf("; %d broken events left out", res.Left)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s events of %s, %s of JSON%s\n", name, text.Count(float64(res.Events)), text.Duration(float64(window.Length())/1e9), text.Bytes(float64(res.Bytes)), notes)
	return err
}

func writeSlice(ctx context.Context, f *os.File, of *trace.File, window trace.Window, limit int64, zip bool) (res trace.SliceResult, err error) {
	if !zip {
		res, err = trace.Slice(ctx, of, window, limit, f)
		return res, errors.Join(err, f.Close())
	}
	z := gzip.NewWriter(f)
	res, err = trace.Slice(ctx, of, window, limit, z)
	return res, errors.Join(err, z.Close(), f.Close())
}

// window finds what is asked for, in absolute ns.
func (c *cut) window(r *trace.Report) (w trace.Window, err error) {
	if c.step == "" && c.slowest == "" {
		if c.to <= c.from {
			return w, fmt.Errorf("--to %s is not after --from %s", c.to, c.from)
		}
		start := r.Files[0].Recorded.Start
		return trace.Window{Start: start + c.from.Nanoseconds(), End: start + c.to.Nanoseconds()}, nil
	}
	var steps []trace.Step
	if len(r.Ranks) > 0 {
		steps = r.Ranks[0].Sequence
	}
	if len(steps) == 0 {
		return w, errors.New("it has no step annotations with GPU work; hint: --from and --to")
	}
	first, last := -1, -1
	if c.slowest != "" {
		for i, s := range steps {
			if s.Kind.String() == c.slowest && (first < 0 || s.GPUEnd-s.GPUStart > steps[first].GPUEnd-steps[first].GPUStart) {
				first, last = i, i
			}
		}
		if first < 0 {
			return w, fmt.Errorf("no %s step in it; it has %s", c.slowest, kindsIn(steps))
		}
	} else {
		a, b, several := strings.Cut(c.step, "-")
		if !several {
			b = a
		}
		var errA, errB error
		first, errA = strconv.Atoi(a)
		last, errB = strconv.Atoi(b)
		if errA != nil || errB != nil || first < 0 || last < first || last >= len(steps) {
			return w, fmt.Errorf("--step %s: it has steps 0 to %d", c.step, len(steps)-1)
		}
	}
	w.Start = steps[first].Start
	for _, s := range steps[first : last+1] {
		w.End = max(w.End, s.Start+s.Host, s.GPUEnd)
	}
	return w, nil
}

func kindsIn(steps []trace.Step) string {
	var kinds []string
	for _, s := range steps {
		if !slices.Contains(kinds, s.Kind.String()) {
			kinds = append(kinds, s.Kind.String())
		}
	}
	return strings.Join(kinds, ", ")
}
