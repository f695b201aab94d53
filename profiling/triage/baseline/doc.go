// Package baseline keeps what the figures of a deployment are while there is
// little to do, so that a verdict may say "three times its baseline": learned
// by an explicit step over a window, kept as a small file of Prometheus text,
// and looked up by deployment and model.
//
// It learns nothing by itself and never in the background, asks a store only
// through a feed, judges nothing, and knows no metric name but its own:
// baselines are of catalogue keys.
package baseline
