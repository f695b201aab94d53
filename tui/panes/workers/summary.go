package workers

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/themes"
)

// total counts workers, and ranks where there are more of them.
func (l *listing) total(w int) string {
	n := map[string]bool{}
	for i := range l.all {
		n[l.all[i].item.worker] = true
	}
	out := plural(len(n), "worker")
	if len(l.all) > len(n) && w >= 100 {
		out += ", " + plural(len(l.all), "rank")
	}
	return out
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.Itoa(n) + " " + word + "s"
}

// counted says how many workers are in each state.
func counted(l *listing, s themes.Styles) []string {
	n := map[sources.WorkerState]map[string]bool{}
	for i := range l.all {
		r := &l.all[i]
		if n[r.State] == nil {
			n[r.State] = map[string]bool{}
		}
		n[r.State][r.item.worker] = true
	}
	var out []string
	for _, st := range states {
		if k := len(n[st]); k > 0 {
			out = append(out, fmt.Sprintf("%s %s", stateSign(st, s), stateStyle(st, s).Render(fmt.Sprintf("%d %s", k, st))))
		}
	}
	return out
}

// stateSign is the glyph of a state, with its colour where it has one: good
// for what serves, none for the rest, which may be as it was meant.
func stateSign(st sources.WorkerState, s themes.Styles) string {
	g := s.G.Or()
	switch st {
	case sources.WorkerUp, sources.WorkerStandalone:
		return s.Theme.Good.Render(g.Good)
	case sources.WorkerStale:
		return s.Theme.Stale.Render(g.Stale)
	case sources.WorkerGone:
		return s.Theme.Stale.Render(g.Bad)
	case sources.WorkerUnlisted:
		return s.Dim.Render(g.Idle)
	default:
		return s.Dim.Render(g.Unknown)
	}
}

func stateStyle(st sources.WorkerState, s themes.Styles) themes.Style {
	switch st {
	case sources.WorkerUp, sources.WorkerStandalone:
		return s.Text
	case sources.WorkerStale, sources.WorkerGone:
		return s.Theme.Stale
	default:
		return s.Dim
	}
}

// share is what one worker, or one rank, contributes to its role.
type share struct {
	name string
	rate float64 // tokens per second
}

// spread says how evenly each role's work is spread: the live decode rates of
// decode workers, the prefill rates of prefill workers. Facts only: a slow
// worker may have been sent less.
func spread(l *listing, s themes.Styles) string {
	var roles []string
	rows := map[string][]*row{}
	for i := range l.all {
		r := &l.all[i]
		if _, ok := rows[r.Role]; !ok {
			roles = append(roles, r.Role)
		}
		rows[r.Role] = append(rows[r.Role], r)
	}
	var out []string
	for _, role := range roles {
		stage, of := "decode", func(r *row) triage.Cell { return r.Decode }
		if role == "prefill" {
			stage, of = "prefill", func(r *row) triage.Cell { return r.Prefill }
		}
		if words := spreadOf(stage, shares(rows[role], of), s); words != "" {
			out = append(out, words)
		}
	}
	if len(out) == 0 {
		return s.Dim.Render("spread " + s.G.Or().Absent + "  fewer than two workers of a role have a live rate")
	}
	return strings.Join(out, s.Dim.Render("  "+s.G.Or().Sep+"  "))
}

// shares are the live rates of one role, one a rank: a rank is one engine, so
// that a worker of two ranks is not twice as fast as one of one. An engine
// without traffic has the rate 0.
func shares(rows []*row, of func(*row) triage.Cell) []share {
	var out []share
	for _, r := range rows {
		c := of(r)
		switch {
		case !r.live():
		case c.Status == sources.StatusIdle:
			out = append(out, share{r.name, 0})
		case c.Status == sources.StatusOK && c.Has() && !math.IsInf(c.V, 0):
			out = append(out, share{r.name, max(c.V, 0)})
		}
	}
	return out
}

func spreadOf(stage string, all []share, s themes.Styles) string {
	if len(all) < 2 {
		return ""
	}
	var busy []share
	for _, sh := range all {
		if sh.rate > 0 {
			busy = append(busy, sh)
		}
	}
	idle := len(all) - len(busy)
	if len(busy) == 0 {
		return s.Label.Render(stage+" spread ") + s.Dim.Render(fmt.Sprintf("idle (all %d)", len(all)))
	}
	var out string
	if len(busy) > 1 {
		least, most := busy[0], busy[0]
		for _, sh := range busy {
			if sh.rate < least.rate {
				least = sh
			}
			if sh.rate > most.rate {
				most = sh
			}
		}
		out = s.Label.Render(stage+" spread ") + s.Value.Render(times(most.rate/least.rate))
		if most.rate >= 1.05*least.rate { // not where it reads 1.0×
			out += s.Dim.Render(": ") + s.Value.Render(least.name) + s.Dim.Render(" slowest")
		}
	}
	if idle > 0 {
		note := fmt.Sprintf("%d of %d idle", idle, len(all))
		if out == "" {
			return s.Label.Render(stage+" spread ") + s.Value.Render(note)
		}
		out += s.Dim.Render(", " + note)
	}
	return out
}

// times prints a ratio: "2.3×".
func times(ratio float64) string {
	switch {
	case ratio > 100:
		return ">100×"
	case ratio >= 9.95:
		return strconv.FormatFloat(ratio, 'f', 0, 64) + "×"
	default:
		return strconv.FormatFloat(ratio, 'f', 1, 64) + "×"
	}
}
