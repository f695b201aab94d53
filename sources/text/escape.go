package text

import (
	"fmt"
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxEscaped bounds what one outside string may add to a written file.
const maxEscaped = 64 << 10

// EscapeHTML strips an outside string and escapes it for HTML text and quoted
// attribute values.
func EscapeHTML(s string) string { return html.EscapeString(Clean(s, maxEscaped)) }

// EscapeSVG is EscapeHTML for SVG, which is XML: the entities are numeric or
// predefined, and characters that XML forbids are stripped.
func EscapeSVG(s string) string { return EscapeHTML(s) }

// EscapeMarkdown strips an outside string and escapes it for Markdown running
// text and table cells: no emphasis, code, link, HTML, heading, list or cell
// border comes of it.
func EscapeMarkdown(s string) string {
	s = Clean(s, maxEscaped)
	var b strings.Builder
	start := true // nothing but digits so far: a list or heading could begin
	for i, r := range s {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '&':
			b.WriteString("&amp;")
		case r == ':' && strings.HasPrefix(s[i:], "://"):
			b.WriteString("&#58;") // a bare address would become a link
		case strings.ContainsRune("\\`*_[]|~$>", r),
			i == 0 && strings.ContainsRune("-+#=", r),
			start && i > 0 && (r == '.' || r == ')'):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
		start = start && r >= '0' && r <= '9'
	}
	return b.String()
}

// QuoteYAML returns a string as a double-quoted YAML scalar, quotes included.
// Nothing is lost: what must not stand in a file is spelled as an escape.
// Invalid UTF-8 becomes U+FFFD.
func QuoteYAML(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// EscapePromLabel returns a label value for a PromQL matcher in double quotes,
// without the quotes. It matches exactly the given value, is one line and
// free of control characters.
func EscapePromLabel(s string) string {
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

// CSVCell strips an outside string and keeps spreadsheets from running it: a
// cell that starts with = + - @ gets a leading apostrophe, unless it is a
// number. Commas and quotes are the CSV writer's work.
func CSVCell(s string) string {
	s = Clean(s, maxEscaped)
	first, _ := utf8.DecodeRuneInString(s)
	if !strings.ContainsRune("=+-@＝＋－＠", first) { // full-width ones run too
		return s
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return s
	}
	return "'" + s
}

// maxOSC52 keeps the sequence with its base64 below 100 000 bytes, where
// terminals and tmux begin to drop it.
const maxOSC52 = 74_000

// OSC52 returns the text to hand to the terminal's clipboard: each argument
// is one line, stripped, with its spaces. Line ends come from here only, none
// is last (a pasted one would run a command), and lines past the size limit
// are left out; cut says so.
func OSC52(lines ...string) (text string, cut bool) {
	var b strings.Builder
	for i, l := range lines {
		l = strip(l, maxOSC52, keepSpaces)
		if b.Len()+len(l)+1 > maxOSC52 {
			return b.String(), true
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(l)
	}
	return strings.TrimRight(b.String(), "\n"), false
}
