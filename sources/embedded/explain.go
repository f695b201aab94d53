package embedded

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"
)

// explain turns what a scrape failed with into one line for the screen:
// lower case, without control characters, without the URL (its parameters may
// be secrets), with a hint where there is something to do. timeout is the one
// in force, detail what the probe learned from the body.
func explain(err error, spec TargetSpec, timeout time.Duration, detail string) string {
	if err == nil {
		return ""
	}
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err
	}
	text := oneLine(err.Error())
	if rest, ok := strings.CutPrefix(text, "server returned HTTP status "); ok {
		return explainStatus(rest, spec, detail)
	}
	var (
		dns     *net.DNSError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		host    x509.HostnameError
		netErr  net.Error
	)
	hint := ""
	switch {
	case errors.Is(err, errElsewhere):
		return oneLine(errElsewhere.Error() + ", " + text[strings.LastIndex(text, ": ")+2:] + ", to which the page redirects; hint: add that address itself")
	case errors.As(err, &dns):
		text, hint = "host name not found: "+oneLine(dns.Name), "check the spelling, or the resolver of this host"
		if dns.IsTimeout {
			text, hint = "host name lookup timed out: "+oneLine(dns.Name), "the resolver of this host does not answer; give an IP address"
		}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		text, hint = "no answer within "+timeout.String(), "the server hangs or is overloaded, or a firewall drops the packets"
	case errors.Is(err, syscall.ECONNREFUSED):
		text, hint = "connection refused", "nothing listens there: the process died, is still starting, or uses another port"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		text, hint = "no route to the host", "is it the right network?"
	case errors.As(err, &unknown):
		text, hint = "the certificate is signed by an authority that is not known here", "give its CA file"
	case errors.As(err, &host):
		text, hint = "the certificate is for another host name", "use the name that it was issued for"
	case errors.As(err, &invalid):
		text, hint = "the certificate is not valid: "+text, "is it expired, or the clock of this host wrong?"
	case strings.Contains(text, "HTTP response to HTTPS client"):
		text, hint = "the server speaks plain http", "write http:// instead of https://"
	case strings.Contains(text, "malformed HTTP response"):
		text, hint = "the answer is not http", "is it https, or the port of another protocol?"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		text, hint = "the server closed the connection before it answered", "is the process restarting, or the port one of another protocol?"
	case strings.Contains(text, "body size limit exceeded"):
		text, hint = fmt.Sprintf("the page is larger than %d bytes", spec.BodyLimit), "label values such as request ids may have made it explode"
	case strings.Contains(text, "sample limit exceeded"):
		text, hint = fmt.Sprintf("the page has more than %d samples", spec.SampleLimit), "label values such as request ids may have made it explode"
	case strings.Contains(text, "label_limit exceeded"), strings.Contains(text, "length_limit exceeded"):
		hint = "the whole page is refused for it"
	case detail == detailHTML || strings.Contains(text, `"<"`) || strings.Contains(text, `"INVALID"`) && strings.Contains(text, "<"):
		text, hint = "the page is html, not metrics", "is it the metrics port, and the path /metrics?"
	case notMetrics(text):
		text, hint = "the page is not in the prometheus text format: "+text, "is it the metrics port, and the path /metrics?"
	}
	out := lowerFirst(text)
	if hint != "" {
		out += "; hint: " + hint
	}
	return out
}

// What the probe can learn from a body.
const (
	detailHTML = "html"
	detailJSON = "json"
)

func explainStatus(status string, spec TargetSpec, detail string) string {
	out := "the server answered " + strings.ToLower(status)
	switch status[:min(3, len(status))] {
	case "401", "403":
		if spec.credentials() {
			return out + "; hint: it does not take these credentials"
		}
		return out + "; hint: it wants a token, or a user and password"
	case "404":
		if detail == detailJSON {
			return out + "; hint: engine started without --enable-metrics?"
		}
		return out + "; hint: another path than /metrics, or an engine started without --enable-metrics?"
	case "301", "302", "303", "307", "308":
		return out + "; hint: give the address it redirects to; redirects are not followed with credentials"
	case "500", "502", "503", "504":
		return out + "; hint: the process is starting, or broken"
	}
	return out
}

// notMetrics recognises what the text parser says.
func notMetrics(text string) bool {
	for _, part := range []string{"is not a valid start token", "expected ", "invalid metric", "unexpected end of", "strconv.ParseFloat", "data does not end with"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

func lowerFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if len(s) > n && unicode.IsUpper(rune(s[n])) { // an abbreviation
		return s
	}
	return string(unicode.ToLower(r)) + s[n:]
}

// maxLine is the longest text from outside that is shown, in bytes.
const maxLine = 300

// oneLine makes a text from outside harmless for a terminal: control,
// formatting and invalid characters become spaces, and it is cut at maxLine.
func oneLine(s string) string {
	clean := func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}
	s = strings.Map(clean, s)
	if len(s) <= maxLine {
		return s
	}
	cut := maxLine
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
