package trace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"

	"dynascope/sources/text"
)

// Options of an analysis; the zero value is the usual one.
type Options struct {
	Limits    Limits
	Kernels   int    // rows of the kernel tables (default 500); the rest is one row
	Operators int    // rows of the host tables (default 200)
	SpillDir  string // where the spill file's private directory is made ("" the system's)
	// Progress is told now and then, from the calling goroutine, which file is
	// read and how many bytes of it are.
	Progress func(file string, packed int64)

	memory int // bytes of records kept before they spill; 0 is the default
}

// memory is what all files of one analysis share: names, sorters, the spill.
type memory struct {
	names    *names
	spill    *spill
	works    *sorter[gpuWork] // by correlation
	placed   *sorter[gpuWork] // by device and start
	launches *sorter[launchCall]
	hosts    *sorter[hostSpan]
	queue    *sorter[waiting]
	kept     kept
}

// kept counts what stays in the report of all files together.
type kept struct{ steps, collectives int }

const (
	maxKeptSteps       = 400_000
	maxKeptCollectives = 2_000_000
)

// usualMemory is how many bytes each kind of record may take before it spills.
const usualMemory = 24 << 20

func newMemory(opt *Options) *memory {
	m := &memory{names: newNames(), spill: &spill{dir: opt.SpillDir}}
	size := opt.memory
	if size <= 0 {
		size = usualMemory
	}
	m.works = newSorter(m.spill, size, func(w *gpuWork) uint64 { return w.corr })
	m.placed = newSorter(m.spill, size, func(w *gpuWork) uint64 { return uint64(w.device)<<48 | uint64(w.start) })
	m.launches = newSorter(m.spill, size/2, func(l *launchCall) uint64 { return l.corr })
	m.hosts = newSorter(m.spill, size, func(h *hostSpan) uint64 { return h.place })
	m.queue = newSorter(m.spill, size/2, func(w *waiting) uint64 { return w.place })
	return m
}

// Analyse reads trace files, one rank or several of one session, and says
// where their time went. A file that is no trace, or cannot be read, is a
// failed entry beside the others; the error is for when none could be read,
// or ctx ended.
func Analyse(ctx context.Context, paths []string, opt Options) (*Report, error) {
	if len(paths) == 0 {
		return nil, errors.New("analysing: no trace file; hint: name *.trace.json.gz files")
	}
	if opt.Kernels <= 0 {
		opt.Kernels = 500
	}
	if opt.Operators <= 0 {
		opt.Operators = 200
	}
	m := newMemory(&opt)
	defer m.spill.close()
	r := &Report{}
	var failures []error
	for _, path := range paths {
		if err := r.add(ctx, path, &opt, m); err != nil {
			if ctx.Err() != nil {
				return nil, fmt.Errorf("analysing %s: %w", path, ctx.Err())
			}
			failures = append(failures, fmt.Errorf("analysing %s: %w", path, err))
			r.Files = append(r.Files, File{Path: path, Label: labelOf(path), Rank: -1, Failed: text.Clean(err.Error(), 300)})
		}
	}
	if len(failures) == len(paths) {
		return nil, errors.Join(failures...)
	}
	r.Overall = overall(r.Ranks, opt.Kernels)
	r.Skew = skew(r)
	r.Findings = findings(r)
	r.fill()
	return r, nil
}

// add analyses one file into the report.
func (r *Report) add(ctx context.Context, path string, opt *Options, m *memory) error {
	src, err := open(ctx, path, opt.Limits)
	if err != nil {
		return err
	}
	defer src.close()
	f := File{Path: path, Label: labelOf(path), Rank: -1}
	ranks, err := f.analyse(src, opt, m)
	if err != nil {
		return err
	}
	for i := range ranks {
		ranks[i].File = len(r.Files)
	}
	r.Files = append(r.Files, f)
	r.Ranks = append(r.Ranks, ranks...)
	return nil
}

// rankInName is how SGLang names a rank's file.
var rankInName = regexp.MustCompile(`-(TP-\d+(?:-DP-\d+)?(?:-PP-\d+)?(?:-EP-\d+)?(?:-EXTEND|-DECODE|-prefill|-decode)?)\.trace\.json`)

func labelOf(path string) string {
	name := filepath.Base(path)
	if m := rankInName.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return text.Clean(name, 60)
}

func (f *File) analyse(src *source, opt *Options, m *memory) ([]Rank, error) {
	for _, s := range []interface{ reset() }{m.works, m.placed, m.launches, m.hosts, m.queue} {
		s.reset()
	}
	if err := m.spill.rewind(); err != nil {
		return nil, fmt.Errorf("clearing the spill file: %w", err)
	}
	c := newCollector(f, m)
	told := int64(0)
	d := document{w: newWindow(src), notes: &f.Notes, header: c.header, event: func(e *event, raw []byte) error {
		if opt.Progress != nil && src.taken-told >= 4<<20 {
			told = src.taken
			opt.Progress(f.Path, told)
		}
		return c.event(e, raw)
	}}
	d.ev.hurry = true
	if err := d.read(); err != nil {
		return nil, err
	}
	if !c.begun {
		return nil, fmt.Errorf("%w: none of its %d events has a time", errNotTrace, f.Notes.Events)
	}
	if f.Rank >= 0 && rankInName.FindString(filepath.Base(f.Path)) == "" {
		f.Label = fmt.Sprintf("rank %d", f.Rank)
	}
	if c.names.over {
		c.limit("names")
	}
	f.origin = c.absolute(0)
	f.Recorded = Window{c.absolute(c.first), c.absolute(c.last)}
	for cat, n := range c.unknown {
		if f.Unknown == nil {
			f.Unknown = map[string]int64{}
		}
		f.Unknown[text.Clean(cat, 60)] += *n
	}
	if err := c.join(m); err != nil {
		return nil, err
	}
	if err := c.hostTables(opt); err != nil {
		return nil, err
	}
	return c.sweepAll(opt, m)
}

// absolute is a time of this file's records on the wall clock.
func (c *collector) absolute(t int64) int64 { return c.file.Base + c.origin + t }

// label names a track in words.
func (c *collector) label(track uint16) string {
	if int(track) < len(c.trackName) {
		return c.trackName[track]
	}
	return "further"
}

// join gives each piece of GPU work its launch, 1:N by correlation, and lays
// the work out by device and start.
func (c *collector) join(m *memory) error {
	calls := m.launches.walk()
	call := calls.next()
	var found launchCall // of the correlation met last; corr 0 before any
	works := m.works.walk()
	for w := works.next(); w != nil; w = works.next() {
		if w.corr != 0 && w.corr != found.corr {
			for call != nil && call.corr < w.corr {
				call = calls.next()
			}
			// Of a runtime call and the driver call inside it, the earlier.
			for ; call != nil && call.corr == w.corr; call = calls.next() {
				if found.corr != w.corr {
					found = *call
				} else {
					found.at = min(found.at>>1, call.at>>1)<<1 | (found.at|call.at)&1
				}
			}
		}
		if w.corr != 0 && w.corr == found.corr {
			w.launch = found.at >> 1
			if found.at&1 == 1 {
				w.flags |= graphFlag
			}
		}
		if w.launch != 0 && w.flags&graphFlag == 0 {
			if err := m.queue.add(&waiting{uint64(w.device)<<48 | uint64(w.launch), w.track}); err != nil {
				return err
			}
		}
		if err := m.placed.add(w); err != nil {
			return err
		}
	}
	return cmp.Or(calls.err, works.err)
}

// sweepAll goes over the devices one after the other.
func (c *collector) sweepAll(opt *Options, m *memory) ([]Rank, error) {
	ranks := make([]Rank, len(c.devices))
	works := m.placed.walk()
	queue := &launchStream{walk: m.queue.walk()}
	queue.next()
	kernels := make([]kernelSum, len(c.names.list))
	depth := make([]int32, spareTrack+1)
	next := works.next()
	for n := range c.devices {
		d := &c.devices[n]
		r := &ranks[n]
		r.Device = d.label
		r.Label = c.rankLabel(d)
		r.Window = Window{c.absolute(d.start), c.absolute(d.end)}
		marks := c.stepsOf(d.group)
		s := &sweep{c: c, rank: r, opt: opt, steps: marks, sums: c.emptySteps(marks), at: d.start, last: d.start,
			device: uint8(n), queue: queue, depth: depth, kernels: kernels, strip: newStrip(d.start, d.end),
			colls: map[uint64]*Collective{}, seen: map[uint64]uint32{}, replays: map[uint64]bool{}}
		clear(depth)
		for i := range s.shares {
			s.shares[i] = make([]Amount, len(categories))
		}
		for ; next != nil && int(next.device) == n; next = works.next() {
			s.work(next)
		}
		s.finish()
	}
	if err := cmp.Or(works.err, queue.walk.err); err != nil {
		return nil, err
	}
	slices.SortStableFunc(ranks, func(a, b Rank) int { return cmp.Compare(a.Label, b.Label) })
	return ranks, nil
}

// rankLabel names a device: by its file where it is the only one.
func (c *collector) rankLabel(d *device) string {
	if len(c.devices) == 1 {
		return c.file.Label
	}
	if d.group != 0 {
		return d.label
	}
	return c.file.Label + " GPU " + d.label
}

// stepsOf are the step marks of one host by start. Where some say their stage,
// plain iterations around them are left out.
func (c *collector) stepsOf(group uint16) (out []stepMark) {
	staged := false
	for _, m := range c.steps {
		if m.group == group {
			out = append(out, m)
			staged = staged || c.names.list[m.name].step != PlainStep
		}
	}
	if staged {
		out = slices.DeleteFunc(out, func(m stepMark) bool { return c.names.list[m.name].step == PlainStep })
	}
	slices.SortStableFunc(out, func(a, b stepMark) int { return cmp.Compare(a.start, b.start) })
	return out
}

func (c *collector) emptySteps(marks []stepMark) []Step {
	out := make([]Step, len(marks))
	for i, m := range marks {
		n := &c.names.list[m.name]
		out[i] = Step{Kind: n.step, Name: n.text, Start: m.start, Host: m.dur, Batch: int(n.batch), Tokens: int(n.tokens)}
		if i+1 < len(marks) {
			out[i].Period = marks[i+1].start - m.start
		}
	}
	return out
}
