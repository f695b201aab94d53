package trace

import (
	"bytes"
	"strings"

	"dynascope/sources/text"
)

// kind looks a cat up; neighbours mostly share theirs.
func (c *collector) kind(cat []byte) kind {
	for i := range c.catMemo {
		if m := &c.catMemo[i]; m.cat == string(cat) && m.cat != "" {
			return m.kind
		}
	}
	k := kinds[string(cat)]
	if len(cat) < 64 {
		c.catMemo[1] = c.catMemo[0]
		c.catMemo[0].cat, c.catMemo[0].kind = string(cat), k
	}
	return k
}

// track numbers a (pid, tid).
func (c *collector) track(e *event) uint16 {
	for i := range c.lastTrack {
		if m := &c.lastTrack[i]; bytes.Equal(m.tid, e.tid) && bytes.Equal(m.pid, e.pid) && m.pid != nil {
			return m.id
		}
	}
	c.scratch = append(append(append(c.scratch[:0], e.pid[:min(len(e.pid), 256)]...), 0), e.tid[:min(len(e.tid), 256)]...)
	id, ok := c.tracks[string(c.scratch)]
	if !ok {
		if len(c.tracks) >= maxTracks {
			c.limit("threads and streams")
			return spareTrack
		}
		id = uint16(len(c.tracks))
		c.tracks[string(c.scratch)] = id
		c.trackName = append(c.trackName, text.CleanBytes(e.tid, 24))
	}
	m := &c.lastTrack[1]
	m.pid, m.tid, m.id = append(m.pid[:0], e.pid...), append(m.tid[:0], e.tid...), id
	c.lastTrack[0], c.lastTrack[1] = c.lastTrack[1], c.lastTrack[0]
	return id
}

// limit notes what was more than is kept apart.
func (c *collector) limit(what string) {
	if !strings.Contains(c.notes.TooMany, what) {
		c.notes.TooMany = strings.TrimPrefix(c.notes.TooMany+", "+what, ", ")
	}
}

// group numbers the rank that a merged file names in front of a pid
// ("[TP00-DP01] 1234"): correlations are unique only within it. 0 without.
func (c *collector) group(pid []byte) uint16 {
	if len(pid) == 0 || pid[0] != '[' {
		return 0
	}
	j := bytes.IndexByte(pid, ']')
	if j < 0 {
		return 0
	}
	id, ok := c.groups[string(pid[:j+1])]
	if !ok {
		if len(c.groups) >= 4096 {
			c.limit("merged ranks")
			return 0
		}
		id = uint16(len(c.groups) + 1)
		c.groups[string(pid[:j+1])] = id
	}
	return id
}
