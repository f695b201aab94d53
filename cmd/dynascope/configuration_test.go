package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dynascope/cmd/dynascope/config"
	"dynascope/sources/catalog"
	"dynascope/tui"
)

// program runs the command line with a configuration of its own.
func program(t *testing.T, user, system string, args ...string) (out, errOut string, code int) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	write := func(path, text string) {
		if text == "" {
			return
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "dynascope", "config.yaml"), user)
	was := systemFile
	systemFile = filepath.Join(dir, "etc.yaml")
	t.Cleanup(func() { systemFile = was })
	write(systemFile, system)
	files := [2]*os.File{}
	for i := range files {
		f, err := os.CreateTemp(dir, "out")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	code = run(context.Background(), args, os.Stdin, files[0], files[1])
	var texts [2]string
	for i, f := range files {
		raw, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(raw)
	}
	return texts[0], texts[1], code
}

func TestPrintConfig(t *testing.T) {
	t.Setenv("DYNASCOPE_SLA_ITL", "40ms")
	t.Setenv("DYNASCOPE_READ_ONLY", "false")
	out, errOut, code := program(t, "window: 15m\nprofiles: {prod: {theme: light}}\n", "read_only: true\n",
		"--profile", "prod", "--interval", "2s", "--read-only=false", "--print-config")
	if code != 0 || errOut != "" {
		t.Fatalf("%d %s", code, errOut)
	}
	for _, want := range []string{
		"window: 15m0s  # ", "theme: \"light\"  # ", "sla_itl: 40ms  # env DYNASCOPE_SLA_ITL", "interval: 2s  # flag",
		"read_only: true  # pinned by ", "sla_ttft: 500ms  # default",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestConfigurationErrors(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"key":      {"windwo: 5m\n", `config.yaml:1:1: unknown key "windwo"; hint: window?`},
		"conflict": {"keys:\n  window: [w]\n  pause: [e]\n", "config.yaml:3:3: keys: the key e is wanted by pause and by explain"},
		"action":   {"keys: {pauze: [p]}\n", `config.yaml:1:8: keys: no action "pauze"`},
		"expr":     {"panes:\n  - title: A\n    rows: [{title: a, expr: 'rate(x'}]\n", "config.yaml:3:29: expr: no PromQL at character 7"},
	} {
		t.Run(name, func(t *testing.T) {
			_, errOut, code := program(t, c.file, "", "--once", "--for", "1ms")
			if code != 1 || !strings.Contains(errOut, c.want) || !strings.Contains(errOut, "hint:") {
				t.Errorf("%d %s\nwant %s", code, errOut, c.want)
			}
		})
	}
	// What helps to repair it works all the same.
	for _, args := range [][]string{{"version"}, {"completion", "bash"}, {"--help"}} {
		if _, errOut, code := program(t, "broken: [\n", "", args...); code != 0 {
			t.Errorf("%v: %d %s", args, code, errOut)
		}
	}
}

func TestCompletion(t *testing.T) {
	out, _, _ := program(t, "profiles: {prod: {}, lab: {}}\n", "", "__complete", "--profile", "")
	if !strings.HasPrefix(out, "lab\nprod\n") {
		t.Errorf("profiles: %q", out)
	}
	if out, _, _ := program(t, "", "", "__complete", "demo", "--scenario", ""); !strings.Contains(out, "bursty-healthy\n") {
		t.Errorf("scenarios: %q", out)
	}
	if out, _, _ := program(t, "", "", "__complete", "--theme", ""); !strings.Contains(out, "colour-blind\n") {
		t.Errorf("themes: %q", out)
	}
}

func TestUserExprs(t *testing.T) {
	exprs, specs := userExprs([]config.Pane{
		{Title: "KV moves!", Rows: [][]config.Widget{{{Title: "A", Expr: "up"}, {Title: "a", Expr: "up"}}, {{Title: "1", Expr: "up"}}}},
		{Title: "kv MOVES", Rows: [][]config.Widget{{{Title: "日本", Expr: "up"}}}},
	})
	var keys []string
	for _, e := range exprs {
		keys = append(keys, e.Key)
	}
	if got := strings.Join(keys, " "); got != "user.kv_moves.a user.kv_moves.a_2 user.kv_moves.p1 user.kv_moves_2.p" {
		t.Error(got)
	}
	if len(specs) != 2 || specs[0].ID != "user-kv-moves" || specs[1].Rows[0][0].Key != "user.kv_moves_2.p" {
		t.Errorf("%+v", specs)
	}
	if _, err := catalog.Default().WithUser(exprs...); err != nil {
		t.Error(err)
	}
}

// settingsTable is the table of docs/configuration.md.
func settingsTable() string {
	conf := &configuration{}
	cmd := root(os.Stdin, os.Stdout, os.Stderr)
	conf.table = tableOf(cmd)
	var b strings.Builder
	b.WriteString("| key | flag | variable | default | means |\n|---|---|---|---|---|\n")
	for _, key := range conf.table.Keys() {
		s := conf.table[key]
		def := s.Default
		if def != "" && def != "0" && def != "0s" {
			def = "`" + def + "`"
		} else {
			def = ""
		}
		flag := "`--" + s.Flag + "`"
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s | %s |\n", key, flag, s.Env, def, strings.ReplaceAll(s.Usage, "|", `\|`))
	}
	return b.String()
}

func actionsTable() string {
	return "Actions: `" + strings.Join(tui.Actions(), "`, `") + "`.\n"
}

// TestConfigurationDoc keeps the document's tables equal to the program's;
// make golden rewrites them.
func TestConfigurationDoc(t *testing.T) {
	const path = "../../docs/configuration.md"
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(raw)
	for name, table := range map[string]string{"settings": settingsTable(), "actions": actionsTable()} {
		re := regexp.MustCompile(`(?s)(<!-- ` + name + `: [^\n]*-->\n)(.*?)(<!-- /` + name + ` -->)`)
		m := re.FindStringSubmatch(doc)
		if m == nil {
			t.Fatalf("no markers of %s", name)
		}
		if m[2] == table {
			continue
		}
		if os.Getenv("UPDATE_GOLDEN") == "" {
			t.Errorf("the table of %s is not the program's; run make golden", name)
			continue
		}
		doc = strings.Replace(doc, m[0], m[1]+table+m[3], 1)
	}
	if doc != string(raw) {
		if err := os.WriteFile(path, []byte(doc), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The example of the document is a configuration.
func TestConfigurationDocExamples(t *testing.T) {
	raw, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	table := tableOf(root(os.Stdin, os.Stdout, os.Stderr))
	n := 0
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(raw), -1) {
		n++
		f, err := config.Parse("docs/configuration.md", []byte(m[1]), table)
		if err != nil {
			t.Errorf("%v\n%s", err, m[1])
			continue
		}
		keys := map[string][]string{}
		for _, k := range f.Keys {
			keys[k.Action] = k.Keys
		}
		if err := tui.CheckKeys(keys); err != nil {
			t.Error(err)
		}
	}
	if n < 4 {
		t.Errorf("%d examples", n)
	}
}
