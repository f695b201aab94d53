package sources

import "time"

// Form is what is asked of a metric.
type Form string

// The forms. Which ones fit depends on the metric's kind; the catalogue
// refuses the rest.
const (
	// FormNow is a gauge's present value, merged by the catalogue's combine.
	FormNow Form = "now"
	// FormRate is a counter's growth per second over the window.
	FormRate Form = "rate"
	// FormIncrease is a counter's growth over the window.
	FormIncrease Form = "increase"
	// FormTotal is a counter's raw value since its process started; of a
	// histogram its raw observation count.
	FormTotal Form = "total"
	// FormMean is a histogram's sum over count within the window.
	FormMean Form = "mean"
	// FormCount is the number of a histogram's observations in the window.
	FormCount Form = "count"
	// FormSumRate is the growth per second of a histogram's sum.
	FormSumRate Form = "sumrate"
	// FormBuckets is a histogram's cumulative count per edge in the window:
	// series with an le label, read by BucketsOf.
	FormBuckets Form = "buckets"
	// FormExpr is a derived metric's own expression.
	FormExpr Form = "expr"
)

// Need is one question to the feed: a catalogue key in a form. It is
// comparable, so that equal questions of several panes are asked once.
type Need struct {
	Key  string
	Form Form
	// By lists canonical label names, separated by commas, that stay apart in
	// the answer ("instance,dp_rank"). Empty means one number for all.
	By string
	// Window is the look-back of rates and histograms; zero means the frame's.
	Window time.Duration
	// Span, when positive, asks for the course over this much time up to now
	// in columns of Step, instead of one instant value.
	Span, Step time.Duration
}

// Over returns the same question as a course over time.
func (n Need) Over(span, step time.Duration) Need {
	n.Span, n.Step = span, step
	return n
}

// IsRange says whether the need asks for a course over time.
func (n Need) IsRange() bool { return n.Span > 0 }
