package doctor

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strings"
)

//go:embed codes.csv
var codesCSV string

//go:embed reach.csv
var reachCSV string

//go:embed strangers.csv
var strangersCSV string

//go:embed grids.csv
var gridsCSV string

//go:embed routes.csv
var routesCSV string

// codes are the rows of codes.csv, from the endpoint to the pane.
var codes = func() (out []Code) {
	for _, c := range rows("codes.csv", codesCSV, 4) {
		out = append(out, Code{Code: c[0], Severity: severityOf(c[1]), Title: c[2], Help: c[3]})
	}
	return out
}()

// Codes are all findings there can be, in the order they are printed.
func Codes() []Code { return append([]Code(nil), codes...) }

// reach is one row of reach.csv: how a scrape that failed is told.
type reach struct{ code, words string }

var reaches = func() (out []reach) {
	for _, c := range rows("reach.csv", reachCSV, 2) {
		out = append(out, reach{code: c[0], words: c[1]})
	}
	return out
}()

// stranger is one row of strangers.csv: a page that is none of ours. The
// family may end in "*".
type stranger struct{ family, what, do string }

var strangers = func() (out []stranger) {
	for _, c := range rows("strangers.csv", strangersCSV, 3) {
		out = append(out, stranger{family: c[0], what: c[1], do: c[2]})
	}
	return out
}()

// grid is one row of grids.csv: who sets the edges of a histogram.
type grid struct {
	producer, key string
	promise       string // ttft or itl
	how           string // formula, list or fixed
	name          string // the variable's stem or the flag
}

var gridRows = func() (out []grid) {
	for _, c := range rows("grids.csv", gridsCSV, 5) {
		out = append(out, grid{c[0], c[1], c[2], c[3], c[4]})
	}
	return out
}()

// route is one row of routes.csv: the profile routes that an engine is known
// to have.
type route struct {
	engine, kind string // kind: dynamo or plain
	since, until string // releases of Dynamo
	path, note   string
}

var routeRows = func() (out []route) {
	for _, c := range rows("routes.csv", routesCSV, 6) {
		out = append(out, route{c[0], c[1], c[2], c[3], c[4], c[5]})
	}
	return out
}()

func severityOf(s string) Severity {
	for _, v := range []Severity{Note, Warning, Blocks} {
		if v.String() == s {
			return v
		}
	}
	panic(fmt.Sprintf("doctor: codes.csv has no severity %q", s))
}

// rows reads an embedded table without its head. A broken table is a broken
// build, which the tests find; it panics.
func rows(name, text string, columns int) [][]string {
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = columns
	all, err := r.ReadAll()
	if err != nil || len(all) < 2 {
		panic(fmt.Sprintf("doctor: read %s: %v", name, err))
	}
	return all[1:]
}
