// Package selection is which rows of a table are picked: by a filter that is
// typed, by a cursor that is moved, and by the window that is in view.
//
// It knows no row, column or metric and draws nothing: a pane says what its
// rows can be filtered by, and cells draws them.
package selection
