// Package hostile runs the built program against servers and files that are
// broken or malicious, over real sockets, and holds it to the rules: one clear
// line for what is wrong, where it is wrong; the neighbours' numbers stand; no
// escape sequence, no secret and no unbounded memory. Its tests need the build
// tag e2e and DYNASCOPE_BIN; make e2e sets both.
//
// It tests no package from inside, and no figure beyond those that show that
// the rest lives on.
package hostile
