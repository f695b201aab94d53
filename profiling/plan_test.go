package profiling

import (
	"strings"
	"testing"
	"time"
)

func good() Plan {
	return Plan{Worker: Worker{URL: "http://h:9090/metrics"}, ID: "p1", Dir: "/tmp/x"}
}

func TestPlanIsBounded(t *testing.T) {
	p, err := good().Check()
	if err != nil || p.Steps != DefaultSteps || p.Worker.Engine != SGLang || p.Worker.URL != "http://h:9090" {
		t.Fatalf("%+v %v", p, err)
	}
	for name, c := range map[string]struct {
		change func(*Plan)
		has    string // in the error; empty: it is fine
	}{
		"too many steps":      {func(p *Plan) { p.Steps = 21 }, "must be forced"},
		"forced":              {func(p *Plan) { p.Steps, p.Forced = 50, true }, ""},
		"forced beyond sense": {func(p *Plan) { p.Steps, p.Forced = 100_000, true }, "100000 steps"},
		"negative":            {func(p *Plan) { p.Steps = -1 }, "-1 steps"},
		"no folder":           {func(p *Plan) { p.Dir = "" }, "no output folder"},
		"relative":            {func(p *Plan) { p.Dir = "x" }, "absolute"},
		"escape in folder":    {func(p *Plan) { p.Dir = "/tmp/\x1b[2J" }, "absolute"},
		"id with a path":      {func(p *Plan) { p.ID = "../x" }, "file name"},
		"password":            {func(p *Plan) { p.Worker.URL = "http://u:secret@h:1" }, "holds a password"},
		"no host":             {func(p *Plan) { p.Worker.URL = "http://" }, "no host"},
		"gopher":              {func(p *Plan) { p.Worker.URL = "gopher://h" }, "scheme"},
		"trtllm":              {func(p *Plan) { p.Worker.Engine = "trtllm" }, "TLLM_PROFILE_START_STOP"},
		"vllm":                {func(p *Plan) { p.Worker.Engine = VLLM }, ""},
		"vllm with steps":     {func(p *Plan) { p.Worker.Engine, p.Steps = VLLM, 3 }, "no options"},
		"vllm for long":       {func(p *Plan) { p.Worker.Engine, p.For = VLLM, time.Minute }, "at most"},
		"sglang with a time":  {func(p *Plan) { p.For = time.Second }, "number of steps"},
		"by stage":            {func(p *Plan) { p.ByStage = true }, ""},
	} {
		p := good()
		c.change(&p)
		_, err := p.Check()
		if c.has == "" && err != nil || c.has != "" && (err == nil || !strings.Contains(err.Error(), c.has)) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
	}
}

func TestRequestIsExact(t *testing.T) {
	p, err := good().Check()
	if err != nil {
		t.Fatal(err)
	}
	const body = `{"output_dir":"/tmp/x","num_steps":10,"activities":["CPU","GPU"],"with_stack":false,"record_shapes":false,"profile_id":"p1"}`
	want := "POST http://h:9090/engine/control/start_profile " + body +
		"\non 404: POST http://h:9090/engine/start_profile " + body +
		"\non 404: POST http://h:9090/start_profile " + body
	if got := p.Request(""); got != want {
		t.Errorf("%s", got)
	}
	for _, never := range []string{"start_step", "profile_prefix", "merge_profiles"} {
		if strings.Contains(want, never) {
			t.Errorf("it sends %s", never)
		}
	}
	if got := StopRequest(Worker{URL: "http://h:1", Engine: VLLM}, "server"); !strings.HasPrefix(got, "POST http://h:1/stop_profile\non 404: ") {
		t.Errorf("%s", got)
	}
	if a, b := NewID(time.Unix(0, 0)), NewID(time.Unix(0, 0)); a == b || !idForm.MatchString(a) {
		t.Errorf("%s %s", a, b)
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   outcome
		has    string
	}{
		{200, `{"status":"ok","message":"Profiling started"}`, said, "Profiling started"},
		{200, "Start profiling.\n", said, "Start profiling."},
		{200, "", said, ""},
		{200, `{"status":"error","message":"engine is asleep"}`, refused, "HTTP 200 with status error: engine is asleep"},
		{200, `{"status":"error","message":"Profiling is not in progress."}`, notInProgress, ""},
		{404, `{"error":"Route not found","message":"m"}`, noRoute, "m"},
		{405, "", noRoute, ""},
		{500, "Internal Server Error: Profiling is not in progress. Call /start_profile first.", notInProgress, ""},
		{500, `{"error":"Handler error","message":"RuntimeError: Profiling is already in progress. Call /stop_profile first."}`, inProgress, ""},
		{500, `Can't disable Kineto profiler when it's not running`, overran, ""},
		{500, `{"error":"Handler error","message":"TypeError: unexpected keyword"}`, refused, "before July 2026"},
		{401, `{"error":"Unauthorized"}`, refused, "admin key"},
		{302, "", refused, "redirects"},
		{503, "", lost, "503"},
		{504, "timeout", lost, "504"},
		{500, "\x1b[2Jboom", refused, "boom"},
	} {
		what, words := judge(c.status, []byte(c.body))
		if what != c.want || !strings.Contains(words, c.has) || strings.ContainsRune(words, 0x1b) {
			t.Errorf("%d %s: %d %q", c.status, c.body, what, words)
		}
	}
}

func FuzzJudge(f *testing.F) {
	f.Add(200, []byte(`{"status":"ok"}`))
	f.Add(500, []byte("\x1b]52;c;x\x07 not in progress"))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		what, words := judge(status, body)
		if what == said && (status < 200 || status > 299) {
			t.Errorf("%d is a yes", status)
		}
		if strings.ContainsAny(words, "\x1b\n\x07") {
			t.Errorf("%q", words)
		}
	})
}

func FuzzRecord(f *testing.F) {
	p, _ := good().Check()
	f.Add(Record{Schema: Schema, Phase: Recording, User: "a", Plan: p, Files: []File{{Path: "/x"}}}.marshal())
	f.Add([]byte(`{"schema":"dynascope.profile/1","user":"\u001b[2J"}`))
	f.Add([]byte(`{"schema":`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := parseRecord(raw)
		if err != nil {
			return
		}
		if strings.ContainsAny(r.User+r.Words+string(r.Phase)+r.Plan.Dir+r.Plan.ID+r.Plan.Worker.URL, "\x1b\n") {
			t.Errorf("%+v", r)
		}
		if _, err := parseRecord(r.marshal()); r.Schema != "" && err != nil {
			t.Errorf("not read back: %v", err)
		}
	})
}
