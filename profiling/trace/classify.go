package trace

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Class is what a moment on the GPU counts as in the temporal breakdown.
type Class uint8

// The classes of GPU work.
const (
	Compute Class = iota
	Communication
	Memory
	classes = 3
)

func (c Class) String() string { return [...]string{"compute", "communication", "memory"}[c] }

// Other is the category of kernels that no rule knows. Its share is always
// shown.
const Other = "other"

// Rule is one row of the classifier: a kernel whose lower-case name has all of
// Has and none of HasNot belongs to Category. The first rule wins.
type Rule struct {
	Category    string
	Class       Class
	Has, HasNot []string
	Example     string // a literal kernel name that this very rule must catch
}

//go:embed rules.csv
var rulesCSV string

//go:embed kinds.csv
var kindsCSV string

//go:embed steps.csv
var stepsCSV string

var (
	rules      = readRules()
	kinds      = readKinds()
	stepRules  = readSteps()
	categories = categoryNames()
)

// kind is what an event's cat makes of it.
type kind uint8

const (
	unknownKind kind = iota
	kernelKind
	memcpyKind
	memsetKind
	gpuAnnotationKind
	operatorKind
	annotationKind
	pythonKind
	launchKind
	instantKind
	knownKind // named, and not analysed
)

var kindNames = map[string]kind{"kernel": kernelKind, "memcpy": memcpyKind, "memset": memsetKind,
	"gpu annotation": gpuAnnotationKind, "operator": operatorKind, "annotation": annotationKind,
	"python": pythonKind, "launch": launchKind, "instant": instantKind, "known": knownKind}

// Rules is the ordered classifier, for showing it.
func Rules() []Rule { return rules }

func readRules() (out []Rule) {
	for _, row := range rows(rulesCSV, 5) {
		r := Rule{Category: row[0], Has: strings.Split(row[2], " & "), Example: row[4]}
		switch row[1] {
		case "communication":
			r.Class = Communication
		case "memory":
			r.Class = Memory
		}
		if row[3] != "" {
			r.HasNot = strings.Split(row[3], "|")
		}
		out = append(out, r)
	}
	return out
}

func readKinds() map[string]kind {
	out := map[string]kind{}
	for _, row := range rows(kindsCSV, 3) {
		k, ok := kindNames[row[1]]
		if !ok {
			panic("kinds.csv: no kind " + row[1])
		}
		out[row[0]] = k
	}
	return out
}

// rows reads an embedded table without its heading. The tables are part of the
// program: one that cannot be read is a defect that every test shows.
func rows(table string, fields int) [][]string {
	r := csv.NewReader(strings.NewReader(table))
	r.FieldsPerRecord = fields
	all, err := r.ReadAll()
	if err != nil {
		panic(fmt.Sprintf("embedded table: %v", err))
	}
	return all[1:]
}

// categoryNames lists the categories in the rules' order; memset stands behind
// memcpy, other last. An index into it is a category's number.
func categoryNames() (names []string) {
	names = []string{"memcpy", "memset"}
	for _, r := range rules {
		if index(names, r.Category) < 0 {
			names = append(names, r.Category)
		}
	}
	return append(names, Other)
}

func index(names []string, name string) int {
	for i, n := range names {
		if n == name {
			return i
		}
	}
	return -1
}

// Classify tells a kernel's category and class by its name. Copies and fills
// by the copy engines are told by their cat and never by name.
func Classify(name string) (category string, class Class) {
	if i := match(name); i >= 0 {
		return rules[i].Category, rules[i].Class
	}
	return Other, Compute
}

func match(name string) int {
	lower := strings.ToLower(name)
next:
	for i, r := range rules {
		for _, h := range r.Has {
			if !strings.Contains(lower, h) {
				continue next
			}
		}
		for _, h := range r.HasNot {
			if strings.Contains(lower, h) {
				continue next
			}
		}
		return i
	}
	return -1
}

// StepKind is what a step of the engine did.
type StepKind uint8

// The kinds of steps; NoStep is work outside any.
const (
	NoStep StepKind = iota
	Prefill
	Decode
	Mixed
	IdleStep
	PlainStep // an iteration that does not say
	stepKinds = 6
)

func (k StepKind) String() string {
	return [...]string{"outside", "prefill", "decode", "mixed", "idle", "step"}[k]
}

// MarshalText writes the kind's name.
func (k StepKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the kind's name.
func (k *StepKind) UnmarshalText(b []byte) error {
	for i := StepKind(0); i < stepKinds; i++ {
		if i.String() == string(b) {
			*k = i
			return nil
		}
	}
	return fmt.Errorf("no step kind %q", b)
}

type stepRule struct {
	kind    StepKind
	pattern *regexp.Regexp
	example string
}

func readSteps() (out []stepRule) {
	for _, row := range rows(stepsCSV, 4) {
		var k StepKind
		if err := k.UnmarshalText([]byte(row[0])); err != nil {
			panic("steps.csv: " + err.Error())
		}
		out = append(out, stepRule{k, regexp.MustCompile(row[1]), row[2]})
	}
	return out
}

var (
	batchOf  = regexp.MustCompile(`\bbs=(\d+)`)
	tokensOf = regexp.MustCompile(`\btoks=(\d+)`)
	vllmOf   = regexp.MustCompile(`^execute_context_(\d+)\((\d+)\)_generation_(\d+)\((\d+)\)`)
)

// step reads an annotation's name: the kind of step it marks (NoStep if none),
// the batch size and the tokens where it tells them (0 where not).
func step(name string) (k StepKind, batch, tokens int) {
	for _, r := range stepRules {
		if r.pattern.MatchString(name) {
			k = r.kind
			break
		}
	}
	if k == NoStep {
		return k, 0, 0
	}
	number := func(re *regexp.Regexp) (n int) {
		if m := re.FindStringSubmatch(name); m != nil {
			n, _ = strconv.Atoi(m[1]) // beyond int: the largest
		}
		return n
	}
	if m := vllmOf.FindStringSubmatch(name); m != nil {
		for i, part := range m[1:] {
			n, _ := strconv.Atoi(part)
			if i%2 == 0 {
				batch += n
			} else {
				tokens += n
			}
		}
		return k, batch, tokens
	}
	return k, number(batchOf), number(tokensOf)
}
