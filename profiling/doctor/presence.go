package doctor

import (
	"fmt"
	"slices"
	"strings"

	"dynascope/sources"
)

// presence tells which parts of a deployment are not watched.
func presence(g *Gathered) (out []Finding) {
	if g.Snap == nil {
		return nil
	}
	var workers, unscraped []sources.Worker
	frontend := slices.ContainsFunc(g.Endpoints, func(e Endpoint) bool { return e.Role == "frontend" })
	for _, w := range g.Snap.Workers {
		switch {
		case w.State == sources.WorkerUnscraped:
			unscraped = append(unscraped, w)
		case w.State != sources.WorkerStandalone && w.Instance != "":
			workers = append(workers, w)
		}
		if w.State == sources.WorkerUnlisted {
			f := found("worker-unlisted", w.Short, fmt.Sprintf("Its page %s is scraped, and the KV router does not list it.", w.Instance))
			f.Do = "look at its namespace (" + w.Namespace + ") and its discovery plane; it gets no traffic from that router"
			out = append(out, f)
		}
		if w.Engine == "" && w.ID != "" && w.State == sources.WorkerUp {
			f := found("engine-silent", w.Short, fmt.Sprintf("Its page %s has Dynamo's families and none of an engine's.", w.Instance))
			f.Do = "start an SGLang worker with --enable-metrics"
			isMocker := strings.HasSuffix(g.Processes[w.Instance].Program, mocker)
			switch {
			case isMocker && w.Role == "prefill":
				f.Severity, f.Why, f.Do = Note, "it is a mocker that only prefills, which has none", ""
			case isMocker && g.silent():
				f.Severity, f.Why, f.Do = Note, "it is a mocker: they appear with the first request", "send one request, then look again"
			case g.silent():
				f.Why = "nothing was asked of it yet; some engines show them with the first request"
			case w.Role == "prefill":
				f.Why = "a mocker that only prefills has none either"
			}
			out = append(out, f)
		}
	}
	switch answered := slices.ContainsFunc(g.Endpoints, Endpoint.Answered); {
	case !answered:
	case len(workers) > 0 && !frontend && len(renamed(g)) == 0:
		f := found("frontend-missing", "", fmt.Sprintf("%s of Dynamo, and no frontend's page that answers.", count(len(workers), "worker")))
		f.Do = "name the frontend: --target http://HOST:8000 (--http-port)"
		out = append(out, f)
	case frontend && len(workers) == 0 && len(unscraped) == 0:
		f := found("workers-missing", "", "A frontend, and not one worker's page that answers.")
		f.Do = "start the workers with DYN_SYSTEM_PORT and name these ports: --target http://HOST:8081"
		out = append(out, f)
	}
	dead := 0
	for _, e := range g.Endpoints {
		if e.Health != sources.HealthUp && !e.Local {
			dead++
		}
	}
	for _, w := range unscraped {
		if slices.ContainsFunc(g.Nearby, func(n Nearby) bool { return n.WorkerID != "" && n.WorkerID == w.ID }) {
			continue // told as a page that the server misses
		}
		who := w.Short
		if w.Namespace != "" {
			who = w.Namespace + "/" + who
		}
		f := found("worker-unscraped", who+roleWords(w), "The router lists it, and no target is its page.")
		f.Do = "start it with DYN_SYSTEM_PORT, and add that port to the targets"
		if g.Remote != nil {
			f.Do = "start it with DYN_SYSTEM_PORT, and add that port to the server's configuration"
			f.Lines = scrapeConfig("dynamo-worker", []string{"HOST:PORT"})
		}
		if dead >= len(unscraped) {
			// As likely as not it is the page of one of these.
			f.Severity, f.Lines = Note, nil
			f.Why = fmt.Sprintf("%s that does not answer may be it", count(dead, "target"))
			f.Do = "see to that target first"
		}
		out = append(out, f)
	}
	return out
}

func roleWords(w sources.Worker) string {
	if w.Role == "" {
		return ""
	}
	return " (" + w.Role + ")"
}

// others tells what the collection complains about.
func others(g *Gathered) []Finding {
	if g.Snap == nil || g.Snap.Warning == "" || g.Remote != nil {
		return nil
	}
	said, hint, _ := strings.Cut(g.Snap.Warning, "; hint: ")
	f := found("collection", "", sentence(said))
	f.Do = hint
	return []Finding{f}
}
