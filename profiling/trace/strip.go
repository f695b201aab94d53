package trace

import (
	"context"
	"fmt"

	"dynascope/sources/text"
)

const (
	stripBins    = 2048
	stripStreams = 32
)

// stripSums collects how long each category was at work in each bin of each
// stream.
type stripSums struct {
	from, length int64
	streams      []uint16 // tracks, in order of appearance
	sums         [][]int64
	left         map[uint16]bool
}

func newStrip(from, to int64) *stripSums {
	return &stripSums{from: from, length: max(to-from, 1), left: map[uint16]bool{}}
}

func (p *stripSums) add(track uint16, category uint8, from, to int64) {
	n := -1
	for i, t := range p.streams {
		if t == track {
			n = i
			break
		}
	}
	if n < 0 {
		if len(p.streams) == stripStreams {
			p.left[track] = true
			return
		}
		n = len(p.streams)
		p.streams = append(p.streams, track)
		p.sums = append(p.sums, make([]int64, stripBins*len(categories)))
	}
	from, to = from-p.from, to-p.from
	sums := p.sums[n]
	for bin := p.bin(from); bin < stripBins; bin++ {
		begin, end := p.edge(bin), p.edge(bin+1)
		if part := min(to, end) - max(from, begin); part > 0 {
			sums[bin*len(categories)+int(category)] += part
		}
		if end >= to {
			return
		}
	}
}

// Bins have whole edges: bin i is [edge(i), edge(i+1)).
func (p *stripSums) edge(i int) int64 {
	q, r := p.length/stripBins, p.length%stripBins
	return q*int64(i) + r*int64(i)/stripBins
}

func (p *stripSums) bin(t int64) int {
	i := int(min(max(float64(t)/float64(p.length)*stripBins, 0), stripBins-1))
	for i > 0 && p.edge(i) > t {
		i--
	}
	for i < stripBins-1 && p.edge(i+1) <= t {
		i++
	}
	return i
}

func (p *stripSums) result(label func(track uint16) string, w Window) *Strip {
	out := &Strip{Window: w, Bins: stripBins, Left: len(p.left)}
	for n, track := range p.streams {
		st := StripStream{Label: label(track), Category: make([]uint8, stripBins), Fill: make([]uint8, stripBins)}
		for bin := range stripBins {
			all, most := int64(0), int64(0)
			for cat, t := range p.sums[n][bin*len(categories) : (bin+1)*len(categories)] {
				all += t
				if t > most {
					most = t
					st.Category[bin] = uint8(cat)
				}
			}
			if width := p.edge(bin+1) - p.edge(bin); all > 0 && width > 0 {
				st.Fill[bin] = uint8(max(min(all*255/width, 255), 1))
			}
		}
		out.Streams = append(out.Streams, st)
	}
	return out
}

// ReadStrip reads an analysed file once more for the strip of one device
// (Rank.Device) over a part of its window: what zooming in needs. It keeps
// nothing but the strip.
func ReadStrip(ctx context.Context, f *File, device string, window Window) (*Strip, error) {
	if window.End <= window.Start {
		return nil, fmt.Errorf("reading a strip of %s: the window is empty", f.Path)
	}
	src, err := open(ctx, f.Path, Limits{})
	if err != nil {
		return nil, fmt.Errorf("reading a strip: %w", err)
	}
	defer src.close()
	from, to := window.Start-f.Base, window.End-f.Base
	sums, names := newStrip(from, to), newNames()
	tracks, labels := map[string]uint16{}, []string(nil)
	pids := map[string]bool{} // whether a pid is the device asked for
	notes := Notes{}
	d := document{w: newWindow(src), notes: &notes, event: func(e *event, _ []byte) error {
		k := kinds[string(e.cat)]
		if e.ph != 'X' || !e.hasTS || e.dur <= 0 || e.ts >= to || e.ts+e.dur <= from || k != kernelKind && k != memcpyKind && k != memsetKind {
			return nil
		}
		wanted, met := pids[string(e.pid)]
		if !met && len(pids) < maxDevices {
			wanted = text.CleanBytes(e.pid, 40) == device
			pids[string(e.pid)] = wanted
		}
		if !wanted {
			return nil
		}
		track, met := tracks[string(e.tid)]
		if !met {
			if len(tracks) >= maxTracks {
				return nil
			}
			track = uint16(len(tracks))
			tracks[string(e.tid)] = track
			labels = append(labels, text.CleanBytes(e.tid, 24))
		}
		category := names.list[names.id(e.name)].category
		switch k {
		case memcpyKind:
			category = 0
		case memsetKind:
			category = 1
		}
		sums.add(track, category, max(e.ts, from), min(e.ts+e.dur, to))
		return nil
	}}
	if err := d.read(); err != nil {
		return nil, fmt.Errorf("reading a strip of %s: %w", f.Path, err)
	}
	return sums.result(func(track uint16) string { return labels[track] }, window), nil
}
