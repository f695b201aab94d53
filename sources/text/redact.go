package text

import (
	"regexp"
	"strings"
)

// Hidden stands where a secret was.
const Hidden = "***"

// secretWords end the name of something secret. "tokens" is not among them:
// max_tokens and its kin are numbers that must stay readable.
const secretWords = `(?:api|access|secret|private|auth|account|signing|encryption|master)[_.-]?keys?|` +
	`passwords?|passwd|passphrase|pwd|secrets?|credentials?|token|cookie|authorization|` +
	`x-amz-signature|sharedaccesssignature`

var (
	secretName = regexp.MustCompile(`(?i)(?:` + secretWords + `)[0-9]*$`)
	// Names of text tokens, and of rates per token.
	plainToken = regexp.MustCompile(`(?i)(?:^|[_.-])(?:bos|eos|pad|unk|sep|cls|mask|stop|image|audio|video|per|first|next|output|input|prompt|unexpected|special)[_.-]?token$`)

	pemKey   = regexp.MustCompile(`(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(-----END [A-Z ]*PRIVATE KEY-----|$)`)
	userinfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#"'<>\\]*@`)
	// A header's value goes up to the quote around it or the end of the line.
	header = regexp.MustCompile(`(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(\\*["']?\s*[:=]\s*)` + headerValue)
	bearer = regexp.MustCompile(`(?i)\b(bearer)(\s+)[A-Za-z0-9._~+/-]{6,}=*`)
	// A name that may be secret, up to its value.
	pair = regexp.MustCompile(`(?i)([A-Za-z0-9_.-]*(?:` + secretWords + `)[0-9]*)\\*["']?\s*(?:=>|:=|[:=])\s*`)
	flag = regexp.MustCompile(`(?i)((?:^|[\s"'])--?[a-z0-9_.-]*(?:` + secretWords + `)[0-9]*)(\s+)([^\s"'-][^\s"']*|"[^"]*"?|'[^']*'?)`)
	user = regexp.MustCompile(`((?:^|\s)(?:-u|--user|--proxy-user)[\s=]+)\S+:\S+`)
	// Secrets that are known by their shape.
	shapes = regexp.MustCompile(`\b(?:sk-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{16,}|nvapi-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|` +
		`github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abprs]-[A-Za-z0-9-]{10,}|A[KS]IA[0-9A-Z]{16}|` +
		`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)`)
	// The value of a pair: quoted (also with escaped quotes, as in JSON inside
	// JSON), a list, or a word.
	value = regexp.MustCompile(`^(?:[bBrRuU]?"(?:\\.|[^"\\])*"?|[bBrRuU]?'(?:\\.|[^'\\])*'?|\\+"[^"]*"?|\\+'[^']*'?|\[[^\]]*\]?|[^\s,;&"']+)`)
)

const headerValue = `(?:\[[^\]\r\n]*\]?|[^\s"'\\\[](?:="[^"\r\n]*"|='[^'\r\n]*'|[^"'\r\n])*)`

// Redact replaces the secrets in an outside string by Hidden: credentials in
// URLs, authorization headers, bearer tokens, values of api_key=…, --api-key …
// and "api_key": "…", private keys, and well-known token shapes. It works on
// names and shapes: a secret that has neither stays. Redact before cutting a
// string short, or use Safe.
func Redact(s string) string {
	s = pemKey.ReplaceAllString(s, "${1}"+Hidden+"${2}")
	s = userinfo.ReplaceAllString(s, "${1}"+Hidden+"@")
	s = header.ReplaceAllStringFunc(s, func(m string) string {
		g := header.FindStringSubmatch(m)
		if strings.HasPrefix(m[len(g[1])+len(g[2]):], Hidden) {
			return m
		}
		return g[1] + g[2] + Hidden
	})
	s = bearer.ReplaceAllString(s, "${1}${2}"+Hidden)
	s = redactPairs(s)
	s = flag.ReplaceAllStringFunc(s, func(m string) string {
		g := flag.FindStringSubmatch(m)
		if !SecretName(strings.TrimLeft(g[1], " \t\r\n\"'")) {
			return m
		}
		return g[1] + g[2] + Hidden
	})
	s = user.ReplaceAllString(s, "${1}"+Hidden)
	return shapes.ReplaceAllString(s, Hidden)
}

func redactPairs(s string) string {
	var b strings.Builder
	for {
		m := pair.FindStringSubmatchIndex(s)
		if m == nil {
			b.WriteString(s)
			return b.String()
		}
		name, end := s[m[2]:m[3]], m[1]
		b.WriteString(s[:end])
		s = s[end:]
		v := value.FindString(s)
		if v != "" && !strings.ContainsAny(v[:1], `"'[\`) {
			v = strings.TrimRight(v, `)]}>\`) // of what stands around the pair
		}
		if v == "" || !SecretName(name) || harmless(v) {
			continue
		}
		s = s[len(v):]
		b.WriteString(hide(v))
	}
}

// hide keeps the quotes around a value, so that what was JSON still is.
func hide(v string) string {
	open := len(v) - len(strings.TrimLeft(v, `bBrRuU\`))
	if open < len(v) && (v[open] == '"' || v[open] == '\'') {
		q := v[:open+1]
		return q + Hidden + strings.TrimLeft(q, "bBrRuU")
	}
	return Hidden
}

// harmless names the values that say that there is no secret.
func harmless(v string) bool {
	switch strings.ToLower(v) {
	case "none", "null", "nil", "true", "false", `""`, "''", "[]":
		return true
	}
	return false
}

// SecretName says whether the value under a name (a flag, a variable, a JSON
// key, a header) is a secret: api_key, HF_TOKEN, --admin-api-key,
// Authorization. eos_token and max_tokens are not.
func SecretName(name string) bool {
	name = strings.TrimLeft(name, "-")
	return secretName.MatchString(name) && !plainToken.MatchString(name)
}

// RedactArgs returns a copy of a command line without its secrets: values of
// --api-key X, --api-key=X and HF_TOKEN=X whole, the rest as Redact does.
func RedactArgs(args []string) []string {
	out := make([]string, len(args))
	hideNext := false
	for i, a := range args {
		name, v, hasValue := strings.Cut(a, "=")
		switch {
		case hideNext && !strings.HasPrefix(a, "--"):
			out[i], hideNext = Hidden, false
			continue
		case hasValue && SecretName(name) && !harmless(v):
			out[i] = name + "=" + Hidden
		default:
			out[i] = Redact(a)
		}
		hideNext = !hasValue && strings.HasPrefix(a, "-") && SecretName(a) ||
			// curl's; python -u takes no value
			(a == "-u" || a == "--user" || a == "--proxy-user") && i+1 < len(args) && strings.Contains(args[i+1], ":")
	}
	return out
}
