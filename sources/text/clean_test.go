package text

import (
	"encoding/csv"
	"encoding/xml"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/prometheus/promql/parser"
)

func TestClean(t *testing.T) {
	for _, c := range []struct {
		in   string
		max  int
		want string
	}{
		{"plain", 20, "plain"},
		{"a\x1b[31mred\x1b[0mb", 20, "aredb"},
		{"a\x1b]0;title\x07b", 20, "ab"},
		{"a\x1b]52;c;ZXZpbA==\x1b\\b", 20, "ab"},
		{"a\x1bPq#0\x1b\\b", 20, "ab"},
		{"a\x1b(Bb\x1bcc", 20, "abc"},
		{"a\u009b31mb\u009d0;x\u009cc", 20, "abc"},
		{"a\x9b31mb", 20, "a31mb"}, // bare C1 is invalid UTF-8
		{"a\x1b]0;no end", 20, "a0;no end"},
		{"a\x1b[12", 20, "a"},
		{"a\x1b", 20, "a"},
		{"\x1b\x1b[31m[32mx", 20, "[32mx"},
		{"a\u202eevil\u202c\u2066b\u200bc\ufeffd\u00ade", 20, "aevilbcde"},
		{"a\r\n\t  b\n", 20, "a b"},
		{"a\u2028b\u3000c\u00a0d", 20, "a b c d"},
		{"\xff\xfea\xc3", 20, "a"},
		{"e\u0301\u0301\u0301\u0301x", 20, "e\u0301\u0301x"},
		{"\u0301x", 20, "x"},
		{"a \u0301x", 20, "a x"},
		{"漢字 モデル", 20, "漢字 モデル"},
		{"abcdef", 6, "abcdef"},
		{"abcdefg", 6, "abcde…"},
		{"abcde  ", 5, "abcde"},
		{"abcde f", 5, "abcd…"},
		{"ab", 1, "…"},
		{"ab", 0, ""},
		{"ab", -1, ""},
		{"\ue000\U000e0041a\ufff9", 9, "a"},
	} {
		if got := Clean(c.in, c.max); got != c.want {
			t.Errorf("Clean(%q, %d) = %q, want %q", c.in, c.max, got, c.want)
		}
		if got := CleanBytes([]byte(c.in), c.max); got != c.want {
			t.Errorf("CleanBytes(%q, %d) = %q, want %q", c.in, c.max, got, c.want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"a", "\x1b[31m", "\x1b]0;x\x07", "\u009b1m", "\xc2\x1b[m\x9b", "e\u0301\u0301\u0301", " a  b ", "\u202e", "a…"} {
		f.Add(s, 5)
	}
	f.Fuzz(func(t *testing.T, s string, n int) {
		n = min(n, 1000)
		got := Clean(s, n)
		if again := Clean(got, n); again != got {
			t.Errorf("not idempotent: %q, then %q", got, again)
		}
		check := func(got string, newline bool) {
			if !utf8.ValidString(got) {
				t.Errorf("invalid UTF-8: %q", got)
			}
			for _, r := range got {
				if newline && r == '\n' {
					continue
				}
				if r < 0x20 || r >= 0x7f && r <= 0x9f || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) {
					t.Errorf("%U is left in %q", r, got)
				}
			}
		}
		check(got, false)
		if c := utf8.RuneCountInString(got); c > max(n, 0) {
			t.Errorf("%d runes, at most %d", c, n)
		}
		check(EscapeHTML(s), false)
		check(EscapeMarkdown(s), false)
		check(QuoteYAML(s), false)
		check(EscapePromLabel(s), false)
		check(CSVCell(s), false)
		check(FileName(s), false)
		one, _ := OSC52(s)
		check(one, false)
		two, _ := OSC52(s, s)
		check(two, true)
		if strings.Count(two, "\n") > 1 {
			t.Errorf("a line end came from outside: %q", two)
		}
	})
}

func TestFileName(t *testing.T) {
	for in, want := range map[string]string{
		"Qwen/Qwen3-32B":    "Qwen-Qwen3-32B",
		"../../etc/passwd":  "etc-passwd",
		"..":                "unnamed",
		"":                  "unnamed",
		"-rf":               "rf",
		".hidden":           "hidden",
		"a\x00b\x1b[31m c:": "ab-c",
		"模型":                "unnamed",
		"a\u202eb":          "ab",
	} {
		if got := FileName(in); got != want {
			t.Errorf("FileName(%q) = %q, want %q", in, got, want)
		}
	}
	if got := FileName(strings.Repeat("x", 999)); len(got) != 100 {
		t.Errorf("%d bytes", len(got))
	}
}

func TestEscapes(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{EscapeHTML("<b a=\"1\">&'\x1b[1m"), "&lt;b a=&#34;1&#34;&gt;&amp;&#39;"},
		{EscapeMarkdown("*a* _b_ `c` [d](e) <f> | g"), "\\*a\\* \\_b\\_ \\`c\\` \\[d\\](e) &lt;f\\> \\| g"},
		{EscapeMarkdown("# head"), "\\# head"},
		{EscapeMarkdown("- item"), "\\- item"},
		{EscapeMarkdown("12. item"), "12\\. item"},
		{EscapeMarkdown("Qwen3-32B v1.5"), "Qwen3-32B v1.5"},
		{EscapeMarkdown("see http://evil"), "see http&#58;//evil"},
		{QuoteYAML("a: b # \"c\" \\"), `"a: b # \"c\" \\"`},
		{QuoteYAML("x\n\x1b\u202e\u00a0"), `"x\n\x1b\u202e\xa0"`},
		{EscapePromLabel("a\"b\\c\nd\x1b"), `a\"b\\c\nd\x1b`},
		{CSVCell("=1+1"), "'=1+1"},
		{CSVCell("+cmd"), "'+cmd"},
		{CSVCell("@sum"), "'@sum"},
		{CSVCell("-x"), "'-x"},
		{CSVCell("\t=1"), "'=1"},
		{CSVCell("＝1"), "'＝1"},
		{CSVCell("-1.5"), "-1.5"},
		{CSVCell("a=b"), "a=b"},
		{CSVCell(""), ""},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// What is escaped reads back as what it was.
func TestEscapesReadBack(t *testing.T) {
	for _, s := range []string{"", "a", "a: b", "'\"\\", "x\n\ty", "\x00\x1b[31m", "\u202e\u2028é漢😀", "- [x]", "yes", "{{ a }}", "%d #c", "\u0085\u00a0\ufeff"} {
		var y string
		if err := yaml.Unmarshal([]byte(QuoteYAML(s)), &y); err != nil || y != s {
			t.Errorf("YAML %q: got %q, %v", s, y, err)
		}
		e, err := parser.NewParser(parser.Options{}).ParseExpr(`a{b="` + EscapePromLabel(s) + `"}`)
		if err != nil {
			t.Errorf("PromQL %q: %v", s, err)
		} else if got := e.(*parser.VectorSelector).LabelMatchers[0].Value; got != s {
			t.Errorf("PromQL %q: got %q", s, got)
		}
		var x struct {
			S string `xml:",chardata"`
		}
		if err := xml.Unmarshal([]byte("<a>"+EscapeSVG(s)+"</a>"), &x); err != nil || x.S != Clean(s, 999) {
			t.Errorf("XML %q: got %q, %v", s, x.S, err)
		}
		var b strings.Builder
		w := csv.NewWriter(&b)
		if err := w.Write([]string{CSVCell(s), "end"}); err != nil {
			t.Fatal(err)
		}
		w.Flush()
		if r, err := csv.NewReader(strings.NewReader(b.String())).Read(); err != nil || r[0] != CSVCell(s) {
			t.Errorf("CSV %q: got %q, %v", s, r, err)
		}
	}
}

func TestOSC52(t *testing.T) {
	if got, cut := OSC52("a  b\nc", "d\x1b[1m"); got != "a  b c\nd" || cut {
		t.Errorf("%q %v", got, cut)
	}
	if got, cut := OSC52("x", strings.Repeat("y", 80_000)); got != "x" || !cut {
		t.Errorf("%d bytes, cut %v", len(got), cut)
	}
	if got, _ := OSC52("rm", ""); got != "rm" {
		t.Errorf("ends in a line end: %q", got)
	}
}
