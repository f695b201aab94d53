//go:build e2e

package hostile

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dynascope/sources"
	"dynascope/sources/embedded"
)

// backend answers Prometheus' API from a store that scrapes the recorded page.
// What it answered it says again for a moment, since many rows ask the same.
type backend struct {
	store    *embedded.Store
	instance string

	mu   sync.Mutex
	said map[string]said
}

type said struct {
	at   time.Time
	data any
	err  error
}

func newBackend(t *testing.T) *backend {
	t.Helper()
	s, err := embedded.Open(context.Background(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	b := &backend{store: s, said: map[string]said{}}
	if b.instance, err = s.Add(t.Context(), embedded.TargetSpec{URL: neighbour(t)}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); s.Targets()[0].Samples == 0; {
		if time.Now().After(end) {
			t.Fatal("the recorded page was not scraped")
		}
		time.Sleep(20 * time.Millisecond)
	}
	return b
}

// result is the data of one answer.
func (b *backend) result(r *http.Request) (data any, err error) {
	if strings.HasSuffix(r.URL.Path, "/targets") {
		at := b.store.Targets()[0]
		return map[string]any{"activeTargets": []any{map[string]any{
			"labels": map[string]string{"instance": b.instance, "job": "dynascope"}, "health": "up",
			"lastScrape": at.LastScrape.UTC().Format(time.RFC3339Nano), "scrapeInterval": "1s", "scrapeUrl": at.URL,
		}}}, nil
	}
	query := r.FormValue("query")
	if selector, ok := strings.CutSuffix(query, "[5m]"); ok { // raw samples
		now := time.Now()
		got, err := b.store.Range(r.Context(), selector, sources.Span{From: now.Add(-20 * time.Second), To: now, Step: time.Second})
		return matrix(got), err
	}
	if strings.HasSuffix(r.URL.Path, "/query_range") {
		num := func(name string) float64 { f, _ := strconv.ParseFloat(r.FormValue(name), 64); return f }
		at := func(s float64) time.Time { return time.UnixMilli(int64(s * 1000)) }
		got, err := b.store.Range(r.Context(), query, sources.Span{From: at(num("start")), To: at(num("end")), Step: time.Duration(num("step") * float64(time.Second))})
		return matrix(got), err
	}
	got, err := b.store.Instant(r.Context(), query, time.Now())
	out := []any{}
	for _, s := range got {
		p, _ := s.Last()
		out = append(out, map[string]any{"metric": s.Labels, "value": sample(p)})
	}
	return map[string]any{"resultType": "vector", "result": out}, err
}

// again is result, of the last second.
func (b *backend) again(r *http.Request) (any, error) {
	key := r.URL.Path + " " + r.FormValue("query") + " " + r.FormValue("start")
	b.mu.Lock()
	x, ok := b.said[key]
	b.mu.Unlock()
	if ok && time.Since(x.at) < time.Second {
		return x.data, x.err
	}
	x = said{at: time.Now()}
	x.data, x.err = b.result(r)
	if r.Context().Err() == nil {
		b.mu.Lock()
		b.said[key] = x
		b.mu.Unlock()
	}
	return x.data, x.err
}

func matrix(in []sources.Series) any {
	out := []any{}
	for _, s := range in {
		values := []any{}
		for _, p := range s.Points {
			values = append(values, sample(p))
		}
		out = append(out, map[string]any{"metric": s.Labels, "values": values})
	}
	return map[string]any{"resultType": "matrix", "result": out}
}

func sample(p sources.Point) []any {
	return []any{float64(p.T) / 1000, strconv.FormatFloat(p.V, 'g', -1, 64)}
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, err := b.again(r)
	answer := map[string]any{"status": "success", "data": data}
	if err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		answer = map[string]any{"status": "error", "errorType": "execution", "error": err.Error()}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// hostileServer is a row: a Prometheus that does not behave.
type hostileServer struct {
	name string
	// serve answers what is asked; healthy is what a good server would do.
	serve func(healthy http.Handler) http.HandlerFunc
	// url makes the address by other means than serve.
	url  func(t *testing.T) string
	args []string
	// want are words of the warning; of a server that answers nothing the exit
	// status is 1 and the error output says the same.
	want []string
	// figure are words of the error of one figure at least.
	figure []string
	lives  bool // the TTFT count is right nevertheless
}

// only spoils some questions and leaves the rest.
func only(part string, bad http.HandlerFunc) func(http.Handler) http.HandlerFunc {
	return func(healthy http.Handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			q := r.FormValue("query")
			if strings.Contains(q, part) && !strings.Contains(q, "__name__") {
				bad(w, r)
				return
			}
			healthy.ServeHTTP(w, r)
		}
	}
}

func every(bad http.HandlerFunc) func(http.Handler) http.HandlerFunc {
	return func(http.Handler) http.HandlerFunc { return bad }
}

func with(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func apiError(kind string) string {
	b, _ := json.Marshal(map[string]string{"status": "error", "errorType": kind, "error": "broke " + evil})
	return string(b)
}

func apiData(data string) string { return `{"status":"success","data":` + data + `}` }

// spoilt is the question that rows spoil: it is asked and not TTFT.
const spoilt = "dynamo_frontend_inter_token_latency_seconds_bucket"

var hostileServers = []hostileServer{
	{name: "all is well", serve: func(h http.Handler) http.HandlerFunc { return h.ServeHTTP }, lives: true},
	// Nobody there.
	{name: "refused", url: closed, want: []string{"connection refused"}},
	{name: "silent", url: func(t *testing.T) string { return says(t, "", true) }, args: []string{"--prometheus-timeout", "1s"}, want: []string{"no answer within 1s"}},
	{name: "no answer to SYN", url: deaf, args: []string{"--prometheus-timeout", "1s"}, want: []string{"no answer within 1s"}},
	{name: "not http", url: func(t *testing.T) string { return says(t, "SSH-2.0-OpenSSH\r\n", false) }, want: []string{"no answer"}},
	{name: "TLS self-signed", url: func(t *testing.T) string { return selfSigned(t, nil) }, want: []string{"certificate", "authority"}},
	{name: "https on a plain port", url: func(t *testing.T) string {
		return strings.Replace(serve(t, with(200, "")), "http:", "https:", 1)
	}, want: []string{"hint"}},
	{name: "http on a TLS port", url: func(t *testing.T) string { return strings.Replace(selfSigned(t, nil), "https:", "http:", 1) }, want: []string{"https"}},
	{name: "404", serve: every(with(404, "404 page not found")), want: []string{"404", "prefix"}},
	// Statuses, of everything and of one question.
	{name: "401", serve: every(with(401, "Unauthorized "+evil)), want: []string{"401", "token"}},
	{name: "403", serve: every(with(403, "<html>"+evil)), want: []string{"403", "credentials"}},
	{name: "422", serve: every(with(422, apiError("execution"))), want: []string{"broke red"}},
	{name: "429", serve: every(with(429, evil)), want: []string{"429", "limits"}},
	{name: "500", serve: every(with(500, apiError("internal"))), want: []string{"500", "broke red"}},
	{name: "502 of a proxy", serve: every(with(502, "<html>"+evil+"</html>")), want: []string{"502", "web page"}},
	{name: "503", serve: every(with(503, apiError("unavailable"))), want: []string{"503"}},
	{name: "one question: 400", serve: only(spoilt, with(400, apiError("bad_data"))), figure: []string{"refused the question", "broke red"}, lives: true},
	{name: "one question: 422", serve: only(spoilt, with(422, apiError("execution"))), figure: []string{"could not answer", "broke red"}, lives: true},
	{name: "one question: 422 too long", serve: only(spoilt, with(422, apiError("timeout"))), figure: []string{"too long"}, lives: true},
	{name: "one question: 500", serve: only(spoilt, with(500, apiError("internal"))), figure: []string{"500"}, lives: true},
	{name: "one question: 503", serve: only(spoilt, with(503, "overloaded "+evil)), figure: []string{"503", "overloaded"}, lives: true},
	{name: "one question: 429", serve: only(spoilt, with(429, "")), figure: []string{"429"}, lives: true},
	// Answers that are none.
	{name: "a web page", serve: every(with(200, "<!DOCTYPE html>"+evil)), want: []string{"web page", "/prometheus"}},
	{name: "nothing", serve: every(with(200, "")), want: []string{"nothing"}},
	{name: "metrics", serve: every(with(200, good)), want: []string{"prefix"}},
	{name: "truncated", serve: every(with(200, `{"status":"success","data":{"resultType":"vector","result":[{"metr`)), want: []string{"cannot be read"}},
	{name: "broken off", serve: every(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10000")
		_, _ = io.WriteString(w, `{"status":`)
	}), want: []string{"broke off"}},
	{name: "one question: truncated", serve: only(spoilt, with(200, `{"status":"success","data":{"resultType":"vec`)), figure: []string{"cannot be read"}, lives: true},
	{name: "one question: wrong types", serve: only(spoilt, with(200, apiData(`{"resultType":"vector","result":[{"metric":{"le":1},"value":["x",{}]}]}`))), figure: []string{"hint"}, lives: true},
	{name: "one question: another shape", serve: only(spoilt, with(200, apiData(`{"resultType":"vector","result":{"a":[]}}`))), figure: []string{"hint"}, lives: true},
	{name: "one question: no data", serve: only(spoilt, with(200, `{"status":"success"}`)), figure: []string{"hint"}, lives: true},
	{name: "one question: nulls", serve: only(spoilt, with(200, apiData(`{"resultType":"vector","result":[null,{"metric":null,"value":[1,"1"]}]}`))), lives: true},
	{name: "one question: deep", serve: only(spoilt, with(200, apiData(strings.Repeat(`{"a":[`, 200_000)))), figure: []string{"hint"}, lives: true},
	{name: "deep", serve: every(with(200, apiData(strings.Repeat(`[`, 1_000_000)))), want: []string{"cannot be read"}},
	// Answers that are odd.
	{name: "warnings and infos", serve: func(h http.Handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			rec := &recorder{header: http.Header{}}
			h.ServeHTTP(rec, r)
			words, _ := json.Marshal([]string{"half of the stores did not answer " + evil, strings.Repeat("long ", 10_000)})
			body := strings.Replace(rec.body.String(), "{", fmt.Sprintf(`{"warnings":%s,"infos":%s,`, words, words), 1)
			_, _ = io.WriteString(w, body)
		}
	}, want: []string{"prometheus: "}, lives: true},
	{name: "one question: NaN, Inf and doubles", serve: only(spoilt, with(200, apiData(`{"resultType":"vector","result":[`+
		`{"metric":{"le":"0.1"},"value":[1,"NaN"]},{"metric":{"le":"0.1"},"value":[1,"+Inf"]},{"metric":{"le":"0.1"},"value":[1,"-Inf"]},`+
		`{"metric":{"le":"x"},"value":[1,"1e308"]},{"metric":{"le":"+Inf"},"value":[99999999999999,"-1"]},{"metric":{"le":"NaN"},"value":[-1,"0x1p-3"]}]}`))), lives: true},
	{name: "one question: escapes in labels", serve: only(spoilt, with(200, apiData(`{"resultType":"vector","result":[{"metric":{"model":"\u001b]0;x\u0007\u009b5m\u202e","le":"\u001b[2J"},"value":[1,"1"]}]}`))), lives: true},
	{name: "one question: native histograms", serve: only(spoilt, with(200, apiData(`{"resultType":"vector","result":[{"metric":{},"histogram":[1,{"count":"1","sum":"2","buckets":[[0,"1","2","1"]]}]}]}`))),
		want: []string{"native histograms"}, lives: true},
	{name: "one question: a matrix", serve: only(spoilt, with(200, apiData(`{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"],[2,"2"]]}]}`))), figure: []string{"range of points"}, lives: true},
	{name: "one question: text", serve: only(spoilt, with(200, apiData(`{"resultType":"string","result":[1,"`+strings.Repeat("x", 10_000)+`"]}`))), figure: []string{"hint"}, lives: true},
	{name: "one question: slow", serve: only(spoilt, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(30 * time.Second):
		}
	}), args: []string{"--prometheus-timeout", "2s"}, figure: []string{"no answer within"}, lives: true},
	{name: "targets list of nonsense", serve: func(h http.Handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/targets") {
				with(200, apiData(`{"activeTargets":[null,{"labels":{"instance":"\u001b[31m"}},{"labels":7},{"labels":{"instance":"x"},"lastError":"\u001b[31mpassword=`+secret+`","scrapeInterval":"-1s","lastScrape":"yesterday"}]}`))(w, r)
				return
			}
			h.ServeHTTP(w, r)
		}
	}, lives: true},
	// Too much.
	{name: "one question: a huge answer", serve: only(spoilt, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[`)
		block := strings.Repeat(`{"metric":{"le":"1"},"value":[1,"1"]},`, 2000)
		for range 1200 {
			if _, err := io.WriteString(w, block); err != nil {
				return
			}
		}
	}), figure: []string{"larger than", "hint"}, lives: true},
	{name: "one question: a gzip bomb", serve: only(spoilt, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		_, _ = io.WriteString(z, "{")
		spaces := []byte(strings.Repeat(" ", 1<<20))
		for range 512 {
			if _, err := z.Write(spaces); err != nil {
				return
			}
		}
	}), figure: []string{"larger than"}, lives: true},
	{name: "an endless error", serve: every(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(500)
		x := strings.Repeat("x", 64<<10)
		for range 2000 {
			if _, err := io.WriteString(w, x); err != nil {
				return
			}
		}
	}), want: []string{"hint"}},
	// Redirects.
	{name: "redirect loop", serve: every(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
	}), want: []string{"redirects", "hint"}},
	{name: "redirect to a login", serve: every(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/login?token="+secret, http.StatusFound)
	}), want: []string{"redirects", "login"}},
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	body   strings.Builder
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
func (r *recorder) WriteHeader(int)             {}

func TestPrometheus(t *testing.T) {
	healthy := newBackend(t)
	for _, row := range hostileServers {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var url string
			if row.url != nil {
				url = row.url(t)
			} else {
				url = serve(t, row.serve(healthy))
			}
			token := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(token, []byte(secret+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"--once", "--gpus=false", "--for", look.String(), "--window", "30s", "--prometheus", url, "--prometheus-bearer-token-file", token}, row.args...)

			r := dynascope(t, append(args, "--json")...)
			d := r.read(t)
			t.Logf("%d MiB, %v, exit %d, warning: %s", r.rss>>20, r.took.Round(100*time.Millisecond), r.code, d.Warning)
			if row.want == nil {
				if d.Warning != "" {
					t.Errorf("warning %q", d.Warning)
				}
			} else {
				within(t, d.Warning, row.want...)
			}
			switch {
			case row.lives:
				if r.code != 0 {
					t.Errorf("exit status %d: %s", r.code, r.err)
				}
				d.lives(t)
			default:
				goodLine(t, d.Warning)
				if r.code != 1 {
					t.Errorf("exit status %d of a server that answers nothing", r.code)
				}
				within(t, r.err, append([]string{"dynascope: "}, row.want...)...)
			}
			errs := map[string]bool{}
			for _, f := range d.Figures {
				if f.Error != "" {
					errs[f.Error] = true
					goodLine(t, f.Error)
				}
			}
			if row.figure != nil {
				if len(errs) == 0 {
					t.Error("no figure has an error")
				}
				for e := range errs {
					t.Logf("figure: %s", e)
					within(t, e, row.figure...)
				}
			} else if row.lives && len(errs) > 0 {
				t.Errorf("errors of figures: %v", errs)
			}

			text := dynascope(t, args...)
			if text.code != r.code {
				t.Errorf("text: exit status %d, with --json %d", text.code, r.code)
			}
			if row.want != nil && !strings.Contains(text.out, "warning: ") {
				t.Errorf("no warning in the text:\n%s", text.out)
			}
		})
	}
}

// TestPrometheusRedirectsKeepTheirCredentials: neither token nor header goes
// to another origin.
func TestPrometheusRedirectsKeepTheirCredentials(t *testing.T) {
	t.Parallel()
	var asked atomic.Bool
	other := serve(t, func(w http.ResponseWriter, r *http.Request) { asked.Store(true) })
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, p, _ := r.BasicAuth(); p != secret || r.Header.Get("X-Scope-OrgID") != secret {
			t.Error("asked without its credentials")
		}
		http.Redirect(w, r, other+r.URL.Path, http.StatusTemporaryRedirect)
	})
	url = strings.Replace(url, "://", "://ops:"+secret+"@", 1)
	r := dynascope(t, "--once", "--json", "--gpus=false", "--for", look.String(), "--prometheus", url, "--prometheus-header", "X-Scope-OrgID: "+secret)
	d := r.read(t)
	goodLine(t, d.Warning)
	within(t, d.Warning, "redirects", "another server")
	if r.code != 1 {
		t.Errorf("exit status %d", r.code)
	}
	if asked.Load() {
		t.Error("the other origin was asked")
	}
}
