package composite

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Families with these prefixes are of the local machine, and may be remote too.
const (
	gpuPrefix = "DCGM_"
	ownPrefix = "dynascope_"
)

type route int

const (
	toRemote         route = iota
	toLocalAndRemote       // only families of this machine: merged by GPU
	toEither               // targets and presence: the answers of both, side by side
)

// routeOf reads from the selectors where an expression goes. With any family
// of the remote server it is the server's alone.
func routeOf(tree parser.Expr) route {
	ours, others, open := 0, 0, 0
	parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
		v, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		names, known := namesOf(v)
		switch {
		case !known, slices.ContainsFunc(names, ofEveryTarget), slices.ContainsFunc(names, local) && !allLocal(names):
			open++
		case allLocal(names):
			ours++
		default:
			others++
		}
		return nil
	})
	switch {
	case others > 0 || ours > 0 && open > 0:
		return toRemote
	case ours > 0:
		return toLocalAndRemote
	case open > 0:
		return toEither
	}
	return toRemote
}

func local(name string) bool {
	return strings.HasPrefix(name, gpuPrefix) || strings.HasPrefix(name, ownPrefix)
}

func allLocal(names []string) bool {
	return len(names) > 0 && !slices.ContainsFunc(names, func(n string) bool { return !local(n) })
}

// ofEveryTarget are the series that every scrape writes.
func ofEveryTarget(name string) bool { return name == "up" || strings.HasPrefix(name, "scrape_") }

// namesOf are the metric names a selector can mean: one, or a regular
// expression's alternatives. known is false for anything wider.
func namesOf(v *parser.VectorSelector) (names []string, known bool) {
	for _, m := range v.LabelMatchers {
		if m.Name != labels.MetricName {
			continue
		}
		switch m.Type {
		case labels.MatchEqual:
			return []string{m.Value}, true
		case labels.MatchRegexp:
			re, err := syntax.Parse(m.Value, syntax.Perl)
			if err != nil {
				return nil, false
			}
			for alt := range strings.SplitSeq(m.Value, "|") {
				// Only plain alternatives; in a group, | splits nonsense.
				if name := strings.ReplaceAll(alt, `\`, ""); re.Op != syntax.OpEmptyMatch && regexp.QuoteMeta(name) == alt {
					names = append(names, name)
					continue
				}
				if prefix := strings.TrimSuffix(alt, ".+"); local(prefix) && regexp.QuoteMeta(prefix) == prefix {
					names = append(names, prefix)
					continue
				}
				return nil, false
			}
			return names, true
		}
	}
	return nil, false
}

// without is the expression for all GPUs but these.
func without(tree parser.Expr, uuids []string) string {
	if len(uuids) == 0 {
		return tree.String()
	}
	quoted := make([]string, len(uuids))
	for i, u := range uuids {
		quoted[i] = regexp.QuoteMeta(u)
	}
	not := strings.Join(quoted, "|")
	tree = reparse(parser.NewParser(parser.Options{EnableExperimentalFunctions: true}), tree.String()) // a copy to change
	parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
		v, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		for _, label := range []string{"UUID", "uuid"} { // what lacks one matches
			v.LabelMatchers = append(v.LabelMatchers, labels.MustNewMatcher(labels.MatchNotRegexp, label, not))
		}
		return nil
	})
	return tree.String()
}

// reparse reads an expression that was just printed.
func reparse(p parser.Parser, expr string) parser.Expr {
	tree, err := p.ParseExpr(expr)
	if err != nil {
		return &parser.NumberLiteral{}
	}
	return tree
}

// unwrap takes parentheses off.
func unwrap(e parser.Expr) parser.Expr {
	for {
		p, ok := e.(*parser.ParenExpr)
		if !ok {
			return e
		}
		e = p.Expr
	}
}
