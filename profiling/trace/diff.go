package trace

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"

	"dynascope/sources/text"
)

// Diff is how two analyses differ, before (A) and after (B). Amounts are per
// step of one rank where both have steps of a kind; without, per second of GPU
// window. A trace is one sample: a difference smaller than the spread between
// two traces of the same build proves nothing.
type Diff struct {
	Names [2]string    `json:"traces"`
	Parts []PartDiff   `json:"parts"`
	Share []Difference `json:"window_shares"` // of the GPU window, in 0…1
	Says  []Finding    `json:"findings"`
}

// PartDiff compares the steps of one kind, or the whole windows.
type PartDiff struct {
	Kind       string       `json:"kind"` // "decode", "prefill" …; "window" where no kind is in both
	Per        string       `json:"per"`  // "step" or "second of GPU window"
	Count      [2]int64     `json:"count"`
	Batch      [2]float64   `json:"mean_batch"` // 0 unknown
	Figures    []Difference `json:"figures"`    // ns
	Categories []Difference `json:"categories"` // ns of kernel time
	Kernels    []Difference `json:"kernels"`    // ns of kernel time, by size of the difference
}

// Difference is one figure in both.
type Difference struct {
	Name  string     `json:"name"`
	A     float64    `json:"a"`
	B     float64    `json:"b"`
	Calls [2]float64 `json:"calls,omitzero"` // per step
}

// Change is B less A.
func (d Difference) Change() float64 { return d.B - d.A }

// Compare compares two reports.
func Compare(a, b *Report) *Diff {
	d := &Diff{Names: [2]string{title(a), title(b)}}
	both := [2]*Totals{&a.Overall, &b.Overall}
	for _, s := range a.Overall.Steps {
		i := slices.IndexFunc(b.Overall.Steps, func(o StepTotals) bool { return o.Kind == s.Kind })
		if i >= 0 && s.WithGPU > 0 && b.Overall.Steps[i].WithGPU > 0 {
			d.Parts = append(d.Parts, stepDiff(both, s, b.Overall.Steps[i]))
		}
	}
	if len(d.Parts) == 0 {
		d.Parts = append(d.Parts, windowDiff(both))
	}
	for _, s := range []struct {
		name string
		of   func(*Totals) int64
	}{
		{"busy", func(t *Totals) int64 { return t.Busy }},
		{"compute", func(t *Totals) int64 { return t.Breakdown.Compute }},
		{"communication exposed", func(t *Totals) int64 { return t.Breakdown.Communication }},
		{"communication overlapped", func(t *Totals) int64 { return t.CommOverlapped }},
		{"memory exposed", func(t *Totals) int64 { return t.Breakdown.Memory }},
		{"idle, host-bound", func(t *Totals) int64 { return t.Breakdown.HostBound }},
		{"idle, kernel gaps", func(t *Totals) int64 { return t.Breakdown.KernelGap }},
		{"idle, unknown", func(t *Totals) int64 { return t.Breakdown.IdleUnknown }},
	} {
		d.Share = append(d.Share, Difference{Name: s.name, A: share(s.of(both[0]), both[0].Elapsed), B: share(s.of(both[1]), both[1].Elapsed)})
	}
	d.Says = d.findings()
	return d
}

func title(r *Report) string {
	first := text.Clean(r.Files[0].Path, 120)
	if len(r.Files) == 1 {
		return first
	}
	return fmt.Sprintf("%s and %d more", first, len(r.Files)-1)
}

func stepDiff(both [2]*Totals, a, b StepTotals) PartDiff {
	kind := a.Kind.String()
	p := PartDiff{Kind: kind, Per: "step", Count: [2]int64{a.Count, b.Count}, Batch: [2]float64{a.Batch, b.Batch}}
	p.Figures = []Difference{
		{Name: "GPU busy, mean", A: a.Busy.Mean(), B: b.Busy.Mean()},
		{Name: "GPU busy, p50", A: float64(a.Busy.P50), B: float64(b.Busy.P50)},
		{Name: "GPU span, mean", A: a.Span.Mean(), B: b.Span.Mean()},
		{Name: "host, mean", A: a.Host.Mean(), B: b.Host.Mean()},
		{Name: "period, p50", A: float64(a.Period.P50), B: float64(b.Period.P50)},
	}
	n := [2]float64{float64(a.WithGPU), float64(b.WithGPU)}
	inStep := func(m map[string]Amount) Amount { return m[kind] }
	p.fill(both, n, func(s Share) Amount { return inStep(s.Steps) }, func(k Kernel) Amount { return inStep(k.Steps) })
	return p
}

func windowDiff(both [2]*Totals) PartDiff {
	p := PartDiff{Kind: "window", Per: "second of GPU window"}
	n := [2]float64{float64(both[0].Elapsed) / 1e9, float64(both[1].Elapsed) / 1e9}
	p.fill(both, n, func(s Share) Amount { return Amount{s.Time, s.Calls} }, func(k Kernel) Amount { return Amount{k.Time, k.Calls} })
	return p
}

// fill makes the tables of categories and kernels, each amount divided by its
// trace's n.
func (p *PartDiff) fill(both [2]*Totals, n [2]float64, ofShare func(Share) Amount, ofKernel func(Kernel) Amount) {
	cats, kernels := map[string]*Difference{}, map[string]*Difference{}
	put := func(m map[string]*Difference, name string, side int, a Amount) {
		if a.Calls == 0 || n[side] == 0 {
			return
		}
		d := m[name]
		if d == nil {
			d = &Difference{Name: name}
			m[name] = d
		}
		v := float64(a.Time) / n[side]
		if side == 0 {
			d.A += v
		} else {
			d.B += v
		}
		d.Calls[side] += float64(a.Calls) / n[side]
	}
	for side, t := range both {
		for _, s := range t.Categories {
			put(cats, s.Category, side, ofShare(s))
		}
		for _, k := range t.Kernels {
			put(kernels, k.Name, side, ofKernel(k))
		}
	}
	p.Categories, p.Kernels = bySize(cats), bySize(kernels)
}

func bySize(m map[string]*Difference) (out []Difference) {
	for _, d := range m {
		out = append(out, *d)
	}
	slices.SortFunc(out, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(math.Abs(b.Change()), math.Abs(a.Change())), cmp.Compare(b.A, a.A), cmp.Compare(a.Name, b.Name))
	})
	return out
}

func (d *Diff) findings() (out []Finding) {
	say := func(severity, code, sentence, evidence string) {
		out = append(out, Finding{Code: code, Severity: severity, Text: sentence, Evidence: evidence})
	}
	for _, p := range d.Parts {
		if len(p.Figures) > 0 {
			f := p.Figures[0]
			way := "longer"
			if f.Change() < 0 {
				way = "shorter"
			}
			if f.A > 0 && math.Abs(f.Change()) > 0.01*f.A {
				says := fmt.Sprintf("a %s step keeps the GPU busy %s %s", p.Kind, seconds(math.Abs(f.Change())), way)
				// The largest change that goes the same way; kernel times are sums, so
				// it may be larger than the step's own.
				for _, c := range p.Categories {
					if c.Change()*f.Change() > 0 {
						says += fmt.Sprintf("; kernel time changed most in %s (%s)", c.Name, signed(c.Change()))
						break
					}
				}
				say("info", "step-changed", says, fmt.Sprintf("mean %s to %s over %d and %d steps", seconds(f.A), seconds(f.B), p.Count[0], p.Count[1]))
			}
		}
		if a, b := p.Batch[0], p.Batch[1]; a > 0 && b > 0 && math.Abs(a-b) > 0.1*a {
			say("warn", "batch-differs", fmt.Sprintf("the batches of %s steps differ: their times compare different work", p.Kind), fmt.Sprintf("mean batch %.1f and %.1f", a, b))
		}
		if p.Kind == "window" {
			say("warn", "not-per-step", "no kind of step is in both traces: amounts are per second of GPU window", "step annotations missing in one or both")
		}
	}
	return out
}

func seconds(ns float64) string { return text.Duration(ns / 1e9) }

func signed(ns float64) string {
	switch {
	case math.Abs(ns) < 0.5:
		return "0 s"
	case ns > 0:
		return "+" + seconds(ns)
	}
	return "-" + seconds(-ns)
}

// WriteJSON writes the difference as indented JSON.
func (d *Diff) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(d)
}

// WriteMarkdown writes the difference for a ticket.
func (d *Diff) WriteMarkdown(w io.Writer) error { return d.write(w, &page{}) }

// WriteText writes the same for a terminal.
func (d *Diff) WriteText(w io.Writer) error { return d.write(w, &page{plain: true}) }

func (d *Diff) write(w io.Writer, p *page) error {
	p.heading("# ", "Trace difference")
	p.line("- A: %s\n- B: %s", p.md(d.Names[0]), p.md(d.Names[1]))
	for _, f := range d.Says {
		p.line("- %s (%s)", p.md(f.Text), p.md(f.Evidence))
	}
	p.table("Shares of the GPU window", []string{"", "A", "B", "change"}, len(d.Share), func(i int) []string {
		s := d.Share[i]
		return []string{s.Name, text.Percent(s.A), text.Percent(s.B), fmt.Sprintf("%+.1f points", 100*s.Change())}
	})
	for _, part := range d.Parts {
		row := func(list []Difference) func(int) []string {
			return func(i int) []string {
				s := list[i]
				return []string{p.md(brief(s.Name)), seconds(s.A), seconds(s.B), signed(s.Change()), fmt.Sprintf("%.1f → %.1f", s.Calls[0], s.Calls[1])}
			}
		}
		head := []string{"", "A", "B", "change", "calls"}
		name := part.Kind + ", per " + part.Per
		p.table(name, head[:4], len(part.Figures), func(i int) []string { return row(part.Figures)(i)[:4] })
		p.table("Categories: "+name, head, len(part.Categories), row(part.Categories))
		p.table("Kernels: "+name, head, len(part.Kernels), row(part.Kernels))
	}
	_, err := io.WriteString(w, p.String())
	return err
}
