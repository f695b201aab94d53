package doctor

import (
	"fmt"
	"time"
)

// skewLeast is the difference of two clocks that is told: NTP keeps hosts
// within some milliseconds, and a header in whole seconds shows no less.
const skewLeast = 2 * time.Second

// skew bounds how far the server's clock is ahead of ours. The header was
// written between the request and its answer, and cut to a whole second.
func skew(date, sent, got time.Time) (lo, hi time.Duration, ok bool) {
	if date.IsZero() || sent.IsZero() || got.Before(sent) {
		return 0, 0, false
	}
	return date.Sub(got), date.Add(time.Second).Sub(sent), true
}

// clocks compares the servers' clocks with ours.
func clocks(g *Gathered) (out []Finding) {
	tell := func(who string, date, sent, got time.Time) {
		lo, hi, ok := skew(date, sent, got)
		if !ok {
			return
		}
		var what string
		switch {
		case lo > skewLeast:
			what = fmt.Sprintf("Its clock is %s–%s ahead of this host's.", seconds(lo), seconds(hi))
		case hi < -skewLeast:
			what = fmt.Sprintf("Its clock is %s–%s behind this host's.", seconds(-hi), seconds(-lo))
		default:
			return
		}
		f := found("clock-skew", who, what)
		f.Why = "its Date header against our clock while it answered"
		f.Do = "let both hosts run NTP or chrony; until then, do not trust times across the two"
		out = append(out, f)
	}
	for _, e := range g.Endpoints {
		if !e.Local {
			tell(e.Instance, e.Date, e.Sent, e.Got)
		}
	}
	if r := g.Remote; r != nil {
		tell(r.URL, r.Date, r.Sent, r.Got)
	}
	return out
}

func seconds(d time.Duration) string {
	if d >= 2*time.Minute {
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
