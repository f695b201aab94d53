package main

import (
	"context"
	"os"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/embedded"
	"dynascope/sources/engine"
	"dynascope/sources/gpu"
)

// sampleGPUs opens NVML, which may take seconds, and gives its pages to the
// store. Where there is no GPU nothing is added: a missing driver is no target
// that is down.
func (c *collection) sampleGPUs() {
	sampler, state := gpu.Open(c.ctx, gpu.Options{})
	c.mu.Lock()
	c.sampler = sampler
	c.mu.Unlock()
	if !worthSampling(state) {
		return
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	// A store that is closing refuses; there is nobody left to tell.
	_, _ = c.store.AddLocal(c.ctx, embedded.LocalSpec{
		Instance: host, Interval: time.Second, Role: "gpu",
		Page: sampler.Page,
	})
}

// ownProcesses has the store told which processes of this host are each
// worker's, so that a GPU's process finds its worker. Only where GPUs are
// sampled: nobody else asks. A worker of another host, or of another user, has
// none to tell, and is not asked about again.
func (c *collection) ownProcesses(snap *sources.Snapshot) {
	if c.ctx.Err() != nil || c.sampler == nil || !worthSampling(c.sampler.State()) {
		return
	}
	for _, w := range snap.Workers {
		if w.Instance == "" || c.owners[w.Instance] {
			continue
		}
		c.owners[w.Instance] = true
		owner := engine.NewReader().NewOwner(w.Instance)
		c.own(func() {
			if _, err := owner.Page(c.ctx); err != nil {
				return
			}
			// Refused only by a store that closes.
			_, _ = c.store.AddLocal(c.ctx, embedded.LocalSpec{Instance: w.Instance, Interval: 2 * time.Second, Page: owner.Page, Quiet: true,
				Labels: map[string]string{"source": "proc"}})
		})
	}
}

// worthSampling is false where this host has no GPU to speak of.
func worthSampling(s gpu.State) bool {
	switch s.Code {
	case gpu.NotBuilt, gpu.NoLibrary, gpu.NoDriver, gpu.NoDevice, gpu.Closed:
		return false
	}
	return true
}

// collectGPUs opens a store for this host's GPUs alone; nil where there are
// none.
func collectGPUs(ctx context.Context, s settings, cat *catalog.Catalog) (*collection, error) {
	if !s.gpus || !worthSampling(gpu.Probe()) {
		return nil, nil
	}
	s.targets, s.files = []string{}, []string{}
	return collect(ctx, s, cat, embedded.Options{})
}
