package main

import (
	"fmt"
	"time"

	"dynascope/sources"
	"dynascope/sources/embedded"
	"dynascope/themes"
)

// check refuses settings that cannot work, before anything is started.
func (s settings) check() error {
	if err := s.checkInterval(); err != nil {
		return err
	}
	switch {
	case s.at != "" && s.data == "":
		return fmt.Errorf("--at is a moment of a recording; hint: --data DIR --at %s; in the console [ goes back", s.at)
	case s.data != "" && (s.remote.url != "" || len(s.targets)+len(s.files) > 0):
		return fmt.Errorf("--data shows a recording and takes no other source; hint: leave --prometheus, --target and --targets away")
	case s.remote.url != "" && len(s.targets)+len(s.files) > 0:
		return fmt.Errorf("--prometheus asks a server that scrapes; hint: leave --target and --targets away, or --prometheus")
	case s.window < 10*time.Second:
		return fmt.Errorf("read --window %s: too short; hint: at least 10s", s.window)
	case s.wait <= 0:
		return fmt.Errorf("read --for %s: not positive; hint: --for 15s", s.wait)
	case s.json && !s.once:
		return fmt.Errorf("--json prints a snapshot; hint: dynascope --once --json")
	case s.sla.TTFT <= 0 || s.sla.ITL <= 0:
		return fmt.Errorf("read --sla-ttft and --sla-itl: not positive; hint: --sla-ttft 500ms --sla-itl 25ms")
	}
	_, err := themes.Get(s.theme)
	return err
}

func (s settings) checkInterval() error {
	if s.interval < time.Second || s.interval > time.Minute {
		return fmt.Errorf("read --interval %s: out of range; hint: between 1s and 1m", s.interval)
	}
	return nil
}

// specs are the scrape targets named by --target.
func (s settings) specs() []embedded.TargetSpec {
	out := make([]embedded.TargetSpec, 0, len(s.targets))
	for _, url := range s.targets {
		out = append(out, embedded.TargetSpec{
			URL: url, Interval: s.interval, Timeout: s.auth.timeout,
			BodyLimit: s.auth.bodyLimit, SampleLimit: s.auth.sampleLimit,
			BearerFile: s.auth.bearerFile, Username: s.auth.username, PasswordFile: s.auth.passwordFile,
			CAFile: s.auth.caFile, CertFile: s.auth.certFile, KeyFile: s.auth.keyFile, InsecureTLS: s.auth.insecure,
		})
	}
	return out
}

func answered(t sources.Target) bool { return !t.LastGood.IsZero() }
