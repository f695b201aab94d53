package cells

import "strings"

// twins are ASCII signs for those that panes and number formatting use.
var twins = map[string]string{
	"…": "~", "–": "-", "—": "-", "−": "-", "·": ".", "×": "x", "µ": "u", "μ": "u", "°": "d",
	"≤": "<", "≥": ">", "≈": "~", "±": "~", "→": ">", "←": "<", "↑": "^", "↓": "v", "Σ": "S", "∞": "i",
	"●": "*", "▲": "!", "▼": "v", "✗": "x", "✓": "+", "○": "o", "◌": "~", "◂": "<", "▸": ">",
	"│": "|", "┃": "|", "─": "-", "━": "-", "┄": "-", "┊": ":", "•": "*", "◆": "#", "▫": "@", "└": "+", "┘": "+", "┌": "+", "┐": "+", "├": "+", "┤": "|", "┬": "+", "┴": "+", "┼": "+",
	"█": "#", "▉": "#", "▊": "#", "▋": "=", "▌": "=", "▍": "=", "▎": "-", "▏": "-",
	"▁": "_", "▂": ".", "▃": ",", "▄": "-", "▅": "=", "▆": "+", "▇": "*",
	"░": ".", "▒": "=", "▓": "#", "\u00a0": " ", "‘": "'", "’": "'", "“": "\"", "”": "\"",
}

// ASCII redraws a whole screen in 7 bits, cell for cell: the last pass under
// --ascii, so that a pane may write "–" or "µs" without asking. Names in other
// scripts become "?".
func ASCII(screen string) string {
	lines := strings.Split(screen, "\n")
	for i, l := range lines {
		if !plain(l) {
			lines[i] = ascii(l)
		}
	}
	return strings.Join(lines, "\n")
}
