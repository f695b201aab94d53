package embedded

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // machines without zones test them too
)

func TestParseMoment(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	local := func(text string) time.Time {
		at, err := time.ParseInLocation(time.DateTime, text, zone)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	oldest, newest, now := local("2026-11-22 20:00:00"), local("2026-11-24 02:00:00"), local("2026-11-24 02:00:05")
	for _, c := range []struct{ text, want string }{
		{"03:12", "2026-11-23 03:12:00"},
		{"01:59", "2026-11-24 01:59:00"},
		{"02:00", "2026-11-24 02:00:00"},
		{"02:00:01", "2026-11-23 02:00:01"},
		{" 23:30:15 ", "2026-11-23 23:30:15"},
		{"-10m", "2026-11-24 01:50:05"},
		{"-2s", "2026-11-24 02:00:00"},
		{"-1h30m", "2026-11-24 00:30:05"},
		{"2026-11-23T03:12", "2026-11-23 03:12:00"},
		{"2026-11-23T03:12:09", "2026-11-23 03:12:09"},
		{"2026-11-23 03:12", "2026-11-23 03:12:00"},
		{"2026-11-23T03:12:00Z", "2026-11-23 04:12:00"},
		{"2026-11-23T03:12:00+02:00", "2026-11-23 02:12:00"},
		{"now", "2026-11-24 02:00:00"},
	} {
		got, err := ParseMoment(c.text, now, oldest, newest)
		if err != nil || !got.Equal(local(c.want)) || got.Location() != zone {
			t.Errorf("%s: %v, %v; want %s", c.text, got, err, c.want)
		}
	}
	for text, want := range map[string]string{
		"":                     "not a time",
		"noon":                 "not a time",
		"25:00":                "not a time",
		"-ten":                 "not a duration",
		"-31h":                 "reaches from 2026-11-22 20:00:00 to 2026-11-24 02:00:00",
		"2026-11-21T03:12":     "reaches from",
		"2027-01-01T00:00:00Z": "reaches from",
		"\x1b[31m":             "not a time",
	} {
		_, err := ParseMoment(text, now, oldest, newest)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "hint: ") || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: %v", text, err)
		}
	}
	// A short recording: the time of day is looked for in it, and not before.
	if _, err := ParseMoment("03:12", now, newest.Add(-time.Hour), newest); err == nil || !strings.Contains(err.Error(), "reaches from") {
		t.Errorf("%v", err)
	}
	if _, err := ParseMoment("03:12", now, time.Time{}, time.Time{}); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("%v", err)
	}
	// 02:30 did not exist on the night of 28 to 29 March.
	got, err := ParseMoment("02:30", local("2026-03-29 12:00:00"), local("2026-03-27 00:00:00"), local("2026-03-29 11:00:00"))
	if err != nil || !got.Equal(local("2026-03-28 02:30:00")) {
		t.Errorf("%v, %v", got, err)
	}
}

func FuzzParseMoment(f *testing.F) {
	for _, text := range []string{"03:12", "-10m", "2026-11-23T03:12", "2026-11-23T03:12:00Z", "now", "-9223372036s"} {
		f.Add(text)
	}
	newest := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	oldest := newest.Add(-24 * time.Hour)
	f.Fuzz(func(t *testing.T, text string) {
		at, err := ParseMoment(text, newest, oldest, newest)
		if err == nil && (at.Before(oldest) || at.After(newest)) {
			t.Errorf("%q: %v", text, at)
		}
	})
}
