package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"dynascope/sources"
)

// sampler is a local page that can be changed, failed and hung.
type sampler struct {
	mu    sync.Mutex
	body  string
	err   error
	hang  chan struct{} // deaf to its context until it closes
	calls int
}

func (p *sampler) page(context.Context) ([]byte, error) {
	p.mu.Lock()
	p.calls++
	body, err, hang := p.body, p.err, p.hang
	p.mu.Unlock()
	if hang != nil {
		<-hang
	}
	return []byte(body), err
}

func (p *sampler) set(change func(p *sampler)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func addLocal(t *testing.T, s *Store, spec LocalSpec) *Local {
	t.Helper()
	spec.Interval = fast
	l, err := s.AddLocal(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLocalPageIsATarget(t *testing.T) {
	s := open(t, Options{KeepNames: []string{"g", "c_total"}})
	p := &sampler{body: "# TYPE c_total counter\ng{gpu=\"0\"} 7\ndropped 1\n"}
	l := addLocal(t, s, LocalSpec{Instance: "node3 gpus", Labels: map[string]string{"source": "nvml"}, Role: "gpu", Page: p.page})
	eventually(t, "its sample", isValue(t, s, `g{job="dynascope",instance="node3 gpus",source="nvml",gpu="0"}`, 7))
	eventually(t, "up", isValue(t, s, `up{instance="node3 gpus"}`, 1))
	if !absent(t, s, "dropped")() {
		t.Error("KeepNames does not hold for it")
	}
	got := only(t, s, "node3 gpus")
	if got.Health != sources.HealthUp || got.Role != "gpu" || got.URL != "local:node3 gpus" || got.Interval != fast || got.Samples != 2 {
		t.Errorf("%+v", got)
	}

	p.set(func(p *sampler) { p.body += "c_total 5\n" })
	eventually(t, "the first burst counts", isValue(t, s, `increase(c_total[1m]) > bool 4`, 1))

	p.set(func(p *sampler) { p.err = errors.New("Driver is \x1b[31mlost") })
	eventually(t, "its series end", absent(t, s, "g"))
	eventually(t, "down", isValue(t, s, `up`, 0))
	if got := only(t, s, "node3 gpus"); got.Health != sources.HealthDown || got.Error != "driver is lost" {
		t.Errorf("%+v", got)
	}
	p.set(func(p *sampler) { p.err = nil })
	eventually(t, "it comes back", isValue(t, s, "g", 7))

	if err := s.Remove("node3 gpus"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all of it ends", absent(t, s, `count({instance="node3 gpus"})`))
	if len(s.Targets()) != 0 {
		t.Error("removed, and still listed")
	}
	if err := l.Remove(); err == nil {
		t.Error("removed twice")
	}
}

func TestLocalPageThatHangs(t *testing.T) {
	s := open(t, Options{})
	p := &sampler{body: "g 1\n"}
	l := addLocal(t, s, LocalSpec{Instance: "h", Page: p.page})
	eventually(t, "a sample", isValue(t, s, "g", 1))
	hang := make(chan struct{})
	p.set(func(p *sampler) { p.hang, p.calls = hang, 0 })
	eventually(t, "its series end", absent(t, s, "g"))
	eventually(t, "its error", func() bool { return strings.Contains(l.Status().Error, "did not answer within its interval") })
	last := l.Status().LastScrape
	eventually(t, "each interval is a failed scrape", func() bool { return l.Status().LastScrape.After(last.Add(3 * fast)) })
	p.set(func(p *sampler) {
		if p.calls != 1 {
			t.Errorf("called %d times while it hangs", p.calls)
		}
		p.hang = nil
	})
	close(hang)
	eventually(t, "it comes back", isValue(t, s, "g", 1))
}

func TestCloseDoesNotWaitForAHungPage(t *testing.T) {
	s, err := Open(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	hang := make(chan struct{})
	defer close(hang)
	entered := make(chan struct{}, 1)
	_, err = s.AddLocal(t.Context(), LocalSpec{Instance: "h", Interval: time.Minute, Page: func(context.Context) ([]byte, error) {
		entered <- struct{}{}
		<-hang
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	<-entered
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// A quiet page lives beside a scraped target of its instance, and neither ends
// the other's series.
func TestQuietLocalPage(t *testing.T) {
	s, f := open(t, Options{}), newFake(t, "scraped 1\n")
	instance := add(t, s, f.URL)
	p, q := &sampler{body: "engine 2\n"}, &sampler{body: "other 3\n"}
	l := addLocal(t, s, LocalSpec{Instance: instance, Quiet: true, Page: p.page})
	addLocal(t, s, LocalSpec{Instance: instance, Quiet: true, Page: q.page, Labels: map[string]string{"of": "q"}})
	series := func(name string) string { return fmt.Sprintf("%s{instance=%q}", name, instance) }
	eventually(t, "all three", func() bool {
		return isValue(t, s, series("scraped"), 1)() && isValue(t, s, series("engine"), 2)() && isValue(t, s, series("other"), 3)()
	})
	eventually(t, "one up, one target", isValue(t, s, `count({__name__=~"up|scrape_duration_seconds"})`, 2))
	if n := len(s.Targets()); n != 1 {
		t.Errorf("%d targets", n)
	}
	if _, err := s.AddLocal(t.Context(), LocalSpec{Instance: instance, Quiet: true, Page: p.page}); err == nil {
		t.Error("the same labels twice")
	}
	p.set(func(p *sampler) { p.err = errors.New("no /v1/loads") })
	eventually(t, "the quiet one ends alone", absent(t, s, "engine"))
	if l.Status().Error != "no /v1/loads" || l.Status().Health != sources.HealthDown {
		t.Errorf("%+v", l.Status())
	}
	if only(t, s, instance).Health != sources.HealthUp || hole(t, s, "scraped") || absent(t, s, "other")() {
		t.Error("it took others along")
	}
	p.set(func(p *sampler) { p.err = nil })
	eventually(t, "back", isValue(t, s, "engine", 2))
	f.set(func(f *fake) { f.status = 503 })
	eventually(t, "the page ends", absent(t, s, "scraped"))
	if absent(t, s, "engine")() {
		t.Error("a dead page ended the quiet series")
	}
	if err := l.Remove(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it ends", absent(t, s, "engine"))
	if absent(t, s, "other")() {
		t.Error("Local.Remove ended the series of another")
	}
	if err := s.Remove(instance); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all of the instance ends", absent(t, s, `count({instance!=""})`))
}

func TestLocalPageIsRefused(t *testing.T) {
	page := func(context.Context) ([]byte, error) { return nil, nil }
	s := open(t, Options{})
	for name, spec := range map[string]LocalSpec{
		"no instance": {Page: page},
		"control":     {Instance: "a\x1b", Page: page},
		"no page":     {Instance: "a"},
		"taken label": {Instance: "a", Page: page, Labels: map[string]string{"job": "x"}},
		"short":       {Instance: "a", Page: page, Interval: time.Millisecond},
	} {
		if _, err := s.AddLocal(t.Context(), spec); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := s.AddLocal(t.Context(), LocalSpec{Instance: "a", Page: page}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddLocal(t.Context(), LocalSpec{Instance: "a", Page: page}); err == nil {
		t.Error("twice")
	}
	if _, err := s.Push(TargetSpec{URL: "http://h:1"}); err == nil {
		t.Error("fed by hand beside a local page")
	}
	fed := open(t, Options{})
	if _, err := fed.Push(TargetSpec{URL: "http://h:1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := fed.AddLocal(t.Context(), LocalSpec{Instance: "a", Page: page}); err == nil {
		t.Error("a local page beside one fed by hand")
	}
}
