package baseline

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"dynascope/sources/catalog"
	"dynascope/sources/text"
)

// The three families of a file, which belong together by their labels.
const (
	familyMean    = "dynascope_baseline_mean"
	familyN       = "dynascope_baseline_observations"
	familyLearned = "dynascope_baseline_learned_at_seconds"
)

// The limits of a file: some hundred deployments of all that can be learned.
const (
	mostBytes = 4 << 20
	mostLabel = 512 // characters
)

// escapes are those of the format; labels of a Set hold no line ends.
var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// Write prints a set as Prometheus text exposition, in a fixed order: a file
// to keep, and one that a scraper can read.
func Write(w io.Writer, s *Set) error {
	var b bytes.Buffer
	entries := s.Entries()
	family := func(name, help string, value func(Entry) float64) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name)
		for _, e := range entries {
			if name == familyLearned && e.Learned.IsZero() {
				continue // nobody said
			}
			fmt.Fprintf(&b, "%s{deployment=\"%s\",key=\"%s\",model=\"%s\"} %s\n", name,
				escapes.Replace(e.Deployment), escapes.Replace(e.Key), escapes.Replace(e.Model),
				strconv.FormatFloat(value(e), 'g', -1, 64))
		}
	}
	family(familyMean, "Mean of a figure while there was little to do, in the unit of its key.", func(e Entry) float64 { return e.Mean })
	family(familyN, "Observations behind the mean.", func(e Entry) float64 { return e.N })
	family(familyLearned, "When it was learned, in seconds since 1970.", func(e Entry) float64 { return float64(e.Learned.UnixMilli()) / 1000 })
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write baselines: %w", err)
	}
	return nil
}

// Parse reads what Write prints, or the same written by hand: deployment and
// model may be left out, and when it was learned. Anything else that is not
// understood is an error that names the line: a number that is read wrong would
// become a verdict.
func Parse(r io.Reader) (*Set, error) {
	data, err := io.ReadAll(io.LimitReader(r, mostBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read baselines: %w", err)
	}
	if len(data) > mostBytes {
		return nil, fmt.Errorf("read baselines: more than %d bytes; hint: a file of baselines has some kilobytes", mostBytes)
	}
	p := parser{parts: map[id]*part{}}
	for i, line := range strings.Split(string(data), "\n") {
		if err := p.line(strings.TrimSuffix(line, "\r"), i+1); err != nil {
			return nil, fmt.Errorf("read baselines: line %d: %w", i+1, err)
		}
	}
	return p.set()
}

// id is what a sample is about.
type id struct{ deployment, model, key string }

// part is what was read of one entry; a line of 0 means not yet.
type part struct {
	mean, n, learned             float64
	meanLine, nLine, learnedLine int
}

type parser struct {
	parts map[id]*part
	order []id
}

func (p *parser) line(line string, at int) error {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return nil
	}
	name, rest, ok := strings.Cut(line, "{")
	if !ok {
		return fmt.Errorf("%s has no labels; hint: %s{key=\"frontend.ttft\"} 0.25", quoted(line), familyMean)
	}
	of, rest, err := readLabels(rest)
	if err != nil {
		return err
	}
	fields := strings.Fields(rest)
	if len(fields) != 1 {
		return fmt.Errorf("after the labels stands %s; hint: one number, no timestamp", quoted(rest))
	}
	v, err := strconv.ParseFloat(fields[0], 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
		return fmt.Errorf("%s is no baseline; hint: a finite number, not below 0", quoted(fields[0]))
	}
	one := p.parts[of]
	if one == nil {
		one = &part{}
		p.parts[of] = one
		p.order = append(p.order, of)
	}
	var to *float64
	var seen *int
	switch strings.TrimSpace(name) {
	case familyMean:
		to, seen = &one.mean, &one.meanLine
	case familyN:
		to, seen = &one.n, &one.nLine
	case familyLearned:
		to, seen = &one.learned, &one.learnedLine
	default:
		return fmt.Errorf("unknown family %s; hint: %s, %s or %s", quoted(name), familyMean, familyN, familyLearned)
	}
	if *seen > 0 {
		return fmt.Errorf("the same as line %d once more", *seen)
	}
	*to, *seen = v, at
	return nil
}

// readLabels reads labels after their opening brace, up to and with the closing
// one.
func readLabels(s string) (of id, rest string, err error) {
	seen := map[string]bool{}
	for {
		s = strings.TrimLeft(s, " \t")
		if strings.HasPrefix(s, "}") {
			break
		}
		name, after, ok := strings.Cut(s, "=")
		if !ok {
			return id{}, "", errors.New("the labels do not end; hint: {key=\"…\",model=\"…\"}")
		}
		name = strings.TrimSpace(name)
		after = strings.TrimLeft(after, " \t")
		value, after, err := readQuoted(after)
		if err != nil {
			return id{}, "", fmt.Errorf("label %s: %w", quoted(name), err)
		}
		var to *string
		switch name {
		case "deployment":
			to = &of.deployment
		case "model":
			to = &of.model
		case "key":
			to = &of.key
		default:
			return id{}, "", fmt.Errorf("unknown label %s; hint: deployment, model and key", quoted(name))
		}
		if seen[name] {
			return id{}, "", fmt.Errorf("label %s stands twice", name)
		}
		if text.Clean(value, mostLabel) != value {
			return id{}, "", fmt.Errorf("label %s: %s holds control characters or is too long", name, quoted(value))
		}
		seen[name], *to = true, value
		s = strings.TrimLeft(after, " \t")
		switch {
		case strings.HasPrefix(s, ","):
			s = s[1:]
		case !strings.HasPrefix(s, "}"):
			return id{}, "", fmt.Errorf("after label %s stands %s; hint: a comma or a closing brace", name, quoted(s))
		}
	}
	m, ok := catalog.Default().Metric(of.key)
	switch {
	case of.key == "":
		return id{}, "", errors.New("no label says which key it is; hint: key=\"frontend.ttft\"")
	case !ok:
		return id{}, "", fmt.Errorf("the catalogue has no key %s; hint: see dynascope baseline show for those that can be learned", quoted(of.key))
	case m.Kind != catalog.Histogram:
		return id{}, "", fmt.Errorf("%s is a %s and has no mean", of.key, m.Kind)
	}
	return of, s[1:], nil
}

// readQuoted reads a quoted label value with the escapes of the format.
func readQuoted(s string) (value, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		return "", "", errors.New("its value does not begin with a quote")
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], nil
		case '\\':
			i++
			if i == len(s) {
				return "", "", errors.New("its value does not end")
			}
			switch s[i] {
			case 'n':
				b.WriteByte('\n')
			case '\\', '"':
				b.WriteByte(s[i])
			default:
				return "", "", fmt.Errorf("unknown escape %s", quoted(s[i-1:i+1]))
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", errors.New("its value does not end")
}

// set joins what was read.
func (p *parser) set() (*Set, error) {
	out := &Set{}
	for _, of := range p.order {
		one := p.parts[of]
		at := max(one.meanLine, one.nLine, one.learnedLine)
		switch {
		case one.meanLine == 0:
			return nil, fmt.Errorf("read baselines: line %d: %s has no %s", at, of.key, familyMean)
		case one.nLine == 0:
			return nil, fmt.Errorf("read baselines: line %d: %s has no %s; hint: from how many observations is it?", at, of.key, familyN)
		case one.n < 1:
			return nil, fmt.Errorf("read baselines: line %d: %s rests on no observation", one.nLine, of.key)
		case one.learned > mostSeconds:
			return nil, fmt.Errorf("read baselines: line %d: %g is no moment in seconds", one.learnedLine, one.learned)
		}
		e := Entry{Deployment: of.deployment, Model: of.model, Key: of.key, Mean: one.mean, N: one.n}
		if one.learnedLine > 0 {
			e.Learned = time.UnixMilli(int64(math.Round(one.learned * 1000))).UTC()
		}
		out.put(e)
	}
	return out, nil
}

// mostSeconds is the end of the year 9999.
const mostSeconds = 253402300799

// quoted shows outside text in an error.
func quoted(s string) string { return strconv.Quote(text.Clean(s, 60)) }
