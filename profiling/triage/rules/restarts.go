package rules

import (
	"fmt"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

const (
	// flapCount is how many restarts within what is judged (10 min) are a loop.
	// Kubernetes waits 10, 20, 40 … s between them: three are there within two
	// minutes of crashing at once.
	flapCount = 3
	// againCount is from when on a restart is no roll-out any more.
	againCount = 2
	// freshFor is how long a restart is worth a line: its cache is cold, and
	// graphs are captured anew.
	freshFor = 2 * time.Minute
)

// restart is what is known of one worker's restarts up to a moment.
type restart struct {
	instance string
	times    []time.Time // newest first
	detail   string      // of the newest
}

// restartsOf finds the restarts that no planner caused, by address.
func restartsOf(m verdict.Moment) []restart {
	return m.Once("restarts", func() any {
		at := map[string]int{}
		var out []restart
		for _, e := range m.Events() {
			if e.Kind != sources.EventRestarted || e.Instance == "" || m.At().Sub(e.At) > verdict.Span || scaledNow(m, e.At) {
				continue
			}
			i, ok := at[e.Instance]
			if !ok {
				i, at[e.Instance] = len(out), len(out)
				out = append(out, restart{instance: e.Instance, detail: e.Detail})
			}
			out[i].times = append(out[i].times, e.At)
		}
		return out
	}).([]restart)
}

func workerFlapping() verdict.Rule {
	return verdict.Rule{
		Code: "worker-flapping", Title: "worker flapping", Rank: 0,
		Needs: []sources.Need{pageUp},
		Judge: func(m verdict.Moment) (out []verdict.Finding) {
			for _, r := range restartsOf(m) {
				level := verdict.Stays
				if len(r.times) >= flapCount {
					level = verdict.Fires
				}
				if len(r.times) >= againCount {
					out = append(out, verdict.Finding{Culprit: m.CulpritOf(r.instance), Level: level, Severity: verdict.Critical, Score: float64(len(r.times))})
				}
			}
			return out
		},
		Tell: func(m verdict.Moment, f verdict.Finding) verdict.Story {
			s := tellRestarts(m, f)
			s.Advice = []string{
				"take it out of rotation: every return is a cold cache and fails the requests it was given",
				"read the end of the log of the process before: OOM killer, XID error, failed start-up probe, bad flag",
			}
			return s
		},
		Key: "v",
		Help: "At least 3 restarts of one worker within 10 minutes, told by another id at the same address or an uptime that began anew, and no planner that scaled at the time. " +
			"Take the worker out of rotation and read why it ends; what else is said of that worker is silent beside this.",
		Alert: verdict.Alert{
			Critical: true,
			Expr:     "resets({worker.uptime:now:instance}[10m:15s]) >= 3",
			Why:      "restarts by uptime alone, which SGLang without Dynamo does not export; those of a planner count too",
		},
	}
}

func workerRestarting() verdict.Rule {
	return verdict.Rule{
		Code: "worker-restarting", Title: "worker restarted", Rank: 90,
		Needs: []sources.Need{pageUp},
		Judge: func(m verdict.Moment) (out []verdict.Finding) {
			for _, r := range restartsOf(m) {
				severity := verdict.Warning
				if len(r.times) < againCount {
					severity = verdict.Info
				}
				if severity == verdict.Warning || m.At().Sub(r.times[0]) <= freshFor {
					out = append(out, verdict.Finding{Culprit: m.CulpritOf(r.instance), Level: verdict.Fires, Severity: severity, Score: float64(len(r.times))})
				}
			}
			return out
		},
		Tell: func(m verdict.Moment, f verdict.Finding) verdict.Story {
			s := tellRestarts(m, f)
			s.Advice = []string{
				"expect a cold prefix cache and slower first tokens until it is warm again",
				"unless it was meant (a roll-out), read the end of the log of the process before",
			}
			return s
		},
		Silenced: []verdict.Silence{{Code: "worker-flapping", Same: true}},
		Key:      "v",
		Help: "A worker restarted within the last 2 minutes (info: its cache is cold), or twice within 10 minutes (warning). Told by another id at the same address or an uptime that began anew; restarts beside a planner's scaling do not count. " +
			"At 3 it is worker-flapping.",
		Alert: verdict.Alert{
			Expr: "resets({worker.uptime:now:instance}[10m:15s]) >= 2",
			Why:  "restarts by uptime alone, which SGLang without Dynamo does not export; those of a planner count too",
		},
	}
}

func tellRestarts(m verdict.Moment, f verdict.Finding) (out verdict.Story) {
	for _, r := range restartsOf(m) {
		if r.instance != f.Culprit.Instance {
			continue
		}
		ago := text.Age(m.At().Sub(r.times[0]))
		out.Sentence = fmt.Sprintf("worker %s restarted %s ago", f.Culprit.Name, ago)
		if n := len(r.times); n > 1 {
			out.Sentence = fmt.Sprintf("worker %s restarted %d times in %s, the last time %s ago", f.Culprit.Name, n, text.Age(verdict.Span), ago)
		}
		out.Evidence = append(out.Evidence, verdict.Evidence{
			Text: fmt.Sprintf("%d× restarted (%s)", len(r.times), text.Clean(r.detail, 80)), Value: float64(len(r.times)), Threshold: againCount, Unit: "events", Window: verdict.Span,
		})
	}
	return out
}
