package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/scrape"

	"dynascope/sources"
)

// TargetSpec is what to scrape and how. Only URL is required.
type TargetSpec struct {
	// URL of the page: "http://host:8000/metrics". The scheme defaults to http
	// and the path to /metrics. user:password@ is moved to Username and
	// Password and never shown.
	URL string
	// Labels are put on every series of the target, besides job="dynascope"
	// and instance="host:port".
	Labels map[string]string
	// Interval defaults to 1 s and may grow (interval.go). Timeout defaults to
	// the interval, at most 1 s, and never exceeds the interval.
	Interval, Timeout time.Duration

	// BodyLimit in bytes, uncompressed, default 8 MiB; SampleLimit counts the
	// samples that are kept, default 20000; LabelLimit the labels of one
	// series with job, instance and name, default 40. A page over a limit is
	// refused whole.
	BodyLimit               int64
	SampleLimit, LabelLimit int

	Bearer, BearerFile               string
	Username, Password, PasswordFile string
	CAFile, CertFile, KeyFile        string
	InsecureTLS                      bool // do not verify the server's certificate
}

func (sp TargetSpec) credentials() bool {
	return sp.Bearer+sp.BearerFile+sp.Username+sp.Password+sp.PasswordFile+sp.CertFile+sp.KeyFile != ""
}

// idLabel is an internal label by which an appender finds its target.
const idLabel = "__dynascope_id__"

type target struct {
	id       string
	instance string
	addr     string // host:port, as dialled
	url      *url.URL
	spec     TargetSpec // defaults filled in
	pool     *pool
	labels   labels.Labels // on every series: job, instance, spec.Labels
	base     time.Duration
	fed      bool   // by hand, see Push: no scrape loop, no probe
	local    *Local // its page is made here: no scrape loop, no probe
	quiet    bool   // local, and joined to another target's instance

	// Guarded by Store.mu.
	interval time.Duration   // in force
	applied  time.Duration   // told to the manager
	waits    []time.Duration // of the last scrapes at this interval

	writing sync.Mutex // held while one scrape is committed
	removed bool       // guarded by writing

	mu       sync.Mutex // guards the rest
	loop     *scrape.Target
	prevGood int64 // time of the newest good scrape, milliseconds
	known    map[uint64]struct{}
	status   sources.Target
	detail   string // what the first answer told beyond its status
	learned  bool   // there was such an answer
}

// Add begins to scrape a target and returns its instance label: host:port, or
// host:port/path where another target has that address. It returns at once;
// the first sample is there after one round trip. Adding a URL twice is an
// error. The context bounds only the call.
func (s *Store) Add(ctx context.Context, spec TargetSpec) (instance string, err error) {
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("add target: %w", err)
	}
	if !s.enter(&s.appending) { // holds Close off until the probe is started
		return "", errors.New("add target: the store is closed")
	}
	defer s.appending.Done()
	t, err := s.register(spec, false)
	if err != nil {
		return "", err
	}
	s.own(func() { s.probe(t) })
	s.wake()
	return t.instance, nil
}

// register lists a new target.
func (s *Store) register(spec TargetSpec, fed bool) (*target, error) {
	u, err := parseTarget(&spec)
	if err != nil {
		return nil, err
	}
	if err := checkLabels(spec.Labels); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	instance := u.Host
	for _, t := range s.targets {
		if t.fed != fed {
			return nil, fmt.Errorf("add target %s: a store is fed by hand or scrapes, not both", shown(u))
		}
		if t.quiet {
			continue
		}
		if *t.url == *u {
			return nil, fmt.Errorf("add target %s: it is already scraped as %s", shown(u), t.instance)
		}
		if t.instance == instance {
			instance = u.Host + u.Path
		}
	}
	if slices.ContainsFunc(s.targets, func(t *target) bool { return !t.quiet && t.instance == instance }) {
		return nil, fmt.Errorf("add target %s: %s is already scraped, over another scheme or with other parameters", shown(u), instance)
	}
	p, err := s.poolFor(spec, u)
	if err != nil {
		return nil, fmt.Errorf("add target %s: %w", shown(u), err)
	}
	s.lastID++
	t := &target{
		id: strconv.Itoa(s.lastID), instance: instance, addr: u.Host, url: u, spec: spec, pool: p,
		base: spec.Interval, interval: spec.Interval, fed: fed, known: map[uint64]struct{}{},
		status: sources.Target{
			Instance: instance, URL: shown(u), BaseInterval: spec.Interval,
			Insecure: u.Scheme == "https" && spec.InsecureTLS,
		},
	}
	t.labels = seriesLabels(spec.Labels, job, instance)
	s.list(t)
	if !fed {
		s.conns.allow(t.addr)
	}
	return t, nil
}

// list takes a target in; s.mu is held.
func (s *Store) list(t *target) {
	t.pool.users++
	s.targets = append(s.targets, t)
	s.byID[t.id] = t
	s.noteSlowest(s.since(t.fed))
	s.noteTargets()
}

// unlist takes the target at index i out; s.mu is held.
func (s *Store) unlist(i int) {
	t := s.targets[i]
	s.targets = slices.Delete(s.targets, i, i+1)
	delete(s.byID, t.id)
	t.pool.users--
	s.noteSlowest(s.since(t.fed))
	s.noteTargets()
}

// Remove ends a target and the quiet local pages that are joined to it: their
// series end now, a scrape under way is cut off.
func (s *Store) Remove(instance string) error {
	var gone []*target
	s.mu.Lock()
	for i := 0; i < len(s.targets); {
		if t := s.targets[i]; t.instance == instance {
			gone = append(gone, t)
			s.unlist(i)
			continue
		}
		i++
	}
	s.mu.Unlock()
	if len(gone) == 0 {
		return fmt.Errorf("remove target %s: no such target", oneLine(instance))
	}
	for _, t := range gone {
		s.end(t)
	}
	s.wake()
	return nil
}

// end lets no more samples of an unlisted target in and ends its series.
func (s *Store) end(t *target) {
	if t.local != nil {
		t.local.end()
	} else {
		s.conns.forbid(t.addr)
	}
	t.writing.Lock()
	defer t.writing.Unlock()
	t.removed = true
	if !t.quiet {
		s.endSeries(t.instance, s.now().UnixMilli(), true)
	}
}

// Targets is what is scraped, in the order added.
func (s *Store) Targets() []sources.Target {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]sources.Target, 0, len(s.targets))
	for _, t := range s.targets {
		if t.quiet {
			continue
		}
		t.mu.Lock()
		st := t.status
		t.mu.Unlock()
		st.Interval, st.Slowed = t.interval, t.interval > t.base
		out = append(out, st)
	}
	return out
}

func (s *Store) target(id string) *target {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id]
}

// observe feeds one scrape at the given interval to the interval policy.
func (s *Store) observe(t *target, at time.Duration, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.steady || at != t.interval {
		return // a scrape from before the change
	}
	if len(t.waits) == shrinkAfter {
		t.waits = slices.Delete(t.waits, 0, 1)
	}
	t.waits = append(t.waits, wait)
	if next := nextInterval(t.base, t.interval, t.waits); next != t.interval {
		t.interval, t.waits = next, nil
		s.noteSlowest(time.Now())
		s.wake()
	}
}

// parseTarget returns the full URL of a target without credentials and fills
// in what spec leaves open. Its errors never repeat the text before an @.
func parseTarget(spec *TargetSpec) (*url.URL, error) {
	raw := strings.TrimSpace(spec.URL)
	safe := oneLine(raw[strings.LastIndex(raw, "@")+1:])
	bad := func(what string) (*url.URL, error) {
		return nil, fmt.Errorf("read target address %q: %s; hint: write it like http://host:8000/metrics", safe, what)
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
		return bad("only http and https are scraped")
	case u.Hostname() == "":
		return bad("no host")
	case u.Fragment != "":
		return bad("a page has no #fragment")
	}
	host := strings.ToLower(u.Hostname())
	if i := strings.IndexFunc(host, func(r rune) bool { return r <= ' ' || r > '~' }); i >= 0 {
		return bad("the host name is not plain ASCII")
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return bad("the port is not in 1…65535")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return bad("the query part is malformed")
	}
	for _, vs := range query {
		if len(vs) > 1 {
			return bad("a query parameter is given twice")
		}
	}
	if u.User != nil {
		if spec.Username+spec.Password+spec.PasswordFile+spec.Bearer+spec.BearerFile != "" {
			return bad("credentials are given both in the address and beside it")
		}
		spec.Username = u.User.Username()
		spec.Password, _ = u.User.Password()
	}
	path := u.Path
	if path == "" || path == "/" {
		path = "/metrics"
	}
	spec.URL = ""
	if err := spec.fill(); err != nil {
		return bad(err.Error())
	}
	return &url.URL{Scheme: u.Scheme, Host: net.JoinHostPort(host, port), Path: path, RawQuery: query.Encode()}, nil
}

// fill puts the defaults of what is scraped how often and how much.
func (sp *TargetSpec) fill() error {
	fill(&sp.Interval, time.Second)
	fill(&sp.BodyLimit, 8<<20)
	fill(&sp.SampleLimit, 20_000)
	fill(&sp.LabelLimit, 40)
	sp.Interval = sp.Interval.Round(time.Millisecond) // as fine as the manager's labels
	if sp.Interval < 10*time.Millisecond {
		return fmt.Errorf("an interval of %v is too short", sp.Interval)
	}
	return nil
}

func fill[T int | int64 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// shown is a target's URL for the screen: parameters may be secrets.
func shown(u *url.URL) string {
	out := u.Scheme + "://" + u.Host + u.EscapedPath()
	if u.RawQuery != "" {
		out += "?…"
	}
	return oneLine(out)
}

func checkLabels(ls map[string]string) error {
	for n, v := range ls {
		switch {
		case !model.LegacyValidation.IsValidLabelName(n) || strings.HasPrefix(n, "__"):
			return fmt.Errorf("add target: %q cannot be a label name; hint: letters, digits and _", oneLine(n))
		case n == model.JobLabel || n == model.InstanceLabel || n == model.BucketLabel || n == model.QuantileLabel:
			return fmt.Errorf("add target: the label %s is taken", n)
		case !model.LabelValue(v).IsValid():
			return fmt.Errorf("add target: the value of label %s is not valid UTF-8", n)
		}
	}
	return nil
}
