package profiling

import (
	"slices"
	"testing"
)

func TestNext(t *testing.T) {
	for name, c := range map[string]struct {
		inputs []Input
		want   Phase
	}{
		"a good one":               {[]Input{Begin, Started, FilesAppear, Look, Whole}, Done},
		"stopped by hand":          {[]Input{Begin, Started, Stopping, Stopped, Whole}, Done},
		"a check refuses":          {[]Input{Begin, Refused}, Failed},
		"404":                      {[]Input{Begin, NotStarted}, Failed},
		"start lost, recording":    {[]Input{Begin, StartLost, Stopping, Stopped, Whole}, Done},
		"start lost, nothing":      {[]Input{Begin, StartLost, Stopping, NotInProgress, NoFiles}, AlreadyStopped},
		"auto-stop before stop":    {[]Input{Begin, Started, Stopping, NotInProgress, Whole}, Done},
		"a rank's file is lost":    {[]Input{Begin, Started, FilesAppear, Stopping, NotInProgress, Incomplete}, Failed},
		"no answer to the stop":    {[]Input{Begin, Started, Stopping, StopFailed}, Unknown},
		"stop again settles it":    {[]Input{Begin, Started, Stopping, StopFailed, Stopping, Stopped, Whole}, Done},
		"left in an export":        {[]Input{Begin, Started, FilesAppear, LeftThere}, Unknown},
		"a stop out of the blue":   {[]Input{Stopping, NotInProgress, NoFiles}, AlreadyStopped},
		"a stop of a stranger's":   {[]Input{Stopping, Stopped, Whole}, Done},
		"left while verifying":     {[]Input{Stopping, Stopped, LeftThere}, Unknown},
		"left, then looked at":     {[]Input{Begin, StartLost, Look, Incomplete}, Failed},
		"looked at while it waits": {[]Input{Begin, Started, Look, Whole}, Done},
	} {
		p := Idle
		for _, in := range c.inputs {
			next, err := Next(p, in)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			p = next
		}
		if p != c.want {
			t.Errorf("%s: %s, want %s", name, p, c.want)
		}
	}
	// What has ended moves no more, and nothing starts twice.
	for _, p := range []Phase{Done, Failed, AlreadyStopped} {
		if !p.Ended() || len(transitions[p]) > 0 {
			t.Errorf("%s goes on", p)
		}
	}
	for p := range transitions {
		if _, err := Next(p, Started); (err == nil) != (p == Checking) {
			t.Errorf("started while %s: %v", p, err)
		}
	}
	if next, err := Next(Done, Stopping); err == nil || next != Done {
		t.Errorf("%s %v", next, err)
	}
}

func TestRoutes(t *testing.T) {
	for _, r := range routes {
		if !r.Changes || r.Method != "POST" || r.Path == "" || !slices.Contains([]string{bodySteps, bodyEmpty, bodyNone}, r.Body) {
			t.Errorf("%+v", r)
		}
	}
	paths := func(engine, action, remembered string) (out []string) {
		for _, r := range Routes(engine, action, remembered) {
			out = append(out, r.Path)
		}
		return out
	}
	for _, c := range []struct {
		engine, remembered string
		want               []string
	}{
		{SGLang, "", []string{"/engine/control/start_profile", "/engine/start_profile", "/start_profile"}},
		{SGLang, "server", []string{"/start_profile", "/engine/control/start_profile", "/engine/start_profile"}},
		{VLLM, "dynamo-older", []string{"/engine/start_profile", "/engine/control/start_profile", "/start_profile"}},
		{"trtllm", "", nil},
	} {
		if got := paths(c.engine, actStart, c.remembered); !slices.Equal(got, c.want) {
			t.Errorf("%s after %q: %v", c.engine, c.remembered, got)
		}
	}
}
