package main

import (
	"maps"
	"os"

	"dynascope/sources"
	"dynascope/sources/embedded"
	"dynascope/sources/engine"
)

// engineKeyEnv is the variable with the key of plain SGLang servers that were
// named by --target and started with --api-key.
const engineKeyEnv = "DYNASCOPE_ENGINE_KEY"

// poll is one plain SGLang server that is also asked on its own routes.
type poll struct {
	poller *engine.Poller
	local  *embedded.Local
}

// observe looks at a snapshot for plain SGLang servers, which answer on their
// own routes what their metrics do not hold, and asks them from then on.
func (c *collection) observe(snap *sources.Snapshot) {
	plain := map[string]bool{}
	for _, w := range snap.Workers {
		if w.State == sources.WorkerStandalone && w.Engine == "sglang" && w.Instance != "" {
			plain[w.Instance] = true
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ownProcesses(snap)
	for _, t := range snap.Targets {
		if plain[t.Instance] && c.pollers[t.Instance] == nil && c.ctx.Err() == nil {
			c.poll(t)
		}
	}
	// The store's list, not the snapshot's: that may be of one deployment.
	listed := map[string]bool{}
	for _, t := range c.store.Targets() {
		listed[t.Instance] = true
	}
	maps.DeleteFunc(c.pollers, func(instance string, p *poll) bool {
		if listed[instance] {
			return false
		}
		_ = p.local.Remove() // refused only by a store that closes
		p.poller.Close()
		return true
	})
}

// poll begins to ask one server. A server that cannot be asked is not tried
// again: its metrics are scraped all the same.
func (c *collection) poll(t sources.Target) {
	var credentials engine.Credentials
	switch {
	case !c.isNamed(t):
	case c.set.auth.bearerFile != "":
		credentials.KeyFile = c.set.auth.bearerFile
	case os.Getenv(engineKeyEnv) != "":
		credentials.KeyEnv = engineKeyEnv
	}
	p, err := engine.NewPoller(engine.PollerOptions{URL: t.URL, Credentials: credentials})
	if err != nil {
		return
	}
	local, err := c.store.AddLocal(c.ctx, embedded.LocalSpec{Instance: t.Instance, Interval: p.Interval(), Page: p.Page, Quiet: true})
	if err != nil {
		p.Close()
		return
	}
	c.pollers[t.Instance] = &poll{p, local}
}

// isNamed says whether a target was named by --target: credentials are for
// those alone, never for what discovery or a file brought (honesty.md 19).
func (c *collection) isNamed(t sources.Target) bool {
	for _, instance := range c.found {
		if instance == t.Instance {
			return false
		}
	}
	return true
}
