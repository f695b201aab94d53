// Package cells lays text out in terminal cells: lines, blocks and tables of
// an exact width and height, whatever the text holds.
//
// Colours (SGR sequences) pass through; every other escape sequence, control
// character and newline is taken out, and a character about whose width
// terminals disagree is drawn as "?". It does not format numbers, does not
// redact, and keeps no state.
package cells
