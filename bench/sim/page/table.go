package page

import (
	"embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// The tables: one row a family. Columns:
//
//	family   name as written
//	type     counter, gauge or histogram
//	labels   what a record gives, in the order of the method's arguments;
//	         =name is fixed by the page, =name? where the page fixes it,
//	         @group several fixed ones (labelGroups)
//	edges    finite bucket edges; +Inf is understood
//	since, until   generations of Dynamo; empty is all of them
//	feature  switched on by an option; empty is always
//	start    what is there at zero before any use: [event:] then series as
//	         comma-separated values of the record's labels (a|b is both,
//	         $x comes with the event, - has no labels, :v starts at v).
//	         Without an event it is there with the page.
//	help     the HELP line
//
//go:embed families/*.csv
var tableFiles embed.FS

var labelGroups = map[string]string{
	"@router":      "=dynamo_component =dynamo_namespace =router_id =worker_id",
	"@component":   "=dynamo_component =dynamo_namespace =worker_id",
	"@endpoint":    "=dynamo_component =dynamo_namespace =worker_id =model? =service?",
	"@sglang_rank": "=engine_type =model_name =moe_ep_rank =pp_rank =tp_rank =dp_rank? =dynamo_component? =dynamo_namespace? =worker_id?",
	"@sglang":      "=engine_type =model_name =dynamo_component? =dynamo_namespace? =worker_id?",
	"@storage":     "=storage_backend =tp_rank =dp_rank?",
	"@cache":       "=cache_type =tp_rank =dp_rank?",
	"@vllm":        "=engine =model_name =dynamo_component? =dynamo_namespace? =worker_id?",
	"@trtllm":      "=engine_type =model_name",
	"@gpu":         "=gpu =UUID =pci_bus_id =device =modelName =GPU_I_PROFILE? =GPU_I_ID? =Hostname? =hostname? =DCGM_FI_DRIVER_VERSION",
}

// Gen is a naming generation: the Dynamo release whose spelling a page has.
type Gen string

// The generations. 1.4 and 1.6 are as recorded; the others, before and after
// them, as the references describe them, and no page of theirs was seen.
const (
	Gen09 Gen = "0.9"
	Gen13 Gen = "1.3"
	Gen14 Gen = "1.4"
	Gen16 Gen = "1.6"
	Gen17 Gen = "1.7"
)

var gens = []Gen{Gen09, Gen13, Gen14, Gen16, Gen17}

func (g Gen) index() int {
	i := slices.Index(gens, g)
	if i < 0 {
		panic(fmt.Sprintf("page: unknown generation %q, known are %v", g, gens))
	}
	return i
}

// row is one line of a table.
type row struct {
	family, typ, help string
	labels            []labelSpec
	edges             []float64
	since, until      Gen
	feature           string
	event             string // of start
	start             []startSeries
}

type labelSpec struct {
	name            string
	fixed, optional bool
}

type startSeries struct {
	values []string
	value  float64
}

func (r row) in(g Gen, features []string) bool {
	return (r.since == "" || g.index() >= r.since.index()) &&
		(r.until == "" || g.index() <= r.until.index()) &&
		(r.feature == "" || slices.Contains(features, r.feature))
}

// tables are read once: the files are part of the program, so a mistake in
// them is a mistake of the program.
var tables = sync.OnceValue(func() map[string][]row {
	out := map[string][]row{}
	files, err := tableFiles.ReadDir("families")
	if err != nil {
		panic(err)
	}
	for _, file := range files {
		f, err := tableFiles.Open("families/" + file.Name())
		if err != nil {
			panic(err)
		}
		lines, err := csv.NewReader(f).ReadAll()
		if err != nil {
			panic(fmt.Sprintf("page: reading families/%s: %v", file.Name(), err))
		}
		for _, l := range lines[1:] {
			name := strings.TrimSuffix(file.Name(), ".csv")
			out[name] = append(out[name], parseRow(l))
		}
	}
	return out
})

func parseRow(l []string) row {
	r := row{family: l[0], typ: l[1], since: Gen(l[4]), until: Gen(l[5]), feature: l[6], help: l[8]}
	labels := l[2]
	for group, text := range labelGroups {
		labels = replaceField(labels, group, text)
	}
	for _, f := range strings.Fields(labels) {
		name, fixed := strings.CutPrefix(f, "=")
		name, optional := strings.CutSuffix(name, "?")
		r.labels = append(r.labels, labelSpec{name, fixed, optional})
	}
	for _, e := range strings.Fields(l[3]) {
		x, err := strconv.ParseFloat(e, 64)
		if err != nil {
			panic(fmt.Sprintf("page: edge %q of %s: %v", e, r.family, err))
		}
		r.edges = append(r.edges, x)
	}
	start := l[7]
	if event, rest, ok := strings.Cut(start, ": "); ok {
		r.event, start = event, rest
	}
	for _, f := range strings.Fields(start) {
		r.start = append(r.start, parseStart(f)...)
	}
	return r
}

// replaceField replaces a whole word of a list.
func replaceField(list, word, by string) string {
	fields := strings.Fields(list)
	for i, f := range fields {
		if f == word {
			fields[i] = by
		}
	}
	return strings.Join(fields, " ")
}

func parseStart(text string) []startSeries {
	text, at, _ := strings.Cut(text, ":")
	value := 0.0
	if at != "" {
		x, err := strconv.ParseFloat(at, 64)
		if err != nil {
			panic(fmt.Sprintf("page: start value %q: %v", at, err))
		}
		value = x
	}
	all := []startSeries{{value: value}}
	if text == "-" {
		return all
	}
	for part := range strings.SplitSeq(text, ",") {
		var next []startSeries
		for alt := range strings.SplitSeq(part, "|") {
			for _, s := range all {
				next = append(next, startSeries{append(slices.Clone(s.values), alt), value})
			}
		}
		all = next
	}
	return all
}
