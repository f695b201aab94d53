package discover

import (
	"slices"
	"strings"
	"testing"
)

func TestTables(t *testing.T) {
	tab := builtin()
	var ports []int
	for _, p := range tab.ports {
		for i := range p.Count {
			if slices.Contains(ports, p.Port+i) {
				t.Errorf("ports.csv: %d is there twice", p.Port+i)
			}
			ports = append(ports, p.Port+i)
		}
		if p.What == "" || p.Source == "" {
			t.Errorf("ports.csv: %d says neither what it is nor where that is documented", p.Port)
		}
	}
	for _, want := range []int{8000, 8081, 9090, 30000, 6880, 9085, 9400, 29000, 19090, 19097} {
		if !slices.Contains(ports, want) {
			t.Errorf("ports.csv lacks the documented port %d", want)
		}
	}
	kinds := map[string]bool{}
	for _, p := range tab.programs {
		kinds[p.kind] = true
	}
	for _, p := range tab.params {
		for _, k := range p.kinds {
			if !kinds[k] {
				t.Errorf("params.csv: %s is read by %q, which no program is", p.name, k)
			}
		}
		if strings.HasPrefix(p.name, "--") != (p.how == byFlag) {
			t.Errorf("params.csv: %s is named like something else", p.name)
		}
	}
	cat := defaultPages()
	for _, f := range tab.families {
		if _, twice := cat.byName[f.name]; twice {
			t.Errorf("families.csv: %s is in the catalogue already", f.name)
		}
	}
	for _, k := range identityKeys {
		found := false
		for _, sp := range cat.byName {
			found = found || slices.ContainsFunc(sp, func(s spelling) bool { return s.key == k.key })
		}
		if !found {
			t.Errorf("no spelling of %s can be looked for", k.key)
		}
	}
}

// TestLaw: no row can make a port be asked for anything else first.
func TestLaw(t *testing.T) {
	const ports, programs, params, families = "a\n", "a\n", "a\n", "a\n"
	for name, c := range map[string]struct{ ports, params, want string }{
		"health first":   {"p,c,w,a,t,s\n80,1,x,/health,,y\n", params, `asks "/health"`},
		"health then":    {"p,c,w,a,t,s\n80,1,x,/metrics,/health,y\n", params, `then "/health"`},
		"port range":     {"p,c,w,a,t,s\n65535,2,x,/metrics,,y\n", params, "out of range"},
		"no number":      {"p,c,w,a,t,s\nx,2,x,/metrics,,y\n", params, "no number"},
		"short row":      {"p,c,w,a,t,s\n80,1\n", params, "wrong number of fields"},
		"count of zeros": {"p,c,w,a,t,s\n80,0,x,/metrics,,y\n", params, "out of range"},
	} {
		_, err := loadTables(c.ports, programs, c.params, families)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	_, err := loadTables("p,c,w,a,t,s\n", "n,k,m\n", "k,h,n,r,w,a,t,p,h\nsglang,flag,--port,port,x,/health,,/metrics,\n", "r,e,f,n\n")
	if err == nil || !strings.Contains(err.Error(), "params.csv:2") {
		t.Errorf("a flag that leads to /health first: got %v", err)
	}
}
