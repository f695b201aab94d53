package gpu

import "testing"

func TestStateIsOneClearSentence(t *testing.T) {
	for want, s := range map[string]State{
		"not built in (built without a C compiler); GPU figures come from a DCGM exporter only": {},
		"built in, no driver here: library not found":                                           {Built: true, Why: "library not found"},
		"built in, driver 570.1, 8 GPU":                                                         {Built: true, Driver: "570.1", Devices: 8},
	} {
		if got := s.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestProbeNeedsNoDriver(t *testing.T) {
	if s := Probe(); s.Built && s.Driver == "" && s.Why == "" {
		t.Errorf("no driver and no reason: %+v", s)
	}
}
