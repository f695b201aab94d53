package sources

import (
	"fmt"
	"strings"
	"testing"
)

func TestWorkerIDs(t *testing.T) {
	for hex, decimal := range map[string]string{
		"0":                "0",
		"20000000000001":   "9007199254740993", // 2^53+1, the first that a float loses
		"694d8a3c5b1f7e21": "7587872939020615201",
		"ffffffffffffffff": "18446744073709551615",
	} {
		if got, err := DecimalID(hex); err != nil || got != decimal {
			t.Errorf("DecimalID(%q) = %q, %v, want %q", hex, got, err, decimal)
		}
		if got, err := HexID(decimal); err != nil || got != hex {
			t.Errorf("HexID(%q) = %q, %v, want %q", decimal, got, err, hex)
		}
	}
	for _, bad := range []string{"", "x", "-1", "+1", "0x1f", "1 ", "10000000000000000", "1_0"} {
		if got, err := DecimalID(bad); err == nil {
			t.Errorf("DecimalID(%q) = %q", bad, got)
		}
	}
	for _, bad := range []string{"", "7f3a", "-1", "1.0", "1e3", "18446744073709551616"} {
		if got, err := HexID(bad); err == nil {
			t.Errorf("HexID(%q) = %q", bad, got)
		}
	}
	if _, err := DecimalID("\x1b[31m\n"); strings.ContainsAny(err.Error(), "\x1b\n") {
		t.Errorf("control characters in %q", err)
	}
}

func TestShortIDs(t *testing.T) {
	for _, c := range []struct{ in, want []string }{
		{[]string{"7f3a11112222", "91c2aaaabbbb"}, []string{"7f3a", "91c2"}},
		{[]string{"7f3a11112222", "7f3a1aaabbbb", "91c2aaaabbbb"}, []string{"7f3a11", "7f3a1a", "91c2"}},
		{[]string{"ab", "abcdef"}, []string{"ab", "abcd"}},
		{[]string{"abcd", "abcdef"}, []string{"abcd", "abcde"}},
		{[]string{"7f3a11112222", "7f3a11112222"}, []string{"7f3a", "7f3a"}},
		{[]string{""}, []string{""}},
		{nil, nil},
	} {
		got := ShortIDs(c.in)
		for i, id := range c.in {
			if got[id] != c.want[i] {
				t.Errorf("ShortIDs(%q)[%q] = %q, want %q", c.in, id, got[id], c.want[i])
			}
		}
	}
	var ids []string
	for i := range 256 {
		ids = append(ids, fmt.Sprintf("%x", 0x694d8a3c5b1f0000+uint64(i)*0x9e3779b97f4a7c15))
	}
	seen := map[string]string{}
	for id, short := range ShortIDs(ids) {
		if other, ok := seen[short]; ok || !strings.HasPrefix(id, short) {
			t.Errorf("%q of %q is also that of %q", short, id, other)
		}
		seen[short] = id
	}
}

func TestLabelsKey(t *testing.T) {
	for _, c := range []struct {
		in   Labels
		want string
	}{
		{nil, ""},
		{Labels{}, ""},
		{Labels{"b": "2", "a": "1"}, `a="1",b="2"`},
		{Labels{"a": `1",b="2`}, `a="1\",b=\"2"`}, // not the same as the one above
		{Labels{"a": "x\n\x1b[m"}, `a="x\n\x1b[m"`},
	} {
		if got := c.in.Key(); got != c.want {
			t.Errorf("%v: got %s, want %s", c.in, got, c.want)
		}
	}
	l := Labels{"le": "1", "instance": "h:1", "dp_rank": "0"}
	if got := l.Without("le", "absent").Key(); got != `dp_rank="0",instance="h:1"` || len(l) != 3 {
		t.Errorf("got %s of %v", got, l)
	}
}
