package text

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"http://bob:hunter2@h:80/x?a=b@c":                                     "http://***@h:80/x?a=b@c",
		"https://ghtoken@h/x":                                                 "https://***@h/x",
		"dial redis://:p@ss@h:6379: refused":                                  "dial redis://***@h:6379: refused",
		"Authorization: Bearer abc.def\r\nHost: h":                            "Authorization: ***\r\nHost: h",
		`curl -H "Authorization: Bearer abcdef" h`:                            `curl -H "Authorization: ***" h`,
		`{"Authorization": "Basic dTpw", "x": 1}`:                             `{"Authorization": "***", "x": 1}`,
		`Authorization: Digest u="x", response="y"`:                           `Authorization: ***`,
		"map[Authorization:[Bearer abcdefg] X:[1]]":                           "map[Authorization:*** X:[1]]",
		"got bearer abc123def, no":                                            "got bearer ***, no",
		"api_key=abc&x=1":                                                     "api_key=***&x=1",
		"GET /v1?token=abc&model=m":                                           "GET /v1?token=***&model=m",
		`{"api_key": "s3cr3t", "model": "m"}`:                                 `{"api_key": "***", "model": "m"}`,
		`{"api_key":"a\"b","m":1}`:                                            `{"api_key":"***","m":1}`,
		`"{\"api_key\": \"abc\", \"m\": 1}"`:                                  `"{\"api_key\": \"***\", \"m\": 1}"`,
		`{"api_key": ["a", "b"], "m": 1}`:                                     `{"api_key": ***, "m": 1}`,
		`{"api_key": null, "m": 1}`:                                           `{"api_key": null, "m": 1}`,
		"ServerArgs(api_key=None, admin_api_key='a')":                         "ServerArgs(api_key=None, admin_api_key='***')",
		"f(password=ab)c) x":                                                  "f(password=***) x",
		"HF_TOKEN=hf_x WANDB_API_KEY=y python":                                "HF_TOKEN=*** WANDB_API_KEY=*** python",
		"sglang --api-key abc --tp 2":                                         "sglang --api-key *** --tp 2",
		"sglang --api-key=abc --tp 2":                                         "sglang --api-key=*** --tp 2",
		"sglang --api-key --tp 2":                                             "sglang --api-key --tp 2",
		"clientSecret: abc, accessToken: d":                                   "clientSecret: ***, accessToken: ***",
		"x-api-key: abc":                                                      "x-api-key: ***",
		"Set-Cookie: a=b; Path=/\nX: y":                                       "Set-Cookie: ***\nX: y",
		"key sk-abcdefghijklmnopqrstuvwx is bad":                              "key *** is bad",
		"curl -u bob:pw http://h":                                             "curl -u *** http://h",
		"-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----": "-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----",
		// What must stay readable.
		"max_tokens: 40, min_tokens=40":   "max_tokens: 40, min_tokens=40",
		"tokenizer_path=/models/x":        "tokenizer_path=/models/x",
		"eos_token: </s>":                 "eos_token: </s>",
		"time_per_output_token=0.02":      "time_per_output_token=0.02",
		"disable_api_key: false":          "disable_api_key: false",
		"sort_key=name http://h/a@b":      "sort_key=name http://h/a@b",
		"task-abcdefghijklmnopqrstuvwxyz": "task-abcdefghijklmnopqrstuvwxyz",
		"basic authentication is off":     "basic authentication is off",
		"":                                "",
	} {
		got := Redact(in)
		if got != want {
			t.Errorf("Redact(%q)\n got %q\nwant %q", in, got, want)
		}
		if again := Redact(got); again != got {
			t.Errorf("redacted twice: %q, then %q", got, again)
		}
	}
}

func TestRedactArgs(t *testing.T) {
	in := []string{"python", "-u", "-m", "sglang.launch_server", "--api-key", "a b", "--admin-api-key=x y", "HF_TOKEN=p,q",
		"--json", `{"api_key": "z"}`, "--password", "--tp", "2", "http://u:p@h", "-u", "bob:pw", "--api-key", "-dash", "--token"}
	want := []string{"python", "-u", "-m", "sglang.launch_server", "--api-key", "***", "--admin-api-key=***", "HF_TOKEN=***",
		"--json", `{"api_key": "***"}`, "--password", "--tp", "2", "http://***@h", "-u", "***", "--api-key", "***", "--token"}
	keep := append([]string(nil), in...)
	if got := RedactArgs(in); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if !reflect.DeepEqual(in, keep) {
		t.Error("the argument was changed")
	}
}

func TestSafe(t *testing.T) {
	if got := Safe("api\x1b[1m_key=s3cr3tvalue rest", 60); strings.Contains(got, "s3cr3t") {
		t.Errorf("split by an escape sequence: %q", got)
	}
	if got, want := Safe("Authorization: Bearer abcdefgh\nno such model", 60), "Authorization: *** no such model"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	long := strings.Repeat("x ", 20) + "https://user:verylongsecret@host"
	if got := Safe(long, 58); strings.Contains(got, "very") {
		t.Errorf("cut before redaction: %q", got)
	}
	if got := Safe(long+strings.Repeat(" token=a", 4<<20), 58); got != Safe(long+" token=a", 58) {
		t.Errorf("a long tail changes the beginning: %q", got)
	}
}

// places are where secrets turn up; %s is the secret.
var places = []string{
	"http://user:%s@host:8000/metrics", "Authorization: Bearer %s", "Authorization: Token %s\nnext: line", "bearer %s",
	"api_key=%s", "X_API_KEY=%s next", "--api-key %s", "--admin-api-key=%s --tp 2", `{"api_key": "%s"}`, `{'hf_token': '%s'}`,
	`"{\"password\": \"%s\"}"`, "?a=1&token=%s&b=2", "client_secret: %s", "export AWS_SECRET_ACCESS_KEY=%s", `-H "x-api-key: %s"`,
	"ServerArgs(api_key='%s', tp=2)", "map[Authorization:[Bearer %s]]", "db_password = %s", "Cookie: session=%s",
}

func FuzzRedact(f *testing.F) {
	for i := range places {
		f.Add("abcdef", uint8(i), "before ", " after")
		f.Add("./+~", uint8(i), "", "")
	}
	f.Add("a-b_c.d~e", uint8(6), "-", "=")
	f.Add("0", uint8(8), "api_key=", "\"")
	f.Fuzz(func(t *testing.T, raw string, place uint8, before, after string) {
		// A secret of the characters that tokens are made of, long enough not
		// to appear by chance, behind a mark that nothing else holds.
		var b strings.Builder
		for i := 0; i < len(raw) && b.Len() < 40; i++ {
			b.WriteByte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~+/"[int(raw[i])%67])
		}
		p := places[int(place)%len(places)]
		secret := "zQ9" + b.String() + "Q9z"
		if strings.HasPrefix(p, "http") {
			secret = strings.ReplaceAll(secret, "/", "%2F")
		}
		if strings.Contains(before+after, "zQ9") {
			return
		}
		// A line of its own: what stands before may open a quote, and then
		// where a value ends cannot be known.
		in := before + "\n" + fmt.Sprintf(p, secret) + "\n" + after
		if strings.ContainsAny(before, "\"'[-\\") || strings.Contains(before, "***") {
			in = fmt.Sprintf(p, secret) + "\n" + after
		}
		if got := Redact(in); strings.Contains(got, secret) || strings.Contains(got, secret[:3]) {
			t.Errorf("%q\nleaves %q", in, got)
		}
	})
}
