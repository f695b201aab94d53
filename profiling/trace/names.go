package trace

import (
	"encoding/json"
	"strings"

	"dynascope/sources/text"
)

// Bounds of what is kept apart. What is beyond them is counted under one name
// and the report says so.
const (
	maxNames     = 100_000
	maxNameBytes = 32 << 20
	maxNameLen   = 16 << 10
	maxTracks    = 1<<16 - 2
	maxDevices   = 256
	maxCommKinds = 1 << 16
	shownRunes   = 600
)

// name is one distinct event name, and what names decide.
type name struct {
	text     string // fit to be shown
	category uint8
	class    Class
	rule     int16
	graph    bool // a launch call that replays a CUDA graph
	starts   bool // a launch call that can start GPU work

	step   StepKind
	batch  int32
	tokens int32
}

// names gives distinct names small numbers. Number 0 is what was too much to
// keep apart.
type names struct {
	ids   map[string]uint32
	list  []name
	bytes int
	over  bool
}

func newNames() *names {
	n := &names{ids: map[string]uint32{}}
	n.list = append(n.list, describe("(names beyond the limit)"))
	return n
}

func (n *names) id(raw []byte) uint32 {
	if len(raw) > maxNameLen {
		raw = raw[:maxNameLen]
	}
	if id, ok := n.ids[string(raw)]; ok {
		return id
	}
	if len(n.list) >= maxNames || n.bytes+len(raw) > maxNameBytes {
		n.over = true
		return 0
	}
	id := uint32(len(n.list))
	n.bytes += len(raw)
	n.ids[string(raw)] = id
	n.list = append(n.list, describe(unescape(raw)))
	return id
}

// unescape reads a raw JSON string; one that is no JSON stays as it is.
func unescape(raw []byte) string {
	s := string(raw)
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var out string
	if json.Unmarshal([]byte(`"`+s+`"`), &out) == nil {
		return out
	}
	return s
}

// never are launch-API calls that start no work on a GPU.
var never = []string{"Event", "StreamSynchronize", "StreamWait", "StreamIsCapturing", "StreamQuery", "StreamGet", "DeviceSynchronize",
	"DeviceGet", "FuncGet", "FuncSet", "PointerGet", "GetLast", "PeekAt", "CtxGet", "CtxSet", "SetDevice", "GetDevice", "Occupancy", "Malloc", "Free", "ModuleLoad"}

func describe(s string) name {
	n := name{text: text.Clean(s, shownRunes), rule: int16(match(s))}
	n.category = uint8(len(categories) - 1)
	if n.rule >= 0 {
		r := rules[n.rule]
		n.category, n.class = uint8(index(categories, r.Category)), r.Class
	}
	n.graph = strings.Contains(s, "GraphLaunch")
	n.starts = true
	for _, w := range never {
		if strings.Contains(s, w) {
			n.starts = false
			break
		}
	}
	k, batch, tokens := step(s)
	n.step, n.batch, n.tokens = k, int32(min(batch, 1<<30)), int32(min(tokens, 1<<30))
	return n
}
