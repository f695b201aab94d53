// Package e2e runs the built program on real terminals (tmux and a bare pty).
// Its tests need the build tag e2e and DYNASCOPE_BIN; make e2e sets both.
//
// It tests no package from inside.
package e2e
