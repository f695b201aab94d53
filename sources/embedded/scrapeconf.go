package embedded

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/alecthomas/units"
	config_util "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/scrape"
)

// Longest label name and value; a page with a longer one is refused whole.
const (
	labelNameLimit  = 256
	labelValueLimit = 8 << 10 // vLLM and SGLang put whole configurations into one label
)

// pool is one scrape job of the manager: targets that share credentials, TLS
// settings and limits. A pool with credentials serves one origin only.
type pool struct {
	name   string // the manager's job name; not the job label
	conf   *config.ScrapeConfig
	client *http.Client // for probes
	users  int          // targets, guarded by Store.mu
}

// poolFor finds or makes the pool of a target; s.mu is held.
func (s *Store) poolFor(spec TargetSpec, u *url.URL) (*pool, error) {
	origin := ""
	if spec.credentials() {
		origin = u.Scheme + "://" + u.Host
	}
	loopback := isLoopback(u.Hostname())
	key := fmt.Sprintf("%q %d %d %d %t %t", []string{
		origin, spec.Bearer, spec.BearerFile, spec.Username, spec.Password, spec.PasswordFile,
		spec.CAFile, spec.CertFile, spec.KeyFile,
	}, spec.BodyLimit, spec.SampleLimit, spec.LabelLimit, spec.InsecureTLS, loopback)
	if p, ok := s.pools[key]; ok {
		return p, nil
	}

	sc := config.DefaultScrapeConfig // a copy
	yes := true
	s.lastID++
	sc.JobName = fmt.Sprintf("pool-%d", s.lastID)
	sc.ScrapeInterval, sc.ScrapeTimeout = model.Duration(10*time.Second), model.Duration(time.Second) // targets carry their own
	// Asking for the plain format alone keeps the names as the catalogue knows
	// them; an OpenMetrics page is understood all the same.
	sc.ScrapeProtocols = []config.ScrapeProtocol{config.PrometheusText0_0_4}
	sc.ScrapeFallbackProtocol = config.PrometheusText0_0_4 // pages without a content type
	sc.HonorTimestamps = false                             // a page cannot put samples into the future
	sc.ExtraScrapeMetrics = &yes                           // scrape_body_size_bytes
	sc.EnableCompression = !loopback
	sc.BodySizeLimit = units.Base2Bytes(spec.BodyLimit)
	sc.SampleLimit, sc.LabelLimit = uint(spec.SampleLimit), uint(spec.LabelLimit)
	sc.LabelNameLengthLimit, sc.LabelValueLengthLimit = labelNameLimit, labelValueLimit
	sc.HTTPClientConfig = httpConfig(spec)
	if err := sc.HTTPClientConfig.Validate(); err != nil {
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	if rule := keepRule(s.opts.KeepNames); rule != nil {
		sc.MetricRelabelConfigs = []*relabel.Config{rule}
	}
	if err := sc.Validate(s.base.GlobalConfig); err != nil {
		return nil, err
	}
	// The manager would only log that a certificate cannot be read.
	client, err := config_util.NewClientFromConfig(sc.HTTPClientConfig, sc.JobName, s.http...)
	if err != nil {
		return nil, fmt.Errorf("%w; hint: are the certificate files there and readable?", err)
	}
	p := &pool{name: sc.JobName, conf: &sc, client: client}
	s.pools[key] = p
	return p, nil
}

func httpConfig(spec TargetSpec) config_util.HTTPClientConfig {
	c := config_util.DefaultHTTPClientConfig // a copy
	c.EnableHTTP2 = false
	// Redirects are followed, and connTracker refuses to leave for an address
	// that is no target. The engine's client takes all ports of a host for one
	// place, so with credentials none is followed.
	c.FollowRedirects = !spec.credentials()
	if spec.Bearer != "" || spec.BearerFile != "" {
		c.Authorization = &config_util.Authorization{
			Type: "Bearer", Credentials: config_util.Secret(spec.Bearer), CredentialsFile: spec.BearerFile,
		}
	}
	if spec.Username != "" || spec.Password != "" || spec.PasswordFile != "" {
		c.BasicAuth = &config_util.BasicAuth{
			Username: spec.Username, Password: config_util.Secret(spec.Password), PasswordFile: spec.PasswordFile,
		}
	}
	c.TLSConfig.CAFile, c.TLSConfig.CertFile, c.TLSConfig.KeyFile = spec.CAFile, spec.CertFile, spec.KeyFile
	c.TLSConfig.InsecureSkipVerify = spec.InsecureTLS
	return c
}

// keepRule drops every metric that is not named. Its verdict is cached by the
// scraper per line, so a long list costs nothing in the long run.
func keepRule(names []string) *relabel.Config {
	if names == nil {
		return nil
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = regexp.QuoteMeta(n)
	}
	rule := relabel.DefaultRelabelConfig // a copy
	rule.SourceLabels = model.LabelNames{model.MetricNameLabel}
	rule.Regex = relabel.MustNewRegexp(strings.Join(quoted, "|"))
	rule.Action = relabel.Keep
	return &rule
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// wake makes the reconciler look again.
func (s *Store) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// reconcile tells the manager about pools, targets and intervals. It is the
// only goroutine that does: the manager's calls can wait for a hanging scrape.
func (s *Store) reconcile() {
	var applied []*config.ScrapeConfig
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.kick:
		}
		confs, sets, moved := s.plan()
		if !sameConfs(applied, confs) {
			cfg := *s.base
			cfg.ScrapeConfigs = confs
			if err := s.manager.ApplyConfig(&cfg); err != nil {
				s.log.Error("apply the scrape configuration", "err", err)
			}
			applied = confs
		}
		for name, loops := range moved {
			s.manager.DisableEndOfRunStalenessMarkers(name, loops)
		}
		select {
		case <-s.ctx.Done():
			return
		case s.sets <- sets:
		}
	}
}

// plan is what the manager shall know, and by pool the running loops whose
// interval changed. Those may not write their end-of-run stale markers: they
// would come about two intervals late, into series that go on.
func (s *Store) plan() (confs []*config.ScrapeConfig, sets map[string][]*targetgroup.Group, moved map[string][]*scrape.Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sets, moved = map[string][]*targetgroup.Group{}, map[string][]*scrape.Target{}
	for key, p := range s.pools {
		if p.users == 0 {
			p.client.CloseIdleConnections()
			delete(s.pools, key)
			continue
		}
		confs = append(confs, p.conf)
	}
	for _, t := range s.targets {
		if t.fed || t.local != nil {
			continue
		}
		groups := sets[t.pool.name]
		if groups == nil {
			groups = []*targetgroup.Group{{Source: t.pool.name}}
			sets[t.pool.name] = groups
		}
		groups[0].Targets = append(groups[0].Targets, t.discovered())
		if t.applied != t.interval {
			t.mu.Lock()
			if t.loop != nil {
				moved[t.pool.name] = append(moved[t.pool.name], t.loop)
			}
			t.mu.Unlock()
			t.applied = t.interval
		}
	}
	return confs, sets, moved
}

func sameConfs(a, b []*config.ScrapeConfig) bool {
	if len(a) != len(b) {
		return false
	}
	have := map[*config.ScrapeConfig]bool{}
	for _, c := range a {
		have[c] = true
	}
	for _, c := range b {
		if !have[c] {
			return false
		}
	}
	return true
}

// discovered are the labels by which the manager runs a target; Store.mu is
// held.
func (t *target) discovered() model.LabelSet {
	ls := model.LabelSet{
		model.AddressLabel:        model.LabelValue(t.url.Host),
		model.SchemeLabel:         model.LabelValue(t.url.Scheme),
		model.MetricsPathLabel:    model.LabelValue(t.url.Path),
		model.ScrapeIntervalLabel: model.LabelValue(model.Duration(t.interval).String()),
		model.ScrapeTimeoutLabel:  model.LabelValue(model.Duration(scrapeTimeout(t.spec.Timeout, t.interval)).String()),
		idLabel:                   model.LabelValue(t.id),
	}
	for k, vs := range t.url.Query() {
		ls[model.LabelName(model.ParamLabelPrefix+k)] = model.LabelValue(vs[0])
	}
	for n, v := range t.labels.Map() {
		ls[model.LabelName(n)] = model.LabelValue(v)
	}
	return ls
}
