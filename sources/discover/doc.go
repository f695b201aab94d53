// Package discover finds what is worth scraping: the processes of this host
// (documented ports, and the ports named in flags and environment of local
// dynamo, sglang, vllm and trtllm processes), and Prometheus target files.
//
// It scrapes nothing regularly, remembers no number, changes nothing, and
// speaks to no port that neither its table nor a process names: GPU nodes
// listen for torch stores, NCCL, ZMQ and NIXL too, and a stray request can
// break them. It never leaves loopback; other hosts come from files or flags.
//
// A port is identified by GET /metrics or GET /v1/models, whichever its row
// names first. GET /health follows only where the page holds the families of a
// Dynamo frontend, or where a frontend's own flag names the port and its page
// is that of no engine: on an SGLang server that route runs the model.
//
// What ports, programs and pages look like is data: ports.csv, programs.csv,
// params.csv, families.csv, and the catalogue.
package discover
