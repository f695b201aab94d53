package trace

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"dynascope/sources/text"
)

// fill makes absent tables empty ones, which JSON writes as [].
func (r *Report) fill() {
	r.Ranks, r.Findings = full(r.Ranks), full(r.Findings)
	totals := func(t *Totals) {
		t.Categories, t.Kernels, t.Steps = full(t.Categories), full(t.Kernels), full(t.Steps)
		t.Copies, t.Collectives = full(t.Copies), full(t.Collectives)
	}
	totals(&r.Overall)
	for i := range r.Ranks {
		totals(&r.Ranks[i].Totals)
		r.Ranks[i].Gaps = full(r.Ranks[i].Gaps)
	}
	for i := range r.Files {
		h := &r.Files[i].Host
		h.Operators, h.Runtime = full(h.Operators), full(h.Runtime)
	}
}

func full[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// WriteJSON writes the report as indented JSON: durations in ns, sizes in
// bytes. Steps one by one and the strip are not in it.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// shownRows bounds the tables of the Markdown report; what is left out is
// counted in a last line.
const shownRows = 20

// WriteMarkdown writes the report for a ticket: findings first, then the
// tables of each rank and of the host.
func (r *Report) WriteMarkdown(w io.Writer) error { return r.write(w, &page{}) }

// WriteText writes the same for a terminal, with aligned columns.
func (r *Report) WriteText(w io.Writer) error { return r.write(w, &page{plain: true}) }

func (r *Report) write(w io.Writer, d *page) error {
	d.heading("# ", "Trace summary")
	for i := range r.Files {
		d.file(&r.Files[i])
	}
	d.line("")
	d.heading("## ", "Findings")
	for _, f := range r.Findings {
		mark := "●"
		if f.Severity == "warn" {
			mark = "▲"
		}
		also := ""
		if n := len(f.Also); n > 4 {
			also = fmt.Sprintf("; likewise on %d other ranks", n)
		} else if n > 0 {
			also = "; likewise on " + strings.Join(f.Also, ", ")
		}
		d.line("- %s %s (%s)%s", mark, d.md(f.Text), d.md(f.Evidence), d.md(also))
	}
	if len(r.Findings) == 0 {
		d.line("Nothing stands out.")
	}
	d.breakdowns(r)
	d.skew(r.Skew)
	if len(r.Ranks) > 0 {
		d.totals(r)
		for i := range r.Ranks {
			d.gaps(&r.Ranks[i], len(r.Ranks) > 1)
		}
	}
	for i := range r.Files {
		if r.Files[i].Failed == "" {
			d.host(&r.Files[i], len(r.Files) > 1)
			break // the hosts of one session do the same; the JSON has them all
		}
	}
	_, err := io.WriteString(w, d.String())
	return err
}

// page is a document in the making: Markdown, or plain text.
type page struct {
	strings.Builder
	plain bool
}

// md makes an outside string fit for the page.
func (d *page) md(s string) string {
	if d.plain {
		return text.Clean(s, shownRunes)
	}
	return text.EscapeMarkdown(s)
}

// width is how much of a kernel's name a table shows.
func (d *page) width() int {
	if d.plain {
		return 64
	}
	return 120
}

func (d *page) heading(mark, title string) {
	if d.plain {
		mark = ""
		title = strings.ToUpper(title[:1]) + title[1:]
	}
	d.line("%s%s\n", mark, title)
}

// rows writes a table's head and rows.
func (d *page) rows(head []string, n int, row func(i int) []string) {
	if !d.plain {
		d.line("| %s |", strings.Join(head, " | "))
		d.line("|%s", strings.Repeat("---|", len(head)))
		for i := range n {
			d.line("| %s |", strings.Join(row(i), " | "))
		}
		return
	}
	w := tabwriter.NewWriter(d, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "  %s\n", strings.Join(head, "\t"))
	for i := range n {
		fmt.Fprintf(w, "  %s\n", strings.Join(row(i), "\t"))
	}
	w.Flush()
}

func (d *page) line(format string, args ...any) {
	fmt.Fprintf(d, format, args...)
	d.WriteByte('\n')
}

func (d *page) file(f *File) {
	if f.Failed != "" {
		d.line("- %s: not read: %s", d.md(f.Path), d.md(f.Failed))
		return
	}
	whole := "complete"
	if !f.Notes.Ended {
		whole = "CUT"
	}
	d.line("- %s (%s): %s, %s events, recorded over %s, %s", d.md(f.Label), d.md(f.Path), whole, text.Count(float64(f.Notes.Events)), dur(f.Recorded.Length()), or(d.md(f.GPU), "GPU not named"))
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

// table writes a heading, a head and as many rows as are shown.
func (d *page) table(title string, head []string, n int, row func(i int) []string) {
	if n == 0 {
		return
	}
	d.line("")
	d.heading("## ", title)
	d.rows(head, min(n, shownRows), row)
	if n > shownRows {
		d.line("\n%d further rows are left out here; the JSON has them.", n-shownRows)
	}
}

func (d *page) breakdowns(r *Report) {
	n := len(r.Ranks)
	rows := n
	if n > 1 {
		rows++
	}
	head := []string{"rank", "window", "busy", "compute", "comm exposed", "(overlapped)", "memory", "idle: host-bound", "kernel gaps", "unknown"}
	d.table("Where the GPU's time went", head, rows, func(i int) []string {
		name, t := "all", &r.Overall
		if i < n {
			name, t = r.Ranks[i].Label, &r.Ranks[i].Totals
		}
		b := &t.Breakdown
		of := func(part int64) string { return percent(part, t.Elapsed) }
		return []string{d.md(name), dur(t.Elapsed), of(t.Busy), of(b.Compute), of(b.Communication), of(t.CommOverlapped), of(b.Memory), of(b.HostBound), of(b.KernelGap), of(b.IdleUnknown)}
	})
}

func (d *page) skew(s *Skew) {
	if s == nil {
		return
	}
	d.table("Who arrives last", []string{"rank", "arrived last", "made others wait", "waited itself"}, len(s.Ranks), func(i int) []string {
		k := s.Ranks[i]
		return []string{d.md(k.Label), fmt.Sprintf("%d of %d (%s)", k.Last, k.Met, percent(k.Last, k.Met)), dur(k.Made), dur(k.Wait)}
	})
	d.line("\nCollectives matched by %s; %d are not on all ranks of their group. In each, the rank with the shortest time arrived last.", s.By, s.Left)
}

func (d *page) totals(r *Report) {
	t := &r.Overall
	d.table("Categories", []string{"category", "share of kernel time", "time", "calls", "mean"}, len(t.Categories), func(i int) []string {
		c := t.Categories[i]
		return []string{d.md(c.Category), percent(c.Time, t.KernelTime), dur(c.Time), text.Count(float64(c.Calls)), dur(c.Time / max(c.Calls, 1))}
	})
	d.table("Kernels", []string{"kernel", "category", "share", "time", "calls", "mean", "min", "max", "in graphs"}, len(t.Kernels), func(i int) []string {
		k := t.Kernels[i]
		return []string{d.md(text.Clean(k.Name, d.width())), d.md(k.Category), percent(k.Time, t.KernelTime), dur(k.Time), text.Count(float64(k.Calls)), dur(k.Time / max(k.Calls, 1)), dur(k.Min), dur(k.Max), percent(k.InGraph, k.Calls)}
	})
	d.table("Steps", []string{"kind", "n", "host mean", "period p50", "GPU busy mean", "p50", "max", "GPU span p50", "mean batch", "graph launches"}, len(t.Steps), func(i int) []string {
		s := t.Steps[i]
		batch := text.None
		if s.Batch > 0 {
			batch = fmt.Sprintf("%.1f", s.Batch)
		}
		return []string{s.Kind.String(), text.Count(float64(s.Count)), dur(int64(s.Host.Mean())), dur(s.Period.P50), dur(int64(s.Busy.Mean())), dur(s.Busy.P50), dur(s.Busy.Max), dur(s.Span.P50), batch, text.Count(float64(s.Launches))}
	})
	d.table("Copies", []string{"kind", "calls", "bytes", "time", "bandwidth"}, len(t.Copies), func(i int) []string {
		c := t.Copies[i]
		rate := text.None
		if c.Sized > 0 {
			rate = text.Bytes(c.Bandwidth()) + "/s"
		}
		return []string{d.md(c.Name), text.Count(float64(c.Calls)), text.Bytes(float64(c.Bytes)), dur(c.Time), rate}
	})
	d.table("Collectives", []string{"operation", "type", "bytes", "ranks", "calls", "mean", "min", "bus bandwidth mean", "best"}, len(t.Collectives), func(i int) []string {
		c := t.Collectives[i]
		size, mean, best := text.None, text.None, text.None
		if c.Bytes > 0 {
			size = text.Bytes(float64(c.Bytes))
			if m, b := c.BusBandwidth(); m > 0 {
				mean, best = text.Bytes(m)+"/s", text.Bytes(b)+"/s"
			}
		}
		return []string{d.md(brief(c.Name)), or(d.md(c.DType), text.None), size, fmt.Sprint(c.Ranks), text.Count(float64(c.Calls)), dur(c.Time / max(c.Calls, 1)), dur(c.Min), mean, best}
	})
	l, g := &t.Launch, &t.Graphs
	d.line("")
	d.heading("## ", "Launches")
	d.line("- outside graphs: %s launches, mean %s from launch to start, at most %s; queue depth mean %.1f, at most %d on one stream; full %s of the time, empty %s",
		text.Count(float64(l.Singles)), dur(l.Delay/max(l.Singles, 1)), dur(l.DelayMax), l.Depth(), l.DepthMax, percent(l.Full, l.QueueSpan), percent(l.Dry, l.QueueSpan))
	d.line("- CUDA graphs: %s launches; %s of the kernels, %s of the kernel time", text.Count(float64(g.Launches)), percent(g.Kernels, g.All), percent(g.Time, g.AllTime))
	if l.Unknown > 0 {
		d.line("- %s pieces of GPU work have no launch in the trace", text.Count(float64(l.Unknown)))
	}
}

func (d *page) gaps(r *Rank, several bool) {
	title := "Largest gaps"
	if several {
		title += ", " + d.md(r.Label)
	}
	d.table(title, []string{"at", "length", "cause", "after", "before"}, min(len(r.Gaps), 5), func(i int) []string {
		g := r.Gaps[i]
		return []string{"+" + dur(g.Start-r.Window.Start), dur(g.Length), g.Cause, d.md(brief(g.After)), d.md(brief(g.Before))}
	})
}

func (d *page) host(f *File, several bool) {
	of := ""
	if several {
		of = ", " + d.md(f.Label)
	}
	ops := slices.DeleteFunc(slices.Clone(f.Host.Operators), func(o Operator) bool {
		k, _, _ := step(o.Name)
		return o.Annotation && k != NoStep // the steps have a table of their own
	})
	d.table("Host operators"+of, []string{"operator", "calls", "total", "self"}, len(ops), func(i int) []string {
		o := ops[i]
		return []string{d.md(brief(o.Name)), text.Count(float64(o.Calls)), dur(o.Time), dur(o.Self)}
	})
	d.table("Runtime calls"+of, []string{"call", "calls", "total"}, min(len(f.Host.Runtime), 10), func(i int) []string {
		o := f.Host.Runtime[i]
		return []string{d.md(brief(o.Name)), text.Count(float64(o.Calls)), dur(o.Time)}
	})
	for _, m := range f.Host.Memory {
		d.table("Memory of "+d.md(m.Device)+of, []string{"allocated by", "allocations", "bytes", "freed"}, len(m.By), func(i int) []string {
			a := m.By[i]
			return []string{d.md(brief(a.Name)), text.Count(float64(a.Calls)), text.Bytes(float64(a.Bytes)), text.Bytes(float64(a.Freed))}
		})
		d.line("\nAllocated %s at first, %s at last, peak %s (reserved %s).", text.Bytes(float64(m.First)), text.Bytes(float64(m.Last)), text.Bytes(float64(m.Peak)), text.Bytes(float64(m.PeakReserved)))
	}
}
