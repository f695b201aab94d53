// Package contract holds the suite that both engines must pass: the embedded
// one and a real Prometheus server of the pinned version, with the same
// series, give the same answers to every question of the catalogue.
//
// It is tests alone, under the build tag prometheus, since the server is built
// for it. Nothing imports it.
package contract
