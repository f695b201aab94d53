package trace

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"dynascope/sources/text"
)

// gpuWork is one kernel, copy or fill. Times are ns since the file's origin.
type gpuWork struct {
	start, dur int64
	corr       uint64 // host group << 48 | correlation; 0 without
	launch     int64  // when the host launched it; 0 unknown
	name       uint32
	comm       uint32 // collective's description; 0 none
	seq        uint32
	track      uint16
	device     uint8
	flags      uint8
}

const (
	copyFlag  = 1 << iota // memcpy
	fillFlag              // memset
	graphFlag             // replayed from a graph
)

// launchCall is one runtime call that can start work.
type launchCall struct {
	corr uint64
	at   int64 // start << 1 | graph launch
}

// hostSpan is one operator, annotation or allocator event.
type hostSpan struct {
	place uint64 // track << 48 | start
	dur   int64  // of an allocator event: its bytes
	name  uint32
	alloc uint8 // 0 a span; else 1 + allocator number
}

// waiting is one launch outside graphs, for the queue.
type waiting struct {
	place uint64 // device << 48 | launch
	track uint16
}

// stepMark is one step annotation.
type stepMark struct {
	start, dur int64
	name       uint32
	group      uint16
}

const (
	// reach is how far a time may lie from the file's first: 39 hours each way.
	reach    = int64(1) << 47
	placeMax = uint64(1)<<48 - 1
	maxSteps = 50_000
)

// device is one GPU of one file while it is collected.
type device struct {
	label string
	group uint16
	start int64 // of the first work
	end   int64
	works int64
}

type commKind struct {
	name, dtype, group string
	members            uint64 // hash of the group: its name and ranks
	in, out, ranks     int64
}

// collector turns the events of one file into records.
type collector struct {
	file   *File
	notes  *Notes
	names  *names
	kept   *kept
	args   arguments
	origin int64
	begun  bool
	first  int64
	last   int64

	works    *sorter[gpuWork]
	launches *sorter[launchCall]
	hosts    *sorter[hostSpan]

	tracks    map[string]uint16
	trackName []string
	lastTrack [2]trackMemo
	scratch   []byte
	devices   []device
	deviceOf  map[string]int
	trackDev  []int16 // by track; -1 not a stream yet
	groups    map[string]uint16
	steps     []stepMark

	comms    map[string]uint32
	commList []commKind

	kindOf  map[string]kind
	catMemo [2]struct {
		cat  string
		kind kind
	}
	copies  map[[2]uint32]*Copy // device, name
	runtime map[uint32]*Operator
	threads []bool // by track: it has operators
	unknown map[string]*int64

	allocs  []Allocator
	allocOf map[string]int
	edges   [][2]int64 // per allocator: times of its first and last event
}

type trackMemo struct {
	pid, tid []byte
	id       uint16
}

const spareTrack = maxTracks + 1 // all threads beyond the limit

func newCollector(file *File, m *memory) *collector {
	c := &collector{file: file, notes: &file.Notes, names: m.names, kept: &m.kept,
		works: m.works, launches: m.launches, hosts: m.hosts,
		tracks: map[string]uint16{}, deviceOf: map[string]int{}, groups: map[string]uint16{},
		trackDev: make([]int16, spareTrack+1), threads: make([]bool, spareTrack+1),
		comms: map[string]uint32{}, copies: map[[2]uint32]*Copy{}, runtime: map[uint32]*Operator{},
		unknown: map[string]*int64{}, allocOf: map[string]int{}}
	for i := range c.trackDev {
		c.trackDev[i] = -1
	}
	return c
}

// header takes in one of the document's own keys.
func (c *collector) header(key string, value []byte) {
	f := c.file
	number := func() (n int64) { _ = json.Unmarshal(value, &n); return n }
	truth := func() bool { s := strings.Trim(string(value), `"`); return s == "1" || s == "true" }
	switch key {
	case "baseTimeNanoseconds":
		f.Base = number()
	case "with_stack":
		f.Stacks = truth()
	case "record_shapes":
		f.Shapes = truth()
	case "distributedInfo":
		var d struct {
			Backend string `json:"backend"`
			Rank    *int   `json:"rank"`
			World   int    `json:"world_size"`
		}
		if json.Unmarshal(value, &d) == nil && d.Rank != nil {
			f.Rank, f.World, f.Backend = *d.Rank, d.World, text.Clean(d.Backend, 40)
		}
	case "deviceProperties":
		var d []struct {
			Name string `json:"name"`
		}
		if json.Unmarshal(value, &d) == nil && len(d) > 0 {
			f.GPU = text.Clean(d[0].Name, 80)
		}
	}
}

// event takes one event in.
func (c *collector) event(e *event, _ []byte) error {
	switch e.ph {
	case 'X':
	case 'i', 'I':
		return c.instant(e)
	default:
		return nil // metadata, flows, counters
	}
	if e.badTime || !e.hasTS {
		c.notes.BadTimes++
		return nil
	}
	if e.dur < 0 {
		c.notes.Negative++
		return nil
	}
	if !c.begun {
		c.begun, c.origin = true, e.ts-reach/2
		c.first, c.last = reach, 0
	}
	start := e.ts - c.origin
	if start <= 0 || start >= reach || e.dur >= reach || e.ts < c.origin {
		c.notes.BadTimes++
		return nil
	}
	c.first, c.last = min(c.first, start), max(c.last, start+e.dur)
	switch k := c.kind(e.cat); k {
	case kernelKind, memcpyKind, memsetKind:
		return c.work(e, k, start)
	case launchKind:
		return c.launch(e, start)
	case operatorKind, annotationKind:
		id := c.names.id(e.name)
		track := c.track(e)
		if k == annotationKind && c.names.list[id].step != NoStep {
			if len(c.steps) < maxSteps {
				c.steps = append(c.steps, stepMark{start, e.dur, id, c.group(e.pid)})
			} else {
				c.limit("steps")
			}
		}
		c.threads[track] = true
		return c.hosts.add(&hostSpan{place: uint64(track)<<48 | uint64(start), dur: e.dur, name: id<<1 | b2u(k == annotationKind)})
	case pythonKind:
		c.file.Host.Python++
	case unknownKind:
		if n, met := c.unknown[string(e.cat)]; met {
			*n++
		} else if len(c.unknown) < 32 {
			one := int64(1)
			c.unknown[string(e.cat[:min(len(e.cat), 200)])] = &one
		}
	}
	return nil
}

func b2u(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

func (c *collector) work(e *event, k kind, start int64) error {
	a := &c.args
	*a = noArguments
	if e.args != nil {
		a.read(e.args)
	}
	track := c.track(e)
	dev := uint8(c.trackDev[track])
	if c.trackDev[track] < 0 || track == spareTrack {
		n, ok := c.deviceOf[string(e.pid)]
		if !ok {
			if len(c.devices) >= maxDevices {
				c.limit("devices")
				return nil
			}
			n = len(c.devices)
			label := text.CleanBytes(e.pid, 40)
			c.deviceOf[string(e.pid)] = n
			c.devices = append(c.devices, device{label: label, group: c.group(e.pid), start: start, end: start})
		}
		dev = uint8(n)
		c.trackDev[track] = int16(n)
	}
	d := &c.devices[dev]
	d.start, d.end, d.works = min(d.start, start), max(d.end, start+e.dur), d.works+1

	id := c.names.id(e.name)
	w := gpuWork{start: start, dur: e.dur, name: id, track: track, device: dev}
	if a.correlation > 0 {
		w.corr = uint64(d.group)<<48 | uint64(a.correlation)&placeMax
	}
	switch k {
	case memcpyKind:
		w.flags = copyFlag
	case memsetKind:
		w.flags = fillFlag
	}
	if a.graph > 0 {
		w.flags |= graphFlag
	}
	if k != kernelKind {
		key := [2]uint32{uint32(dev), id}
		cp := c.copies[key]
		if cp == nil {
			cp = &Copy{Name: c.names.list[id].text}
			c.copies[key] = cp
		}
		cp.Calls++
		cp.Time += e.dur
		if a.bytes >= 0 {
			cp.Bytes += a.bytes
			cp.Sized += e.dur
		}
	} else if a.collective != nil {
		w.comm = c.comm(a)
		if a.seq > 0 {
			w.seq = uint32(a.seq)
		}
	}
	return c.works.add(&w)
}

// comm numbers a collective's description.
func (c *collector) comm(a *arguments) uint32 {
	b := c.scratch[:0]
	for _, part := range [][]byte{a.collective, a.dtype, a.group, a.members} {
		b = append(append(b, part[:min(len(part), 200)]...), 0)
	}
	for _, n := range []int64{a.inElems, a.outElems, a.groupSize} {
		for s := 0; s < 64; s += 8 {
			b = append(b, byte(n>>s))
		}
	}
	c.scratch = b
	id, ok := c.comms[string(b)]
	if !ok {
		if len(c.comms) >= maxCommKinds {
			c.limit("kinds of collectives")
			return 0
		}
		c.commList = append(c.commList, commKind{text.CleanBytes(a.collective, 60), text.CleanBytes(a.dtype, 20), text.CleanBytes(a.group, 40),
			hash(hash(1, string(a.group)), string(a.members)), a.inElems, a.outElems, a.groupSize})
		id = uint32(len(c.commList))
		c.comms[string(b)] = id
	}
	return id
}

func (c *collector) launch(e *event, start int64) error {
	id := c.names.id(e.name)
	op := c.runtime[id]
	if op == nil {
		op = &Operator{Name: c.names.list[id].text}
		c.runtime[id] = op
	}
	op.Calls++
	op.Time += e.dur
	op.Self += e.dur
	n := &c.names.list[id]
	if !n.starts || e.args == nil {
		return nil
	}
	a := &c.args
	a.read(e.args)
	if a.correlation <= 0 {
		return nil
	}
	return c.launches.add(&launchCall{corr: uint64(c.group(e.pid))<<48 | uint64(a.correlation)&placeMax, at: start<<1 | int64(b2u(n.graph))})
}

func (c *collector) instant(e *event) error {
	if bytes.Equal(e.name, closingRecord) {
		c.notes.Closing = true
		return nil
	}
	if !bytes.Equal(e.name, []byte("[memory]")) || e.args == nil || !e.hasTS || !c.begun {
		return nil
	}
	start := e.ts - c.origin
	if start <= 0 || start >= reach || e.ts < c.origin {
		c.notes.BadTimes++
		return nil
	}
	a := &c.args
	a.read(e.args)
	label := "CPU"
	if a.deviceType != 0 {
		label = "GPU"
		if a.device >= 0 && a.device < maxDevices {
			label = "GPU " + strconv.FormatInt(a.device, 10)
		}
	}
	n, ok := c.allocOf[label]
	if !ok {
		if len(c.allocs) >= 250 {
			c.limit("allocators")
			return nil
		}
		n = len(c.allocs)
		c.allocOf[label] = n
		c.allocs = append(c.allocs, Allocator{Device: label, Peak: -1, PeakReserved: -1})
		c.edges = append(c.edges, [2]int64{reach, -1})
	}
	al, edge := &c.allocs[n], &c.edges[n]
	al.Events++
	if a.allocated >= 0 {
		if start < edge[0] {
			edge[0], al.First = start, a.allocated
		}
		if start >= edge[1] {
			edge[1], al.Last = start, a.allocated
		}
		if a.allocated > al.Peak {
			al.Peak, al.PeakAt = a.allocated, start
		}
		al.PeakReserved = max(al.PeakReserved, a.reserved)
	}
	return c.hosts.add(&hostSpan{place: uint64(c.track(e))<<48 | uint64(start), dur: a.bytes, alloc: uint8(n + 1)})
}
