package engine

import (
	"encoding/csv"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var docs = flag.String("docs", "../../../docs/simulator.md", "the page that holds the fit's table")

// estimate is one row of AI Configurator's answers.
type estimate struct {
	mode                       string
	tp, batch, isl, osl, chunk int
	ttft, itl                  float64 // ms
}

func estimates(t *testing.T) []estimate {
	t.Helper()
	f, err := os.Open("testdata/aiconfigurator_qwen3_32b_h200_sglang.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []estimate
	for _, l := range lines[1:] {
		num := func(i int) float64 {
			if l[i] == "" {
				return 0
			}
			v, err := strconv.ParseFloat(l[i], 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		rows = append(rows, estimate{
			mode: l[0], tp: int(num(1)), batch: int(num(2)), isl: int(num(3)), osl: int(num(4)),
			chunk: int(num(5)), ttft: num(6), itl: num(7),
		})
	}
	return rows
}

// simulate runs the row's load through the engine and returns mean TTFT and
// mean ITL in ms.
//
// static is one batch that comes all at once and is prefilled in one step.
// agg is a closed loop: as many clients as the batch, each sending the next
// request when the last ended, chunks of the row's size, decode riding along.
func (r estimate) simulate(t *testing.T) (ttft, itl float64) {
	t.Helper()
	p := qwen3(r.tp)
	p.MaxRunning = r.batch
	// The rows ask for times even where the batch would not fit into memory.
	p.KVPages = max(p.KVPages, 2*r.batch*(r.isl+r.osl)/p.PageSize+r.batch)
	p.MaxPrefillTokens = r.batch * r.isl
	total := r.batch
	if r.mode == "agg" {
		p.MaxPrefillTokens, p.Mixed = r.chunk, true
		total = r.batch * 8
	}
	e := New(p)
	type times struct{ arrive, first time.Duration }
	reqs := map[uint64]*times{}
	id := uint64(0)
	submit := func(now time.Duration) {
		id++
		reqs[id] = &times{arrive: now}
		e.Submit(now, Request{ID: id, ISL: r.isl, OSL: r.osl, Arrive: now})
	}
	for range r.batch {
		submit(0)
	}
	warm := uint64(0)
	if r.mode == "agg" {
		warm = uint64(2 * r.batch) // the start in step is no steady state
	}
	var sumTTFT, sumITL float64
	n, ended := 0, 0
	for {
		at, ok := e.Next()
		if !ok {
			break
		}
		over := 0
		e.Step(at, func(ev Event) {
			switch ev.Kind {
			case FirstToken:
				reqs[ev.ID].first = ev.At
			case Finished:
				over++
				if q := reqs[ev.ID]; ev.ID > warm {
					sumTTFT += (q.first - q.arrive).Seconds()
					sumITL += (ev.At - q.first).Seconds() / float64(ev.Tokens-1)
					n++
				}
			case Rejected, Retracted:
				t.Fatalf("%+v: %v", r, ev.Kind)
			}
		})
		for range over {
			if ended++; int(id) < total {
				submit(at)
			}
		}
	}
	if ended != total {
		t.Fatalf("%+v: %d of %d ended", r, ended, total)
	}
	return sumTTFT / float64(n) * 1e3, sumITL / float64(n) * 1e3
}

const (
	tableBegin = "<!-- fit table: UPDATE_GOLDEN=1 go test ./bench/sim/engine/ -run TestFit -->"
	tableEnd   = "<!-- end of fit table -->"
)

// TestFit compares the running model with every row, holds the median error of
// TTFT and ITL to 15 %, and keeps the table in docs/simulator.md in step.
func TestFit(t *testing.T) {
	rows := estimates(t)
	if len(rows) < 60 {
		t.Fatalf("only %d rows", len(rows))
	}
	errs := map[string][]float64{}
	var table strings.Builder
	table.WriteString("| Mode | TP | Batch | ISL | TTFT ms, estimate | model | error | ITL ms, estimate | model | error |\n")
	table.WriteString("|---|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		ttft, itl := r.simulate(t)
		et, ei := ttft/r.ttft-1, itl/r.itl-1
		for _, k := range []string{"all", r.mode, fmt.Sprintf("%s, TP %d", r.mode, r.tp)} {
			errs[k+" TTFT"] = append(errs[k+" TTFT"], math.Abs(et))
			errs[k+" ITL"] = append(errs[k+" ITL"], math.Abs(ei))
		}
		fmt.Fprintf(&table, "| %s | %d | %d | %d | %.1f | %.1f | %+.0f %% | %.2f | %.2f | %+.0f %% |\n",
			r.mode, r.tp, r.batch, r.isl, r.ttft, ttft, et*100, r.itl, itl, ei*100)
	}
	var summary strings.Builder
	summary.WriteString("| Rows | n | TTFT: median error | worst | ITL: median error | worst |\n|---|---|---|---|---|---|\n")
	for _, k := range []string{"all", "static", "static, TP 1", "static, TP 2", "static, TP 4", "static, TP 8", "agg"} {
		a, b := errs[k+" TTFT"], errs[k+" ITL"]
		slices.Sort(a)
		slices.Sort(b)
		line := fmt.Sprintf("| %s | %d | %.1f %% | %.0f %% | %.1f %% | %.0f %% |\n",
			k, len(a), median(a)*100, a[len(a)-1]*100, median(b)*100, b[len(b)-1]*100)
		summary.WriteString(line)
		t.Log(strings.TrimSpace(line))
	}
	if m := median(errs["all TTFT"]); m > 0.15 {
		t.Errorf("median error of TTFT is %.1f %%, more than 15 %%", m*100)
	}
	if m := median(errs["all ITL"]); m > 0.15 {
		t.Errorf("median error of ITL is %.1f %%, more than 15 %%", m*100)
	}

	text, err := os.ReadFile(*docs)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(text), tableBegin)
	_, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no place for the table", *docs)
	}
	want := before + tableBegin + "\n" + summary.String() + "\n" + table.String() + tableEnd + after
	if want == string(text) {
		return
	}
	if os.Getenv("UPDATE_GOLDEN") == "" {
		t.Errorf("%s is out of date; hint: UPDATE_GOLDEN=1 go test ./bench/sim/engine/ -run TestFit", *docs)
		return
	}
	if err := os.WriteFile(*docs, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// median of a sorted list.
func median(s []float64) float64 {
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
