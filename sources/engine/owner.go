package engine

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	ownerEvery = 10 * time.Second // processes come and go with restarts
	mostOwned  = 1024             // processes of one engine
)

// Pids are the processes of the local engine behind an instance, in rising
// order: the one that serves its port and all that it started, such as
// SGLang's schedulers, which hold the GPUs. Every error says what would reveal
// them.
func (r *Reader) Pids(ctx context.Context, instance string) ([]int, error) {
	p, err := r.Process(ctx, instance)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(r.root)
	if err != nil {
		return nil, fmt.Errorf("list the processes of this host: %w", err)
	}
	children := map[int][]int{}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && ctx.Err() == nil {
			parent := r.parent(pid)
			children[parent] = append(children[parent], pid)
		}
	}
	out := []int{p.PID}
	for i := 0; i < len(out) && len(out) < mostOwned; i++ {
		for _, pid := range children[out[i]] {
			if !slices.Contains(out, pid) { // a loop would be a torn reading
				out = append(out, pid)
			}
		}
	}
	slices.Sort(out)
	return out, ctx.Err()
}

// Owner tells which processes of this host are an instance's, as a page of
// dynascope_engine_process gauges, so that a GPU's process finds its worker. It
// looks every ten seconds and owns no goroutine.
type Owner struct {
	reader   *Reader
	instance string

	mu   sync.Mutex
	at   time.Time
	page []byte
	err  error
}

// NewOwner prepares to look; it reads nothing yet.
func (r *Reader) NewOwner(instance string) *Owner { return &Owner{reader: r, instance: instance} }

// Page is the page in the text format 0.0.4. An error says why the processes
// are not known: the instance is of another host or user, or gone.
func (o *Owner) Page(ctx context.Context) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if time.Since(o.at) < ownerEvery {
		return o.page, o.err
	}
	pids, err := o.reader.Pids(ctx, o.instance)
	var b strings.Builder
	b.WriteString("# TYPE dynascope_engine_process gauge\n")
	for _, pid := range pids {
		fmt.Fprintf(&b, "dynascope_engine_process{pid=\"%d\"} 1\n", pid)
	}
	o.at, o.page, o.err = time.Now(), []byte(b.String()), err
	return o.page, o.err
}
