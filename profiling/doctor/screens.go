package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dynascope/sources"
	"dynascope/sources/catalog"
)

// byItself begins the notes of families that need no flag: they come with the
// first event of their kind.
const byItself = "appears with the first"

// absence is why figures of a screen have no source, and which.
type absence struct {
	note   string
	titles []string
}

// screens tells which screens stay empty, and what fills them: the status of
// every figure that they ask for, and the catalogue's notes.
func screens(g *Gathered) (out []Finding) {
	if g.Snap == nil || !slices.ContainsFunc(g.Endpoints, Endpoint.Answered) {
		return nil
	}
	cure := g.remedies()
	for _, s := range g.Screens {
		asked, lacking, later := 0, 0, 0
		var why []absence
		foreign := true // all of it is of a part that this deployment has not
		seen := map[string]bool{}
		for _, n := range s.Needs {
			if seen[n.Key] {
				continue
			}
			seen[n.Key] = true
			f := g.Snap.Figure(n)
			asked++
			if f.Status != sources.StatusAbsent {
				foreign = false
				continue
			}
			lacking++
			note, comes := cure.of(f)
			if comes {
				later++
				foreign = false
				continue
			}
			foreign = foreign && g.foreign(cure, n.Key)
			i := slices.IndexFunc(why, func(a absence) bool { return a.note == note })
			if i < 0 {
				why, i = append(why, absence{note: note}), len(why)
			}
			why[i].titles = append(why[i].titles, cmp.Or(f.Title, n.Key))
		}
		if len(why) == 0 {
			continue
		}
		slices.SortStableFunc(why, func(a, b absence) int { return cmp.Compare(len(b.titles), len(a.titles)) })
		subject := strings.TrimSpace(s.Key + " " + s.Title)
		f := found("screen-partly", subject, fmt.Sprintf("%d of %d figures have no source.", lacking, asked))
		if lacking == asked && later == 0 {
			f = found("screen-empty", subject, fmt.Sprintf("None of its %d figures has a source.", asked))
			if foreign {
				f.Severity = Note
				f.Why = "this deployment has no such part"
			}
		}
		if later > 0 {
			f.Details = append(f.Details, fmt.Sprintf("by itself, with the first event of its kind: %d of them", later))
		}
		f.Do = "turn on what you want to see: each line begins with what brings its figures"
		for _, a := range why {
			f.Details = append(f.Details, a.note+": "+some(a.titles, 4))
		}
		out = append(out, f)
	}
	return out
}

// blind tells which verdicts cannot be given, and what would bring a proof.
func blind(g *Gathered) []Finding {
	if g.Snap == nil || !slices.ContainsFunc(g.Endpoints, Endpoint.Answered) {
		return nil
	}
	cure := g.remedies()
	var why []absence
	n := 0
	for _, v := range g.Verdicts {
		if len(v.Proof) == 0 || slices.ContainsFunc(v.Proof, func(n sources.Need) bool { return g.Snap.Figure(n).Status != sources.StatusAbsent }) {
			continue
		}
		note, comes := cure.of(g.Snap.Figure(v.Proof[0]))
		if comes {
			continue
		}
		n++
		i := slices.IndexFunc(why, func(a absence) bool { return a.note == note })
		if i < 0 {
			why, i = append(why, absence{note: note}), len(why)
		}
		why[i].titles = append(why[i].titles, v.Code)
	}
	if n == 0 {
		return nil
	}
	f := found("verdict-blind", "", fmt.Sprintf("%d of %d verdicts cannot be given: nothing here could prove them.", n, len(g.Verdicts)))
	for _, a := range why {
		f.Details = append(f.Details, a.note+": "+some(a.titles, 6))
	}
	f.Do = "turn on what you want to be told of: each line begins with what brings the proof"
	return []Finding{f}
}

// foreign says whether a figure belongs to Dynamo's frontend, router or
// workers and there is none of Dynamo here.
func (g *Gathered) foreign(cure *remedies, key string) bool {
	if slices.ContainsFunc(g.Endpoints, func(e Endpoint) bool { return e.Role == "frontend" }) ||
		slices.ContainsFunc(g.Snap.Workers, func(w sources.Worker) bool { return w.State != sources.WorkerStandalone }) {
		return false
	}
	return !slices.ContainsFunc(cure.variants(key, 0), func(v catalog.Variant) bool { return !slices.Contains(dynamoProducers, v.Producer) })
}

// needDone is how many requests the frontend finished since it started.
var needDone = sources.Need{Key: "requests.done", Form: sources.FormTotal}

// Needs are the questions of the rules themselves.
func Needs() []sources.Need {
	out := []sources.Need{needDone}
	for _, r := range gridRows {
		out = append(out, sources.Need{Key: r.key, Form: sources.FormBuckets})
	}
	return out
}

// silent says whether there is a frontend, and it has not finished a request.
func (g *Gathered) silent() bool {
	if g.Snap == nil || !slices.ContainsFunc(g.Endpoints, func(e Endpoint) bool { return e.Role == "frontend" && e.Answered() }) {
		return false
	}
	f := g.Snap.Figure(needDone)
	v, ok := f.Value()
	return f.Status == sources.StatusAbsent || ok && v == 0
}

// traffic tells that nothing has happened yet.
func traffic(g *Gathered) []Finding {
	if !g.silent() {
		return nil
	}
	f := found("no-traffic", "", "The frontend has not finished a request since it started.")
	f.Why = "latency families appear with the first request: absent is not zero"
	f.Do = "send one request, then look again"
	return []Finding{f}
}
