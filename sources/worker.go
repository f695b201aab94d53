package sources

import (
	"fmt"
	"strconv"
	"time"
)

// WorkerState is what is known of a worker's presence.
type WorkerState string

// The states of a worker. Only its own scraped page and the router's
// registration count as presence: the frontend's last-value gauges come back
// after a worker's death (dynamo.md §11).
const (
	WorkerUp         WorkerState = "up"         // its page is scraped
	WorkerStale      WorkerState = "stale"      // it was; the last scrapes failed, and the router still lists it
	WorkerGone       WorkerState = "gone"       // its page is dead and the router dropped it
	WorkerUnscraped  WorkerState = "unscraped"  // the router lists it; no target of ours is it
	WorkerUnlisted   WorkerState = "unlisted"   // its page is scraped, and a KV router does not list it
	WorkerStandalone WorkerState = "standalone" // an engine without Dynamo
)

// Worker is one engine process, joined over the spellings of its id: hex on
// its own page, decimal on the frontend and the router, none on engine lines
// (architecture.md §4, worker identity).
type Worker struct {
	ID        string // hexadecimal, as its own page spells it; empty for an engine without Dynamo
	Decimal   string // the same number in decimal
	Short     string // shortest prefix of ID that tells it apart, at least four characters
	Instance  string // of the target that is its page; empty when unscraped
	Namespace string // dynamo_namespace
	Component string // dynamo_component
	Role      string // "prefill", "decode", "aggregated", ""
	Engine    string // "sglang", "vllm", "trtllm", ""
	Model     string
	Ranks     []string // DP ranks seen; at least one, "0" when none is named
	State     WorkerState
	LastGood  time.Time // newest good scrape of its page
}

// DecimalID turns a worker id in hexadecimal, as hierarchy labels spell it,
// into the decimal spelling of the frontend's gauges. Ids exceed 2^53, so
// neither ever passes through a float.
func DecimalID(hex string) (string, error) {
	n, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		return "", fmt.Errorf("read worker id %q as hexadecimal: not a 64-bit number", hex)
	}
	return strconv.FormatUint(n, 10), nil
}

// HexID turns a decimal worker id into the hexadecimal spelling.
func HexID(decimal string) (string, error) {
	n, err := strconv.ParseUint(decimal, 10, 64)
	if err != nil {
		return "", fmt.Errorf("read worker id %q as decimal: not a 64-bit number", decimal)
	}
	return strconv.FormatUint(n, 16), nil
}

// ShortIDs returns for each id its shortest prefix, of at least four
// characters, that no other id shares.
func ShortIDs(ids []string) map[string]string {
	out := make(map[string]string, len(ids))
	for _, id := range ids {
		n := min(4, len(id))
		for ; n < len(id); n++ {
			if !sharesPrefix(ids, id, n) {
				break
			}
		}
		out[id] = id[:n]
	}
	return out
}

func sharesPrefix(ids []string, id string, n int) bool {
	for _, other := range ids {
		if other != id && len(other) >= n && other[:n] == id[:n] {
			return true
		}
	}
	return false
}
