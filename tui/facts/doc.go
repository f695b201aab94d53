// Package facts draws lists of single numbers in titled groups, laid out in
// columns, with a cursor and the course of each number beside it: what the KV
// and Requests panes are made of.
//
// It knows no metric and judges no number: which facts there are, and in which
// order they go when room is short, is the pane's to say.
package facts
