package prom

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"dynascope/sources/text"
)

// Options say which server is asked and how. Only URL is required.
type Options struct {
	// URL of the server, with its path prefix if it has one:
	// "https://mimir.example/prometheus". The scheme defaults to http.
	// user:password@ is moved to Username and Password and never shown.
	URL string

	// Bearer or BearerFile, or Username with Password or PasswordFile. Files
	// are read again for every request, so that a token may be renewed.
	Bearer, BearerFile               string
	Username, Password, PasswordFile string
	// CAFile replaces the system's authorities. The client certificate is read
	// again for every connection.
	CAFile, CertFile, KeyFile string
	InsecureTLS               bool // do not verify the server's certificate
	// Headers are sent with every request, such as X-Scope-OrgID. Their values
	// are never shown.
	Headers map[string]string

	// KeepNames are the exact series names that make a scraped target one of
	// ours; nil takes every target of the server.
	KeepNames []string

	Timeout    time.Duration // of one question, default 10 s
	BodyLimit  int64         // of one answer, uncompressed, default 32 MiB
	MaxSamples int           // in one answer, default 1 million

	// Refresh is the least time between two looks at the targets, default 5 s;
	// targets that are scraped less often are looked at as often as that.
	Refresh time.Duration
}

const (
	maxSteps   = 11_000 // columns of a range, as the API has it
	secretSize = 64 << 10
)

// complete fills in defaults and returns the server's address without
// credentials. Its errors never repeat the text before an @.
func (o *Options) complete() (*url.URL, error) {
	raw := strings.TrimSpace(o.URL)
	safe := text.Safe(raw[strings.LastIndex(raw, "@")+1:], 120)
	bad := func(what string) (*url.URL, error) {
		return nil, fmt.Errorf("read the server's address %q: %s; hint: write it like http://host:9090 or https://host/prometheus", safe, what)
	}
	if raw == "" {
		return bad("it is empty")
	}
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return bad("not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return bad("only http and https can be asked")
	case u.Hostname() == "":
		return bad("it names no host")
	case u.RawQuery != "" || u.Fragment != "":
		return bad("it has parameters")
	}
	if u.User != nil {
		if o.Username+o.Password+o.PasswordFile+o.Bearer+o.BearerFile != "" {
			return bad("it holds a user, and credentials are given besides")
		}
		o.Username = u.User.Username()
		o.Password, _ = u.User.Password()
		u.User = nil
	}
	u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/api/v1")
	o.URL = u.String()
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.BodyLimit <= 0 {
		o.BodyLimit = 32 << 20
	}
	if o.MaxSamples <= 0 {
		o.MaxSamples = 1_000_000
	}
	if o.Refresh <= 0 {
		o.Refresh = 5 * time.Second
	}
	return u, o.checkCredentials()
}

func (o *Options) checkCredentials() error {
	bearer, basic := o.Bearer+o.BearerFile != "", o.Username+o.Password+o.PasswordFile != ""
	switch {
	case o.Bearer != "" && o.BearerFile != "":
		return errors.New("read the credentials: a token and a file with one; hint: give one of them")
	case o.Password != "" && o.PasswordFile != "":
		return errors.New("read the credentials: a password and a file with one; hint: give one of them")
	case bearer && basic:
		return errors.New("read the credentials: a bearer token and a user; hint: give one of them")
	case basic && o.Username == "":
		return errors.New("read the credentials: a password without a user; hint: give the user too")
	case (o.CertFile == "") != (o.KeyFile == ""):
		return errors.New("read the client certificate: certificate and key belong together; hint: give both files")
	}
	for name, value := range o.Headers {
		switch {
		case !headerName(name) || strings.ContainsAny(value, "\r\n\x00"):
			return fmt.Errorf("read header %q: not a header; hint: write it like X-Scope-OrgID: team", text.Safe(name, 60))
		case http.CanonicalHeaderKey(name) == "Host", http.CanonicalHeaderKey(name) == "Content-Length":
			return fmt.Errorf("read header %q: it cannot be set", text.Safe(name, 60))
		case http.CanonicalHeaderKey(name) == "Authorization" && (bearer || basic):
			return errors.New("read the headers: Authorization, and credentials besides; hint: give one of them")
		}
	}
	for _, f := range []string{o.BearerFile, o.PasswordFile} {
		if f == "" {
			continue
		}
		if _, err := readSecret(f); err != nil {
			return err
		}
	}
	return nil
}

func headerName(s string) bool {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)) {
			return false
		}
	}
	return s != ""
}

// readSecret reads a one-line file; its errors name the file and nothing of
// what is in it.
func readSecret(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("read the credentials: %w; hint: is the file there and readable?", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, secretSize+1))
	s := strings.TrimSpace(string(b))
	switch {
	case err != nil:
		return "", fmt.Errorf("read the credentials: %w", err)
	case len(b) > secretSize:
		return "", fmt.Errorf("read the credentials: %s is larger than %d bytes; hint: is it the right file?", file, secretSize)
	case s == "":
		return "", fmt.Errorf("read the credentials: %s is empty", file)
	case strings.ContainsAny(s, "\r\n\x00"):
		return "", fmt.Errorf("read the credentials: %s has several lines; hint: the file holds the secret alone", file)
	}
	return s, nil
}

// tlsConfig reads the certificates.
func (o *Options) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{InsecureSkipVerify: o.InsecureTLS}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the certificate authority: %w; hint: is the file there and readable?", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read the certificate authority: %s holds no certificate; hint: it must be PEM", o.CAFile)
		}
	}
	if o.CertFile != "" {
		load := func() (*tls.Certificate, error) {
			cert, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
			if err != nil {
				return nil, fmt.Errorf("read the client certificate: %w; hint: both files must be PEM and belong together", err)
			}
			return &cert, nil
		}
		if _, err := load(); err != nil {
			return nil, err
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	}
	return c, nil
}
