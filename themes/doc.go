// Package themes turns named palettes into the roles that panes draw with,
// and holds the glyph sets. One file is one theme.
//
// It does not know a pane, does not ask the terminal anything, and gives no
// colour to size: colour means good or bad, bars and ramps are neutral.
package themes
