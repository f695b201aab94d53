package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// flags are a small program's.
func flags() *pflag.FlagSet {
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	fs.String("config", "", "")
	fs.String("profile", "", "")
	fs.Duration("window", 5*time.Minute, "look-back")
	fs.Duration("sla-ttft", 500*time.Millisecond, "promise")
	fs.StringArray("target", nil, "URL")
	fs.String("prometheus", "", "server")
	fs.StringArray("prometheus-header", nil, "header")
	fs.String("password-file", "", "FILE")
	fs.String("bearer-token-file", "", "FILE")
	fs.Bool("read-only", false, "")
	fs.Bool("gpus", true, "")
	fs.Int("sample-limit", 0, "")
	fs.Bool("once", false, "")
	Mark(fs, FlagOnly, "once", "config", "nonesuch")
	Mark(fs, Safety, "read-only")
	Mark(fs, Source, "target", "prometheus")
	Mark(fs, Credential, "password-file", "bearer-token-file")
	Mark(fs, Literal, "prometheus-header")
	return fs
}

func TestParseErrors(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"unknown":          {"window: 1m\nwindw: 2m\n", `c.yaml:2:1: unknown key "windw"; hint: window?`},
		"kebab":            {"sla-ttft: 2s\n", `c.yaml:1:1: unknown key "sla-ttft"; hint: sla_ttft?`},
		"in a profile":     {"profiles:\n  prod:\n    thme: dark\n    gpu: true\n", `c.yaml:4:5: unknown key "gpu"; hint: gpus?`},
		"flag only":        {"once: true\n", `hint: it is a flag only: --once`},
		"duration":         {"window: banana\n", `c.yaml:1:9: window cannot be "banana"; hint: a number with its unit`},
		"number as window": {"window: 5\n", `window cannot be "5"`},
		"bool":             {"gpus: perhaps\n", `c.yaml:1:7: gpus cannot be "perhaps"; hint: true or false`},
		"int":              {"sample_limit: many\n", `a whole number`},
		"list as scalar":   {"window: [1m, 2m]\n", `window takes one plain value`},
		"mapping as list":  {"target: {a: b}\n", `target is not a list`},
		"null":             {"window:\n", `c.yaml:1:1: window has no value`},
		"twice":            {"window: 1m\nwindow: 2m\n", `c.yaml:2:1: mapping key "window" already defined`},
		"syntax":           {"window: [1m\n", `c.yaml:1:`},
		"two documents":    {"window: 1m\n---\nwindow: 2m\n", `c.yaml:3:1: a second document`},
		"scalar file":      {"hello\n", `the file is not a mapping`},
		"password":         {"password: hunter2\n", `c.yaml:1:1: unknown key "password"; hint: secrets stay out of this file: put it into a file of its own and name that, as in password_file: FILE`},
		"token":            {"bearer_token: abc\n", `as in bearer_token_file: FILE`},
		"password in URL":  {"prometheus: https://me:pw@h\n", `prometheus holds a password`},
		"header":           {"prometheus_header: ['Authorization: Bearer abcdef']\n", `prometheus_header holds a secret; hint: 'Authorization: @FILE'`},
		"profile":          {"profile: prd\nprofiles: {prod: {window: 1m}}\n", `c.yaml:1:1: no profile "prd" in c.yaml; hint: one of prod`},
		"nested profiles":  {"profiles: {a: {profiles: {}}}\n", `cannot stand in a profile`},
		"anchor":           {"window: &a 5m\n", `window takes one plain value`},
		"pane key":         {"panes:\n  - title: A\n    rowz: []\n", `c.yaml:3:5: unknown key "rowz"; hint: rows?`},
		"pane without":     {"panes:\n  - title: A\n", `c.yaml:2:5: the pane "A" shows nothing`},
		"widget kind":      {"panes: [{title: A, rows: [{title: w, expr: up, kind: pie}]}]\n", `kind "pie" is unknown; hint: one of line, sparkline, table, heatmap`},
		"widget expr":      {"panes:\n  - title: A\n    rows:\n      - {title: w, expr: 'rate(x'}\n", `c.yaml:4:26: expr: no PromQL`},
		"widget empty":     {"panes: [{title: A, rows: [{title: w}]}]\n", `a widget needs a title and an expr`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("c.yaml", []byte(c.file), TableOf(flags()))
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "abcdef") {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
	if _, err := Parse("c.yaml", bytes.Repeat([]byte("#"), maxBytes+1), nil); err == nil {
		t.Error("a file over the limit was taken")
	}
}

func TestParse(t *testing.T) {
	f, err := Parse("c.yaml", []byte(`# a comment
window: 10m
target: http://a:1
profiles:
  prod:
    prometheus: https://p
    panes: [{title: KV moves, rows: [{title: w, expr: up}]}]
keys:
  pause: [p, x]
  quit: Q
panes:
  - title: Mine
    short: Mi
    rows:
      - {title: a, expr: "rate(x_total[$window])", kind: table, unit: tokens, legend: "{{pod}}"}
      - - {title: b, expr: up}
        - title: c
          expr: |
            sum(up)
`), TableOf(flags()))
	if err != nil {
		t.Fatal(err)
	}
	if f.Settings["window"].Items[0] != "10m" || f.Settings["window"].At.Line != 2 || f.Settings["target"].Items[0] != "http://a:1" {
		t.Errorf("%+v", f.Settings)
	}
	if got := fmt.Sprint(f.Keys); got != "[{pause [p x] c.yaml:9:3} {quit [Q] c.yaml:10:3}]" {
		t.Error(got)
	}
	if p := f.Panes[0]; p.Title != "Mine" || p.Short != "Mi" || len(p.Rows) != 2 || p.Rows[0][0].Kind != "table" || p.Rows[1][1].Expr != "sum(up)" || p.Rows[1][0].Kind != "line" {
		t.Errorf("%+v", p)
	}
	if p := f.Profiles["prod"].Panes; len(p) != 1 || p[0].Short != "KV m" {
		t.Errorf("%+v", p)
	}
	for _, empty := range []string{"", "# nothing\n", "---\n", "profiles:\n"} {
		if _, err := Parse("c.yaml", []byte(empty), TableOf(flags())); err != nil {
			t.Errorf("%q: %v", empty, err)
		}
	}
}

// desk is a machine's files and environment.
type desk struct {
	t                  *testing.T
	user, system, home string
	env                []string
}

func newDesk(t *testing.T, user, system string, env ...string) desk {
	d := desk{t: t, home: t.TempDir(), env: env}
	d.user, d.system = filepath.Join(d.home, ".config", "dynascope", "config.yaml"), filepath.Join(d.home, "etc.yaml")
	d.write(d.user, user)
	d.write(d.system, system)
	return d
}

func (d desk) write(path, content string) {
	d.t.Helper()
	if content == "" {
		return
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d desk) apply(args ...string) (*pflag.FlagSet, *Effective, error) {
	d.t.Helper()
	fs := flags()
	if err := fs.Parse(args); err != nil {
		d.t.Fatal(err)
	}
	e, err := Apply(fs, Options{Table: TableOf(flags()), System: d.system, Environ: d.env, Home: d.home})
	return fs, e, err
}

const layered = `window: 10m
sla_ttft: 1s
profile: prod
profiles:
  prod: {sla_ttft: 2s, sample_limit: 7}
  other: {sla_ttft: 3s}
`

func TestPrecedence(t *testing.T) {
	for name, c := range map[string]struct {
		env, args []string
		want      string // window sla-ttft sample-limit, with origins
	}{
		"file and profile": {want: "10m0s :1: 2s :5: 7 :5:"},
		"other profile":    {args: []string{"--profile", "other"}, want: "10m0s :1: 3s :6: 0 default"},
		"profile by env":   {env: []string{"DYNASCOPE_PROFILE=other"}, want: "10m0s :1: 3s :6: 0 default"},
		"env":              {env: []string{"DYNASCOPE_SLA_TTFT=4s", "DYNASCOPE_WINDOW="}, want: "10m0s :1: 4s env 7 :5:"},
		"flag":             {env: []string{"DYNASCOPE_SLA_TTFT=4s"}, args: []string{"--sla-ttft", "5s"}, want: "10m0s :1: 5s flag 7 :5:"},
	} {
		t.Run(name, func(t *testing.T) {
			fs, e, err := newDesk(t, layered, "", c.env...).apply(c.args...)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Fields(c.want)
			for i, flag := range []string{"window", "sla-ttft", "sample-limit"} {
				if got := fs.Lookup(flag).Value.String(); got != want[2*i] {
					t.Errorf("%s is %s, want %s", flag, got, want[2*i])
				}
				if got := e.Of(flag).String(); !strings.Contains(got, want[2*i+1]) {
					t.Errorf("%s is from %s, want %s", flag, got, want[2*i+1])
				}
			}
		})
	}
}

func TestPin(t *testing.T) {
	for name, args := range map[string][]string{"none": nil, "flag": {"--read-only=false"}} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, "read_only: false\n", "read_only: true\n", "DYNASCOPE_READ_ONLY=false")
			fs, e, err := d.apply(args...)
			if err != nil {
				t.Fatal(err)
			}
			if on, _ := fs.GetBool("read-only"); !on || !e.Of("read-only").Pinned() || !strings.Contains(e.Of("read-only").String(), "etc.yaml:1:1") {
				t.Errorf("read-only is %v from %s", on, e.Of("read-only"))
			}
		})
	}
	// A pin only ever adds safety.
	fs, _, err := newDesk(t, "read_only: true\n", "read_only: false\n").apply()
	if on, _ := fs.GetBool("read-only"); err != nil || !on {
		t.Errorf("%v, %v", on, err)
	}
	for _, bad := range []string{"window: 5m\n", "read_onyl: true\n", "read_only: maybe\n", "keys: {quit: x}\n", ": :\n"} {
		if _, _, err := newDesk(t, "", bad).apply(); err == nil {
			t.Errorf("the system's file %q was taken", bad)
		}
	}
	// One that cannot be read may hold a pin.
	d := newDesk(t, "", "")
	if err := os.Mkdir(d.system, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.apply(); err == nil {
		t.Error("started without its system's file")
	}
}

// Naming a target sets aside the server of a weaker layer.
func TestSourcesGoTogether(t *testing.T) {
	d := newDesk(t, "target: [http://f:1]\nprofiles: {prod: {prometheus: https://p}}\n", "", "DYNASCOPE_PROFILE=prod")
	fs, _, err := d.apply()
	if got, _ := fs.GetStringArray("target"); err != nil || len(got) > 0 || fs.Lookup("prometheus").Value.String() != "https://p" {
		t.Errorf("%v, %v", got, err)
	}
	fs, _, err = d.apply("--target", "http://x:1")
	if got, _ := fs.GetStringArray("target"); err != nil || len(got) != 1 || got[0] != "http://x:1" || fs.Lookup("prometheus").Value.String() != "" {
		t.Errorf("%v, %v", got, err)
	}
	d.env = append(d.env, "DYNASCOPE_TARGET=http://a:1, http://b:2,")
	fs, _, err = d.apply()
	if got, _ := fs.GetStringArray("target"); err != nil || fmt.Sprint(got) != "[http://a:1 http://b:2]" {
		t.Errorf("%v, %v", got, err)
	}
}

// A file's credentials belong to the file's source.
func TestCredentialsStayWithTheirSource(t *testing.T) {
	d := newDesk(t, "prometheus: https://p\npassword_file: /f\nprofiles: {lab: {prometheus: https://lab}}\n", "")
	for name, c := range map[string]struct {
		args, env []string
		want      string
	}{
		"its own":        {nil, nil, "/f"},
		"another server": {[]string{"--prometheus", "https://other"}, nil, ""},
		"a target":       {[]string{"--target", "http://x:1"}, nil, ""},
		"by variable":    {nil, []string{"DYNASCOPE_PROMETHEUS=https://other"}, ""},
		"by profile":     {[]string{"--profile", "lab"}, nil, ""},
		"given with it":  {[]string{"--prometheus", "https://other", "--password-file", "/g"}, nil, "/g"},
		"of the shell":   {[]string{"--prometheus", "https://other"}, []string{"DYNASCOPE_PASSWORD_FILE=/h"}, "/h"},
	} {
		d.env = c.env
		fs, _, err := d.apply(c.args...)
		if got := fs.Lookup("password-file").Value.String(); err != nil || got != c.want {
			t.Errorf("%s: %q, want %q, %v", name, got, c.want, err)
		}
	}
}

func TestApplyErrors(t *testing.T) {
	for name, c := range map[string]struct {
		user string
		env  []string
		args []string
		want string
	}{
		"no such file":       {args: []string{"--config", "/nonesuch.yaml"}, want: "--config FILE names another"},
		"no such profile":    {user: layered, args: []string{"--profile", "x"}, want: "hint: one of other, prod"},
		"profile, no file":   {args: []string{"--profile", "x"}, want: "there is no configuration file"},
		"bad variable":       {env: []string{"DYNASCOPE_WINDOW=5"}, want: `DYNASCOPE_WINDOW: window cannot be "5"`},
		"bad hidden profile": {user: "profiles: {other: {window: 5}}\n", want: "window cannot be"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := newDesk(t, c.user, "", c.env...).apply(c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

func TestUserFile(t *testing.T) {
	for _, c := range []struct{ xdg, home, want string }{
		{"/x", "/h", "/x/dynascope/config.yaml"},
		{"rel", "/h", "/h/.config/dynascope/config.yaml"},
		{"", "/h", "/h/.config/dynascope/config.yaml"},
		{"", "", ""},
	} {
		if got := UserFile([]string{"XDG_CONFIG_HOME=" + c.xdg}, c.home); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// What is printed is a file that means the same, without the secrets.
func TestPrint(t *testing.T) {
	user := "window: 10m\nkeys: {pause: [p]}\npanes: [{title: Mine, rows: [[{title: a, expr: up}, {title: b, expr: 'up == 0'}]]}]\n"
	d := newDesk(t, user, "read_only: true\n", "DYNASCOPE_SLA_TTFT=4s", "DYNASCOPE_PORT=tcp://1.2.3.4:5", "DYNASCOPE_PROMETHEUS_TOKEN=s3cret")
	_, e, err := d.apply("--prometheus", "https://me:hunter2@p", "--prometheus-header", "X-Key: hunter2")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := e.Print(&out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		"window: 10m0s  # " + d.user + ":1:1\n", "sla_ttft: 4s  # env DYNASCOPE_SLA_TTFT\n", "read_only: true  # pinned by " + d.system + ":1:1\n",
		"gpus: true  # default\n", "# password_file: \"\"  # default\n", "# DYNASCOPE_PORT names no setting\n", `pause": ["p"]`, "@p\"  # flag\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "hunter2") || strings.Contains(text, "s3cret") || strings.Contains(text, "once") {
		t.Error(text)
	}
	again, err := Parse("again.yaml", []byte(text), TableOf(flags()))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if len(again.Panes) != 1 || again.Panes[0].Rows[0][1].Expr != "up == 0" || again.Settings["window"].Items[0] != "10m0s" {
		t.Errorf("%+v", again)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"window", "theme", "sla_ttft"}
	for word, want := range map[string]string{"windwo": "window", "them": "theme", "sla_tfft": "sla_ttft", "xyz": "", "": ""} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%s: %s, want %s", word, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(layered))
	f.Add([]byte("panes: [{title: A, rows: [[{title: w, expr: 'sum by (le) (increase(x_bucket[$window]))', kind: heatmap}]]}]\nkeys: {pause: [p]}\n"))
	f.Add([]byte("? [a]\n: b\n<<: *x\nwindow: !!str 5m\n"))
	table := TableOf(flags())
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := Parse("f.yaml", raw, table)
		if (file == nil) == (err == nil) {
			t.Fatalf("%v, %v", file, err)
		}
		if file != nil {
			for key := range file.Settings {
				if _, ok := table[key]; !ok {
					t.Errorf("took the unknown key %q", key)
				}
			}
		}
	})
}
