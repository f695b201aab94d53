package trace

import (
	"cmp"
	"slices"
)

// maxNested bounds how deep operators are followed on one thread.
const maxNested = 4096

type hostSum struct {
	calls, time, self int64
}

// open is an operator that the sweep is inside of.
type openSpan struct {
	end, self int64
	name      uint32
}

// hosts goes over the host's spans thread by thread, by start, and gives each
// operator its own time and each allocation its operator.
func (c *collector) hostTables(opt *Options) error {
	sums := make([]hostSum, 2*len(c.names.list))
	type key struct {
		alloc uint8
		name  uint32
	}
	by := map[key]*Alloc{}
	var stack []openSpan
	pop := func() {
		top := stack[len(stack)-1]
		sums[top.name].self += max(top.self, 0)
		stack = stack[:len(stack)-1]
	}
	track := uint64(0)
	one := func(h *hostSpan) {
		start := int64(h.place & placeMax)
		if t := h.place >> 48; t != track {
			for len(stack) > 0 {
				pop()
			}
			track = t
		}
		for len(stack) > 0 && stack[len(stack)-1].end <= start {
			if h.alloc > 0 && stack[len(stack)-1].end == start {
				break // at an operator's very end it is still its own
			}
			pop()
		}
		if h.alloc > 0 {
			k := key{h.alloc, 0}
			label := "(outside operators)"
			if len(stack) > 0 {
				k.name = stack[len(stack)-1].name + 1
				label = c.names.list[stack[len(stack)-1].name>>1].text
			}
			a := by[k]
			if a == nil {
				a = &Alloc{Name: label}
				by[k] = a
			}
			if h.dur >= 0 {
				a.Calls++
				a.Bytes += h.dur
			} else {
				a.Freed -= h.dur
			}
			return
		}
		end := start + h.dur
		s := &sums[h.name]
		s.calls++
		s.time += h.dur
		if track == spareTrack {
			return // several threads in one: nesting means nothing
		}
		if n := len(stack); n > 0 {
			stack[n-1].self -= min(end, stack[n-1].end) - start
		}
		if len(stack) >= maxNested {
			c.limit("nested operators")
			return
		}
		stack = append(stack, openSpan{end, h.dur, h.name})
	}

	// Spans of one start come longest first: the outer ones.
	w, tied := c.hosts.walk(), []hostSpan(nil)
	flush := func() {
		if len(tied) > 1 {
			slices.SortStableFunc(tied, func(a, b hostSpan) int {
				return cmp.Or(cmp.Compare(b2u(a.alloc > 0), b2u(b.alloc > 0)), cmp.Compare(b.dur, a.dur)*int(1-b2u(a.alloc > 0)))
			})
		}
		for i := range tied {
			one(&tied[i])
		}
		tied = tied[:0]
	}
	for h := w.next(); h != nil; h = w.next() {
		if len(tied) > 0 && (tied[0].place != h.place || len(tied) >= 1<<16) {
			flush()
		}
		tied = append(tied, *h)
	}
	if w.err != nil {
		return w.err
	}
	flush()
	for len(stack) > 0 {
		pop()
	}

	host := &c.file.Host
	for id, s := range sums {
		if s.calls > 0 {
			host.Operators = append(host.Operators, Operator{Name: c.names.list[id/2].text, Annotation: id%2 == 1, Calls: s.calls, Time: s.time, Self: s.self})
		}
	}
	sortOperators(host.Operators)
	host.Operators = host.Operators[:min(len(host.Operators), opt.Operators)]
	for _, op := range c.runtime {
		host.Runtime = append(host.Runtime, *op)
	}
	sortOperators(host.Runtime)
	host.Runtime = host.Runtime[:min(len(host.Runtime), opt.Operators)]
	for _, t := range c.threads {
		host.Threads += int64(b2u(t))
	}
	for n, a := range c.allocs {
		for k, u := range by {
			if int(k.alloc) == n+1 {
				a.By = append(a.By, *u)
			}
		}
		slices.SortFunc(a.By, func(x, y Alloc) int {
			return cmp.Or(cmp.Compare(y.Bytes, x.Bytes), cmp.Compare(y.Freed, x.Freed), cmp.Compare(x.Name, y.Name))
		})
		a.By = a.By[:min(len(a.By), 20)]
		a.PeakAt = c.absolute(a.PeakAt)
		host.Memory = append(host.Memory, a)
	}
	slices.SortFunc(host.Memory, func(a, b Allocator) int { return cmp.Compare(a.Device, b.Device) })
	return nil
}
