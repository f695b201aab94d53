package prom

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"dynascope/sources/text"
)

// lineLength is the longest error text taken from a server, in characters.
const lineLength = 160

// answerError is an answer that is not the API's: a status with its reason.
type answerError struct {
	status int
	said   string // by the server, sanitised
	kind   string // errorType of the API, when the body has one
	html   bool
}

func newAnswerError(resp *http.Response, body []byte) *answerError {
	e := &answerError{status: resp.StatusCode}
	var v struct {
		ErrorType string `json:"errorType"`
		Error     string `json:"error"`
	}
	trimmed := strings.ToLower(strings.TrimSpace(string(body[:min(len(body), 512)])))
	switch {
	case json.Unmarshal(body, &v) == nil && v.Error != "":
		e.said, e.kind = text.Safe(v.Error, lineLength), text.Clean(v.ErrorType, 40)
	case strings.HasPrefix(trimmed, "<"), strings.Contains(resp.Header.Get("Content-Type"), "text/html"):
		e.html = true
	default:
		e.said = text.Safe(string(body[:min(len(body), 4096)]), lineLength)
	}
	return e
}

func (e *answerError) Error() string {
	what := fmt.Sprintf("it answered %d %s", e.status, http.StatusText(e.status))
	switch {
	case e.html:
		what += " with a web page"
	case e.status/100 == 2 && e.said == "":
		what += " with nothing"
	case e.said != "":
		what += ": " + e.said
	}
	return what + e.hint()
}

func (e *answerError) hint() string {
	switch {
	case e.status == http.StatusUnauthorized:
		return "; hint: give a bearer token, or a user and a password"
	case e.status == http.StatusForbidden:
		return "; hint: these credentials may not ask; a proxy may also forbid POST and long GETs"
	case e.status == http.StatusNotFound, e.status/100 == 2:
		return "; hint: the address must be that of the API without /api/v1, with its prefix, such as /prometheus"
	case e.status == http.StatusTooManyRequests:
		return "; hint: the server limits questions; a longer interval asks less"
	case e.status == http.StatusServiceUnavailable:
		return "; hint: the server is starting, overloaded, or the question took too long"
	case e.status/100 == 5:
		return "; hint: the server's own log says more"
	case strings.Contains(e.said, "HTTPS"):
		return "; hint: write https:// instead of http://"
	}
	return "; hint: does a Prometheus-compatible API answer there, and nothing in between?"
}

// refused words why a question failed, in one line.
func (s *Store) refused(asker context.Context, err error) error {
	if err == nil {
		return nil
	}
	if s.ctx.Err() != nil {
		return errClosed
	}
	if asker.Err() != nil {
		return fmt.Errorf("ask %s: %w", s.shown, asker.Err())
	}
	return &refusal{fmt.Sprintf("ask %s: %s", s.shown, reason(err)), err}
}

// refusal keeps the cause of a line that was made safe to print.
type refusal struct {
	line  string
	cause error
}

func (r *refusal) Error() string { return r.line }
func (r *refusal) Unwrap() error { return r.cause }

func reason(err error) string {
	var (
		api      *v1.Error
		status   *answerError
		away     *redirectError
		dns      *net.DNSError
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		record   tls.RecordHeaderError
		own      *plainError
	)
	said := text.Safe(err.Error(), lineLength)
	switch {
	case errors.As(err, &status), errors.As(err, &away):
		return text.Safe(err.Error(), 2*lineLength)
	case errors.As(err, &api):
		return apiReason(api)
	case errors.As(err, &dns):
		return said + "; hint: check the server's name"
	case errors.Is(err, syscall.ECONNREFUSED):
		return said + "; hint: is the server running, and the port right?"
	case errors.As(err, &unknown):
		return said + "; hint: name the file of the authority that signed it"
	case errors.As(err, &hostname), errors.As(err, &invalid):
		return said + "; hint: the certificate is not for this address, or not valid now"
	case errors.As(err, &record):
		return said + "; hint: http or https?"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		// A TLS port cuts off plain HTTP, sometimes before its answer is read.
		return said + "; hint: http or https? check the address, and the proxy in the environment"
	case errors.Is(err, errUnreachable):
		return said + "; hint: check the address, firewalls and the proxy in the environment"
	case errors.As(err, &own):
		return text.Safe(err.Error(), 3*lineLength) // with its hint
	}
	return unreadable(said) // the decoder's errors have no type
}

func apiReason(e *v1.Error) string {
	said := text.Safe(e.Msg, lineLength)
	switch e.Type {
	case v1.ErrBadData:
		return "it refused the question: " + said + "; hint: is the server too old for it?"
	case v1.ErrTimeout, v1.ErrCanceled:
		return "the question took it too long: " + said + "; hint: a shorter span, a longer step or one deployment"
	case v1.ErrExec:
		return "it could not answer: " + said + "; hint: a shorter span, a longer step or one deployment"
	case v1.ErrBadResponse:
		return unreadable(said)
	}
	return text.Safe(string(e.Type), 40) + ": " + said + "; hint: the server's own log says more"
}

func unreadable(said string) string {
	said, _, _ = strings.Cut(said, ", error found in #") // and pieces of the answer
	return "its answer cannot be read: " + said + "; hint: does a Prometheus-compatible API answer there?"
}

// plainError is a complete sentence of ours.
type plainError struct{ error }

func (e *plainError) Unwrap() error { return e.error }

func plainf(format string, args ...any) error { return &plainError{fmt.Errorf(format, args...)} }
