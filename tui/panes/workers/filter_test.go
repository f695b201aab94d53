package workers

import (
	"strings"
	"testing"

	"dynascope/tui/pane/panetest"
)

func TestFilter(t *testing.T) {
	for _, c := range []struct{ filter, want string }{
		{"", "7f3a/dp0 7f3a/dp1 91c2/dp0 91c2/dp1 a01b b22c c33d d44e"},
		{"7f3a", "7f3a/dp0 7f3a/dp1"},
		{"a01b00000000000c", "a01b"},
		{"sglang", "7f3a/dp0 7f3a/dp1 91c2/dp0 91c2/dp1 a01b b22c d44e"},
		{"node-7:9090", "7f3a/dp0 7f3a/dp1"},
		{"node:1", ""}, // reads like an address, and no worker has it
		{"stale", "a01b"},
		{"role:decode", "7f3a/dp0 7f3a/dp1 91c2/dp0 91c2/dp1 a01b b22c c33d"},
		{"role:prefill", "d44e"},
		{"state:up", "7f3a/dp0 7f3a/dp1 91c2/dp0 91c2/dp1 d44e"},
		{"state:un", "c33d"},
		{"engine:vllm", ""},
		{"host:node-9", "91c2/dp0 91c2/dp1"},
		{"dp:1", "7f3a/dp1 91c2/dp1"},
		{"kv>90", "7f3a/dp0 91c2/dp1 a01b"},
		{"!kv>90", "7f3a/dp1 91c2/dp0 b22c c33d d44e"},
		{"queue>5", "7f3a/dp0 a01b"},
		{"queue=0", "91c2/dp0 d44e"},
		{"run>=60", "7f3a/dp0 7f3a/dp1"},
		{"running<1", "d44e"},
		{"decode>2.4k", "91c2/dp0 91c2/dp1"},
		// 7f3a's p95 lies in 2.2–4.7 s, 91c2's in 0.22–0.47 s, a01b's in 0.47–1 s.
		{"ttft<=470ms", "91c2/dp0 91c2/dp1"},
		{"ttft<0.5s", "91c2/dp0 91c2/dp1"},
		{"age>10s", "a01b b22c"},
		{"role:decode kv>90 !state:stale", "7f3a/dp0 91c2/dp1"},
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
		"kv>":        `read filter "kv>": "" is no limit of kv, hint: kv>90 (percent)`,
		"queue>5%":   `"5%" is no limit of queue, hint: queue>5`,
		"ttft>1":     "hint: ttft>500ms",
		"role>3":     "role is no number, hint: role:decode",
		"engine:":    "nothing after engine:, hint: engine:vllm",
		"colour:red": `no such key "colour", hint: worker: role: engine: state: host: model: namespace: component: rank: or a number: age run queue kv hit prefill decode ttft itl preempt errors inflight blk tok`,
		"state>1":    "state is no number, hint: state:up",
		"!":          "nothing after !, hint: !role:prefill",
	} {
		p := New()
		_ = p.SetFilter("role:decode")
		if err := p.SetFilter(filter); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", filter, err, want)
		}
		if p.Filter() != "role:decode" {
			t.Errorf("%q: the filter in force is %q", filter, p.Filter())
		}
	}
}
