package doctor

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"dynascope/sources"
	"dynascope/sources/catalog"
)

var at = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func good(instance, role string) Endpoint {
	return Endpoint{Target: sources.Target{
		Instance: instance, URL: "http://" + instance + "/metrics", Role: role, Health: sources.HealthUp, LastGood: at,
		Interval: time.Second, BaseInterval: time.Second, Bytes: 1 << 16, Samples: 400, ServerShare: time.Millisecond,
	}, Sent: at, Got: at.Add(3 * time.Millisecond)}
}

func dead(instance, why string) Endpoint {
	return Endpoint{Target: sources.Target{Instance: instance, URL: "http://" + instance + "/metrics", Health: sources.HealthDown, Error: why}}
}

func gathered(endpoints ...Endpoint) *Gathered {
	return &Gathered{At: at, Catalog: catalog.Default(), Endpoints: endpoints, Version: "test", Host: "node7", GPU: GPU{Code: "ok", Wanted: true}}
}

func snapshot(figures map[sources.Need]*sources.Figure, workers ...sources.Worker) *sources.Snapshot {
	return sources.NewSnapshot(sources.Snapshot{At: at, Live: true, Workers: workers}, figures)
}

func codesOf(d Diagnosis) (out []string) {
	for _, f := range d.Findings {
		out = append(out, f.Code)
	}
	return out
}

// TestRules: what was gathered, and what must be said of it.
func TestRules(t *testing.T) {
	up := sources.Worker{ID: "ab12", Short: "ab12", Instance: "w:1", State: sources.WorkerUp, Engine: "sglang", Role: "decode"}
	lost := sources.Worker{ID: "cd34", Short: "cd34", State: sources.WorkerUnscraped}
	done := map[sources.Need]*sources.Figure{needDone: {Need: needDone, Status: sources.StatusOK, Series: []sources.Series{{Points: []sources.Point{{V: 5}}}}}}
	for name, c := range map[string]struct {
		change func(g *Gathered)
		want   string // codes, without what is there anyway
		exit   int
	}{
		"all is well":    {func(*Gathered) {}, "", ExitFine},
		"one refuses":    {func(g *Gathered) { g.Endpoints = append(g.Endpoints, dead("x:1", "connection refused; hint: h")) }, "endpoint-refused", ExitBlocks},
		"all refuse":     {func(g *Gathered) { g.Endpoints = []Endpoint{dead("x:1", "connection refused")} }, "endpoint-refused gpu-absent", ExitNothing},
		"nothing named":  {func(g *Gathered) { g.Endpoints = nil }, "nothing-found", ExitNothing},
		"never answered": {func(g *Gathered) { g.Endpoints[1].LastGood, g.Endpoints[1].Health = time.Time{}, sources.HealthPending }, "endpoint-timeout", ExitBlocks},
		"odd but good":   {func(g *Gathered) { g.Endpoints[1].Error = "two series are one" }, "", ExitFine},
		"no samples":     {func(g *Gathered) { g.Endpoints[1].Error = "the page holds no samples; hint: h" }, "page-empty", ExitBlocks},
		"unverified":     {func(g *Gathered) { g.Endpoints[1].Insecure = true }, "tls-unverified", ExitWarning},
		"a stranger": {func(g *Gathered) {
			g.Endpoints[1].Page = &Page{Whole: true, Series: 9, Others: []string{"node_cpu_seconds_total"}}
		}, "page-stranger", ExitWarning},
		"no frontend":      {func(g *Gathered) { g.Endpoints = g.Endpoints[1:] }, "frontend-missing", ExitWarning},
		"no workers":       {func(g *Gathered) { g.Endpoints, g.Snap = g.Endpoints[:1], snapshot(done) }, "workers-missing", ExitWarning},
		"unscraped":        {func(g *Gathered) { g.Snap = snapshot(done, up, lost) }, "worker-unscraped", ExitWarning},
		"silent engine":    {func(g *Gathered) { w := up; w.Engine = ""; g.Snap = snapshot(done, w) }, "engine-silent", ExitWarning},
		"unlisted":         {func(g *Gathered) { w := up; w.State = sources.WorkerUnlisted; g.Snap = snapshot(done, w) }, "worker-unlisted", ExitWarning},
		"ahead":            {func(g *Gathered) { g.Endpoints[1].Date = at.Add(time.Minute) }, "clock-skew", ExitWarning},
		"behind":           {func(g *Gathered) { g.Endpoints[1].Date = at.Add(-time.Minute) }, "clock-skew", ExitWarning},
		"a second of Date": {func(g *Gathered) { g.Endpoints[1].Date = at.Add(-time.Second) }, "", ExitFine},
		"dear, once":       {func(g *Gathered) { g.Endpoints[1].ServerShare = 200 * time.Millisecond }, "", ExitFine},
		"dear, twice": {func(g *Gathered) {
			g.Endpoints[1].ServerShare, g.Endpoints[1].Got = 200*time.Millisecond, at.Add(150*time.Millisecond)
		}, "scrape-cost", ExitWarning},
		"slowed":       {func(g *Gathered) { g.Endpoints[1].Slowed = true }, "scrape-cost", ExitWarning},
		"large":        {func(g *Gathered) { g.Endpoints[1].Bytes = 5 << 20 }, "scrape-large", ExitFine},
		"stuck driver": {func(g *Gathered) { g.GPU.Code, g.GPU.Why = "not_answering", "stuck" }, "gpu-nvml", ExitWarning},
		"no GPU":       {func(g *Gathered) { g.GPU.Code = "no_library" }, "gpu-absent", ExitFine},
		"no GPU, DCGM": {func(g *Gathered) { g.GPU.Code = "no_library"; g.Endpoints = append(g.Endpoints, good("d:1", "gpu")) }, "", ExitFine},
		"no request": {func(g *Gathered) {
			g.Snap = snapshot(map[sources.Need]*sources.Figure{needDone: {Status: sources.StatusAbsent}}, up)
		}, "no-traffic", ExitFine},
		"hides routes": {func(g *Gathered) {
			g.Silent = []Silent{{Who: "dynamo.sglang, pid 4", What: "its metrics are off", Do: "x"}}
		}, "metrics-off", ExitWarning},
		"blind":         {func(g *Gathered) { g.Notes = []string{"3 processes hide; hint: h"} }, "discovery-blind", ExitFine},
		"server silent": {func(g *Gathered) { g.Endpoints, g.Remote = nil, &Remote{URL: "http://p", Err: "ask: no answer"} }, "prometheus-unreachable", ExitNothing},
		"server empty":  {func(g *Gathered) { g.Endpoints, g.Remote = nil, &Remote{URL: "http://p"} }, "prometheus-no-targets", ExitNothing},
		"server slow":   {func(g *Gathered) { g.Remote = &Remote{URL: "http://p"}; g.Endpoints[0].Interval = 30 * time.Second }, "prometheus-interval", ExitWarning},
		"server warns":  {func(g *Gathered) { g.Remote = &Remote{URL: "http://p", Warning: "two jobs; hint: h"} }, "prometheus-warning", ExitWarning},
		"server misses": {func(g *Gathered) {
			g.Remote, g.Nearby = &Remote{URL: "http://p", Listed: true}, []Nearby{{Address: "n:1", Role: "worker"}}
		}, "prometheus-misses", ExitWarning},
		"server has it": {func(g *Gathered) {
			g.Remote, g.Nearby = &Remote{URL: "http://p", Scraped: []string{"node7:1", "host.docker.internal:2"}}, []Nearby{{Address: "127.0.0.1:1"}, {Address: "localhost:2"}, {Address: "127.0.0.1:9", WorkerID: "ab12"}}
		}, "", ExitFine},
	} {
		g := gathered(good("f:1", "frontend"), good("w:1", "worker"))
		g.Snap = snapshot(done, up)
		c.change(g)
		d := Diagnose(g)
		got := slices.DeleteFunc(codesOf(d), func(code string) bool {
			return code == "profile-routes" || code == "gpu-absent" && name == "nothing named"
		})
		slices.Sort(got)
		want := strings.Fields(c.want)
		if name == "all refuse" {
			want = want[:1] // NVML is there
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		if d.Exit() != c.exit {
			t.Errorf("%s: exit %d, want %d", name, d.Exit(), c.exit)
		}
	}
}

func TestReachCodes(t *testing.T) {
	known := map[string]bool{}
	for _, c := range codes {
		known[c.Code] = true
	}
	for _, r := range reaches {
		if !known[r.code] {
			t.Errorf("reach.csv: no code %s", r.code)
		}
	}
	for said, want := range map[string]string{
		"connection refused": "endpoint-refused",
		`Get "http://x": dial tcp 1.2.3.4:9: connect: connection refused`: "endpoint-refused",
		"no answer within 1s":       "endpoint-timeout",
		"context deadline exceeded": "endpoint-timeout",
		"the certificate is signed by an authority that is not known here":       "endpoint-tls",
		"the server answered 401 unauthorized":                                   "endpoint-auth",
		"server returned HTTP status 404 Not Found":                              "endpoint-path",
		"the server answered 503 service unavailable":                            "endpoint-status",
		"the page is html, not metrics":                                          "page-html",
		"the page is json, not metrics":                                          "page-json",
		"the page is not in the prometheus text format: x":                       "page-broken",
		"the page is larger than 8388608 bytes":                                  "page-too-large",
		"the answer is not http":                                                 "endpoint-protocol",
		"the server closed the connection before it answered":                    "endpoint-closed",
		"host name not found: x":                                                 "endpoint-name",
		"refused to connect to an address that is no target, to which redirects": "endpoint-redirect",
		"something else": "endpoint-failed",
	} {
		if got := codeOf(said); got != want {
			t.Errorf("%q: %s, want %s", said, got, want)
		}
	}
}

// Every code is stable in form, and has words; every code that rules use is in
// the table, or found would panic.
func TestTable(t *testing.T) {
	form := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	seen := map[string]bool{}
	for _, c := range Codes() {
		if !form.MatchString(c.Code) || seen[c.Code] || c.Title == "" || len(c.Help) < 40 || !strings.HasSuffix(c.Help, ".") && !strings.HasSuffix(c.Help, "'.") && !strings.HasSuffix(c.Help, ")") {
			t.Errorf("%+v", c)
		}
		seen[c.Code] = true
	}
	files, _ := os.ReadDir(".")
	uses := regexp.MustCompile(`found\("([a-z-]+)"`)
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		src, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range uses.FindAllStringSubmatch(string(src), -1) {
			if !seen[m[1]] {
				t.Errorf("%s: no code %s in the table", f.Name(), m[1])
			}
		}
	}
}

func TestScreens(t *testing.T) {
	absent := func(key string) sources.Need { return sources.Need{Key: key, Form: sources.FormNow} }
	figs := map[sources.Need]*sources.Figure{}
	put := func(n sources.Need, s sources.Status) sources.Need {
		m, _ := catalog.Default().Metric(n.Key)
		figs[n] = &sources.Figure{Need: n, Status: s, Title: m.Title}
		return n
	}
	g := gathered(good("f:1", "frontend"), good("w:1", "worker"))
	p, err := NewIndex(catalog.Default()).Read(workerPage(t))
	if err != nil {
		t.Fatal(err)
	}
	g.Endpoints[1].Page = p
	g.Screens = []Screen{
		{Key: "1", Title: "Whole", Needs: []sources.Need{put(absent("engine.running"), sources.StatusOK)}},
		{Key: "2", Title: "Lost", Needs: []sources.Need{put(absent("planner.prefill_replicas"), sources.StatusAbsent)}},
		{Key: "3", Title: "Part", Needs: []sources.Need{
			put(absent("engine.waiting"), sources.StatusOK), put(absent("hicache.host_used"), sources.StatusAbsent), put(absent("requests.failed"), sources.StatusAbsent)}},
	}
	g.Snap = snapshot(figs, sources.Worker{ID: "ab", Short: "ab", Instance: "w:1", State: sources.WorkerUp, Engine: "sglang"})
	out := screens(g)
	if len(out) != 2 || out[0].Code != "screen-empty" || out[1].Code != "screen-partly" {
		t.Fatalf("%+v", out)
	}
	if all := strings.Join(out[0].Details, "\n"); !strings.Contains(all, "PLANNER_PROMETHEUS_PORT") {
		t.Errorf("the planner's flag is not told: %s", all)
	}
	all := strings.Join(out[1].Details, "\n")
	if !strings.Contains(all, "--enable-hierarchical-cache") || strings.Contains(all, "--enable-metrics") {
		t.Errorf("the remedy is what is open, not what holds: %s", all)
	}
}

func TestBlindVerdicts(t *testing.T) {
	there, lost := sources.Need{Key: "engine.running", Form: sources.FormNow}, sources.Need{Key: "planner.prefill_replicas", Form: sources.FormNow}
	g := gathered(good("f:1", "frontend"))
	g.Snap = snapshot(map[sources.Need]*sources.Figure{there: {Need: there, Status: sources.StatusIdle}, lost: {Need: lost, Status: sources.StatusAbsent}})
	g.Verdicts = []Verdict{{Code: "always"}, {Code: "proven", Proof: []sources.Need{lost, there}}, {Code: "unproven", Proof: []sources.Need{lost}}}
	f := blind(g)
	if len(f) != 1 || !strings.HasPrefix(f[0].What, "1 of 3") || len(f[0].Details) != 1 || !strings.Contains(f[0].Details[0], "PLANNER_PROMETHEUS_PORT") || !strings.HasSuffix(f[0].Details[0], ": unproven") {
		t.Errorf("%+v", f)
	}
}

func TestProfileRoutes(t *testing.T) {
	w := sources.Worker{ID: "ab", Short: "ab", Instance: "w:1", State: sources.WorkerUp, Engine: "sglang"}
	for name, c := range map[string]struct {
		p     Process
		state sources.WorkerState
		words string
	}{
		"a mocker":   {Process{PID: 3, Program: "dynamo.mocker"}, sources.WorkerUp, "no profile route"},
		"denied":     {Process{PID: 3, Program: "dynamo.sglang", Env: map[string]string{"DYN_DISABLE_ENGINE_ROUTES": "1"}}, sources.WorkerUp, "DYN_DISABLE_ENGINE_ROUTES=1"},
		"far away":   {Process{}, sources.WorkerUp, "/engine/control/start_profile"},
		"standalone": {Process{}, sources.WorkerStandalone, "POST /start_profile"},
	} {
		g := gathered(good("w:1", "worker"))
		w.State = c.state
		g.Snap = snapshot(nil, w)
		g.Processes = map[string]Process{"w:1": c.p}
		f := profileRoutes(g)
		if len(f) != 1 || !strings.Contains(strings.Join(f[0].Details, "\n"), c.words) {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// Whatever comes from outside: at most 80 columns, no control character, no
// secret; only lines to be copied may be longer.
func TestTextIsHarmless(t *testing.T) {
	evil := "\x1b]0;x\x07\x1b[2J\u202eabc password=Hunter2Secret " + strings.Repeat("wide世界 ", 40)
	g := gathered(good("f:1", "frontend"), dead("w:1"+evil, "connection refused "+evil+"; hint: "+evil))
	g.Remote = &Remote{URL: evil, Version: evil}
	g.Nearby = []Nearby{{Address: "n:1" + evil, Role: "worker"}}
	g.Silent = []Silent{{Who: evil, What: evil, Do: evil}}
	g.Snap = snapshot(nil, sources.Worker{ID: evil, Short: evil, Namespace: evil, State: sources.WorkerUnscraped})
	d := Diagnose(g)
	var b, j strings.Builder
	if err := Text(&b, g, d); err != nil {
		t.Fatal(err)
	}
	if err := JSON(&j, g, d); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{b.String(), j.String()} {
		for _, bad := range []string{"\x1b", "\x07", "\u202e", "Hunter2Secret"} {
			if strings.Contains(out, bad) {
				i := strings.Index(out, bad)
				t.Errorf("holds %q: %q", bad, out[max(0, i-80):min(len(out), i+20)])
			}
		}
	}
	for l := range strings.SplitSeq(b.String(), "\n") {
		if n := ansi.StringWidth(l); n > width && !strings.Contains(l, "- targets:") && !strings.Contains(l, "job_name") {
			t.Errorf("%d columns: %s", n, l)
		}
	}
	var doc document
	if err := json.Unmarshal([]byte(j.String()), &doc); err != nil {
		t.Fatal(err)
	}
}

func TestWorstFirst(t *testing.T) {
	g := gathered(good("f:1", "frontend"), dead("x:1", "connection refused"), dead("y:1", "connection refused"))
	g.Endpoints[0].Insecure = true
	g.Snap = snapshot(nil)
	d := Diagnose(g)
	if !slices.IsSortedFunc(d.Findings, func(a, b Finding) int { return int(b.Severity - a.Severity) }) {
		t.Errorf("%v", codesOf(d))
	}
	if d.Findings[0].Code != "endpoint-refused" || !slices.Equal(d.Findings[0].Subjects, []string{"x:1", "y:1"}) {
		t.Errorf("%+v", d.Findings[0])
	}
}

// docs/doctor-json.md names every field of the document.
func TestDocumentedFields(t *testing.T) {
	raw, err := os.ReadFile("../../docs/doctor-json.md")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || typ == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if !strings.Contains(string(raw), "`"+name+"`") {
				t.Errorf("docs/doctor-json.md does not name the field %s of %s", name, typ.Name())
			}
			walk(typ.Field(i).Type)
		}
	}
	walk(reflect.TypeFor[document]())
	if !strings.Contains(string(raw), Schema) {
		t.Error("docs/doctor-json.md does not name the schema " + Schema)
	}
}
