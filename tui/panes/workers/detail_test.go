package workers

import (
	"strings"
	"testing"
	"time"

	"dynascope/sources"
	"dynascope/tui/golden"
	"dynascope/tui/pane"
	"dynascope/tui/pane/panetest"
)

// known adds to a frame what is not in a store: the first worker's flags, log
// and events.
func known(p *Pane, f pane.Frame) pane.Frame {
	f = deployment(p, f)
	l := p.listing(f)
	r := l.shown[p.place(l)]
	at := f.Now()
	f.Events = []sources.Event{
		{At: at.Add(-20 * time.Second), Kind: sources.EventScrapeLost, Subject: "91c2", Detail: "its scrapes fail", Instance: "node-8:9090", Worker: "91c2"},
		{At: at.Add(-90 * time.Second), Kind: sources.EventRestarted, Subject: "7f3a", Detail: "was 1b2c, away for 20 s", Instance: r.address, Worker: r.ID},
	}
	f.Details = map[pane.DetailNeed]pane.Detail{detailNeed(r): {
		At: at, Process: "pid 4242, dynamo.sglang", PID: "4242",
		Args: []string{"python3", "-m", "dynamo.sglang", "--model", "Qwen/Qwen3-32B", "--tp", "4", "--api-key", "[hidden]"},
		Flags: []pane.FlagRow{
			{Name: "tp_size", Value: "4", Source: "process", Origin: "--tp"},
			{Name: "page_size", Value: "64", Source: "process", Origin: "--page-size", Note: "; figures says 16 (engine.page_size)"},
			{Name: "schedule_policy", Value: "fcfs", Source: "default", Origin: "--schedule-policy", Note: "not given; the default of current releases"},
		},
		Unknown: "--config /etc/w.yaml may set more; hint: read it",
		Log:     pane.LogTail{From: "/var/log/worker.log", Lines: []string{"[12:00:01] Decode batch, #running-req: 64", "\x1b[31mretracted 3\x1b[0m"}},
	}}
	return f
}

func TestSheetShowsWhatNoStoreHolds(t *testing.T) {
	for _, size := range [][2]int{{80, 20}, {140, 38}} {
		p := New()
		f := known(p, panetest.Frame(size[0], size[1]))
		if p.Details(f) != nil {
			t.Error("the table asks for details")
		}
		p.Press(pane.Enter, f)
		f = known(p, f)
		if got := p.Details(f); len(got) != 1 || got[0].Instance != "node-7:9090" || f.Details[got[0]].PID == "" {
			t.Errorf("asks for %v", got)
		}
		p.Press(pane.Bottom, f)
		view := p.View(f)
		golden.Check(t, "sheet_end_"+map[int]string{80: "80", 140: "140"}[size[0]], view)
		if strings.Contains(view, "\x1b[31mretracted") || strings.Contains(golden.Picture(view), "91c2") {
			t.Error("an escape of the log, or another worker's event")
		}
	}
}
