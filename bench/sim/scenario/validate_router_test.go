package scenario

import (
	"strings"
	"testing"
)

// Keys that would do nothing where they stand are errors, and so are stages
// that the target does not have.
func TestMeaninglessKeys(t *testing.T) {
	const load = "\nload:\n- {rate: 1}\n"
	stage := func(stage, target string) string {
		return "faults:\n- {kind: slow_stage, stage: " + stage + ", delay: 1ms, target: " + target + "}\n"
	}
	const standalone, turns = "deployment: {router: {standalone: true}}", "deployment: {router: {mode: round-robin}}"
	for text, want := range map[string]string{
		"deployment: {router: {mode: round-robin, block_size: 32}}":                          "block_size: means nothing with mode: round-robin",
		"deployment: {router: {mode: random, standalone: true}}":                             "standalone: means nothing with mode: random",
		"deployment: {router: {mode: device-aware-weighted}}":                                "is not allowed",
		"deployment: {pools: [{tp: 16}]}":                                                    "is not allowed",
		"deployment: {kind: plain-sglang, router: {mode: random}}":                           "router: means nothing before plain SGLang servers",
		"deployment: {kind: plain-sglang, full: false}":                                      "have every family",
		"deployment: {engine: vllm, pools: [{params: {host_kv_pages: 10}}]}":                 "only SGLang",
		turns + load + stage("find_matches", "router"):                                       "has no stage find_matches",
		turns + load + stage("scheduling", "router"):                                         "",
		standalone + load + stage("find_matches", "frontend0"):                               "the router is standalone",
		standalone + load + stage("tokenize", "router"):                                      "is not in a standalone router",
		standalone + load + stage("tokenize", "frontend"):                                    "",
		standalone + load + stage("find_matches", "router1"):                                 "there is no router1",
		standalone + load + "faults:\n- {kind: slow_stage, stage: scheduling, delay: 1ms}\n": "",
	} {
		if !strings.Contains(text, "load:") {
			text += load
		}
		_, err := Parse("t.yaml", []byte("duration: 1m\n"+text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
