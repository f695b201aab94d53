package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
)

// intake stores the pages of one target that do not come through a scrape
// loop: the probe's one page, and those of Push. It does with a page what the
// loop does, sample for sample (push_test.go compares the two): target labels
// win over exposed ones, the keep rule drops, a limit or an unreadable line
// refuses the whole page, a series that is no longer there ends, and the scrape
// reports on itself. Like the loop, it remembers what became of each line, so
// that a known one costs its parsing and one append.
//
// It serves one goroutine at a time.
type intake struct {
	s *Store
	t *target

	round   uint64 // of pages; a refused page counts once
	lines   map[string]*line
	dropped map[string]*uint64            // by the keep rule; the round each was last seen in
	series  map[storage.SeriesRef]*stored // of lines
	before  []*stored                     // on the page before this one
	present []*stored                     // on this page
	types   map[string]*family
	good    int // what was remembered after the newest good page
	reports [len(reportNames)]stored
	symbols *labels.SymbolTable
}

// line is one spelling of a series. Two spellings may share a series.
type line struct {
	*stored
	round uint64 // last read in
}

// stored is a series in the database.
type stored struct {
	ref    storage.SeriesRef
	labels labels.Labels
	round  uint64 // last stored in
}

// family is what a page says of a family of metrics.
type family struct {
	typ   model.MetricType
	round uint64 // last named in
}

// typesKept is for how many pages the type of a family that is gone is known.
const typesKept = 10

// The samples by which a scrape reports on itself. The suffix tells them from
// exposed ones, see scrapeAppender.Append.
const (
	reportUp = iota
	reportDuration
	reportScraped
	reportKept
	reportAdded
	reportTimeout
	reportLimit
	reportBytes
)

var reportNames = [...]string{
	reportUp:       "up\xff",
	reportDuration: "scrape_duration_seconds\xff",
	reportScraped:  "scrape_samples_scraped\xff",
	reportKept:     "scrape_samples_post_metric_relabeling\xff",
	reportAdded:    "scrape_series_added\xff",
	reportTimeout:  "scrape_timeout_seconds\xff",
	reportLimit:    "scrape_sample_limit\xff",
	reportBytes:    "scrape_body_size_bytes\xff",
}

var (
	errSampleLimit = errors.New("sample limit exceeded")
	errBodyLimit   = errors.New("body size limit exceeded")
	errNoName      = errors.New("missing metric name (__name__ label)")
)

func newIntake(s *Store, t *target) *intake {
	return &intake{
		s: s, t: t, round: 1,
		lines: map[string]*line{}, dropped: map[string]*uint64{}, series: map[storage.SeriesRef]*stored{},
		types: map[string]*family{}, symbols: labels.NewSymbolTable(),
	}
}

// answer is what a target answered to one scrape.
type answer struct {
	body        []byte // read during the call only
	contentType string
	bytes       int64 // of the page, -1 when it was too long to read
	err         error // why there is no body
}

// tally counts the samples of a page as the scrape reports them.
type tally struct {
	lines, kept, added int
	late               error // why some were not stored: older than the store takes
}

// scrape stores one answer at a time in milliseconds; took is asked when the
// page is in. Its error is the store's: a page that is refused is a scrape that
// failed, which the target's status tells.
func (in *intake) scrape(ctx context.Context, at int64, a answer, took func() time.Duration) error {
	failed := a.err
	open := func() storage.AppenderV2 {
		return in.s.scrapeAppender(ctx, in.t, nil, in, func() error { return failed })
	}
	app := open()
	n, err := in.page(app, at, a.body, a.contentType)
	if err != nil {
		_ = app.Rollback()
		app = open()
		// Without the page: the series of the one before end.
		if err := in.endMissing(app, at); err != nil {
			_ = app.Rollback()
			app = open()
		}
		in.turn(false)
		if failed == nil {
			failed = err
		}
	}
	if err := in.report(app, at, took(), n, a.bytes, failed); err != nil {
		_ = app.Rollback()
		return err
	}
	if err := app.Commit(); err != nil { // it warns by itself
		return err
	}
	return n.late
}

// page appends a page. With an error nothing of it may be committed.
func (in *intake) page(app storage.AppenderV2, at int64, body []byte, contentType string) (n tally, err error) {
	if len(body) == 0 {
		err = in.endMissing(app, at)
		in.turn(false)
		return n, err
	}
	conf := in.t.pool.conf
	parser, err := textparse.New(body, contentType, in.symbols, textparse.ParserOptions{
		FallbackContentType: conf.ScrapeFallbackProtocol.HeaderMediaType(),
	})
	if parser == nil {
		return n, err
	}
	defer func() {
		if err == nil {
			in.turn(true)
		}
	}()
	var (
		tooMany error
		ls      labels.Labels
	)
	for limited := 0; ; {
		entry, err := parser.Next()
		switch {
		case errors.Is(err, io.EOF) && tooMany != nil:
			return n, tooMany
		case errors.Is(err, io.EOF):
			return n, in.endMissing(app, at)
		case err != nil:
			return n, err
		}
		switch entry {
		case textparse.EntrySeries:
		case textparse.EntryType:
			name, typ := parser.Type()
			in.family(name).typ = typ
			continue
		case textparse.EntryHelp:
			name, _ := parser.Help()
			in.family(name)
			continue
		case textparse.EntryUnit:
			name, _ := parser.Unit()
			in.family(name)
			continue
		default:
			continue
		}
		n.lines++
		text, _, v := parser.Series() // the page's own timestamps are not honoured
		if round := in.dropped[string(text)]; round != nil {
			*round = in.round
			continue
		}
		known := in.lines[string(text)]
		var ref storage.SeriesRef
		if known != nil {
			ref, ls = known.ref, known.labels
		} else {
			parser.Labels(&ls)
			if ls = in.t.relabel(ls); ls.IsEmpty() {
				round := in.round
				in.dropped[string(text)] = &round
				continue
			}
			if err := in.t.check(ls); err != nil {
				return n, err
			}
		}
		n.kept++
		if known != nil {
			again := known.round == in.round
			known.round = in.round
			if again {
				continue // the first of two counts
			}
		}
		if limited++; limited > in.t.spec.SampleLimit {
			tooMany = errSampleLimit // the rest is only counted
			continue
		}
		ref, err = app.Append(ref, ls, 0, at, v, nil, nil, storage.AOptions{})
		switch {
		case err == nil:
		case errors.Is(err, storage.ErrOutOfOrderSample), errors.Is(err, storage.ErrOutOfBounds):
			n.late = err
			continue
		case errors.Is(err, storage.ErrDuplicateSampleForTimestamp):
			continue
		default:
			return n, err
		}
		if known == nil {
			known = &line{in.known(ref, ls), in.round}
			in.lines[string(text)] = known
			n.added++
		} else if ref != known.ref && ref != 0 { // the head forgot the series and made it anew
			delete(in.series, known.ref)
			known.ref = ref
			in.series[ref] = known.stored
		}
		if known.stored.round != in.round {
			known.stored.round = in.round
			in.present = append(in.present, known.stored)
		}
	}
}

// known is the series of a reference.
func (in *intake) known(ref storage.SeriesRef, ls labels.Labels) *stored {
	x := in.series[ref]
	if x == nil {
		x = &stored{ref: ref, labels: ls}
		in.series[ref] = x
	}
	return x
}

// endMissing writes stale markers into the series of the page before that are
// not on this one.
func (in *intake) endMissing(app storage.AppenderV2, at int64) error {
	for _, x := range in.before {
		if x.round == in.round {
			continue
		}
		if y := in.series[x.ref]; y != nil && y.round == in.round { // was forgotten and came back
			continue
		}
		_, err := app.Append(x.ref, x.labels, 0, at, math.Float64frombits(value.StaleNaN), nil, nil, storage.AOptions{RejectOutOfOrder: true})
		if err != nil && !errors.Is(err, storage.ErrOutOfOrderSample) && !errors.Is(err, storage.ErrDuplicateSampleForTimestamp) {
			return err
		}
	}
	return nil
}

// turn ends a page. A good one is the occasion to forget the lines that are no
// longer there; so is a row of bad ones that brought too many new lines.
func (in *intake) turn(good bool) {
	n := len(in.lines) + len(in.dropped) + len(in.types)
	if good {
		in.good = n
	}
	if good || n > 2*in.good+1000 {
		before := len(in.lines)
		maps.DeleteFunc(in.lines, func(_ string, l *line) bool { return l.round != in.round })
		maps.DeleteFunc(in.dropped, func(_ string, round *uint64) bool { return *round != in.round })
		maps.DeleteFunc(in.types, func(_ string, f *family) bool { return in.round-f.round > typesKept })
		if len(in.lines) != before {
			clear(in.series)
			for _, l := range in.lines {
				in.series[l.ref] = l.stored
			}
		}
	}
	in.before, in.present = in.present, in.before[:0]
	in.round++
}

func (in *intake) family(name []byte) *family {
	f := in.types[string(name)]
	if f == nil {
		f = &family{typ: model.MetricTypeUnknown}
		in.types[string(name)] = f
	}
	f.round = in.round
	return f
}

// GetMetadata is how the appender learns a family's type.
func (in *intake) GetMetadata(name string) (scrape.MetricMetadata, bool) {
	f := in.types[name]
	if f == nil {
		return scrape.MetricMetadata{}, false
	}
	return scrape.MetricMetadata{MetricFamily: name, Type: f.typ}, true
}

// report appends what a scrape says of itself.
func (in *intake) report(app storage.AppenderV2, at int64, took time.Duration, n tally, bytes int64, failed error) error {
	up := 1.0
	if failed != nil {
		up = 0
	}
	for i, v := range [...]float64{
		reportUp: up, reportDuration: took.Seconds(),
		reportScraped: float64(n.lines), reportKept: float64(n.kept), reportAdded: float64(n.added),
		reportTimeout: scrapeTimeout(in.t.spec.Timeout, in.t.base).Seconds(), reportLimit: float64(in.t.spec.SampleLimit),
		reportBytes: float64(bytes),
	} {
		x := &in.reports[i]
		if x.labels.IsEmpty() {
			x.labels = labels.NewBuilder(in.t.labels).Set(model.MetricNameLabel, strings.TrimSuffix(reportNames[i], "\xff")).Labels()
		}
		ref, err := app.Append(x.ref, x.labels, 0, at, v, nil, nil, storage.AOptions{MetricFamilyName: reportNames[i]})
		switch {
		case err == nil:
			x.ref = ref
		case errors.Is(err, storage.ErrOutOfOrderSample), errors.Is(err, storage.ErrDuplicateSampleForTimestamp):
		default:
			return fmt.Errorf("store the scrape of %s: %w", in.t.instance, err)
		}
	}
	return nil
}

// relabel gives an exposed series the labels it is stored under; empty when it
// is not kept.
func (t *target) relabel(ls labels.Labels) labels.Labels {
	lb := labels.NewBuilder(ls)
	t.labels.Range(func(own labels.Label) {
		if exposed := ls.Get(own.Name); exposed != "" {
			name := model.ExportedLabelPrefix + own.Name
			for lb.Get(name) != "" {
				name = model.ExportedLabelPrefix + name
			}
			lb.Set(name, exposed)
		}
		lb.Set(own.Name, own.Value)
	})
	if !relabel.ProcessBuilder(lb, t.pool.conf.MetricRelabelConfigs...) {
		return labels.EmptyLabels()
	}
	return lb.Labels()
}

// check says why a series makes its whole page be refused, in the scrape
// loop's words.
func (t *target) check(ls labels.Labels) error {
	name := ls.Get(model.MetricNameLabel)
	switch {
	case name == "":
		return errNoName
	case !ls.IsValid(t.pool.conf.MetricNameValidationScheme):
		return fmt.Errorf("invalid metric name or label names: %s", ls.String())
	}
	if n := ls.Len(); n > t.spec.LabelLimit {
		return fmt.Errorf("label_limit exceeded (metric: %.50s, number of labels: %d, limit: %d)", name, n, t.spec.LabelLimit)
	}
	return ls.Validate(func(l labels.Label) error {
		if n := len(l.Name); n > labelNameLimit {
			return fmt.Errorf("label_name_length_limit exceeded (metric: %.50s, label name: %.50s, length: %d, limit: %d)", name, l.Name, n, labelNameLimit)
		}
		if n := len(l.Value); n > labelValueLimit {
			return fmt.Errorf("label_value_length_limit exceeded (metric: %.50s, label name: %.50s, value: %.50q, length: %d, limit: %d)", name, l.Name, l.Value, n, labelValueLimit)
		}
		return nil
	})
}
