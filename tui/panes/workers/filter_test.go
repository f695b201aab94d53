package workers

import (
	"strings"
	"testing"

	"dynascope/tui/pane/panetest"
)

func TestFilter(t *testing.T) {
	for _, c := range []struct{ filter, want string }{
		{"", "7f3a/dp0 7f3a/dp1 91c2/dp0 91c2/dp1 a01b b22c c33d d44e"},
		{"  ", "7f3a/dp0 7f3a/dp1 91c2/dp0 91c2/dp1 a01b b22c c33d d44e"},
		{"7f3a", "7f3a/dp0 7f3a/dp1"},
		{"7F3A/DP1", "7f3a/dp1"},
		{"a01b00000000000c", "a01b"},
		{"sglang", "7f3a/dp0 7f3a/dp1 91c2/dp0 91c2/dp1 a01b b22c d44e"},
		{"node-7:9090", "7f3a/dp0 7f3a/dp1"},
		{"node:1", ""}, // reads like an address, and no worker has it
		{"stale", "a01b"},
		{"role:decode", "7f3a/dp0 7f3a/dp1 91c2/dp0 91c2/dp1 a01b b22c c33d"},
		{"role:prefill", "d44e"},
		{"!role:decode", "d44e"},
		{"state:up", "7f3a/dp0 7f3a/dp1 91c2/dp0 91c2/dp1 d44e"},
		{"state:un", "c33d"},
		{"engine:vllm", ""},
		{"host:node-9", "91c2/dp0 91c2/dp1"},
		{"dp:1", "7f3a/dp1 91c2/dp1"},
		{"kv>90", "7f3a/dp0 91c2/dp1 a01b"},
		{"kv>=90", "7f3a/dp0 7f3a/dp1 91c2/dp1 a01b"},
		{"kv<90%", "91c2/dp0"},
		{"!kv>90", "7f3a/dp1 91c2/dp0 b22c c33d d44e"},
		{"queue>5", "7f3a/dp0 a01b"},
		{"queue=0", "91c2/dp0 d44e"},
		{"run>=60", "7f3a/dp0 7f3a/dp1"},
		{"running<1", "d44e"},
		{"decode>2.4k", "91c2/dp0 91c2/dp1"},
		// 7f3a's p95 lies in 2.2–4.7 s, 91c2's in 0.22–0.47 s, a01b's in 0.47–1 s.
		{"ttft>2.2s", "7f3a/dp0 7f3a/dp1"},
		{"ttft>3s", ""},
		{"ttft<470ms", ""},
		{"ttft<=470ms", "91c2/dp0 91c2/dp1"},
		{"ttft<0.5s", "91c2/dp0 91c2/dp1"},
		{"age>10s", "a01b b22c"},
		{"role:decode kv>90", "7f3a/dp0 91c2/dp1 a01b"},
		{"role:decode kv>90 !state:stale", "7f3a/dp0 91c2/dp1"},
		{"!!stale", "a01b"},
		{"blk>4k", "7f3a/dp0 c33d"},
	} {
		p := New()
		p.order = order{column: "worker"}
		if err := p.SetFilter(c.filter); err != nil {
			t.Errorf("%q: %v", c.filter, err)
			continue
		}
		if got := names(p, deployment(p, panetest.Frame(140, 38))); got != c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.filter, got, c.want)
		}
	}
}

func TestBadFilter(t *testing.T) {
	for filter, want := range map[string]string{
		"kv>":          `read filter "kv>": "" is no limit of kv, hint: kv>90 (percent)`,
		"kv>high":      `"high" is no limit of kv`,
		"kv:90":        "kv is a number, hint: kv>90",
		"queue>-1":     `"-1" is no limit`,
		"queue>1e5":    `"1e5" is no limit`,
		"queue>0x1":    "is no limit",
		"queue>nan":    "is no limit",
		"queue>1.2.3":  "is no limit",
		"queue>5%":     "is no limit",
		"ttft>1":       "hint: ttft>500ms",
		"ttft>ms":      "is no limit",
		"role>3":       "role is no number, hint: role:decode",
		"role:":        "nothing after role:, hint: role:decode",
		"colour:red":   `no such key "colour", hint: worker: role: `,
		"gpu>3":        `no such key "gpu"`,
		"state>1":      "state is no number",
		"!":            "nothing after !",
		"7f3a !kv>bad": `read filter "!kv>bad"`,
	} {
		p := New()
		_ = p.SetFilter("role:decode")
		err := p.SetFilter(filter)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "hint:") {
			t.Errorf("%q: %v, want %s", filter, err, want)
		}
		if p.Filter() != "role:decode" {
			t.Errorf("%q: the filter in force is %q", filter, p.Filter())
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"", "role:decode kv>90 !x", "ttft>=1.5s", "!!a:b", "kv>99999999999999999999", "\x1b[2J:\xff", "queue=k"} {
		f.Add(s)
	}
	p := New()
	rows := p.listing(deployment(p, panetest.Frame(140, 38))).all
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parse(s)
		if err != nil {
			if msg := err.Error(); !strings.Contains(msg, "hint:") {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		again, err := parse(got.text)
		if err != nil {
			t.Fatalf("%q: its own text is refused: %v", s, err)
		}
		inverse, err := parse("!" + strings.ReplaceAll(got.text, " ", " !"))
		for i := range rows {
			if got.match(&rows[i]) != again.match(&rows[i]) {
				t.Errorf("%q: two answers", s)
			}
			if err == nil && len(got.terms) == 1 && len(inverse.terms) == 1 && got.match(&rows[i]) == inverse.match(&rows[i]) {
				t.Errorf("%q: its inverse is the same", s)
			}
		}
	})
}
