// Package embedded is a private, in-process Prometheus: its scrape manager,
// its TSDB and its PromQL engine, behind sources.Store. It scrapes the targets
// it is told about, keeps about two hours of them in a private directory, and
// answers PromQL.
//
// It does not find targets, does not know what a metric means, draws nothing,
// and keeps nothing past Close, unless it records.
//
// What it adds to the engine it wraps:
//
//   - a counter or histogram series that first appears on a target that was
//     already scraped gets a zero at the previous good scrape, so that
//     increase() sees a first burst (firstburst.go);
//   - a target's first sample is there after one round trip (probe.go);
//   - series end at once when their target dies or goes, also across a change
//     of the scrape interval (stale.go);
//   - a hanging target can be removed, and the store closed, at once (conn.go);
//   - a target that pays too much for being scraped is scraped less often
//     (interval.go);
//   - a full disk costs history, not the process (disk.go);
//   - a target can be fed by hand at given times instead of being scraped, with
//     the same samples coming of it (push.go, intake.go);
//   - a page can come from a function of this process, such as a sampler of the
//     GPU driver, as if it were scraped (local.go);
//   - with Options.Record its directory outlives it (record.go), and another
//     process reads it without a trace, also while it is written (recording.go,
//     tail.go).
package embedded
