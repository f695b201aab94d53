package engine

import (
	"strings"
	"testing"

	"dynascope/sources/catalog"
)

func TestRoutesTouchNothing(t *testing.T) {
	for _, r := range Routes() {
		if r.ChangesServer || r.Method != "GET" || strings.Contains(r.Path, "health") {
			t.Errorf("%s %s may be asked", r.Method, r.Path)
		}
		if r.Interval < r.Timeout || r.Limit <= 0 || r.Limit > 8<<20 || r.Cost == "" {
			t.Errorf("%s: interval %v, timeout %v, limit %d, cost %q", r.Path, r.Interval, r.Timeout, r.Limit, r.Cost)
		}
	}
	for _, reads := range []string{"loads", "server", "model", "models", "engine"} {
		if len(dialects(reads)) == 0 {
			t.Errorf("no route reads %s", reads)
		}
	}
}

func TestSettings(t *testing.T) {
	engines := map[string]bool{"sglang": true, "vllm": true, "trtllm": true, "mocker": true, "frontend": true, "dynamo": true}
	names := map[string]bool{}
	for _, s := range Settings() {
		names[s.Name] = true
		if !engines[s.Engine] {
			t.Errorf("%s: unknown engine %q", s.Name, s.Engine)
		}
		if s.Flag() == "" && s.env == "" {
			t.Errorf("%s of %s can be set by nothing", s.Name, s.Engine)
		}
		for _, sp := range s.flags {
			if secret(sp.flag) {
				t.Errorf("%s of %s is a secret", sp.flag, s.Engine)
			}
		}
		if s.env != "" && !envAllowed.MatchString(s.env) {
			t.Errorf("%s: the variable %s is never kept", s.Name, s.env)
		}
		for _, f := range s.info {
			if secret(f.name) {
				t.Errorf("field %s is a secret", f.name)
			}
		}
	}
	keys := map[string]bool{}
	for _, m := range catalog.Default().Metrics() {
		keys[m.Key] = true
	}
	for _, f := range FigureKeys() {
		if !names[f.Name] || !keys[f.Key] {
			t.Errorf("figure %s tells %s: no such key or setting", f.Key, f.Name)
		}
	}
}

// TestReadTables gives broken tables: an error each, none a panic.
func TestReadTables(t *testing.T) {
	for _, text := range []string{
		"", "a,b\n", "name,engine,flags,env,info,default,meaning\nx,sglang,tp,,,,m\n",
		"name,engine,flags,env,info,default,meaning\nx,sglang,--tp,,,,m\nx,sglang,--tq,,,,m\n",
		"name,engine,flags,env,info,default,meaning\n,sglang,--tp,,,,m\n",
	} {
		if _, err := readSettings(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
	head := "reads,path,method,interval,timeout,limit,since,until,changes,cost,note\n"
	for _, row := range []string{"x,/x,GET,1,1s,1,,,no,,", "x,/x,GET,1s,1s,1,,,maybe,,", "x,/x,GET,1s,1s,many,,,no,,"} {
		if _, err := readRoutes(head + row + "\n"); err == nil {
			t.Errorf("%q: no error", row)
		}
	}
	if _, err := readPrograms("program,engine,dynamo,match,note\na,b,perhaps,c,\n"); err == nil {
		t.Error("no error")
	}
}

// Every family of the page is a row of the catalogue: the store keeps no other.
func TestFamiliesAreKept(t *testing.T) {
	kept := map[string]bool{}
	for _, m := range catalog.Default().Metrics() {
		for _, v := range m.Variants {
			kept[v.Name] = true
		}
	}
	for _, f := range families {
		if !kept[prefix+f.name] {
			t.Errorf("%s%s is in no row of the catalogue", prefix, f.name)
		}
	}
}
