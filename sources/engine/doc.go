// Package engine reads what engines tell besides their metrics: the flags a
// worker was started with, from its local process, an engine route that the
// operator opened, or figures of its pages (Reader); and what a plain SGLang
// server answers on its own routes, as a page of dynascope_engine_* gauges that
// enters the store like any other page (Poller).
//
// It changes nothing: every route it may ask is a row of routes.csv, and
// /health and /health_generate, which run the model, are not among them. It
// discovers no servers, knows no screen, and keeps no secret: fields are
// decoded by name, and command lines are redacted before they leave it.
package engine
