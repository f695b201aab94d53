package discover

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestTargetFiles(t *testing.T) {
	const sealed = "http://h:1/metrics"
	for _, c := range []struct{ name, file, data, want string }{
		{"json", "a.json", `[{"targets":["Node1:8081","10.0.0.2:8081","[fd00::1]:9"],"labels":{"rack":"r1"}}]`,
			"http://node1:8081/metrics {rack=r1} http://10.0.0.2:8081/metrics {rack=r1} http://[fd00::1]:9/metrics {rack=r1}"},
		{"yaml", "a.yml", "- targets: ['node1:8081']\n  labels:\n    rack: r1\n    port: 8081\n- targets:\n  - h\n", "http://node1:8081/metrics {port=8081 rack=r1} http://h/metrics {}"},
		{"json as yaml", "a.YAML", `[{"targets":["h:1"],"labels":{"a":"b"}}]`, sealed + " {a=b}"},
		{"special labels", "a.yaml", "- targets: [h:1]\n  labels: {__scheme__: https, __metrics_path__: /a/m, __param_b: x y, __param_a: '1', __meta_x: gone, __address__: gone}\n",
			"https://h:1/a/m?a=1&b=x+y {}"},
		{"labels of the store", "a.yaml", "- targets: [h:1]\n  labels: {job: dynamo, instance: n1}\n", sealed + " {exported_instance=n1 exported_job=dynamo}"},
		{"cleaned", "a.json", `[{"targets":["h:1"],"labels":{"a":"x\u001b[31my\nz"}}]`, sealed + " {a=xy z}"},
		{"no targets", "a.json", `[{"targets":[]}]`, ""},
		{"empty list", "a.json", `[]`, ""},
		{"empty yaml", "a.yaml", "# nothing yet\n", ""},
		{"labels only comment", "a.yaml", "---\n- targets: [h:1]\n", sealed + " {}"},
	} {
		ts, err := parseTargets(c.file, []byte(c.data))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, x := range ts {
			got = append(got, x.URL, strings.ReplaceAll(strings.Replace(fmt.Sprint(x.Labels), "map[", "{", 1), ":", "="))
		}
		out := strings.ReplaceAll(strings.Join(got, " "), "]", "}")
		if want := strings.ReplaceAll(c.want, "]", "}"); out != want {
			t.Errorf("%s: got  %s\nwant %s", c.name, out, want)
		}
	}
}

func TestTargetFileErrors(t *testing.T) {
	for _, c := range []struct{ name, file, data, want string }{
		{"not json", "a.json", "[\n{\"targets\": [}]", "a.json:2: "},
		{"cut", "a.json", "[\n{\"targets\":\n[\"h:1\"", "a.json:3: it ends in the middle"},
		{"object", "a.json", `{"targets":["h:1"]}`, "a.json:1: want a list of groups, got an object; hint: it looks like"},
		{"unknown key", "a.json", "[{\n\"targets\":[\"h:1\"],\n\"label\":{}}]", "a.json:3: unknown key \"label\"; hint: keys: targets, labels"},
		{"twice", "a.json", `[{"targets":[],"targets":[]}]`, `key "targets" is there twice`},
		{"label twice", "a.json", `[{"targets":[],"labels":{"a":"1","a":"2"}}]`, `label "a" is there twice`},
		{"number", "a.json", `[{"targets":[8081]}]`, "want a target in quotes, got a number"},
		{"label number", "a.json", `[{"targets":[],"labels":{"a":1}}]`, "want a label's value in quotes, got a number"},
		{"no targets", "a.json", "[\n{}]", "a.json:2: a group without targets"},
		{"null", "a.json", `[null]`, "want a group, got null"},
		{"more behind", "a.json", `[] []`, "something follows"},
		{"scheme in target", "a.json", "[{\"targets\":[\n\"http://h:1/metrics\"]}]", `a.json:2: target "http://h:1/metrics": host:port without scheme`},
		{"credentials", "a.json", `[{"targets":["u:pw@h:1"]}]`, `target "h:1": credentials do not belong here`},
		{"port", "a.json", `[{"targets":["h:70000"]}]`, "1…65535"},
		{"empty port", "a.json", `[{"targets":["h:"]}]`, "no port behind the colon"},
		{"no host", "a.json", `[{"targets":[":80"]}]`, "not a host:port"},
		{"empty", "a.json", `[{"targets":[""]}]`, "it is empty"},
		{"unicode host", "a.json", `[{"targets":["hóst:1"]}]`, "not plain ASCII"},
		{"escapes", "a.json", `[{"targets":["h\u001b[31m:1"]}]`, `target "h:1": the host name`},
		{"label name", "a.yaml", "- targets: []\n  labels:\n    a-b: x\n", `a.yaml:3: "a-b" cannot be a label name`},
		{"le", "a.yaml", "- targets: []\n  labels: {le: x}\n", "belongs to histograms"},
		{"scheme", "a.yaml", "- targets: []\n  labels: {__scheme__: ftp}\n", "http or https"},
		{"path", "a.yaml", "- targets: []\n  labels: {__metrics_path__: metrics}\n", "it starts with /"},
		{"yaml mapping", "a.yaml", "targets: [h:1]\n", "a.yaml:1: want a list of groups"},
		{"yaml unknown key", "a.yaml", "- targets: []\n- targets: []\n  lables: {}\n", "a.yaml:3: unknown key \"lables\""},
		{"yaml scalar targets", "a.yaml", "- targets: h:1\n", "a.yaml:1: want a list of targets"},
		{"yaml alias", "a.yaml", "- targets: &a [h:1]\n- targets: *a\n", "not taken here"},
		{"yaml syntax", "a.yaml", "- targets: [h:1\n- x: {\n", "a.yaml:"},
		{"two documents", "a.yaml", "[]\n---\n[]\n", "a second document"},
		{"yaml deep", "a.yaml", strings.Repeat("[", 100000), "a line longer than"},
		{"yaml deep lines", "a.yaml", strings.Repeat("[\n", 1000), "open brackets"},
		{"yaml dashes", "a.yaml", strings.Repeat("- ", 2000), "nested too deep"},
		{"extension", "a.txt", "[]", "neither .json"},
		{"size", "a.json", strings.Repeat(" ", maxFileBytes+1), "larger than"},
		{"latin", "a.json", "[\"\xff\"]", "not UTF-8"},
		{"many targets", "a.json", `[{"targets":[` + strings.Repeat(`"h:1",`, maxTargets) + `"h:1"]}]`, "more than 4096 targets"},
		{"many labels", "a.json", `[{"targets":[],"labels":{` + manyLabels() + `}}]`, "more than 64 labels"},
		{"long label", "a.json", `[{"targets":[],"labels":{"a":"` + strings.Repeat("x", maxLabelValue+1) + `"}}]`, "longer than"},
	} {
		ts, err := parseTargets(c.file, []byte(c.data))
		var fe *FileError
		if !errors.As(err, &fe) || ts != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v; want %q", c.name, ts, err, c.want)
		} else if strings.ContainsAny(err.Error(), "\x1b\n") || strings.Contains(err.Error(), "u:pw") {
			t.Errorf("%s: %q is not fit to be shown", c.name, err)
		}
	}
}

func manyLabels() string {
	var out []string
	for i := range maxGroupLabels + 1 {
		out = append(out, fmt.Sprintf(`"a%d":"b"`, i))
	}
	return strings.Join(out, ",")
}

// TestParserTime: the worst a file can do within its limits is done with soon.
func TestParserTime(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	for name, data := range map[string]string{
		"long":   strings.Repeat("- targets: [h:1]\n", maxFileBytes/17),
		"colons": strings.Repeat("a: ", 1000) + "\n",
		"indent": nest(400),
		"quotes": strings.Repeat("'\n", maxFileBytes/2),
	} {
		start := time.Now()
		_, err := parseTargets("a.yaml", []byte(data))
		t.Logf("%s: %v, %.120v", name, time.Since(start), err)
	}
}

func nest(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func FuzzTargetFile(f *testing.F) {
	for _, s := range []string{
		`[{"targets":["h:1"],"labels":{"a":"b","__param_x":"y"}}]`, "- targets: [h:1]\n  labels: {a: b}\n", "- targets:\n  - 'h:1'\n  labels:\n    __scheme__: https\n",
		"- &a x\n- *a\n", "? a\n: b\n", "{", "- - - -", "[{\"targets\":[\"http://u:p@h\"]}]", "!!map {a: b}", "- targets: [|\n x]",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, file := range []string{"f.json", "f.yaml"} {
			ts, err := parseTargets(file, data)
			if err != nil && strings.ContainsAny(err.Error(), "\x1b\n\r") {
				t.Errorf("error %q", err)
			}
			for _, x := range ts {
				u, err := url.Parse(x.URL)
				if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
					t.Errorf("target %q", x.URL)
				}
				for n, v := range x.Labels {
					if strings.HasPrefix(n, "__") || strings.ContainsAny(v, "\x1b\n\r") {
						t.Errorf("label %q %q", n, v)
					}
				}
			}
		}
	})
}
