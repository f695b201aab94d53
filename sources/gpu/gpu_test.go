package gpu

import (
	"strings"
	"testing"
)

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

// TestOpenHere: with the real library, or without it, a sampler opens, says
// what there is, and closes.
func TestOpenHere(t *testing.T) {
	s, state := Open(t.Context(), Options{})
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	page, err := s.Page(t.Context())
	switch {
	case state.Code == OK || state.Code == Starting:
	case err == nil || state.Why == "" && state.Built || page != nil:
		t.Errorf("%+v gave %v and %d bytes", state, err, len(page))
	}
	if err != nil && !strings.Contains(err.Error(), "hint: ") {
		t.Errorf("no hint: %v", err)
	}
}
