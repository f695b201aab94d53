// Package sources is the vocabulary between where numbers come from and where
// they are drawn: Querier, Series, Buckets and Bounds, Need, Figure, Snapshot.
//
// It does not talk to a server, knows no metric name (that is
// sources/catalog), and knows no screen.
package sources
