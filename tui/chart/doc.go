// Package chart turns points and histograms into pictures of an exact size:
// sparklines, line charts, heat maps, bars. It is the only importer of
// ntcharts, and hands it nothing but finite numbers inside the picture.
//
// Everything is a function of its arguments. It does not fetch, does not
// choose what to show, and never invents a value: a missing sample is a gap,
// NaN and infinities are missing, and a scale fits what is visible.
package chart
