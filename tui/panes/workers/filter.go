package workers

import (
	"strings"

	"dynascope/tui/selection"
)

// also are other names of number columns.
var also = map[string][]string{
	"run": {"running"}, "queue": {"waiting"}, "preempt": {"preemptions", "retractions", "retract"}, "errors": {"error"}, "blk": {"blocks"},
}

// language is what a worker's rank can be filtered by: an id, host, model,
// namespace or component may be given in part, the others from their start, a
// rank only as a whole; and every column of numbers.
func language() selection.Language[*row] {
	whole := func(s, value string) bool { return s == value }
	l := selection.Language[*row]{
		Free: func(r *row) string { return r.haystack },
		Words: []selection.Words[*row]{
			{Keys: []string{"worker", "id"}, Of: func(r *row) string { return r.name + "\n" + r.ID + "\n" + r.Decimal }},
			{Keys: []string{"role"}, Of: func(r *row) string { return r.Role }, Match: strings.HasPrefix, Sample: "decode"},
			{Keys: []string{"engine"}, Of: func(r *row) string { return r.Engine }, Match: strings.HasPrefix, Sample: "vllm"},
			{Keys: []string{"state"}, Of: func(r *row) string { return string(r.State) }, Match: strings.HasPrefix, Sample: "up"},
			{Keys: []string{"host", "instance"}, Of: func(r *row) string { return r.Instance }},
			{Keys: []string{"model"}, Of: func(r *row) string { return r.Model }},
			{Keys: []string{"namespace", "ns"}, Of: func(r *row) string { return r.Namespace }},
			{Keys: []string{"component"}, Of: func(r *row) string { return r.Component }},
			{Keys: []string{"rank", "dp"}, Of: func(r *row) string { return r.Rank }, Match: whole},
		},
		Inverse:   "!role:prefill",
		Addresses: true,
	}
	for _, c := range columns() {
		if c.id != "" && c.text == nil && c.id != "state" {
			l.Numbers = append(l.Numbers, selection.Number[*row]{Keys: append([]string{c.id}, also[c.id]...), Scale: c.scale, Of: c.value})
		}
	}
	return l
}
