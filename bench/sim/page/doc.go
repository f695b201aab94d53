// Package page holds the metric pages of the simulated processes: frontend,
// workers of three engines, KVBM, planner and GPU exporter, with the families,
// types, labels, bucket edges and number spelling of the real ones, written as
// Prometheus text 0.0.4.
//
// What a family is called, how it is labelled and when it appears stands in
// the tables under families/ (one row a family; see table.go). The Go types
// give each family a name by its meaning, so that the simulation says
// f.TTFT.Observe(seconds, model) and never spells a metric.
//
// The package models nothing: it stores what it is told. It has no clock, no
// HTTP and no locks; a page belongs to one goroutine.
//
// Labelled series appear with their first use, as on real pages, where absent
// and zero differ; those that real pages show at zero from the start are there
// from the start. A handle whose family the page does not have (an older
// generation, a switched-off feature, another engine) swallows what it is
// told.
package page
