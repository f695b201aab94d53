package rules

import (
	"fmt"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

const (
	// missedFires is the share of a minute's requests that misses the promise
	// for sure: twice what a promise without a percentile (p95) leaves.
	missedFires    = 2 * burnShare
	missedCritical = 0.5
	// missedLeast is how many observations a share is judged from.
	missedLeast = 20
)

// promiseMissed is the general verdict: what was promised is not kept, whatever
// the cause. Any verdict that names one explains it.
func promiseMissed(causes []verdict.Rule) verdict.Rule {
	r := verdict.Rule{
		Code: "sla-missed", Title: "promise not kept", Rank: 95, General: true,
		Hold: 20 * time.Second, Release: 20 * time.Second,
		Needs: []sources.Need{missedTTFT.need, missedITL.need},
		Proof: []sources.Need{missedTTFT.need, missedITL.need},
		Judge: judgeMissed,
		Tell:  tellMissed,
		Key:   "2",
		Help: "At least 10 % of a minute's requests miss the promised TTFT (or of its token gaps the promised ITL), by the lower end of what the buckets and a 99 % interval leave open, over 20 or more. Critical from 50 % on. " +
			"It names no cause: it stands only where no other verdict does. Look at the path of TTFT on the Overview, then ask the doctor which figures are missing.",
		Alert: verdict.Alert{
			Why: "the promise is a setting of this program, and a share within it needs an edge of the histogram there; alert on the share of the bucket next to it",
		},
	}
	for _, c := range causes {
		if c.Code != "quantile-pinned" {
			r.Silenced = append(r.Silenced, verdict.Silence{Code: c.Code})
		}
	}
	return r
}

// latency is one promised latency.
type latency struct {
	need     sources.Need
	name, of string
	promised func(verdict.SLA) time.Duration
}

var (
	missedTTFT = latency{
		sources.Need{Key: "frontend.ttft", Form: sources.FormBuckets}, "TTFT", "requests",
		func(s verdict.SLA) time.Duration { return s.TTFT },
	}
	missedITL = latency{
		sources.Need{Key: "frontend.itl", Form: sources.FormBuckets}, "ITL", "token gaps",
		func(s verdict.SLA) time.Duration { return s.ITL },
	}
)

// missed is the share that misses a promise, and what it is at least.
func (l latency) missed(m verdict.Moment) (lo, hi, surely, n float64, ok bool) {
	promised := l.promised(m.SLA()).Seconds()
	b, has := m.Buckets(l.need, nil)
	if promised <= 0 || !has || b.N < missedLeast {
		return 0, 0, 0, 0, false
	}
	within, most, ok := b.Within(promised)
	lo, hi = 1-most, 1-within
	return lo, hi, shareAtLeast(lo*b.N, b.N), b.N, ok
}

func judgeMissed(m verdict.Moment) []verdict.Finding {
	f := verdict.Finding{Severity: verdict.Warning}
	for _, l := range []latency{missedTTFT, missedITL} {
		_, _, surely, _, ok := l.missed(m)
		switch {
		case !ok:
			continue
		case surely >= missedFires:
			f.Level = verdict.Fires
		case surely >= burnShare:
			f.Level = max(f.Level, verdict.Stays)
		}
		if surely >= missedCritical {
			f.Severity = verdict.Critical
		}
		f.Score = max(f.Score, surely)
	}
	return []verdict.Finding{f}
}

func tellMissed(m verdict.Moment, _ verdict.Finding) (s verdict.Story) {
	for _, l := range []latency{missedTTFT, missedITL} {
		lo, hi, surely, n, ok := l.missed(m)
		if !ok || surely < burnShare {
			continue
		}
		promised := text.Duration(l.promised(m.SLA()).Seconds())
		if s.Sentence == "" {
			s.Sentence = fmt.Sprintf("%s of the %s miss the promised %s of %s, and no figure tells why", text.Share(lo, hi), l.of, l.name, promised)
		}
		s.Evidence = append(s.Evidence, m.Number(fmt.Sprintf("%s over %s: %s of %s", l.name, promised, text.Share(lo, hi), text.Count(n)), l.need, nil, lo, missedFires))
	}
	s.Advice = []string{
		"see on the Overview which stage the time goes to, and on Workers where requests wait",
		"dynascope doctor tells which figures are missing, and the flag that brings each",
	}
	return s
}
