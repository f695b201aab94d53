package overview

import (
	"dynascope/tui/pane"
)

// area is a rectangle; without height the part is not drawn.
type area struct{ w, h int }

// layout is which parts are drawn and how large.
type layout struct {
	verdict                    []string // lines above the parts
	path, facts, workers, gpus area
	tokens                     area // below the path, where there is room to spare

	alone  bool // only the focused part is drawn
	beside bool // the facts stand at the right of the path
	under  bool // the workers stand below the path, the facts beside both
	charts bool // facts are charts, not sparklines
}

const (
	besideWidth = 110 // from here on path and facts stand side by side
	mostPath    = 96  // a wider path only draws longer bars
	leastAll    = 10  // rows; below that there is the focused part alone
	leastGPUs   = 18  // rows; below that there are no GPUs
)

func (p *Pane) layout(f pane.Frame) layout {
	var l layout
	w, h := max(f.W, 0), max(f.H, 0)
	if f.Zoom || h < leastAll {
		l.alone = true
		all := area{w, h}
		switch p.focus {
		case partFacts:
			l.facts = all
			l.charts = h >= l.board(f).chartLeast(w)
		case partWorkers:
			l.workers = all
		default:
			l.path = all
			if t, path := tokensHeight(f), pathHeight(f, w); t > 0 && h >= path+1+t {
				l.path.h = min(h-t-1, 2*path+1)
				l.tokens = area{w, h - l.path.h}
			}
		}
		return l
	}
	l.verdict = verdictLines(f)
	h -= len(l.verdict)
	if h >= leastGPUs {
		l.gpus = area{w, gpuHeight(f.Snap, h)}
	}
	rest := h - l.gpus.h
	wanted := workersHeight(f.Snap, w)

	if w >= besideWidth {
		l.beside = true
		l.path.w = min((w-3)/2, mostPath)
		l.facts.w = w - 3 - l.path.w
		b := l.board(f)
		path := pathHeight(f, l.path.w)
		least := b.chartLeast(l.facts.w)
		// What the workers leave over makes charts of the sparklines, best
		// with the workers below the path and the charts beside both.
		if under := workersHeight(f.Snap, l.path.w); path+1+under <= rest && rest >= least {
			l.charts, l.under = true, true
			// The path may double its rows; the workers follow it closely.
			l.path.h = min(rest-under, 2*path)
			l.workers, l.facts.h = area{l.path.w, rest - l.path.h}, rest
			if h := tokensHeight(f); h > 0 && l.workers.h >= under+h+1 {
				l.tokens = area{l.path.w, h + 1} // and a blank line
				l.workers.h -= l.tokens.h
			}
			return l
		}
		top := min(max(path, b.sparkRows(l.facts.w)), rest)
		if room := rest - min(wanted, max(rest-top, 0)); room >= least {
			l.charts = true
			top = max(top, room)
		}
		l.path.h, l.facts.h, l.workers = top, top, area{w, rest - top}
		return l
	}

	l.path = area{w, min(pathHeight(f, w), max(rest/2, 4))}
	l.facts = area{w, 0}
	l.facts.h = min(l.board(f).sparkRows(w), max(rest-l.path.h-3, 0))
	l.workers = area{w, rest - l.path.h - l.facts.h}
	return l
}
