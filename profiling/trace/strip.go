package trace

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

func (p *stripSums) result(c *collector, w Window) *Strip {
	out := &Strip{Window: w, Bins: stripBins, Left: len(p.left)}
	for n, track := range p.streams {
		st := StripStream{Label: c.label(track), Category: make([]uint8, stripBins), Fill: make([]uint8, stripBins)}
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
