package gpu

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"dynascope/sources/text"
	"dynascope/tui/selection"
)

// language is what a GPU can be filtered by: words in part, its number only as
// a whole; and the columns of numbers, power in watts, temperatures in °C.
func language() selection.Language[*row] {
	whole := func(s, value string) bool { return s == value }
	l := selection.Language[*row]{
		Free: func(r *row) string { return r.haystack },
		Words: []selection.Words[*row]{
			{Keys: []string{"host"}, Of: func(r *row) string { return r.host }},
			{Keys: []string{"gpu"}, Of: func(r *row) string { return r.number }, Match: whole},
			{Keys: []string{"uuid"}, Of: func(r *row) string { return r.UUID }},
			{Keys: []string{"model"}, Of: func(r *row) string { return r.model }},
			{Keys: []string{"state"}, Of: func(r *row) string { return r.State }},
			{Keys: []string{"why"}, Of: func(r *row) string { return r.why }},
			{Keys: []string{"worker"}, Of: func(r *row) string { return r.worker }},
			{Keys: []string{"process"}, Of: processNames},
		},
		Inverse: "!host:node-1",
		Limit:   limit,
	}
	for _, c := range allGPUColumns() {
		words := slices.ContainsFunc(l.Words, func(w selection.Words[*row]) bool { return w.Keys[0] == c.id })
		if c.value == nil || words {
			continue
		}
		l.Numbers = append(l.Numbers, selection.Number[*row]{Keys: []string{c.id}, Scale: c.scale, Of: func(r *row) (lo, hi float64, ok bool) {
			v, ok := c.value(r)
			return v, v, ok
		}})
	}
	return l
}

func processNames(r *row) string {
	var all []string
	for _, p := range r.Processes {
		all = append(all, p.Name+" "+p.PID)
	}
	return text.Clean(strings.Join(all, " "), 4096)
}

// limit reads numbers as Go spells them, signs and exponents included, and lets
// a percent sign stand behind any of them.
func limit(s string, sc selection.Scale) (float64, bool) {
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0, false
	}
	if sc == selection.Percent {
		v /= 100
	}
	return v, true
}
