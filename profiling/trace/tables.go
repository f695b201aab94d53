package trace

import (
	"cmp"
	"slices"
)

func sortShares(s []Share) {
	slices.SortFunc(s, func(a, b Share) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.Category, b.Category))
	})
}

func sortKernels(k []Kernel) {
	slices.SortFunc(k, func(a, b Kernel) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Name, b.Name))
	})
}

func sortCopies(c []Copy) {
	slices.SortFunc(c, func(a, b Copy) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.Name, b.Name))
	})
}

func sortOperators(o []Operator) {
	slices.SortFunc(o, func(a, b Operator) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Name, b.Name))
	})
}

// foldKernels keeps the first rows and makes the rest one, so that sums over
// the table stay whole.
func foldKernels(k []Kernel, keep int) []Kernel {
	if keep <= 0 || len(k) <= keep {
		return k
	}
	rest := Kernel{Name: "(further kernels)", Category: "", Min: k[keep].Min}
	for _, r := range k[keep:] {
		addKernel(&rest, r)
	}
	return append(slices.Clip(k[:keep]), rest)
}

func addKernel(into *Kernel, k Kernel) {
	if into.Calls == 0 {
		into.Min = k.Min
	}
	into.Time += k.Time
	into.Calls += k.Calls
	into.InGraph += k.InGraph
	into.Min, into.Max = min(into.Min, k.Min), max(into.Max, k.Max)
	into.Steps = addAmounts(into.Steps, k.Steps)
}

func addAmounts(into, m map[string]Amount) map[string]Amount {
	if len(m) == 0 {
		return into
	}
	if into == nil {
		into = map[string]Amount{}
	}
	for k, a := range m {
		b := into[k]
		into[k] = Amount{b.Time + a.Time, b.Calls + a.Calls}
	}
	return into
}

// spread sums a sample; it sorts vs.
func spread(vs []int64) (s Spread) {
	if len(vs) == 0 {
		return s
	}
	slices.Sort(vs)
	for _, v := range vs {
		s.Sum += v
	}
	at := func(num, den int) int64 { return vs[max((len(vs)*num+den-1)/den, 1)-1] }
	s.Count, s.Min, s.P50, s.P95, s.Max = int64(len(vs)), vs[0], at(50, 100), at(95, 100), vs[len(vs)-1]
	return s
}

// stepTotals sums steps by kind, prefill first.
func stepTotals(steps []Step) (out []StepTotals) {
	for kind := Prefill; kind < stepKinds; kind++ {
		t := StepTotals{Kind: kind}
		var host, period, busy, whole []int64
		batches, batched := int64(0), int64(0)
		for i := range steps {
			p := &steps[i]
			if p.Kind != kind {
				continue
			}
			t.Count++
			host = append(host, p.Host)
			if p.Period > 0 {
				period = append(period, p.Period)
			}
			if p.Kernels > 0 {
				t.WithGPU++
				busy, whole = append(busy, p.Busy), append(whole, p.GPUEnd-p.GPUStart)
			}
			if p.Batch > 0 {
				batches, batched = batches+int64(p.Batch), batched+1
			}
			t.Tokens += int64(p.Tokens)
			t.Kernels += p.Kernels
			t.Launches += p.Graphs
		}
		if t.Count == 0 {
			continue
		}
		t.Host, t.Period, t.Busy, t.Span = spread(host), spread(period), spread(busy), spread(whole)
		if batched > 0 {
			t.Batch = float64(batches) / float64(batched)
		}
		out = append(out, t)
	}
	return out
}

// overall sums the ranks.
func overall(ranks []Rank, keep int) (t Totals) {
	shares, kernels := map[string]*Share{}, map[string]*Kernel{}
	copies, colls := map[string]*Copy{}, map[Collective]*Collective{}
	var steps []Step
	for i := range ranks {
		r := &ranks[i]
		t.Elapsed += r.Elapsed
		t.Busy += r.Busy
		b, a := &t.Breakdown, r.Breakdown
		b.Compute += a.Compute
		b.Communication += a.Communication
		b.Memory += a.Memory
		b.HostBound += a.HostBound
		b.KernelGap += a.KernelGap
		b.IdleUnknown += a.IdleUnknown
		t.CommExposed += r.CommExposed
		t.CommOverlapped += r.CommOverlapped
		t.KernelTime += r.KernelTime
		addLaunch(&t.Launch, r.Launch)
		g, h := &t.Graphs, r.Graphs
		g.Launches += h.Launches
		g.Kernels += h.Kernels
		g.Time += h.Time
		g.All += h.All
		g.AllTime += h.AllTime
		steps = append(steps, r.Sequence...)
		for _, s := range r.Categories {
			into := shares[s.Category]
			if into == nil {
				into = &Share{Category: s.Category, Class: s.Class}
				shares[s.Category] = into
			}
			into.Time += s.Time
			into.Calls += s.Calls
			into.Steps = addAmounts(into.Steps, s.Steps)
		}
		for _, k := range r.Kernels {
			into := kernels[k.Name]
			if into == nil {
				into = &Kernel{Name: k.Name, Category: k.Category}
				kernels[k.Name] = into
			}
			addKernel(into, k)
		}
		for _, c := range r.Copies {
			into := copies[c.Name]
			if into == nil {
				into = &Copy{Name: c.Name}
				copies[c.Name] = into
			}
			into.Calls += c.Calls
			into.Bytes += c.Bytes
			into.Time += c.Time
			into.Sized += c.Sized
		}
		for _, c := range r.Collectives {
			what := Collective{Name: c.Name, Bytes: c.Bytes, DType: c.DType, Ranks: c.Ranks, Group: c.Group, Factor: c.Factor}
			into := colls[what]
			if into == nil {
				first := what
				first.Min = c.Min
				into = &first
				colls[what] = into
			}
			into.Calls += c.Calls
			into.Time += c.Time
			into.Min, into.Max = min(into.Min, c.Min), max(into.Max, c.Max)
		}
	}
	for _, s := range shares {
		t.Categories = append(t.Categories, *s)
	}
	sortShares(t.Categories)
	for _, k := range kernels {
		t.Kernels = append(t.Kernels, *k)
	}
	sortKernels(t.Kernels)
	t.Kernels = foldKernels(t.Kernels, keep)
	for _, c := range copies {
		t.Copies = append(t.Copies, *c)
	}
	sortCopies(t.Copies)
	for _, c := range colls {
		t.Collectives = append(t.Collectives, *c)
	}
	sortCollectives(t.Collectives)
	t.Steps = stepTotals(steps)
	return t
}

func addLaunch(into *Launch, l Launch) {
	into.Launches += l.Launches
	into.Unknown += l.Unknown
	into.Early += l.Early
	into.Delay += l.Delay
	into.DelayMax = max(into.DelayMax, l.DelayMax)
	into.Singles += l.Singles
	into.DepthTime += l.DepthTime
	into.QueueSpan += l.QueueSpan
	into.DepthMax = max(into.DepthMax, l.DepthMax)
	into.Full += l.Full
	into.Dry += l.Dry
	into.GraphWait += l.GraphWait
}
