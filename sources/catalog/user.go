package catalog

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// UserPrefix begins the key of every expression that a user wrote.
const UserPrefix = "user."

// windowSign stands in a user's expression for the look-back: the window on
// screen, or what a column of a chart needs.
const windowSign = "$window"

// UserExpr is an expression of a user's own pane. It becomes a metric of its
// own kind, asked for with FormExpr, and is run as it is written: neither a
// picked deployment nor a model narrows it.
type UserExpr struct {
	Key         string // user.<pane>.<widget>
	Title, Unit string
	Expr        string // PromQL; $window is the look-back
}

// CheckExpr refuses what cannot be a user's expression: text that is no
// standard PromQL, a range vector or a string, a selector that names no family
// exactly (a private store keeps the families that are named).
func CheckExpr(expr string) error {
	_, err := readUser(expr)
	return err
}

// readUser returns the exact series names of an expression.
func readUser(expr string) ([]string, error) {
	// Not 5m: a window of the text's own length keeps the parser's positions.
	e, err := promQL.ParseExpr(strings.ReplaceAll(expr, windowSign, "1000000"))
	if err != nil {
		var list parser.ParseErrors
		if errors.As(err, &list) && len(list) > 0 {
			return nil, fmt.Errorf("no PromQL at character %d: %w; hint: try it in Prometheus first", list[0].PositionRange.Start+1, list[0].Err)
		}
		return nil, fmt.Errorf("no PromQL: %w; hint: try it in Prometheus first", err)
	}
	if t := e.Type(); t != parser.ValueTypeVector && t != parser.ValueTypeScalar {
		return nil, fmt.Errorf("a %s cannot be drawn; hint: rate(…[%s]) or another function around it", parser.DocumentedType(t), windowSign)
	}
	names := map[string]bool{}
	var open error
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		name := ""
		for _, m := range s.LabelMatchers {
			if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
				name = m.Value
			}
		}
		if name == "" && open == nil {
			open = fmt.Errorf("%s names no family; hint: write its whole name before the braces", s)
		}
		names[name] = true
		return nil
	})
	if open != nil {
		return nil, open
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// WithUser returns the catalogue with a user's expressions as metrics. Their
// families are kept and asked for like any other.
func (c *Catalog) WithUser(exprs ...UserExpr) (*Catalog, error) {
	out := &Catalog{metrics: slices.Clone(c.metrics), byKey: maps.Clone(c.byKey), labels: c.labels}
	for _, u := range exprs {
		if !keyPattern.MatchString(u.Key) || !strings.HasPrefix(u.Key, UserPrefix) {
			return nil, fmt.Errorf("take the user's expression %q: its key is not %spane.widget", u.Key, UserPrefix)
		}
		if _, taken := out.byKey[u.Key]; taken {
			return nil, fmt.Errorf("take the user's expression %s: there is one of that key", u.Key)
		}
		names, err := readUser(u.Expr)
		if err != nil {
			return nil, fmt.Errorf("take the user's expression %s: %w", u.Key, err)
		}
		out.byKey[u.Key] = len(out.metrics)
		out.metrics = append(out.metrics, Metric{
			Key: u.Key, Title: u.Title, Unit: u.Unit, Kind: Derived, Expr: u.Expr,
			Help: "An expression from the configuration, run as it is written there.", names: names,
		})
	}
	return out, nil
}

// user says whether the metric is a user's expression.
func (m Metric) user() bool { return strings.HasPrefix(m.Key, UserPrefix) }

// expandUser is a user's expression over the window.
func (b *builder) expandUser(q *Query, m Metric) (string, error) {
	if b.window == "" && strings.Contains(m.Expr, windowSign) {
		return "", fmt.Errorf("the expression looks back over %s and has no window", windowSign)
	}
	q.Families = append(q.Families, m.names...)
	q.Names = append(q.Names, m.names...)
	if _, scoped := b.scope.Match["model"]; scoped || b.scope.Instances != nil {
		q.AllModels = true
	}
	return strings.ReplaceAll(m.Expr, windowSign, b.window), nil
}
