package trace

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// elementBytes are the sizes of the types that collectives name.
var elementBytes = map[string]int64{
	"float": 4, "float32": 4, "fp32": 4, "int": 4, "int32": 4, "half": 2, "float16": 2, "bfloat16": 2, "short": 2,
	"double": 8, "float64": 8, "long": 8, "int64": 8, "byte": 1, "char": 1, "bool": 1, "uint8": 1, "int8": 1,
	"float8_e4m3fn": 1, "float8_e5m2": 1, "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1,
}

// describeCollective gives a collective its size and bus factor: the bytes as
// nccl-tests counts them (the whole result of an all-gather, the whole input
// of a reduce-scatter), and how many bytes per byte cross the slowest link of
// a ring.
func describeCollective(c *Collective, k commKind) {
	c.Name, c.DType, c.Group, c.Ranks = k.name, k.dtype, k.group, max(k.ranks, 0)
	size := elementBytes[strings.ToLower(k.dtype)]
	elems := k.in
	op := strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(k.name))
	n := float64(k.ranks)
	switch {
	case strings.Contains(op, "allreduce"):
		c.Factor = 2 * (n - 1) / n
	case strings.Contains(op, "allgather"):
		c.Factor, elems = (n-1)/n, max(k.out, k.in)
	case strings.Contains(op, "reducescatter"):
		c.Factor, elems = (n-1)/n, max(k.in, k.out)
	case strings.Contains(op, "alltoall"):
		c.Factor = (n - 1) / n
	case strings.Contains(op, "broadcast"), strings.Contains(op, "reduce"), strings.Contains(op, "send"), strings.Contains(op, "recv"):
		c.Factor = 1
	}
	if n < 1 {
		c.Factor = 0
	}
	if elems > 0 && elems < 1<<48 {
		c.Bytes = elems * size
	}
}

func sortCollectives(cs []Collective) {
	slices.SortFunc(cs, func(a, b Collective) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Bytes, b.Bytes), cmp.Compare(a.Group, b.Group), cmp.Compare(a.DType, b.DType))
	})
}

// stageInLabel is how SGLang marks the files of a by-stage profile.
var stageInLabel = regexp.MustCompile(`-(EXTEND|DECODE|prefill|decode)$`)

// skew matches the collectives of ranks of one stage and tells who arrives
// last. Where there are stages, the one with the most matches is told. It
// needs at least two ranks that share collectives.
func skew(r *Report) (best *Skew) {
	stages := map[string][]*Rank{}
	for i := range r.Ranks {
		if k := &r.Ranks[i]; len(k.collectives) > 0 {
			stage := stageInLabel.FindString(r.Files[k.File].Label)
			stages[stage] = append(stages[stage], k)
		}
	}
	for _, stage := range slices.Sorted(maps.Keys(stages)) {
		if s := skewOf(r, stages[stage]); s != nil && (best == nil || s.Matched > best.Matched) {
			best = s
			best.Stage = strings.TrimPrefix(stage, "-")
		}
	}
	return best
}

// meeting is one collective as the ranks saw it.
type meeting struct {
	n           int
	group       uint64
	first, last int64 // starts
	begin, end  int64 // latest start, earliest end
	short, long int64 // durations
	by          int   // rank with the shortest
	tie         bool
}

func skewOf(r *Report, ranks []*Rank) *Skew {
	if len(ranks) < 2 {
		return nil
	}
	all, members := map[uint64]*meeting{}, map[uint64]int{}
	for n, rank := range ranks {
		base, own := r.Files[rank.File].origin, map[uint64]bool{}
		for _, c := range rank.collectives {
			own[c.group] = true
			start := base + c.start
			m := all[c.key]
			if m == nil {
				all[c.key] = &meeting{n: 1, group: c.group, first: start, last: start, begin: start, end: start + c.dur, short: c.dur, long: c.dur, by: n}
				continue
			}
			m.n++
			m.first, m.last = min(m.first, start), max(m.last, start)
			m.begin, m.end = max(m.begin, start), min(m.end, start+c.dur)
			m.long = max(m.long, c.dur)
			if c.dur == m.short {
				m.tie = true
			} else if c.dur < m.short {
				m.short, m.by, m.tie = c.dur, n, false
			}
		}
		for g := range own {
			members[g]++
		}
	}
	s := &Skew{By: "order", Ranks: make([]RankSkew, len(ranks))}
	apart := int64(0)
	// A collective counts where every rank that has its group has it.
	whole := func(m *meeting) bool { return m.n >= 2 && m.n == members[m.group] }
	for _, m := range all {
		if !whole(m) {
			continue
		}
		s.Matched++
		s.Wait += m.long - m.short
		s.Start += m.last - m.first
		if m.begin > m.end {
			apart++
		}
		if !m.tie {
			s.Ranks[m.by].Last++
			s.Ranks[m.by].Made += m.long - m.short
		}
	}
	if s.Matched == 0 {
		return nil
	}
	s.Apart = apart*10 > s.Matched
	for n, rank := range ranks {
		s.Ranks[n].Label = rank.Label
		if rank.sequenced {
			s.By = "sequence number"
		}
		for _, c := range rank.collectives {
			if m := all[c.key]; whole(m) {
				s.Ranks[n].Met++
				s.Ranks[n].Wait += c.dur - m.short
			} else {
				s.Left++
			}
		}
	}
	return s
}
