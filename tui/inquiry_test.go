package tui

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"dynascope/sources/catalog"
)

// An inquiry opens its overlay at once, shows the answer when it comes, and is
// asked one at a time.
func TestInquiry(t *testing.T) {
	asked := 0
	answer, failure := "worker 7f3a: KV pages are small\n  set     --page-size 128 \x1b[2J\n", error(nil)
	s := tell(t, func(o *Options) {
		o.Advice = func(_ context.Context, at time.Time, window time.Duration, _ catalog.Scope) (string, error) {
			if asked++; !at.IsZero() || window != 5*time.Minute {
				t.Errorf("asked at %v over %v", at, window)
			}
			return answer, failure
		}
	})
	cmd := s.m.do(actAdvice)
	s.shows("advice", "asking")
	if s.m.do(actAdvice) != nil {
		t.Error("asked twice at once")
	}
	s.send(cmd())
	s.shows("set      --page-size 128")
	if strings.Contains(s.m.View().Content, "\x1b[2J") {
		t.Error("an escape sequence came through")
	}
	failure = errors.New("no figure tells; hint: wait a minute")
	s.keys("esc", "a")
	s.shows("hint: wait a minute")
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
	s.keys("esc", "ctrl+k")
	if s.m.overlay.kind == actLearn {
		t.Error("asked where nobody answers")
	}
}
