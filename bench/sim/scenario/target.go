package scenario

import (
	"fmt"
	"strconv"
	"strings"
)

// TargetKind is what sort of thing a target is.
type TargetKind string

// The kinds of target.
const (
	TargetNone     TargetKind = ""
	TargetAll      TargetKind = "all"
	TargetWorker   TargetKind = "worker"
	TargetPool     TargetKind = "pool"
	TargetFrontend TargetKind = "frontend"
	TargetRouter   TargetKind = "router"
	TargetGPU      TargetKind = "gpu"
	TargetHost     TargetKind = "host"
	TargetDCGM     TargetKind = "dcgm"
	TargetKVBM     TargetKind = "kvbm"
	TargetPlanner  TargetKind = "planner"
)

// named are the kinds that are written by their own word.
var named = []TargetKind{TargetWorker, TargetFrontend, TargetRouter, TargetGPU, TargetHost, TargetDCGM, TargetKVBM, TargetPlanner}

// Target is whom a fault meets: one thing, or all of a kind. Written as the
// endpoint's name: `worker3` (counted over all pools in their order), `worker`
// (all workers), `worker3/1` (its DP rank 1), `frontend0`, `router`, `gpu5`,
// `host1`, `dcgm0`, `kvbm0`, `planner`, `all`; or a pool's name, alone
// (`decode`) or with the worker's number in it (`decode0`, `decode0/1`).
type Target struct {
	Kind  TargetKind
	Pool  string // for TargetPool
	Index int    // -1 is all
	Rank  int    // DP rank of one worker; -1 is all
}

// Targets are whom a fault meets. One target may be written without a list.
type Targets []Target

// ParseTarget reads a target. Whether its pool exists is for Validate.
func ParseTarget(s string) (Target, error) {
	t := Target{Index: -1, Rank: -1}
	name, rank, ranked := strings.Cut(s, "/")
	if ranked {
		n, err := index(rank)
		if err != nil {
			return t, fmt.Errorf("the rank %q after / is no number", rank)
		}
		t.Rank = n
	}
	word := strings.TrimRight(name, "0123456789")
	if digits := name[len(word):]; digits != "" {
		n, err := index(digits)
		if err != nil {
			return t, fmt.Errorf("%q is no number of a %s", digits, word)
		}
		t.Index = n
	}
	if !poolName(word) {
		return t, fmt.Errorf("%q is no target", s)
	}
	t.Kind = TargetPool
	for _, k := range append(named, TargetAll) {
		if word == string(k) {
			t.Kind = k
		}
	}
	if t.Kind == TargetPool {
		t.Pool = word
	}
	if t.Kind == TargetAll && t.Index >= 0 {
		return t, fmt.Errorf("%q: all has no number", s)
	}
	if t.Rank >= 0 && (t.Index < 0 || t.Kind != TargetWorker && t.Kind != TargetPool) {
		return t, fmt.Errorf("%q: only one worker has ranks", s)
	}
	return t, nil
}

// String returns the target as it is written.
func (t Target) String() string {
	s := string(t.Kind)
	if t.Kind == TargetPool {
		s = t.Pool
	}
	if t.Index >= 0 && t.Kind != TargetNone {
		s += strconv.Itoa(t.Index)
		if t.Rank >= 0 {
			s += "/" + strconv.Itoa(t.Rank)
		}
	}
	return s
}

// Worker reports whether the target is, or includes, the worker with the given
// number, in the given pool with the given number in that pool.
func (t Target) Worker(number int, pool string, inPool int) bool {
	switch t.Kind {
	case TargetAll:
		return true
	case TargetWorker:
		return t.Index < 0 || t.Index == number
	case TargetPool:
		return t.Pool == pool && (t.Index < 0 || t.Index == inPool)
	}
	return false
}

// Is reports whether the target is, or includes, the thing of a kind other
// than worker and pool with the given number.
func (t Target) Is(kind TargetKind, number int) bool {
	return t.Kind == TargetAll || t.Kind == kind && (t.Index < 0 || t.Index == number)
}

func index(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	return int(n), err
}

// poolName: lower-case letters, with dashes or underscores between them.
func poolName(s string) bool {
	if s == "" {
		return false
	}
	for i, r := range s {
		if (r < 'a' || r > 'z') && (i == 0 || r != '-' && r != '_') {
			return false
		}
	}
	return true
}
