package judged

import (
	"fmt"
	"math"

	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/figure"
)

// What the line says of a deployment in which nothing is wrong.
var (
	needTTFT    = sources.Need{Key: "frontend.ttft", Form: sources.FormBuckets}
	needEngine  = sources.Need{Key: "engine.ttft", Form: sources.FormBuckets}
	needRunning = sources.Need{Key: "engine.running", Form: sources.FormNow}
	needWaiting = sources.Need{Key: "engine.waiting", Form: sources.FormNow}
	needKV      = sources.Need{Key: "engine.kv_usage", Form: sources.FormNow}
)

// Needs are the figures of the line, whatever the judgement.
func Needs() []sources.Need {
	return []sources.Need{needTTFT, needEngine, needRunning, needWaiting, needKV}
}

// facts are what is so, with counts and sources, as parts of a line.
func (l Line) facts() []cells.Part {
	s := l.Styles
	dot := s.Dim.Render(" " + s.G.Or().Sep + " ")
	f, from := l.Snap.Figure(needTTFT), "frontend"
	if f.Status == sources.StatusAbsent {
		if e := l.Snap.Figure(needEngine); e.Status != sources.StatusAbsent {
			f, from = e, "engine"
		}
	}
	whole := f.AllModels
	parts := []cells.Part{{Text: s.Dim.Render("TTFT p95 ") + figure.Quantile(f, 0.95, s)}}
	if b, ok := f.Buckets(); ok && b.N > 0 {
		parts = append(parts, cells.Part{Text: s.Dim.Render("(n " + text.Count(math.Round(b.N)) + ", " + from + ")"), Priority: 5, Sep: " "})
		if l.TTFT > 0 {
			parts = append(parts, cells.Part{Text: s.Dim.Render("in SLA ") + figure.Within(f, l.TTFT, s), Priority: 3, Sep: dot})
		}
	}
	add := func(label string, n sources.Need, priority int) {
		f := l.Snap.Figure(n)
		whole = whole || f.AllModels
		parts = append(parts, cells.Part{Text: s.Dim.Render(label+" ") + figure.Value(f, l.Snap.At, s), Priority: priority, Sep: dot})
	}
	add("running", needRunning, 4)
	add("queue", needWaiting, 1)
	add("KV", needKV, 2)
	if whole {
		parts = append(parts, cells.Part{Text: s.Dim.Render("all models"), Priority: 6, Sep: dot})
	}
	if n := stale(l.Snap); n != "" {
		parts = append(parts, cells.Part{Text: s.Warn.Render(s.G.Or().Warn) + " " + n, Sep: dot})
	}
	return parts
}

// stale counts the dead among the targets: "1 of 3 targets stale 12 s".
func stale(snap *sources.Snapshot) string {
	down, oldest := 0, snap.At
	for _, t := range snap.Targets {
		if t.Health == sources.HealthDown {
			down++
			if !t.LastGood.IsZero() && t.LastGood.Before(oldest) {
				oldest = t.LastGood
			}
		}
	}
	if down == 0 {
		return ""
	}
	out := fmt.Sprintf("%d of %s stale", down, plural(len(snap.Targets), "target"))
	if age := snap.At.Sub(oldest); age > 0 {
		out += " " + text.Age(age)
	}
	return out
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
