// Package judged puts a judgement into words and signs: the verdict line of
// the console, the same line on paper, and the pieces that panes and lists show
// of a verdict.
//
// It judges nothing, and lays out nothing but its one line.
package judged
