package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/deployment"
	"dynascope/tui"
)

// findDeployments sorts the targets of a store for the picker.
func findDeployments(ctx context.Context, store sources.Store, cat *catalog.Catalog, at time.Time) ([]tui.Deployment, error) {
	found, err := deployment.Find(ctx, store, cat, store.Targets(), at)
	if err != nil {
		return nil, err
	}
	out := make([]tui.Deployment, 0, len(found))
	for _, d := range found {
		out = append(out, tui.Deployment{Name: d.Name, Detail: d.Detail(), Scope: d.Scope})
	}
	return out, nil
}

// pickDeployment finds the one that --deployment names, by its whole name or by
// a part that only one has.
func pickDeployment(all []tui.Deployment, name string) (tui.Deployment, error) {
	var hits []tui.Deployment
	var names []string
	for _, d := range all {
		names = append(names, d.Name)
		if d.Name == name {
			return d, nil
		}
		if strings.Contains(strings.ToLower(d.Name), strings.ToLower(name)) {
			hits = append(hits, d)
		}
	}
	if len(hits) == 1 {
		return hits[0], nil
	}
	return tui.Deployment{}, fmt.Errorf("pick the deployment %q: %d match; hint: one of %s", name, len(hits), strings.Join(names, ", "))
}

// lister answers the d key: it asks at the origin's own present.
func lister(o *origin, cat *catalog.Catalog) func(context.Context) ([]tui.Deployment, error) {
	return func(ctx context.Context) ([]tui.Deployment, error) {
		at := o.now()
		if at.IsZero() {
			at = time.Now()
		}
		return findDeployments(ctx, o.store, cat, at)
	}
}
