package embedded

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dynascope/sources"
)

// BenchmarkVirtualHour feeds 16 targets for a virtual hour at 10 s: a frontend
// and 15 workers, every number of every page moving. It prints core-s/h, the
// processor time of the whole process (the TSDB's compactions included) for one
// virtual hour; the aim is 15.
func BenchmarkVirtualHour(b *testing.B) {
	pages := []*moving{newMoving(recorded(b, "1.6.1", "agg", "after", "frontend.metrics.txt"), 1<<30)}
	small := recorded(b, "1.6.1", "agg", "after", "worker0.metrics.txt")
	large := recorded(b, "sglang-0.5.23", "collectors.metrics.txt")
	for k := range 15 {
		pages = append(pages, newMoving(small+large, 180+30*k))
	}
	lines := 0
	for _, p := range pages {
		lines += len(p.values)
	}
	began := cpu(b)
	for b.Loop() {
		s, err := Open(b.Context(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		var feeds []*Pushed
		for k := range pages {
			p, err := s.Push(TargetSpec{URL: fmt.Sprintf("http://worker%d:9090", k), Interval: 10 * time.Second})
			if err != nil {
				b.Fatal(err)
			}
			feeds = append(feeds, p)
		}
		start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		for i := range 360 {
			for k, p := range feeds {
				at := start.Add(time.Duration(i)*10*time.Second + time.Duration(k)*600*time.Millisecond)
				if err := p.Page(at, pages[k].render(i), time.Millisecond); err != nil {
					b.Fatal(err)
				}
			}
		}
		for _, x := range s.Targets() {
			if x.Health != sources.HealthUp {
				b.Fatalf("%+v", x)
			}
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((cpu(b)-began).Seconds()/float64(b.N), "core-s/h")
	b.ReportMetric(float64(lines*360), "samples/h")
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// moving is a page whose numbers grow.
type moving struct {
	text   []string // before each number, and after the last
	values []float64
	out    []byte
}

// newMoving keeps the first most samples of a page.
func newMoving(page string, most int) *moving {
	m, head := &moving{}, ""
	for l := range strings.Lines(page) {
		text, number, _ := strings.Cut(strings.TrimSpace(l), "} ")
		if !strings.Contains(l, "} ") {
			text, number, _ = strings.Cut(strings.TrimSpace(l), " ")
		} else {
			text += "}"
		}
		v, err := strconv.ParseFloat(number, 64)
		if strings.HasPrefix(l, "#") || err != nil {
			head += l
			continue
		}
		if len(m.values) == most {
			break
		}
		m.text, m.values, head = append(m.text, head+text+" "), append(m.values, v), "\n"
	}
	return m
}

// render is the page at round i; it is good until the next call.
func (m *moving) render(i int) []byte {
	m.out = m.out[:0]
	for k, v := range m.values {
		m.out = append(m.out, m.text[k]...)
		m.out = strconv.AppendFloat(m.out, v+float64(i*(k%17+1)), 'g', -1, 64)
	}
	return append(m.out, '\n')
}
