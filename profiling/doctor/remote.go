package doctor

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"dynascope/sources/text"
)

// slowScrape is the interval past which a window of one minute holds fewer
// than four scrapes.
const slowScrape = 15 * time.Second

// remoteServer tells what is wrong with the server that is asked.
func remoteServer(g *Gathered) (out []Finding) {
	r := g.Remote
	if r == nil {
		return nil
	}
	if r.Err != "" {
		said, hint, _ := strings.Cut(r.Err, "; hint: ")
		f := found("prometheus-unreachable", r.URL, sentence(said))
		f.Do = hint
		return []Finding{f}
	}
	if len(g.Endpoints) == 0 {
		f := found("prometheus-no-targets", r.URL, "It answers, and nothing in it carries a family that a screen reads.")
		f.Do = "add the frontend and the workers to its configuration, or name the tenant (--prometheus-header)"
		f.Lines = scrapeConfig("dynamo", []string{"FRONTEND:8000", "WORKER:8081"})
		out = append(out, f)
	}
	if r.Warning != "" {
		said, hint, _ := strings.Cut(r.Warning, "; hint: ")
		f := found("prometheus-warning", r.URL, sentence(said))
		f.Do = hint
		out = append(out, f)
	}
	var slow []string
	longest := time.Duration(0)
	for _, e := range g.Endpoints {
		if !e.Local && e.Interval > slowScrape {
			slow = append(slow, e.Instance)
			longest = max(longest, e.Interval)
		}
	}
	if len(slow) > 0 {
		f := found("prometheus-interval", r.URL, fmt.Sprintf("It scrapes %s every %s: windows shorter than %s stay empty.", some(slow, 3), text.Duration(longest.Seconds()), text.Duration((4*longest).Seconds())))
		f.Do = "scrape_interval: 5s for these jobs"
		out = append(out, f)
	}
	return out
}

// missed tells which pages are there and not scraped by the server.
func missed(g *Gathered) (out []Finding) {
	r := g.Remote
	if r == nil || r.Err != "" {
		return nil
	}
	known := map[string]bool{} // workers whose page it has
	if g.Snap != nil {
		for _, w := range g.Snap.Workers {
			if w.Instance != "" && w.ID != "" {
				known[w.ID] = true
			}
		}
	}
	scraped := slices.Clone(r.Scraped)
	for _, e := range g.Endpoints {
		scraped = append(scraped, e.Instance)
	}
	byRole := map[string][]string{}
	for _, n := range g.Nearby {
		if n.Err != "" {
			said, hint, _ := strings.Cut(n.Err, "; hint: ")
			f := found(codeOf(said), n.Address, sentence(said))
			f.Severity = min(f.Severity, Warning) // the server's figures are there without it
			f.Why, f.Do = "asked beside the server: GET "+n.URL, hint
			out = append(out, f)
			continue
		}
		if n.WorkerID != "" && known[n.WorkerID] || slices.ContainsFunc(scraped, func(a string) bool { return sameAddress(n.Address, a, g.Host) }) {
			continue
		}
		role := n.Role
		if role == "" {
			role = "page"
		}
		byRole[role] = append(byRole[role], n.Address)
	}
	for _, role := range sorted(byRole) {
		f := found("prometheus-misses", "", fmt.Sprintf("%s that answer here are not among the server's targets.", count(len(byRole[role]), role)))
		if len(byRole[role]) == 1 {
			f.What = fmt.Sprintf("A %s that answers here is not among the server's targets.", role)
		}
		f.Subjects = byRole[role]
		var to []string
		for _, a := range byRole[role] {
			to = append(to, reachable(a, r.URL, g.Host))
		}
		f.Do = "add to its configuration, under the name by which the server reaches this host:"
		f.Lines = scrapeConfig("dynamo-"+text.FileName(role), to)
		out = append(out, f)
	}
	return out
}

// scrapeConfig are the lines of a Prometheus configuration for targets.
func scrapeConfig(job string, targets []string) []string {
	quoted := make([]string, len(targets))
	for i, t := range targets {
		quoted[i] = text.QuoteYAML(t)
	}
	return []string{
		"scrape_configs:",
		"  - job_name: " + text.QuoteYAML(job),
		"    scrape_interval: 5s",
		"    static_configs:",
		"      - targets: [" + strings.Join(quoted, ", ") + "]",
	}
}

// sameAddress says whether two addresses may be the same port of one host: by
// name, or where each is a name of this host.
func sameAddress(a, b, host string) bool {
	if a == b {
		return true
	}
	ha, pa, errA := net.SplitHostPort(a)
	hb, pb, errB := net.SplitHostPort(b)
	return errA == nil && errB == nil && pa == pb && (ha == hb || isHere(ha, host) && isHere(hb, host))
}

// isHere says whether a name is one of this host; host.docker.internal is what
// a Prometheus in a container calls it.
func isHere(name, host string) bool {
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback() || name == "localhost" || name == "host.docker.internal" || host != "" && name == host
}

// reachable is an address as the server at url can use it: loopback only means
// this host to a server that runs here.
func reachable(addr, url, host string) string {
	h, port, err := net.SplitHostPort(addr)
	if err != nil || !isHere(h, host) || host == "" {
		return addr
	}
	server := url
	if _, rest, ok := strings.Cut(server, "://"); ok {
		server = rest
	}
	server, _, _ = strings.Cut(server, "/")
	if sh, _, err := net.SplitHostPort(server); err == nil {
		server = sh
	}
	if isHere(server, host) {
		return addr
	}
	return net.JoinHostPort(host, port)
}
