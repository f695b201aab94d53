// Package prom is a remote server that speaks Prometheus' HTTP API
// (Prometheus, Thanos, Mimir, VictoriaMetrics) as a sources.Store: it answers
// PromQL, says what the server scrapes of the families asked about, and turns
// every bad answer into one clear line.
//
// It scrapes nothing and stores nothing, does not know what a metric means,
// and gives its credentials to one origin only.
//
// A server that does not answer holds nothing up: after two requests without
// an answer, questions fail at once until a look in the background gets one.
package prom
