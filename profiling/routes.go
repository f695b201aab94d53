package profiling

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
)

// Engines that have profile routes. TensorRT-LLM has none.
const (
	SGLang = "sglang"
	VLLM   = "vllm"
)

// Actions of a route.
const (
	actStart = "start"
	actStop  = "stop"
)

// Forms of a request's body.
const (
	bodySteps = "steps" // SGLang's profile request
	bodyEmpty = "empty" // {}
	bodyNone  = "none"
)

// Route is one row of routes.csv.
type Route struct {
	Producer string // dynamo, dynamo-older, server
	Engine   string
	Action   string // start, stop
	Method   string
	Path     string
	Changes  bool // what it does to the server must be confirmed
	Body     string
	Note     string
}

//go:embed routes.csv
var routesCSV string

var routes = func() (out []Route) {
	all, err := csv.NewReader(strings.NewReader(routesCSV)).ReadAll()
	if err != nil {
		panic(fmt.Sprintf("read routes.csv: %v", err)) // it is embedded: a test finds it
	}
	for _, c := range all[1:] {
		out = append(out, Route{c[0], c[1], c[2], c[3], c[4], c[5] == "yes", c[6], c[7]})
	}
	return out
}()

// Routes are an engine's routes for an action in the order they are tried: on
// 404 the next. The one of the remembered producer, if any, comes first.
func Routes(engine, action, remembered string) (out []Route) {
	for _, r := range routes {
		if r.Engine == engine && r.Action == action {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b Route) int {
		switch {
		case a.Producer == remembered && b.Producer != remembered:
			return -1
		case b.Producer == remembered && a.Producer != remembered:
			return 1
		}
		return 0
	})
	return out
}
