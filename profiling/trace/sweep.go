package trace

import (
	"cmp"
	"slices"
)

// sweep goes over one device's work in order of start and keeps its books.
type sweep struct {
	c     *collector
	rank  *Rank
	opt   *Options
	steps []stepMark // of this device's host, by start
	sums  []Step     // beside steps

	at   int64 // up to here the window is accounted
	ends [classes]int64
	mask [1 << classes]int64
	tail uint32 // name of the work that ends last so far
	last int64  // its end

	kernels  []kernelSum // by name
	touched  []uint32
	shares   [stepKinds][]Amount // by category
	gaps     []Gap
	near     int // the step found last
	strip    *stripSums
	colls    map[uint64]*Collective // comm<<32 | name
	seen     map[uint64]uint32      // collectives met so far, by what tells them apart
	replays  map[uint64]bool        // correlations of graph launches
	overflow bool

	device uint8
	queue  *launchStream
	clock  int64
	depth  []int32 // by track
	sum    int64   // over the tracks
	full   int     // tracks at the limit
	began  bool
}

type kernelSum struct {
	calls, time, min, max, graph int64
	by                           [stepKinds]Amount
}

// collective is one call of one, for matching ranks.
type collective struct {
	key        uint64 // what it is: hash of group, operation and sequence number or name
	group      uint64 // hash of its process group; 0 unknown
	start, dur int64  // start relative to the file's origin
}

const (
	maxReplays     = 1 << 20
	maxCollectives = 60_000 // per rank, for matching
	queueFull      = 1000   // the driver stalls a launching thread near 1024
	keptGaps       = 10
)

// work accounts one piece of work; they come by rising start.
func (s *sweep) work(w *gpuWork) {
	n := &s.c.names.list[w.name]
	category, class := n.category, n.class
	if w.flags&(copyFlag|fillFlag) != 0 {
		class, category = Memory, 0
		if w.flags&fillFlag != 0 {
			category = 1
		}
	}
	s.until(w.start, w)
	end := w.start + w.dur
	s.ends[class] = max(s.ends[class], end)
	if end >= s.last {
		s.last, s.tail = end, w.name
	}

	kind := s.step(w, class, end)
	a := &s.shares[kind][category]
	a.Time += w.dur
	a.Calls++
	s.rank.KernelTime += w.dur
	s.strip.add(w.track, category, w.start, end)
	s.launch(w)
	if w.flags&(copyFlag|fillFlag) != 0 {
		return
	}
	g := &s.rank.Graphs
	g.All++
	g.AllTime += w.dur
	if w.flags&graphFlag != 0 {
		g.Kernels++
		g.Time += w.dur
	}
	k := &s.kernels[w.name]
	if k.calls == 0 {
		s.touched = append(s.touched, w.name)
		k.min = w.dur
	}
	k.calls++
	k.time += w.dur
	k.min, k.max = min(k.min, w.dur), max(k.max, w.dur)
	if w.flags&graphFlag != 0 {
		k.graph++
	}
	k.by[kind].Time += w.dur
	k.by[kind].Calls++
	if class == Communication {
		s.collective(w)
	}
}

// until accounts the window up to t. next is the work that starts there, and
// tells what a gap before it waited for.
func (s *sweep) until(t int64, next *gpuWork) {
	for s.at < t {
		m, upto := 0, t
		for c, end := range s.ends {
			if end > s.at {
				m |= 1 << c
				upto = min(upto, end)
			}
		}
		s.mask[m] += upto - s.at
		if m == 0 {
			s.gap(s.at, upto, next)
		}
		s.at = upto
	}
}

// gap books a stretch without work by what ended it.
func (s *sweep) gap(from, to int64, next *gpuWork) {
	b, cause := &s.rank.Breakdown, "unknown"
	switch {
	case next == nil || next.launch == 0:
		b.IdleUnknown += to - from
	case next.launch >= from:
		cause = "host-bound"
		b.HostBound += to - from
	default:
		cause = "kernel gap"
		b.KernelGap += to - from
	}
	if len(s.gaps) == keptGaps && s.gaps[keptGaps-1].Length >= to-from || next == nil {
		return
	}
	g := Gap{Start: from, Length: to - from, Cause: cause, After: s.c.names.list[s.tail].text, Before: s.c.names.list[next.name].text}
	at, _ := slices.BinarySearchFunc(s.gaps, g, func(a, b Gap) int { return cmp.Compare(b.Length, a.Length) })
	s.gaps = slices.Insert(s.gaps, at, g)
	s.gaps = s.gaps[:min(len(s.gaps), keptGaps)]
}

// step finds the step in which the host launched the work, and books it there.
func (s *sweep) step(w *gpuWork, class Class, end int64) StepKind {
	if w.launch == 0 || len(s.steps) == 0 {
		return NoStep
	}
	i := s.near
	if w.launch < s.steps[i].start || i+1 < len(s.steps) && w.launch >= s.steps[i+1].start {
		n, exact := slices.BinarySearchFunc(s.steps, w.launch, func(m stepMark, t int64) int { return cmp.Compare(m.start, t) })
		if !exact {
			n--
		}
		if n < 0 {
			return NoStep
		}
		i = n
		s.near = i
	}
	m := &s.steps[i]
	if w.launch >= m.start+m.dur {
		return NoStep
	}
	p := &s.sums[i]
	p.Kernels++
	if p.GPUStart == 0 {
		p.GPUStart, p.GPUEnd = w.start, w.start
	}
	if from := max(w.start, p.GPUEnd); end > from {
		p.Busy += end - from
	}
	p.GPUEnd = max(p.GPUEnd, end)
	if class == Communication {
		p.Comm += w.dur
	}
	return p.Kind
}

// collective books one communication kernel by what it carries.
func (s *sweep) collective(w *gpuWork) {
	key := uint64(w.comm) << 32
	if w.comm == 0 {
		key = uint64(w.name)
	}
	c := s.colls[key]
	if c == nil {
		if len(s.colls) >= 4096 {
			s.overflow = true
			return
		}
		c = &Collective{Name: s.c.names.list[w.name].text, Min: w.dur}
		if w.comm != 0 {
			describeCollective(c, s.c.commList[w.comm-1])
		}
		s.colls[key] = c
	}
	c.Calls++
	c.Time += w.dur
	c.Min, c.Max = min(c.Min, w.dur), max(c.Max, w.dur)

	if len(s.rank.collectives) >= maxCollectives || s.c.kept.collectives >= maxKeptCollectives {
		s.overflow = true
		return
	}
	s.c.kept.collectives++
	// What it is, the same on every rank; calls that say nothing more are
	// told apart by their order.
	h, group := hash(0, c.Name), uint64(0)
	if w.comm != 0 {
		group = s.c.commList[w.comm-1].members
		h = (h^group)*31 + uint64(w.seq)
		s.rank.sequenced = s.rank.sequenced || w.seq > 0
	}
	s.seen[h]++
	s.rank.collectives = append(s.rank.collectives, collective{h*0x9E3779B97F4A7C15 + uint64(s.seen[h]), group, w.start, w.dur})
}

func hash(h uint64, s string) uint64 {
	h ^= 14695981039346656037
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// finish closes the books of the device.
func (s *sweep) finish() {
	r := s.rank
	s.until(s.last, nil)
	s.drain(reach)
	for m, t := range s.mask {
		switch {
		case m == 0:
			continue
		case m&(1<<Compute) != 0:
			r.Breakdown.Compute += t
		case m&(1<<Communication) != 0:
			r.Breakdown.Communication += t
		default:
			r.Breakdown.Memory += t
		}
		r.Busy += t
		if m&(1<<Communication) != 0 {
			if m&(1<<Compute) != 0 {
				r.CommOverlapped += t
			} else {
				r.CommExposed += t
			}
		}
	}
	r.Elapsed = r.Busy + r.Breakdown.Idle()
	r.Gaps = s.gaps
	for i := range r.Gaps {
		r.Gaps[i].Start = s.c.absolute(r.Gaps[i].Start)
	}
	r.Categories = s.categoryShares()
	r.Kernels = s.kernelTable()
	for _, c := range s.colls {
		r.Collectives = append(r.Collectives, *c)
	}
	sortCollectives(r.Collectives)
	for key, cp := range s.c.copies {
		if key[0] == uint32(s.device) {
			r.Copies = append(r.Copies, *cp)
		}
	}
	sortCopies(r.Copies)
	s.finishSteps()
	r.Strip = s.strip.result(s.c.label, r.Window)
	if s.overflow {
		s.c.limit("collectives")
	}
}

func (s *sweep) categoryShares() (out []Share) {
	for i, name := range categories {
		sh := Share{Category: name, Class: classOf(name).String()}
		for k := range s.shares {
			a := s.shares[k][i]
			sh.Time += a.Time
			sh.Calls += a.Calls
			if a.Calls > 0 && StepKind(k) != NoStep {
				if sh.Steps == nil {
					sh.Steps = map[string]Amount{}
				}
				sh.Steps[StepKind(k).String()] = a
			}
		}
		if sh.Calls > 0 || name == Other {
			out = append(out, sh)
		}
	}
	sortShares(out)
	return out
}

func classOf(category string) Class {
	if category == "memset" {
		return Memory
	}
	for _, r := range rules {
		if r.Category == category {
			return r.Class
		}
	}
	return Compute
}

// kernelTable lists the kernels by time and clears their sums for the next
// device. Beyond the limit they are one row.
func (s *sweep) kernelTable() (out []Kernel) {
	for _, id := range s.touched {
		k := &s.kernels[id]
		n := &s.c.names.list[id]
		row := Kernel{Name: n.text, Category: categories[n.category], Time: k.time, Calls: k.calls, Min: k.min, Max: k.max, InGraph: k.graph}
		for kind, a := range k.by {
			if a.Calls > 0 && StepKind(kind) != NoStep {
				if row.Steps == nil {
					row.Steps = map[string]Amount{}
				}
				row.Steps[StepKind(kind).String()] = a
			}
		}
		out = append(out, row)
		*k = kernelSum{}
	}
	sortKernels(out)
	return foldKernels(out, s.opt.Kernels)
}

// finishSteps gives each step its absolute times and sums them by kind.
func (s *sweep) finishSteps() {
	for i := range s.sums {
		p := &s.sums[i]
		p.Start = s.c.absolute(p.Start)
		if p.Kernels > 0 {
			p.GPUStart, p.GPUEnd = s.c.absolute(p.GPUStart), s.c.absolute(p.GPUEnd)
		}
	}
	s.rank.Steps = stepTotals(s.sums)
	if s.c.kept.steps += len(s.sums); s.c.kept.steps > maxKeptSteps {
		s.c.limit("steps")
		return
	}
	s.rank.Sequence = s.sums
}
