package embedded

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ParseMoment reads the moment of a recording that --at names:
//
//	03:12, 03:12:30        the newest such time of day in the recording
//	-10m, -1h30m           before now
//	2026-11-23T03:12       that local time, with seconds or without
//	2026-11-23T03:12:00Z   RFC 3339
//	now                    the newest sample
//
// now is the present of what is shown: the clock's where a recorder is writing,
// the newest sample where none is. Local is the zone of now. A moment outside of
// the recording, from oldest to newest, is an error that names its ends.
func ParseMoment(text string, now, oldest, newest time.Time) (time.Time, error) {
	fail := func(why string) (time.Time, error) {
		return time.Time{}, fmt.Errorf("read the moment %q: %s", oneLine(text), why)
	}
	if oldest.IsZero() || newest.Before(oldest) {
		return fail("the recording is empty")
	}
	text = strings.TrimSpace(text)
	zone := now.Location()
	at, err := moment(text, now, newest)
	switch {
	case err != nil:
		return fail(err.Error())
	case at.Before(oldest) || at.After(newest):
		const format = "2006-01-02 15:04:05"
		return fail(fmt.Sprintf("the recording reaches from %s to %s; hint: a moment within, or leave --at away for the newest",
			oldest.In(zone).Format(format), newest.In(zone).Format(format)))
	}
	return at, nil
}

func moment(text string, now, newest time.Time) (time.Time, error) {
	zone := now.Location()
	if text == "now" {
		return newest.In(zone), nil
	}
	if strings.HasPrefix(text, "-") {
		d, err := time.ParseDuration(text)
		if err != nil {
			return time.Time{}, errors.New("not a duration; hint: write it like -10m or -1h30m")
		}
		at := now.Add(d)
		if over := at.Sub(newest); over > 0 && over < time.Minute { // a follower is some seconds behind
			at = newest.In(zone)
		}
		return at, nil
	}
	for _, format := range []string{"15:04", "15:04:05"} {
		clock, err := time.Parse(format, text)
		if err != nil {
			continue
		}
		y, m, d := newest.In(zone).Date()
		for back := range 3 { // a night on which clocks are changed may lack it
			at := time.Date(y, m, d-back, clock.Hour(), clock.Minute(), clock.Second(), 0, zone)
			if !at.After(newest) && at.Hour() == clock.Hour() {
				return at, nil
			}
		}
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at.In(zone), nil
	}
	for _, format := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05"} {
		if at, err := time.ParseInLocation(format, text, zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, errors.New("not a time; hint: write it like 03:12, -10m, 2026-11-23T03:12 or 2026-11-23T03:12:00Z")
}
