//go:build e2e

package hostile

import (
	"compress/flate"
	"compress/gzip"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var quietLog = log.New(io.Discard, "", 0)

// evil is text that tries to take over a terminal, and to leak the secret.
const evil = "\x1b]0;pwned\x07\x1b[2J\x1b[31mred\u202eesrever\u009b5m\r\x00 password=" + secret + " "

// hostileTarget is a row: a scrape target that does not behave.
type hostileTarget struct {
	name  string
	serve func(t *testing.T) (url string, args []string)
	// want are words of its error line; none for a page that is fine as far as
	// it goes.
	want []string
	// upBut is what is said of a page that is fine and odd.
	upBut string
	// either is for a target that is good now and bad then.
	either bool
	// allowed is for a page whose size a flag allows: then memory follows it.
	allowed bool
}

func (h hostileTarget) most() int64 {
	if h.allowed {
		return 1 << 30
	}
	return maxRSS
}

func just(serve func(t *testing.T) string) func(*testing.T) (string, []string) {
	return func(t *testing.T) (string, []string) { return serve(t), nil }
}

// answers is a target with one answer.
func answers(status int, contentType, body string) func(*testing.T) (string, []string) {
	return just(func(t *testing.T) string {
		return serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
	})
}

func page(body string) func(*testing.T) (string, []string) {
	return answers(http.StatusOK, "text/plain; version=0.0.4", body)
}

func speaks(bytes string, hold bool) func(*testing.T) (string, []string) {
	return just(func(t *testing.T) string { return says(t, bytes, hold) })
}

// streams is a target whose page is written as it is made.
func streams(args []string, write func(w io.Writer)) func(*testing.T) (string, []string) {
	return func(t *testing.T) (string, []string) {
		return serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			write(w)
		}), args
	}
}

// lines writes n samples of one family, each with its own label value.
func lines(name string, n int) func(io.Writer) {
	return func(w io.Writer) {
		var block strings.Builder
		for i := range n {
			fmt.Fprintf(&block, "%s{request_id=\"request-%08d\"} 1\n", name, i)
			if block.Len() > 64<<10 || i == n-1 {
				if _, err := io.WriteString(w, block.String()); err != nil {
					return
				}
				block.Reset()
			}
		}
	}
}

// patient gives a busy machine time for a long page.
var patient = []string{"--interval", "10s", "--timeout", "10s", "--for", "8s"}

const good = "# HELP v x\n# TYPE v gauge\nv 1\n"

var hostileTargets = []hostileTarget{
	// Nobody there.
	{name: "wrong path", serve: func(t *testing.T) (string, []string) {
		u, args := answers(404, "text/plain", "404 page not found")(t)
		return u + "/nowhere", args
	}, want: []string{"404", "/metrics"}},
	{name: "wrong path, an API", serve: answers(404, "application/json", `{"detail":"Not Found"}`), want: []string{"404", "--enable-metrics"}},
	{name: "refused", serve: just(closed), want: []string{"connection refused", "nothing listens"}},
	{name: "no such host", serve: just(func(*testing.T) string { return "http://nowhere.invalid:8000" }), want: []string{"host name"}},
	{name: "no answer to SYN", serve: just(deaf), want: []string{"no answer within 3s", "firewall"}},
	{name: "accepts and is silent", serve: speaks("", true), want: []string{"no answer within 3s"}},
	{name: "half a header", serve: speaks("HTTP/1.1 200 OK\r\nContent-Ty", true), want: []string{"no answer within 3s"}},
	{name: "body stalls", serve: speaks("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nv 1\n", true), want: []string{"no answer within 3s"}},
	{name: "closes at once", serve: speaks("", false), want: []string{"closed the connection"}},
	{name: "closes within the body", serve: speaks("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nv 1\n", false), want: []string{"closed the connection"}},
	{name: "endless header", serve: just(func(t *testing.T) string {
		return raw(t, func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for {
				if _, err := io.WriteString(c, "X-Filler: "+strings.Repeat("x", 8000)+"\r\n"); err != nil {
					return
				}
			}
		})
	}), want: []string{"header"}},
	// TLS.
	{name: "TLS self-signed", serve: just(func(t *testing.T) string {
		return selfSigned(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, good) })
	}), want: []string{"certificate", "--ca-file"}},
	{name: "TLS expired", serve: func(t *testing.T) (string, []string) {
		u, ca := certified(t, "127.0.0.1", time.Now().Add(-time.Hour), nil)
		return u, []string{"--ca-file", ca}
	}, want: []string{"certificate", "expired"}},
	{name: "TLS for another host", serve: func(t *testing.T) (string, []string) {
		u, ca := certified(t, "elsewhere.example", time.Now().Add(time.Hour), nil)
		return u, []string{"--ca-file", ca}
	}, want: []string{"certificate", "another host name"}},
	{name: "TLS that is good", serve: func(t *testing.T) (string, []string) {
		u, ca := certified(t, "127.0.0.1", time.Now().Add(time.Hour), func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, good) })
		return u, []string{"--ca-file", ca}
	}},
	{name: "https on a plain port", serve: just(func(t *testing.T) string {
		u, _ := page(good)(t)
		return strings.Replace(u, "http:", "https:", 1)
	}), want: []string{"plain http", "http://"}},
	{name: "http on a TLS port", serve: just(func(t *testing.T) string {
		return strings.Replace(selfSigned(t, nil), "https:", "http:", 1)
	}), want: []string{"https"}},
	// Not metrics.
	{name: "a web page", serve: answers(200, "text/html", "<!DOCTYPE html>\n<html><body>"+evil+"</body></html>"), want: []string{"html", "/metrics"}},
	{name: "a web page that claims to be metrics", serve: page("<html><body>" + evil + "</body></html>"), want: []string{"html", "/metrics"}},
	{name: "JSON", serve: answers(200, "application/json", `{"object":"list","data":[]}`), want: []string{"json", "/metrics"}},
	{name: "nothing", serve: page(""), upBut: "no samples"},
	{name: "comments alone", serve: page("# HELP v x\n# TYPE v gauge\n"), upBut: "no samples"},
	{name: "binary", serve: answers(200, "application/octet-stream", "\x7fELF\x02\x01\x01\x00\x00\x1b[31m\xff\xfe"+secret), want: []string{"prometheus text format"}},
	{name: "an escape sequence as a line", serve: page(evil + "\n"), want: []string{"prometheus text format"}},
	{name: "another content type", serve: answers(200, "application/json", good)},
	{name: "no content type", serve: speaks("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nv 1\n", false)},
	{name: "a malformed content type", serve: answers(200, "text/plain; version=0.0.4; charset", good)},
	{name: "OpenMetrics without its end", serve: answers(200, "application/openmetrics-text; version=1.0.0", good), want: []string{"prometheus text format"}},
	{name: "HTTP/0.9", serve: speaks("v 1\nv 2\n", false), want: []string{"not http"}},
	{name: "SSH", serve: speaks("SSH-2.0-OpenSSH_9.2p1 Debian\r\n", false), want: []string{"not http"}},
	{name: "bad chunk", serve: speaks("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\nv 1\n\r\n", false), want: []string{"chunk"}},
	// Odd values.
	{name: "NaN and Inf", serve: page("# TYPE sglang:token_usage gauge\nsglang:token_usage{model_name=\"x\"} NaN\nsglang:num_running_reqs{model_name=\"x\"} +Inf\nsglang:num_queue_reqs{model_name=\"x\"} -Inf\n")},
	{name: "a number past all", serve: page("v 1e400\n"), want: []string{"prometheus text format"}},
	{name: "histogram with NaN", serve: page("# TYPE sglang:time_to_first_token_seconds histogram\nsglang:time_to_first_token_seconds_bucket{model_name=\"x\",le=\"nonsense\"} 5\nsglang:time_to_first_token_seconds_bucket{model_name=\"x\",le=\"0.1\"} NaN\nsglang:time_to_first_token_seconds_bucket{model_name=\"x\",le=\"1\"} -4\nsglang:time_to_first_token_seconds_bucket{model_name=\"x\",le=\"+Inf\"} +Inf\nsglang:time_to_first_token_seconds_count{model_name=\"x\"} NaN\nsglang:time_to_first_token_seconds_sum{model_name=\"x\"} -Inf\n")},
	{name: "duplicate series", serve: page("sglang:num_running_reqs{model_name=\"x\"} 1\nsglang:num_running_reqs{model_name=\"x\"} 2\nsglang:num_running_reqs{model_name=\"x\"} 3\n")},
	{name: "not a number", serve: page("v forty\n"), want: []string{"prometheus text format"}},
	{name: "timestamps of other times", serve: page("sglang:num_running_reqs{model_name=\"x\"} 1 32503680000000\nsglang:num_queue_reqs{model_name=\"x\"} 1 1\n")},
	{name: "a timestamp past all", serve: page("v 1 99999999999999999999999\n"), want: []string{"prometheus text format"}},
	// Too much.
	{name: "50 MB", serve: streams(patient, lines("dynamo_frontend_requests_total", 900_000)), want: []string{"larger than 8388608 bytes", "--body-limit"}},
	{name: "50 MB, allowed, of unknown families", serve: streams(slices.Concat(patient, []string{"--body-limit", "100000000"}), lines("unknown_total", 900_000)), either: true, allowed: true},
	{name: "a million series", serve: streams(slices.Concat(patient, []string{"--body-limit", "100000000"}), lines("dynamo_frontend_requests_total", 1_000_000)), either: true, allowed: true},
	{name: "60 000 series", serve: streams(patient, lines("dynamo_frontend_requests_total", 60_000)), want: []string{"more than 20000 samples", "--sample-limit"}},
	{name: "one endless line", serve: streams(patient, func(w io.Writer) {
		x := strings.Repeat("x", 64<<10)
		for range 800 {
			if _, err := io.WriteString(w, x); err != nil {
				return
			}
		}
	}), want: []string{"larger than 8388608 bytes"}},
	{name: "gzip bomb", serve: streams(nil, nil), want: []string{"larger than 8388608 bytes"}}, // serve is set below
	{name: "gzip against the request", serve: just(func(t *testing.T) string {
		return serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, good)
			_ = z.Close()
		})
	})},
	{name: "says gzip and is not", serve: just(func(t *testing.T) string {
		return serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, good)
		})
	}), want: []string{"decompressed"}},
	{name: "deflate", serve: just(func(t *testing.T) string {
		return serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "deflate")
			z, _ := flate.NewWriter(w, 6)
			_, _ = io.WriteString(z, good)
			_ = z.Close()
		})
	}), want: []string{"prometheus text format"}},
	{name: "a label value of 100 kB", serve: page("dynamo_frontend_requests_total{model=\"" + strings.Repeat("x", 100_000) + "\"} 1\n"), want: []string{"label", "100000", "limit"}},
	{name: "1000 labels", serve: page("dynamo_frontend_requests_total{" + manyLabels(1000) + "} 1\n"), want: []string{"label", "100", "limit"}},
	// Escape sequences and secrets in what is shown.
	{name: "escapes in a name", serve: page("{\"v" + strings.ReplaceAll(printable(evil), "\x00", "") + "\"} 1\n")},
	{name: "escapes and a zero in a name", serve: page("{\"v" + printable(evil) + "\"} 1\n"), want: []string{"prometheus text format"}},
	{name: "escapes in labels", serve: page("dynamo_frontend_inflight_requests{model=\"" + printable(evil) + "\"} 1\ndynamo_frontend_model_workers{model=\"" + printable(evil) + "\",worker_type=\"" + printable(evil) + "\"} 1\n")},
	{name: "escapes in ids of workers", serve: page("dynamo_component_inflight_requests{dynamo_namespace=\"" + printable(evil) + "\",dynamo_component=\"" + printable(evil) + "\",dynamo_endpoint=\"generate\",model=\"" + printable(evil) + "\",worker_id=\"" + printable(evil) + "\",dp_rank=\"" + printable(evil) + "\"} 1\nsglang:num_running_reqs{model_name=\"" + printable(evil) + "\",engine_type=\"" + printable(evil) + "\",dp_rank=\"" + printable(evil) + "\",tp_rank=\"" + printable(evil) + "\"} 1\n")},
	{name: "escapes in help", serve: page("# HELP v " + printable(evil) + "\n# TYPE v gauge\nv 1\n")},
	{name: "escapes in a status line", serve: speaks("HTTP/1.1 500 "+strings.ReplaceAll(evil, "\r", "")+"\r\nContent-Length: 0\r\n\r\n", false), want: []string{"500"}},
	{name: "escapes in a redirect", serve: speaks("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/"+"\u009b5m\x1b[31m?token="+secret+"\r\nContent-Length: 0\r\n\r\n", false), want: []string{"hint"}},
	// Statuses.
	{name: "401", serve: answers(401, "text/html", "<html>"+evil), want: []string{"401", "--bearer-token-file"}},
	{name: "403", serve: answers(403, "text/plain", evil), want: []string{"403", "token"}},
	{name: "407", serve: answers(407, "text/plain", evil), want: []string{"407", "proxy"}},
	{name: "429", serve: answers(429, "text/plain", evil), want: []string{"429", "--interval"}},
	{name: "500", serve: answers(500, "text/plain", evil), want: []string{"500", "broken"}},
	{name: "503", serve: answers(503, "application/json", `{"error":"`+secret+`"}`), want: []string{"503", "starting"}},
	{name: "204", serve: answers(204, "text/plain", ""), want: []string{"204"}},
	{name: "418", serve: answers(418, "text/plain", evil), want: []string{"418"}},
	// Redirects.
	{name: "redirect loop", serve: just(func(t *testing.T) string {
		return serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) })
	}), want: []string{"redirect"}},
	{name: "redirect to nowhere", serve: just(func(t *testing.T) string {
		return serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusFound) })
	}), want: []string{"302"}},
	{name: "redirect elsewhere", serve: just(func(t *testing.T) string {
		other := serve(t, func(http.ResponseWriter, *http.Request) {
			t.Error("the redirect was followed to an address that is no target")
		})
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other+"/metrics?token="+secret, http.StatusFound)
		})
	}), want: []string{"no target", "redirects"}},
	{name: "redirect elsewhere, with credentials", serve: just(func(t *testing.T) string {
		other := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("credentials were carried to another origin") })
		u := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if _, p, _ := r.BasicAuth(); p != secret {
				t.Error("asked without its credentials")
			}
			http.Redirect(w, r, other+"/metrics", http.StatusTemporaryRedirect)
		})
		return strings.Replace(u, "://", "://ops:"+secret+"@", 1)
	}), want: []string{"307", "redirect"}},
	{name: "credentials refused", serve: just(func(t *testing.T) string {
		u, _ := answers(401, "text/plain", evil)(t)
		return strings.Replace(u, "://", "://ops:"+secret+"@", 1)
	}), want: []string{"401", "credentials"}},
	// Changes.
	{name: "flaps", serve: just(func(t *testing.T) string {
		var n atomic.Int64
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1)%2 == 0 {
				w.WriteHeader(500)
				return
			}
			_, _ = io.WriteString(w, good)
		})
	}), either: true},
	{name: "restarts", serve: just(func(t *testing.T) string {
		var n atomic.Int64
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "# TYPE sglang:num_requests_total counter\nsglang:num_requests_total{model_name=\"x\"} %d\n", 1_000_000/n.Add(1))
		})
	})},
	{name: "another page each time", serve: just(func(t *testing.T) string {
		var n atomic.Int64
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "# TYPE sglang:num_running_reqs %s\nsglang:num_running_reqs{model_name=\"m%d\"} 1\n", []string{"gauge", "counter", "histogram"}[n.Load()%3], n.Add(1))
		})
	})},
}

// printable is hostile text as it may stand within quotes on a page.
func printable(s string) string {
	return strings.NewReplacer("\\", `\\`, "\"", `\"`, "\n", `\n`, "password="+secret, "").Replace(s)
}

func manyLabels(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "l%d=\"x\",", i)
	}
	return b.String()
}

func init() {
	for i := range hostileTargets {
		if hostileTargets[i].name == "gzip bomb" {
			hostileTargets[i].serve = func(t *testing.T) (string, []string) {
				return serve(t, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Encoding", "gzip")
					z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
					zeros := make([]byte, 1<<20)
					for range 512 {
						if _, err := z.Write(zeros); err != nil {
							return
						}
					}
					_ = z.Close()
				}), patient
			}
		}
	}
}

func TestTargets(t *testing.T) {
	for _, row := range hostileTargets {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			url, extra := row.serve(t)
			args := slices.Concat([]string{"--once", "--for", look.String(), "--interval", "3s", "--timeout", "3s", "--gpus=false", "--target", neighbour(t), "--target", url}, extra)

			r := dynascopeWithin(t, row.most(), slices.Concat(args, []string{"--json"})...)
			if r.code != 0 {
				t.Errorf("exit status %d beside a healthy neighbour: %s", r.code, r.err)
			}
			d := r.read(t)
			d.lives(t)
			if len(d.Targets) != 2 {
				t.Fatalf("%d targets, want 2", len(d.Targets))
			}
			beside, bad := d.Targets[0], d.Targets[1]
			if beside.Health != "up" || beside.Error != "" {
				t.Errorf("the neighbour is %s: %s", beside.Health, beside.Error)
			}
			t.Logf("%s, %d MiB, %v: %s", bad.Health, r.rss>>20, r.took.Round(100*time.Millisecond), bad.Error)
			switch {
			case row.either:
				if bad.Health == "down" {
					goodLine(t, bad.Error)
				}
			case row.upBut != "":
				goodLine(t, bad.Error)
				within(t, bad.Health+": "+bad.Error, "up: ", row.upBut)
			case row.want == nil:
				if bad.Health != "up" || bad.Error != "" {
					t.Errorf("%s: %s", bad.Health, bad.Error)
				}
			default:
				if bad.Health != "down" {
					t.Errorf("health %s", bad.Health)
				}
				goodLine(t, bad.Error)
				within(t, bad.Error, row.want...)
			}

			text := dynascopeWithin(t, row.most(), args...)
			if text.code != 0 {
				t.Errorf("text: exit status %d: %s", text.code, text.err)
			}
			line := targetLine(text.out, bad.Instance)
			switch {
			case line == "":
				t.Errorf("no line for the target in\n%s", text.out)
			case row.want != nil && !row.either:
				goodLine(t, line)
				within(t, line, append([]string{"down"}, row.want...)...)
			}
		})
	}
}

// targetLine is the line of a target in the list at the end of the text.
func targetLine(out, instance string) string {
	_, list, _ := strings.Cut(out, "== targets ==")
	for l := range strings.Lines(list) {
		if strings.Contains(l, instance) {
			return strings.TrimSpace(l)
		}
	}
	return ""
}

// TestAloneItFails: a target that is broken and has no neighbour makes the
// status 1, and says so on the error output too.
func TestAloneItFails(t *testing.T) {
	for _, name := range []string{"refused", "accepts and is silent", "a web page", "500"} {
		for _, row := range hostileTargets {
			if row.name != name {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				url, _ := row.serve(t)
				r := dynascope(t, "--once", "--json", "--for", look.String(), "--gpus=false", "--target", url)
				if d := r.read(t); r.code != 1 || len(d.Targets) != 1 {
					t.Errorf("exit status %d, %d targets", r.code, len(d.Targets))
				}
				within(t, r.err, "dynascope: ", "hint: ")
			})
		}
	}
}
