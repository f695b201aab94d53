package text

import (
	"math"
	"testing"
	"time"

	"dynascope/sources"
)

var nan, inf = math.NaN(), math.Inf(1)

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Duration(0), "0 s"},
		{Duration(42e-9), "42 ns"},
		{Duration(420e-6), "420 µs"},
		{Duration(0.004), "4 ms"},
		{Duration(0.00423), "4.23 ms"},
		{Duration(0.196), "196 ms"},
		{Duration(0.9996), "1 s"},
		{Duration(1.418), "1.42 s"},
		{Duration(75.34), "75.3 s"},
		{Duration(480), "480 s"},
		{Duration(660), "11 min"},
		{Duration(9000), "2.5 h"},
		{Duration(3 * 86400), "3 d"},
		{Duration(-0.013), "-13 ms"},
		{Duration(nan), "–"},
		{Duration(inf), "inf"},
		{Duration(-inf), "-inf"},

		{Millis(1.189), "1 189 ms"},
		{Millis(0.196), "196 ms"},
		{Millis(0.0104), "10 ms"},
		{Millis(0.0042), "4.2 ms"},
		{Millis(0.004), "4 ms"},
		{Millis(0.00042), "0.42 ms"},
		{Millis(0.000001), "<0.01 ms"},
		{Millis(0), "0 ms"},
		{Millis(-0.013), "-13 ms"},
		{Millis(nan), "–"},

		{Count(12402), "12 402"},
		{Count(12402.4), "12 402"},
		{Count(0), "0"},
		{Count(math.Copysign(0, -1)), "0"},
		{Count(0.3), "<1"},
		{Count(999), "999"},
		{Count(1e6), "1 000 000"},
		{Count(-1234), "-1 234"},
		{Count(nan), "–"},

		{SI(18402), "18.4k"},
		{SI(1.2e6), "1.2M"},
		{SI(71e9), "71G"},
		{SI(999.96), "1k"},
		{SI(999999), "1M"},
		{SI(41.23), "41.2"},
		{SI(0.4), "0.4"},
		{SI(0), "0"},
		{SI(1e-9), "<0.001"},
		{SI(-1500), "-1.5k"},
		{SI(1e30), "1 000 000 000 000E"},
		{SI(inf), "inf"},

		{Bytes(512), "512 B"},
		{Bytes(1.5 * (1 << 30)), "1.5 GiB"},
		{Bytes(1023.9), "1 KiB"},
		{BytesShort(71 * (1 << 30)), "71G"},
		{Bytes(nan), "–"},

		{Percent(0.84), "84 %"},
		{Percent(0.003), "0.3 %"},
		{Percent(0.29), "29 %"},
		{Percent(0.0996), "10 %"},
		{Percent(0.05), "5 %"},
		{Percent(0), "0 %"},
		{Percent(1), "100 %"},
		{Percent(0.0001), "<0.1 %"},
		{Percent(-0.0001), ">-0.1 %"},
		{Percent(0.9999), ">99.9 %"},
		{Percent(0.994), "99.4 %"},
		{Percent(1.4), "140 %"},
		{Percent(12.5), "1 250 %"},
		{Percent(nan), "–"},

		{Age(12 * time.Second), "12 s"},
		{Age(119 * time.Second), "119 s"},
		{Age(3*time.Minute + 59*time.Second), "3 m"},
		{Age(2 * time.Hour), "2 h"},
		{Age(50 * time.Hour), "2 d"},
		{Age(-time.Second), "0 s"},
		{Clock(time.Date(2026, 11, 23, 13, 3, 41, 9e8, time.FixedZone("", 3600))), "12:03:41Z"},
		{Clock(time.Time{}), "–"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestValue(t *testing.T) {
	for _, c := range []struct {
		v          float64
		unit       string
		want, cell string
	}{
		{1.418, "seconds", "1.42 s", "1.42 s"},
		{12, "ms", "12 ms", "12 ms"},
		{420, "us", "420 µs", "420 µs"},
		{0.84, "ratio", "84 %", "84 %"},
		{84, "percent", "84 %", "84 %"},
		{42, "requests", "42 req", "42"},
		{1234, "requests", "1 234 req", "1 234"},
		{18402, "tokens", "18.4k tok", "18.4k"},
		{18402, "tokens/s", "18.4k tok/s", "18.4k"},
		{41.23, "requests/s", "41.2 req/s", "41.2"},
		{97, "blocks", "97 blocks", "97"},
		{71 * (1 << 30), "bytes", "71 GiB", "71 GiB"},
		{3 << 20, "bytes/s", "3 MiB/s", "3 MiB/s"},
		{81559, "MiB", "79.6 GiB", "79.6 GiB"},
		{25.5, "GB/s", "25.5 GB/s", "25.5 GB/s"},
		{612.4, "watts", "612 W", "612 W"},
		{10200, "watts", "10.2 kW", "10.2 kW"},
		{64, "celsius", "64 °C", "64 °C"},
		{1980, "MHz", "1 980 MHz", "1 980 MHz"},
		{1, "0/1", "yes", "yes"},
		{0, "bool", "no", "no"},
		{3, "", "3", "3"},
		{3, "replicas", "3 replicas", "3"},
		{3, "evil\x1b[2J\nunit", "3 evil unit", "3"},
		{nan, "tokens", "–", "–"},
		{inf, "requests", "inf", "inf"},
		{0, "requests", "0 req", "0"},
	} {
		if got := Value(c.v, c.unit); got != c.want {
			t.Errorf("Value(%v, %q) = %q, want %q", c.v, c.unit, got, c.want)
		}
		if got := Cell(c.v, c.unit); got != c.cell {
			t.Errorf("Cell(%v, %q) = %q, want %q", c.v, c.unit, got, c.cell)
		}
	}
	for _, c := range []struct {
		v          float64
		unit, want string
	}{
		{41.23, "requests", "41.2 req/s"}, {18402, "tokens", "18.4k tok/s"}, {3, "", "3/s"},
		{1 << 30, "bytes", "1 GiB/s"}, {0.2, "seconds", "200 ms/s"}, {nan, "tokens", "–"},
	} {
		if got := Rate(c.v, c.unit); got != c.want {
			t.Errorf("Rate(%v, %q) = %q, want %q", c.v, c.unit, got, c.want)
		}
	}
}

func TestBounds(t *testing.T) {
	for _, c := range []struct {
		b          sources.Bounds
		unit, want string
	}{
		{sources.Bounds{Lo: 2.2, Hi: 4.7}, "seconds", "2.2–4.7 s"},
		{sources.Bounds{Lo: 0.22, Hi: 0.47}, "seconds", "0.22–0.47 s"},
		{sources.Bounds{Lo: 0.1, Hi: 0.22}, "seconds", "0.1–0.22 s"},
		{sources.Bounds{Lo: 0.047, Hi: 0.1}, "seconds", "47–100 ms"},
		{sources.Bounds{Lo: 0.045, Hi: 0.084}, "seconds", "45–84 ms"},
		{sources.Bounds{Lo: 45, Hi: 84}, "ms", "45–84 ms"},
		{sources.Bounds{Lo: 0.0005, Hi: 0.0009}, "seconds", "500–900 µs"},
		{sources.Bounds{Lo: 480, Hi: inf, Over: true}, "seconds", "> 480 s"},
		{sources.Bounds{Lo: 0, Hi: 0.1, First: true}, "seconds", "< 100 ms"},
		{sources.Bounds{Lo: 0, Hi: 0, First: true}, "seconds", "0 s"},
		{sources.Bounds{Lo: 1200, Hi: 1800}, "seconds", "1 200–1 800 s"},
		{sources.Bounds{Lo: 110, Hi: 12400}, "tokens", "110–12 400 tok"},
		{sources.Bounds{Lo: 110e3, Hi: 1.1e6}, "tokens", "110–1 100k tok"},
		{sources.Bounds{Lo: 0.45, Hi: 0.5}, "ratio", "45–50 %"},
		{sources.Bounds{Lo: 1 << 20, Hi: 2 << 20}, "bytes", "1–2 MiB"},
		{sources.Bounds{Lo: 1.741, Hi: 2.82}, "seconds", "1.741–2.82 s"},
		{sources.Bounds{Lo: nan, Hi: 1}, "seconds", "–"},
		{sources.Bounds{Lo: 0, Hi: inf, First: true, Over: true}, "seconds", "–"}, // only +Inf
		{sources.Bounds{Lo: -inf, Hi: inf, Over: true}, "seconds", "–"},
	} {
		if got := Bounds(c.b, c.unit); got != c.want {
			t.Errorf("Bounds(%v, %v, %q) = %q, want %q", c.b.Lo, c.b.Hi, c.unit, got, c.want)
		}
	}
	if got := ASCII(Bounds(sources.Bounds{Lo: 0.0005, Hi: 0.0009}, "seconds")); got != "500-900 us" {
		t.Errorf("ASCII: %q", got)
	}
	if got := ASCII(Value(64, "celsius") + " " + None + " abc…"); got != "64 C - abc~" {
		t.Errorf("ASCII: %q", got)
	}
}

func TestShare(t *testing.T) {
	for _, c := range []struct {
		lo, hi float64
		want   string
	}{
		{0.58, 0.71, "58–71 %"},
		{0.583, 0.702, "58–71 %"}, // outwards
		{0.98, 1, "98–100 %"},
		{0.84, 0.84, "84 %"},
		{0.001, 0.004, "0.1–0.4 %"},
		{0.9912, 0.9978, "99.1–99.8 %"},
		{0, 1, "0–100 %"},
		{0, 0, "0 %"},
		{nan, 1, "–"},
	} {
		if got := Share(c.lo, c.hi); got != c.want {
			t.Errorf("Share(%v, %v) = %q, want %q", c.lo, c.hi, got, c.want)
		}
	}
}
