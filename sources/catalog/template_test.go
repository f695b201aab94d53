package catalog

import (
	"strings"
	"testing"
	"time"

	"dynascope/sources"
)

func TestTemplate(t *testing.T) {
	var asked []sources.Need
	put := func(n sources.Need) string {
		asked = append(asked, n)
		return "x" + strings.Repeat("y", len(asked))
	}
	got, e, err := Default().Template(`{engine.kv_usage:now:instance, dp_rank} > 0.9 and on () up{job="a:b"} == 1 or {requests.done:rate::10m} > 1`, put)
	if err != nil {
		t.Fatal(err)
	}
	if want := `xy > 0.9 and on () up{job="a:b"} == 1 or xyy > 1`; got != want || e == nil {
		t.Errorf("%s", got)
	}
	if asked[0] != (sources.Need{Key: "engine.kv_usage", Form: sources.FormNow, By: "instance,dp_rank"}) || asked[1].Window != 10*time.Minute {
		t.Errorf("%+v", asked)
	}
	for bad, want := range map[string]string{
		"{engine.kv_usages:now} > 1":        "engine.kv_usages",
		"{engine.kv_usage:rate} > 1":        "no form",
		"{engine.kv_usage:now:pod} > 1":     "pod",
		"{engine.kv_usage:now} > ":          "unexpected end",
		"{requests.done:rate::9parsec} > 1": "look-back",
	} {
		if _, _, err := Default().Template(bad, put); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", bad, err, want)
		}
	}
}
