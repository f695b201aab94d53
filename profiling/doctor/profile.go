package doctor

import (
	"cmp"
	"slices"
	"strings"

	"dynascope/sources"
)

// policies are the variables with which an operator hides engine routes.
var policies = []string{"DYN_DISABLE_ENGINE_ROUTES", "DYN_ENGINE_ROUTES_ALLOW", "DYN_ENGINE_ROUTES_DENY"}

// mocker ends the program's name of Dynamo's stand-in for an engine.
const mocker = ".mocker"

// profileRoutes tells which route would start a profile, by what is known
// without calling one.
func profileRoutes(g *Gathered) (out []Finding) {
	if g.Snap == nil {
		return nil
	}
	x := g.spellings()
	releases := map[string]Release{} // of Dynamo, by instance; the newest counts for workers that do not tell
	newest := Release{}
	for _, e := range g.Endpoints {
		if e.Page == nil {
			continue
		}
		for _, r := range x.Releases(e.Page) {
			if r.Product == "dynamo" {
				releases[e.Instance] = r
				if older(newest.From, r.From) {
					newest = r
				}
			}
		}
	}
	lines := map[string][]string{}
	var order []string
	for _, w := range g.Snap.Workers {
		if w.Instance == "" {
			continue
		}
		r, ok := releases[w.Instance]
		if !ok || r.From == "" {
			r.From = newest.From
		}
		line := g.routeLine(w, r)
		if lines[line] == nil {
			order = append(order, line)
		}
		lines[line] = append(lines[line], w.Short)
	}
	if len(order) == 0 {
		return nil
	}
	f := found("profile-routes", "", "What would start a profile, by engine and release; no route was called:")
	for _, line := range order {
		f.Details = append(f.Details, some(lines[line], 4)+": "+line)
	}
	f.Why = "under /engine/ a GET can do as much as a POST, so nothing is proven before a profile is wanted; 404 then means no such route, or one that the operator hides"
	return []Finding{f}
}

func (g *Gathered) routeLine(w sources.Worker, r Release) string {
	p := g.Processes[w.Instance]
	local := p.PID != 0
	if local && strings.HasSuffix(p.Program, mocker) {
		return "a mocker, which has no profile route"
	}
	kind := "dynamo"
	if w.State == sources.WorkerStandalone {
		kind = "plain"
	}
	var options []string
	for _, row := range routeRows {
		if row.engine != cmp.Or(w.Engine, p.Engine) || row.kind != kind {
			continue
		}
		tooNew := row.since != "" && r.Before != "" && !older(row.since, r.Before)
		tooOld := row.until != "" && r.From != "" && older(row.until, r.From)
		if !tooNew && !tooOld {
			options = append(options, strings.TrimSpace(row.path+" ("+row.note+")"))
			if row.path == "" {
				options[len(options)-1] = row.note
			}
		}
	}
	line := strings.Join(options, ", or ")
	if line == "" {
		line = "no route is known for this engine"
	}
	for _, name := range policies {
		if v, set := p.Env[name]; set && local {
			line += "; started with " + name + "=" + v
		}
	}
	if local && p.Env == nil {
		line += "; its environment cannot be read, so a policy on routes is not known"
	}
	if slices.Contains([]string{"sglang", "vllm"}, w.Engine) && kind == "dynamo" && !local {
		line += "; a policy on routes is not known from here"
	}
	return line
}
