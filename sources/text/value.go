package text

import "strings"

// short are the words of counted units as the screens spell them.
var short = map[string]string{"tokens": "tok", "requests": "req", "tasks": "tasks"}

// symbols are units of a measured size, printed as given.
var symbols = map[string]string{
	"watts": "W", "joules": "J", "celsius": "°C", "hertz": "Hz", "megahertz": "MHz",
	"MHz": "MHz", "GB/s": "GB/s", "MB/s": "MB/s",
}

// times are units of time, in seconds.
var times = map[string]float64{
	"seconds": 1, "s": 1, "milliseconds": 1e-3, "ms": 1e-3,
	"microseconds": 1e-6, "us": 1e-6, "nanoseconds": 1e-9, "ns": 1e-9, "minutes": 60,
}

// sizes are units of memory, in bytes.
var sizes = map[string]float64{
	"bytes": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
	"kB": 1e3, "MB": 1e6, "GB": 1e9,
}

// ratios are units of a share, as what 100 % is.
var ratios = map[string]float64{"ratio": 1, "ratio 0-1": 1, "percent": 100, "percent 0-100": 100, "%": 100}

// Value prints a number in its catalogue unit: "1.42 s", "84 %", "18.4k tok/s",
// "71 GiB", "612 W", "64 °C", "42 req", "yes". Unknown units follow the number
// as they are, stripped. No unit gives the bare number.
func Value(v float64, unit string) string {
	s := Cell(v, unit)
	if _, ok := odd(v); ok {
		return s
	}
	if word := counted(unit); word != "" {
		return s + " " + word
	}
	return s
}

// Cell is Value for columns whose head names the unit: counted things lose
// their word ("42", "18.4k"), units that scale keep it ("1.42 s", "71 GiB").
func Cell(v float64, unit string) string {
	if s, ok := odd(v); ok {
		return s
	}
	if f, ok := times[unit]; ok {
		return Duration(v * f)
	}
	if f, ok := sizes[unit]; ok {
		return Bytes(v * f)
	}
	if f, ok := ratios[unit]; ok {
		return Percent(v / f)
	}
	if per, ok := strings.CutSuffix(unit, "/s"); ok && sizes[per] != 0 && symbols[unit] == "" {
		return Bytes(v*sizes[per]) + "/s"
	}
	switch {
	case unit == "0/1" || unit == "bool":
		if v != 0 {
			return "yes"
		}
		return "no"
	case unit == "watts" && v >= 10_000:
		return plain(v/1000, digits) + " kW"
	case symbols[unit] != "":
		return plain(v, digits) + " " + symbols[unit]
	case v == float64(int64(v)) && v > -10_000 && v < 10_000:
		return Count(v) // "1 234", where a prefix would hide the last digits
	default:
		return SI(v)
	}
}

// Rate prints a growth per second: "41.2 req/s", "18.4k tok/s", "1.2 GiB/s",
// and "3/s" where unit is empty.
func Rate(v float64, unit string) string {
	switch s, ok := odd(v); {
	case ok:
		return s
	case unit == "":
		return SI(v) + "/s"
	case sizes[unit] != 0:
		return Bytes(v*sizes[unit]) + "/s"
	case times[unit] != 0:
		return Duration(v*times[unit]) + "/s"
	}
	return SI(v) + " " + counted(unit) + "/s"
}

// counted returns the word that follows a number of things; empty for units
// that Cell prints itself.
func counted(unit string) string {
	if symbols[unit] != "" || times[unit] != 0 || sizes[unit] != 0 || ratios[unit] != 0 ||
		unit == "" || unit == "0/1" || unit == "bool" {
		return ""
	}
	word, per := unit, ""
	if w, ok := strings.CutSuffix(unit, "/s"); ok {
		if sizes[w] != 0 {
			return ""
		}
		word, per = w, "/s"
	}
	if s := short[word]; s != "" {
		word = s
	}
	return Clean(word, 24) + per
}
