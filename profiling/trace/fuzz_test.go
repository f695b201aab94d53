package trace

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"math/big"
	"strings"
	"testing"

	"dynascope/profiling/trace/tracegen"
)

// FuzzAnalyse reads any bytes as a trace: an error or a report whose books
// balance and whose words are clean.
func FuzzAnalyse(f *testing.F) {
	for _, s := range []tracegen.Spec{{Steps: 1, Layers: 1}, {Steps: 1, Layers: 1, Compact: true, Memory: true, Stacks: true, Tail: true}, {Steps: 3, Layers: 1, Old: true, Quotes: true, TextPids: true}} {
		var b bytes.Buffer
		if _, err := tracegen.Write(s, []io.Writer{&b}); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes()[:min(b.Len(), 1500)]) // small, or the fuzzer spends its time making it smaller
	}
	f.Add([]byte(`{"nodes": [], "traceEvents": [{"ph":"X","cat":"kernel","name":"\u001b]0;x\u0007","ts":-1,"dur":1e9}]}`))
	f.Add([]byte(`[{"ph":"X","cat":"cpu_op","name":"a","ts":9223372036854775.807,"dur":9223372036854775807}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := readAll(bytes.NewReader(data), Limits{EventBytes: 64 << 10, Bytes: 8 << 20, calm: 1 << 20})
		if err != nil {
			return
		}
		for _, k := range r.Ranks {
			b := k.Breakdown
			if k.Elapsed != k.Window.Length() || b.Compute+b.Communication+b.Memory != k.Busy || k.Busy+b.Idle() != k.Elapsed || b.Idle() < 0 {
				t.Fatalf("the books do not balance: %+v %+v", k.Window, k.Totals)
			}
			sum := int64(0)
			for _, c := range k.Categories {
				sum += c.Time
			}
			if sum != k.KernelTime || k.KernelTime < k.Busy {
				t.Fatalf("categories sum to %d of %d, busy %d", sum, k.KernelTime, k.Busy)
			}
		}
		var md bytes.Buffer
		if err := r.WriteMarkdown(&md); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(md.String(), "\x00\x07\x1b\r") {
			t.Fatalf("not clean: %q", md.String())
		}
		if err := r.WriteJSON(io.Discard); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzNanos holds the decimal reader to exact arithmetic.
func FuzzNanos(f *testing.F) {
	for _, s := range []string{"0", "-1", "1712195495519703.772", "4458677009853.4225", "1e3", "0.0005", "9223372036854775.807", "12345678901234567890", "1e400", "-0.0004"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ns, n, ok := nanos([]byte(s))
		var number json.Number
		if !ok || n != len(s) || json.Unmarshal([]byte(s), &number) != nil || len(s) > 60 {
			return
		}
		exact, good := new(big.Rat).SetString(s)
		if !good {
			return
		}
		diff := exact.Sub(exact.Mul(exact, big.NewRat(1000, 1)), new(big.Rat).SetInt64(ns))
		if off, _ := diff.Float64(); math.Abs(off) > 0.5001 {
			t.Fatalf("%s is read as %d ns, off by %g", s, ns, off)
		}
	})
}

// FuzzEvent compares the scanner with the standard library on single events.
func FuzzEvent(f *testing.F) {
	f.Add([]byte(`{"ph":"X","cat":"kernel","name":"a\"b","pid":0,"tid":"7","ts":1.5,"dur":2,"args":{"correlation":5,"grid":[1,2,3]}}`))
	f.Add([]byte(`{ "ph": "M", "args": {"name": {"deep": [[[{}]]]}} , "x": null, "y": true }`))
	f.Add([]byte(`{"name": "say "hello" twice", "pid": 1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var e event
		n, v := e.read(append(data, ' '), false)
		if len(data) == 0 || data[0] != '{' {
			return
		}
		var std struct {
			Name *string         `json:"name"`
			Args json.RawMessage `json:"args"`
		}
		if json.Unmarshal(data, &std) == nil && !strings.Contains(strings.ToLower(string(data)), `\u`) {
			if v != good {
				// Only limits may refuse what is JSON.
				if !strings.Contains(string(data), strings.Repeat("[", 64)) && !strings.Contains(string(data), strings.Repeat("{", 64)) && len(data) < 256 && bytes.Count(data, []byte("[")) < 64 && bytes.Count(data, []byte("{")) < 64 {
					t.Fatalf("refused: %s", data)
				}
				return
			}
			if n > len(data) {
				t.Fatalf("read %d of %d bytes", n, len(data))
			}
		}
		if e.args != nil {
			var a arguments
			a.read(e.args)
		}
		e.read(append(data, ' '), true)
		nextEvent(data)
		unescape(e.name)
	})
}
