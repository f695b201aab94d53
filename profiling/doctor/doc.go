// Package doctor says what is wrong between an endpoint and a screen: whether
// targets answer and with what, which families and releases they speak, which
// labels are missing, which screens stay empty and the flag that fills each,
// clocks, what a scrape costs, bucket edges against the SLA, what a Prometheus
// misses.
//
// It is rules over what was gathered: data in, findings out. It sends nothing,
// reads no clock, judges no performance (that is profiling/triage), and knows no
// metric name: families come from the catalogue and from this package's tables.
package doctor
