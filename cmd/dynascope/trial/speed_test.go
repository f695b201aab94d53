package trial

import (
	"testing"
	"time"

	"dynascope/bench/sim/scenario"
	"dynascope/profiling/triage/rules"
)

// BenchmarkRun is what judging costs: ten simulated minutes scraped once a
// second and judged every five seconds.
func BenchmarkRun(b *testing.B) {
	sc, err := scenario.Load("healthy")
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		rules bool
		o     Options
	}{
		{name: "scrape"}, {"judge", true, Options{}},
		{"long", true, Options{Interval: 10 * time.Second, Every: 30 * time.Second}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				o := c.o
				o.Until = 10 * time.Minute
				if c.rules {
					o.Rules = rules.All()
				} else {
					o.At = time.Hour
				}
				if err := Run(b.Context(), sc, o, func(Sight) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
