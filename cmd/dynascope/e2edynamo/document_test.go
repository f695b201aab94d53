//go:build e2e_dynamo

package e2edynamo

import (
	"bufio"
	"strconv"
	"strings"
	"testing"
)

// document is what these tests read of dynascope.once/1.
type document struct {
	Models  []string
	Targets []struct {
		Instance, Role, Health, Error string
		AgeS                          *float64 `json:"age_s"`
	}
	Workers []worker
	Path    struct {
		Status string
		Mean   *float64 `json:"mean_s"`
		N      float64
		Stages []struct {
			Key     string
			Mean    float64 `json:"mean_s"`
			Missing []string
		}
	} `json:"ttft_path"`
	Latency []struct {
		Key, Status string
		N           float64
		Mean        *float64 `json:"mean_s"`
		Quantiles   map[string]struct {
			Lo float64
			Hi *float64
		}
		Tried []string
	}
	Totals  map[string]number
	Figures []figureOf
}

type figureOf struct {
	Key, Form, By, Status string
	Tried                 []string
	Groups                []struct {
		Labels map[string]string
		Value  *float64
	}
}

type worker struct {
	ID        string
	IDDecimal string `json:"id_decimal"`
	Short     string
	Instance  string
	Role      string
	Engine    string
	State     string
	Ranks     []struct {
		Rank    string `json:"dp_rank"`
		Figures map[string]number
		Belief  map[string]number `json:"router_belief"`
		Runtime map[string]number
	}
}

type number struct {
	Value   *float64
	Status  string
	AgeS    float64 `json:"age_s"`
	Missing string
}

func (n number) v() float64 {
	if n.Value == nil {
		return 0
	}
	return *n.Value
}

func (d document) total(t testing.TB, key string) float64 {
	t.Helper()
	n, ok := d.Totals[key]
	if !ok || n.Value == nil {
		t.Errorf("no total %s: status %s, missing %s", key, n.Status, n.Missing)
		return -1
	}
	return *n.Value
}

// sum adds the lines of one family on a page whose labels hold all of want:
// the test's own reading, on purpose not the program's.
func sum(page, name string, want ...string) float64 {
	total := 0.0
	lines := bufio.NewScanner(strings.NewReader(page))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if !strings.HasPrefix(line, name+"{") && !strings.HasPrefix(line, name+" ") {
			continue
		}
		ok := true
		for _, w := range want {
			ok = ok && strings.Contains(line, w)
		}
		if v, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64); ok && err == nil {
			total += v
		}
	}
	return total
}
