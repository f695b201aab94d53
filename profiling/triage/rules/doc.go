// Package rules holds the verdicts as data: one file a topic, each rule with
// its needs, thresholds, words, advice and the alert that says the same.
//
// It judges nothing by itself (profiling/triage/verdict does), asks no source,
// draws nothing, and names no metric: rules name catalogue keys, so that a
// producer's new spelling is a row of the catalogue.
//
// Every threshold is a named constant whose comment says where it comes from.
// A threshold on a quantile holds only where the whole bucket lies beyond it;
// means are exact and are preferred. A window with few requests proves nothing,
// so rules ask for counts.
package rules
