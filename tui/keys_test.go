package tui

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestNoKeyIsBoundTwice(t *testing.T) {
	seen := map[string]string{}
	for _, b := range bindings {
		if b.help == "" || b.group == "" || len(b.keys) == 0 {
			t.Errorf("%s: no help, group or key", b.action)
		}
		for _, k := range b.keys {
			if other, ok := seen[k]; ok {
				t.Errorf("key %s does %s and %s", k, other, b.action)
			}
			seen[k] = b.action
		}
	}
}

// readmeKeys is the key table of the README.
func readmeKeys() string {
	var b strings.Builder
	b.WriteString("| key | does |\n|---|---|\n")
	for _, k := range bindings {
		keys := strings.Join(k.keys, "`, `")
		if k.action == actScreen {
			keys = "1`…`9"
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", keys, k.help)
	}
	return b.String()
}

// TestREADMEKeys keeps the README's table equal to the key table; make golden
// rewrites it.
func TestREADMEKeys(t *testing.T) {
	const path, begin, end = "../README.md", "do not edit -->\n", "<!-- /keys -->"
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	from := strings.Index(text, begin) + len(begin)
	to := strings.Index(text, end)
	if from < len(begin) || to < from {
		t.Fatal("README.md has no key table between its markers")
	}
	if text[from:to] == readmeKeys() {
		return
	}
	if os.Getenv("UPDATE_GOLDEN") == "" {
		t.Fatal("README.md's key table is not the program's; run make golden")
	}
	if err := os.WriteFile(path, []byte(text[:from]+readmeKeys()+text[to:]), 0o644); err != nil {
		t.Fatal(err)
	}
}
