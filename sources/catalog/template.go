package catalog

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"dynascope/sources"
)

// templated is {key:form}, with the labels that stay apart {key:form:a,b}, and
// with a look-back of its own {key:form:a,b:10m}. No label matcher looks so.
var templated = regexp.MustCompile(`\{([a-z][a-z0-9_.]*):([a-z]+)(?::([a-z0-9_, ]*))?(?::([0-9][0-9a-z]*))?\}`)

// Template reads an expression over figures of the catalogue: PromQL in which
// {key:form:labels} stands for a figure. What put gives for each figure takes
// its place. It is an error when a figure cannot be asked for, or the outcome is
// no standard PromQL; the parsed outcome is returned too.
func (c *Catalog) Template(expr string, put func(sources.Need) string) (string, parser.Expr, error) {
	var failed error
	out := templated.ReplaceAllStringFunc(expr, func(s string) string {
		p := templated.FindStringSubmatch(s)
		n := sources.Need{Key: p[1], Form: sources.Form(p[2]), By: strings.ReplaceAll(p[3], " ", "")}
		window := time.Minute // any will do to see whether it can be asked
		if p[4] != "" {
			d, err := model.ParseDuration(p[4])
			if err != nil {
				failed = fmt.Errorf("read the look-back of %s: %w", s, err)
				return s
			}
			n.Window, window = time.Duration(d), time.Duration(d)
		}
		if _, err := c.Query(n, window, Scope{}); err != nil && failed == nil {
			failed = err
		}
		return put(n)
	})
	if failed != nil {
		return "", nil, failed
	}
	e, err := promQL.ParseExpr(out)
	if err != nil {
		return "", nil, fmt.Errorf("read %q: %w", expr, err)
	}
	return out, e, nil
}
