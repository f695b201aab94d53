package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"dynascope/sources/text"
)

// Schema names the JSON document's form; docs/doctor-json.md describes it. A
// field is added without a new name, never removed or changed in meaning.
const Schema = "dynascope.doctor/1"

type document struct {
	Schema   string       `json:"schema"`
	At       time.Time    `json:"at"`
	Version  string       `json:"version"`
	Store    string       `json:"store"`
	Server   *serverDoc   `json:"server,omitempty"`
	Exit     int          `json:"exit"`
	Answered int          `json:"answered"`
	Findings []findingDoc `json:"findings"`
	Targets  []targetDoc  `json:"targets"`
	Workers  []workerDoc  `json:"workers"`
	GPU      gpuDoc       `json:"nvml"`
}

type serverDoc struct {
	URL     string `json:"url"`
	Version string `json:"version,omitempty"`
	Error   string `json:"error,omitempty"`
	Targets int    `json:"targets"`
}

type findingDoc struct {
	Code     string   `json:"code"`
	Title    string   `json:"title"`
	Severity string   `json:"severity"`
	Subjects []string `json:"subjects"`
	What     string   `json:"what"`
	Why      string   `json:"why,omitempty"`
	Do       string   `json:"do,omitempty"`
	Details  []string `json:"details,omitempty"`
	Lines    []string `json:"lines,omitempty"`
}

type targetDoc struct {
	Instance  string       `json:"instance"`
	URL       string       `json:"url"`
	Role      string       `json:"role,omitempty"`
	Health    string       `json:"health"`
	Answered  bool         `json:"answered"`
	Error     string       `json:"error,omitempty"`
	IntervalS float64      `json:"interval_s"`
	Slowed    bool         `json:"slowed"`
	TookS     float64      `json:"scrape_s"`
	ServerS   float64      `json:"scrape_server_s"`
	Share     float64      `json:"scrape_share"`
	Bytes     int64        `json:"scrape_bytes"`
	Samples   int          `json:"scrape_samples"`
	Families  *int         `json:"families,omitempty"`
	Unknown   *int         `json:"unknown_families,omitempty"`
	Releases  []releaseDoc `json:"releases"`
	Skew      *skewDoc     `json:"clock,omitempty"`
	Insecure  bool         `json:"insecure_tls"`
}

type releaseDoc struct {
	Product string `json:"product"`
	From    string `json:"from,omitempty"`
	Before  string `json:"before,omitempty"`
	By      string `json:"by,omitempty"`
}

type skewDoc struct {
	Lo float64 `json:"ahead_lo_s"`
	Hi float64 `json:"ahead_hi_s"`
}

type workerDoc struct {
	ID       string `json:"id,omitempty"`
	Instance string `json:"instance,omitempty"`
	Role     string `json:"role,omitempty"`
	Engine   string `json:"engine,omitempty"`
	State    string `json:"state"`
	PID      int    `json:"pid,omitempty"`
	Program  string `json:"program,omitempty"`
	Version  string `json:"version,omitempty"`
}

type gpuDoc struct {
	Code    string `json:"code"`
	Why     string `json:"why,omitempty"`
	Driver  string `json:"driver,omitempty"`
	Devices int    `json:"devices"`
}

// JSON writes a diagnosis for programs.
func JSON(w io.Writer, g *Gathered, d Diagnosis) error {
	doc := document{
		Schema: Schema, At: g.At.UTC(), Version: g.Version, Store: "embedded", Exit: d.Exit(), Answered: d.Answered,
		Findings: []findingDoc{}, Targets: []targetDoc{}, Workers: []workerDoc{},
		GPU: gpuDoc{g.GPU.Code, clean(g.GPU.Why), clean(g.GPU.Driver), g.GPU.Devices},
	}
	if r := g.Remote; r != nil {
		doc.Store = "prometheus"
		doc.Server = &serverDoc{clean(r.URL), clean(r.Version), clean(r.Err), len(r.Scraped)}
	}
	titles := map[string]string{}
	for _, c := range codes {
		titles[c.Code] = c.Title
	}
	for _, f := range d.Findings {
		fd := findingDoc{f.Code, titles[f.Code], f.Severity.String(), []string{}, clean(f.What), clean(f.Why), clean(f.Do), nil, nil}
		for _, who := range f.Subjects {
			fd.Subjects = append(fd.Subjects, clean(who))
		}
		for _, l := range f.Details {
			fd.Details = append(fd.Details, clean(l))
		}
		for _, l := range f.Lines {
			fd.Lines = append(fd.Lines, text.Request(l)...)
		}
		doc.Findings = append(doc.Findings, fd)
	}
	x := g.spellings()
	for _, e := range g.Endpoints {
		doc.Targets = append(doc.Targets, targetOf(x, e))
	}
	if g.Snap != nil {
		for _, w := range g.Snap.Workers {
			p := g.Processes[w.Instance]
			doc.Workers = append(doc.Workers, workerDoc{clean(w.ID), clean(w.Instance), w.Role, w.Engine, string(w.State), p.PID, clean(p.Program), clean(p.Version)})
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("print the diagnosis: %w", err)
	}
	return nil
}

func targetOf(x *Index, e Endpoint) targetDoc {
	t := targetDoc{
		Instance: clean(e.Instance), URL: clean(e.URL), Role: e.Role, Health: e.Health.String(), Answered: e.Answered(), Error: clean(e.Error),
		IntervalS: e.Interval.Seconds(), Slowed: e.Slowed, TookS: e.Took.Seconds(), ServerS: e.ServerShare.Seconds(), Share: e.Share(),
		Bytes: e.Bytes, Samples: e.Samples, Insecure: e.Insecure, Releases: []releaseDoc{},
	}
	if p := e.Page; p != nil {
		if p.Whole {
			t.Families, t.Unknown = &p.Families, &p.Unknown
		}
		for _, r := range x.Releases(p) {
			t.Releases = append(t.Releases, releaseDoc{r.Product, r.From, r.Before, r.FromBy})
		}
	}
	if lo, hi, ok := skew(e.Date, e.Sent, e.Got); ok {
		t.Skew = &skewDoc{lo.Seconds(), hi.Seconds()}
	}
	return t
}

func clean(s string) string { return text.Safe(s, 2000) }
