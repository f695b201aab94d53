package doctor

import (
	"fmt"

	"dynascope/sources/text"
)

const (
	// costShare is the share of the interval past which a target is scraped
	// less often (honesty.md 7).
	costShare = 0.05
	// largePage is half of the default limit on a page.
	largePage = 4 << 20
)

// Share is the server's work for one page as a share of the interval asked
// for; zero while it is not known.
func (e Endpoint) Share() float64 {
	if e.BaseInterval <= 0 {
		return 0
	}
	return e.ServerShare.Seconds() / e.BaseInterval.Seconds()
}

// costs tells of pages that cost their server too much.
func costs(g *Gathered) (out []Finding) {
	for _, e := range g.Endpoints {
		if e.Local || !e.Answered() {
			continue
		}
		// One slow scrape may be this host's; a second look was slow too, or the
		// store has seen several.
		again := e.Got.Sub(e.Sent).Seconds() / e.BaseInterval.Seconds()
		if e.Slowed || e.Share() > costShare && again > costShare {
			f := found("scrape-cost", e.Instance, fmt.Sprintf("Making its page takes the server %s, %s of the interval of %s.",
				text.Duration(e.ServerShare.Seconds()), text.Percent(e.Share()), text.Duration(e.BaseInterval.Seconds())))
			if e.Slowed {
				f.Why = fmt.Sprintf("it is scraped every %s for that", text.Duration(e.Interval.Seconds()))
			}
			if e.Bytes > 0 {
				f.Details = append(f.Details, fmt.Sprintf("%s, %s", text.Bytes(float64(e.Bytes)), count(e.Samples, "line")))
			}
			f.Do = "a longer --interval; on its side, fewer label values"
			out = append(out, f)
		}
		if e.Bytes > largePage {
			f := found("scrape-large", e.Instance, fmt.Sprintf("Its page has %s.", text.Bytes(float64(e.Bytes))))
			f.Do = "look for a label with many values; --body-limit takes more"
			out = append(out, f)
		}
	}
	return out
}
