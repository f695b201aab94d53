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

	"dynascope/sources/text"
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
	said := text.Safe(err.Error(), maxLine)
	if rest, ok := strings.CutPrefix(said, "server returned HTTP status "); ok {
		return explainStatus(rest, spec, detail)
	}
	var (
		dns     *net.DNSError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		host    x509.HostnameError
		netErr  net.Error
	)
	hint := "is it the metrics port, and the path /metrics?"
	if detail == detailLocal {
		hint = ""
	}
	switch {
	case errors.Is(err, errElsewhere):
		return oneLine(errElsewhere.Error() + ", " + said[strings.LastIndex(said, ": ")+2:] + ", to which the page redirects; hint: add that address itself")
	case errors.As(err, &dns):
		said, hint = "host name not found: "+oneLine(dns.Name), "check the spelling, or the resolver of this host"
		if dns.IsTimeout {
			said, hint = "host name lookup timed out: "+oneLine(dns.Name), "the resolver of this host does not answer; give an IP address"
		}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		said, hint = "no answer within "+timeout.String(), "the server hangs or is overloaded, or a firewall drops the packets"
	case errors.Is(err, syscall.ECONNREFUSED):
		said, hint = "connection refused", "nothing listens there: the process died, is still starting, or uses another port"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		said, hint = "no route to the host", "is it the right network?"
	case errors.As(err, &unknown):
		said, hint = "the certificate is signed by an authority that is not known here", "give its CA file (--ca-file)"
	case errors.As(err, &host):
		said, hint = "the certificate is for another host name", "use the name that it was issued for"
	case errors.As(err, &invalid):
		said, hint = "the certificate is not valid: "+said, "is it expired, or the clock of this host wrong?"
	case strings.Contains(said, "HTTP response to HTTPS client"):
		said, hint = "the server speaks plain http", "write http:// instead of https://"
	case strings.Contains(said, "malformed HTTP response"), strings.Contains(said, "malformed HTTP version"), strings.Contains(said, "malformed HTTP status"):
		said, hint = "the answer is not http", "is it https, or the port of another protocol?"
	case strings.Contains(said, "transport connection broken"), strings.Contains(said, "chunk length"), strings.Contains(said, "chunked encoding"):
		said, hint = "the answer is broken http: "+said[strings.LastIndex(said, "broken: ")+1:], "is it the port of another protocol, or a broken proxy?"
	case strings.Contains(said, "gzip: "), strings.Contains(said, "flate: "):
		said, hint = "the page cannot be decompressed: "+said, "a proxy may compress it against the request"
	case strings.HasSuffix(said, "redirects"):
		said, hint = "the page redirects in a circle: "+said, "give the address where the page is"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		said, hint = "the server closed the connection before it answered", "is the process restarting, or the port one of another protocol?"
	case strings.Contains(said, "body size limit exceeded"):
		said, hint = fmt.Sprintf("the page is larger than %d bytes", spec.BodyLimit), "label values such as request ids may have made it explode; --body-limit takes more"
	case strings.Contains(said, "sample limit exceeded"):
		said, hint = fmt.Sprintf("the page has more than %d samples", spec.SampleLimit), "label values such as request ids may have made it explode; --sample-limit takes more"
	case strings.Contains(said, "label_limit exceeded"), strings.Contains(said, "length_limit exceeded"):
		hint = "the whole page is refused for it"
	case detail == detailHTML || strings.Contains(said, `"<"`) || strings.Contains(said, `"INVALID"`) && strings.Contains(said, "<"):
		said = "the page is html, not metrics"
	case detail == detailJSON && notMetrics(said):
		said = "the page is json, not metrics"
	case notMetrics(said):
		said = "the page is not in the prometheus text format: " + said
	}
	if said = lowerFirst(said); hint != "" {
		said += "; hint: " + hint
	}
	return said
}

// emptyPage is what is wrong with a page that answers and says nothing.
const emptyPage = "the page holds no samples; hint: is it the metrics port, and are the metrics of this process turned on?"

// What the probe can learn from a body.
const (
	detailHTML = "html"
	detailJSON = "json"
	detailTLS  = "tls" // the port wants https

	detailLocal = "local" // not from a body: the page is made in this process
)

// explainStatus words an HTTP status, with the reason that the server gave.
func explainStatus(status string, spec TargetSpec, detail string) string {
	return "the server answered " + strings.ToLower(status) + "; hint: " + statusHint(status[:min(3, len(status))], spec, detail)
}

func statusHint(code string, spec TargetSpec, detail string) string {
	switch code {
	case "400":
		if detail == detailTLS {
			return "the port wants https; write https:// instead of http://"
		}
	case "401", "403":
		if spec.credentials() {
			return "it does not take these credentials"
		}
		return "it wants a token, or a user and password (--bearer-token-file, --username)"
	case "404":
		if detail == detailJSON {
			return "engine started without --enable-metrics?"
		}
		return "another path than /metrics, or an engine started without --enable-metrics?"
	case "407":
		return "a proxy stands there that wants a login; give the target's own address"
	case "429":
		return "it limits requests; a longer --interval asks less"
	case "301", "302", "303", "307", "308":
		return "give the address it redirects to; redirects are not followed with credentials"
	case "500", "502", "503", "504":
		return "the process is starting, or broken"
	}
	return "is it the metrics port, and the path /metrics?"
}

// notMetrics recognises what the text parser says.
func notMetrics(said string) bool {
	for _, part := range []string{"is not a valid start token", "expected ", "invalid metric", "unexpected end of", "unsupported character", "strconv.Parse", "data does not end with"} {
		if strings.Contains(said, part) {
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

// maxLine is the longest text from outside that is shown, in bytes or, of an
// error's, in characters.
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
