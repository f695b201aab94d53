package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dynascope/sources/catalog"
	"dynascope/sources/prom"
)

// Secrets for the remote server may stand in these variables; on the command
// line they would show in the process list.
const (
	remoteTokenEnv    = "DYNASCOPE_PROMETHEUS_TOKEN"
	remotePasswordEnv = "DYNASCOPE_PROMETHEUS_PASSWORD"
)

// remote are the flags of a server that speaks Prometheus' API.
type remote struct {
	url               string
	bearerFile        string
	username          string
	passwordFile      string
	caFile            string
	certFile, keyFile string
	insecure          bool
	headers           []string
	timeout           time.Duration
}

func (r *remote) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&r.url, "prometheus", "p", "", "ask a Prometheus, Thanos, Mimir or VictoriaMetrics at `URL` instead of scraping")
	f.StringVar(&r.bearerFile, "prometheus-bearer-token-file", "", "`FILE` with its token (or "+remoteTokenEnv+")")
	f.StringVar(&r.username, "prometheus-username", "", "user for basic auth at it")
	f.StringVar(&r.passwordFile, "prometheus-password-file", "", "`FILE` with the password (or "+remotePasswordEnv+")")
	f.StringVar(&r.caFile, "prometheus-ca-file", "", "`FILE` with the CA that signed its certificate")
	f.StringVar(&r.certFile, "prometheus-cert-file", "", "client certificate `FILE` for it")
	f.StringVar(&r.keyFile, "prometheus-key-file", "", "client key `FILE` for it")
	f.BoolVar(&r.insecure, "prometheus-insecure", false, "do not verify its certificate (marked on screen)")
	f.StringArrayVar(&r.headers, "prometheus-header", nil, "`'NAME: VALUE'` sent with every question, such as 'X-Scope-OrgID: team'; 'NAME: @FILE' reads the value (repeatable)")
	f.DurationVar(&r.timeout, "prometheus-timeout", 0, "time it has for one question (default 10s)")
}

// options are the settings as sources/prom takes them.
func (r remote) options(cat *catalog.Catalog) (prom.Options, error) {
	o := prom.Options{
		URL: r.url, BearerFile: r.bearerFile, Username: r.username, PasswordFile: r.passwordFile,
		CAFile: r.caFile, CertFile: r.certFile, KeyFile: r.keyFile, InsecureTLS: r.insecure,
		KeepNames: cat.Keep(), Timeout: r.timeout, Headers: map[string]string{},
	}
	if o.BearerFile == "" && o.Username == "" {
		o.Bearer = os.Getenv(remoteTokenEnv)
	}
	if o.PasswordFile == "" && o.Username != "" {
		o.Password = os.Getenv(remotePasswordEnv)
	}
	for _, h := range r.headers {
		name, value, ok := strings.Cut(h, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" {
			return o, fmt.Errorf("read --prometheus-header: no colon; hint: --prometheus-header 'X-Scope-OrgID: team'")
		}
		if file, ok := strings.CutPrefix(value, "@"); ok {
			content, err := os.ReadFile(file)
			if err != nil {
				return o, fmt.Errorf("read the value of --prometheus-header %s: %w", name, err)
			}
			value = strings.TrimSpace(string(content))
		}
		o.Headers[name] = value
	}
	return o, nil
}
