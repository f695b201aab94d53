package triage

import (
	"math"
	"slices"
	"time"

	"dynascope/sources"
)

// Part says how a stage of routing relates to the others.
type Part string

// The parts. Only a Leaf is ever added to anything.
const (
	Leaf Part = "leaf"
	// Encloses: the stage contains others, or what happens on the worker.
	Encloses Part = "encloses"
	// Again: the same interval as another stage, measured once more.
	Again Part = "again"
	// Apart: whether it lies inside another stage is not known.
	Apart Part = "apart"
)

// RoutingStage is one stage that the frontend or its router exports, over
// the window.
type RoutingStage struct {
	Key   string // of the catalogue
	Title string
	// Note says what the stage is or is not, where its family's name misleads.
	Note string
	Part Part
	// Share is the stage's time over that of all leaves, 0…1; NaN for what is
	// no leaf and where nothing is known.
	Share  float64
	Peak   Peak
	Status sources.Status // of the mean
	Needs  []sources.Need // mean and buckets, then the courses where they are asked
}

// The stages in the order in which a request meets them.
var routingStages = [...]RoutingStage{
	{Key: "stage.preprocess", Title: "preprocess", Part: Leaf},
	{Key: "router.overhead.block_hashing", Title: "block hashing", Part: Leaf},
	{Key: "router.overhead.seq_hashing", Title: "sequence hashing", Part: Leaf},
	{Key: "router.overhead.find_matches", Title: "find matches", Part: Leaf},
	{Key: "router.overhead.shared_cache", Title: "shared cache query", Part: Apart, Note: "whether find matches contains it is not known: not added"},
	{Key: "router.overhead.scheduling", Title: "scheduling + queue", Part: Leaf, Note: "the wait in the router's queue is in it"},
	{Key: "router.overhead.total", Title: "router total", Part: Encloses, Note: "encloses hashing, matching and scheduling"},
	{Key: "stage.route", Title: "route, frontend's", Part: Leaf, Note: "in KV mode the router's own stages have the time"},
	{Key: "request_plane.queue", Title: "envelope preparation", Part: Leaf, Note: "its family is called queue; nothing waits there"},
	{Key: "request_plane.send", Title: "send to worker", Part: Leaf, Note: "the worker's acknowledgement is in it"},
	{Key: "stage.transport", Title: "transport round trip", Part: Encloses, Note: "encloses sending, the worker's queue, prefill and first token"},
	{Key: "request_plane.roundtrip_ttft", Title: "send to first answer", Part: Again, Note: "the same interval as the transport round trip"},
	{Key: "stage.postprocess", Title: "postprocess", Part: Leaf},
}

// Course is the time axis on which stages are compared with their own past:
// columns of Step over Span, each looking back over Look.
type Course struct{ Span, Step, Look time.Duration }

// CourseColumns is how many columns every course of the stages has.
const CourseColumns = 60

// RoutingCourse is the axis for a window: ten minutes, more when the window
// is longer, and in the first minutes the next round time that holds what
// there is.
func RoutingCourse(window, have time.Duration) Course {
	step := 10 * time.Second
	if w := window / CourseColumns; w > step {
		step = w.Round(time.Second)
	}
	if have < window {
		for _, s := range [...]time.Duration{time.Second, 2 * time.Second, 5 * time.Second} {
			if have <= s*CourseColumns {
				step = s
				break
			}
		}
	}
	return Course{Span: CourseColumns * step, Step: step, Look: max(30*time.Second, 2*step)}
}

// Over asks a need on the axis.
func (c Course) Over(n sources.Need) sources.Need {
	if n.Form != sources.FormNow {
		n.Window = c.Look
	}
	return n.Over(c.Span, c.Step)
}

func (c Course) spent(key string) sources.Need {
	return c.Over(sources.Need{Key: key, Form: sources.FormSumRate})
}

func (c Course) visits(key string) sources.Need {
	return c.Over(sources.Need{Key: key, Form: sources.FormCount})
}

// Points lays a series on the axis' columns, the newest last; NaN where
// nothing is known.
func (c Course) Points(s sources.Series, now time.Time) []float64 {
	out := make([]float64, CourseColumns)
	for i := range out {
		out[i] = math.NaN()
	}
	step := c.Step.Milliseconds()
	last := now.UnixMilli() / step
	for _, p := range s.Points {
		if i := int64(CourseColumns-1) - (last - p.T/step); i >= 0 && i < CourseColumns {
			out[i] = p.V
		}
	}
	return out
}

// At is the end of column i.
func (c Course) At(i int, now time.Time) time.Time {
	step := c.Step.Milliseconds()
	return time.UnixMilli((now.UnixMilli()/step - int64(CourseColumns-1-i)) * step).UTC()
}

// RoutingStageNeeds are the figures that RoutingStages reads. The courses of
// stages that the snapshot shows as absent are not asked for.
func RoutingStageNeeds(s *sources.Snapshot, c Course) []sources.Need {
	var out []sources.Need
	for _, st := range routingStages {
		out = append(out, st.needs(s, c)...)
	}
	return out
}

func (st RoutingStage) needs(s *sources.Snapshot, c Course) []sources.Need {
	out := []sources.Need{mean(st.Key), {Key: st.Key, Form: sources.FormBuckets}}
	if st.Part != Again && s != nil && s.Figure(mean(st.Key)).Status != sources.StatusAbsent {
		out = append(out, c.spent(st.Key), c.visits(st.Key))
	}
	return out
}

// RoutingStages reads the stages of a snapshot whose ticks asked
// RoutingStageNeeds, absent ones included.
func RoutingStages(s *sources.Snapshot, c Course) []RoutingStage {
	out := slices.Clone(routingStages[:])
	spent := make([]float64, len(out))
	sum := 0.0
	for i := range out {
		st := &out[i]
		f := s.Figure(mean(st.Key))
		st.Status, st.Share = f.Status, math.NaN()
		st.Needs = st.needs(s, c)
		if s == nil {
			continue
		}
		st.Peak = peakOf(StageMeans(s, st.Key, c), StageVisits(s, st.Key, c), c, s.At)
		b, ok := s.Figure(sources.Need{Key: st.Key, Form: sources.FormBuckets}).Buckets()
		if v, has := f.Value(); has && ok && v >= 0 && st.Part == Leaf {
			// The time spent in a stage is its mean times its visits, so that
			// stages that are visited twice count twice.
			spent[i] = v * b.N
			if !math.IsInf(spent[i], 0) && !math.IsNaN(spent[i]) {
				sum += spent[i]
			}
		}
	}
	for i := range out {
		if sum > 0 && out[i].Part == Leaf && s.Figure(mean(out[i].Key)).HasValue() && spent[i] <= sum {
			out[i].Share = spent[i] / sum
		}
	}
	return out
}

// StageMeans is a stage's mean over the course, NaN in columns without visits.
func StageMeans(s *sources.Snapshot, key string, c Course) []float64 {
	spent, visits := StageTime(s, key, c), StageVisits(s, key, c)
	for i := range spent {
		if visits[i] > 0 {
			spent[i] *= c.Look.Seconds() / visits[i]
		} else {
			spent[i] = math.NaN()
		}
	}
	return spent
}

// StageTime is the time spent in a stage per second over the course.
func StageTime(s *sources.Snapshot, key string, c Course) []float64 {
	return c.first(s, c.spent(key))
}

// StageVisits is how often a stage was visited within each column's look-back.
func StageVisits(s *sources.Snapshot, key string, c Course) []float64 {
	return c.first(s, c.visits(key))
}

func (c Course) first(s *sources.Snapshot, n sources.Need) []float64 {
	var one sources.Series
	if f := s.Figure(n); len(f.Series) > 0 {
		one = f.Series[0]
	}
	if s == nil {
		return c.Points(one, time.Time{})
	}
	return c.Points(one, s.At)
}

// StageShares is the share of each stage in the time of all leaves, by column:
// nil for a column in which nothing is known. Keys are those of the leaves.
func StageShares(s *sources.Snapshot, keys []string, c Course) [][]float64 {
	out := make([][]float64, CourseColumns)
	times := make([][]float64, len(keys))
	for k, key := range keys {
		times[k] = StageTime(s, key, c)
	}
	for i := range out {
		sum := 0.0
		for k := range keys {
			if v := times[k][i]; v > 0 && !math.IsInf(v, 0) {
				sum += v
			}
		}
		if !(sum > 0) || math.IsInf(sum, 0) {
			continue
		}
		out[i] = make([]float64, len(keys))
		for k := range keys {
			if v := times[k][i]; v > 0 && !math.IsInf(v, 0) {
				out[i][k] = v / sum
			}
		}
	}
	return out
}

// Leaves are the keys of the stages that may be added up, in their order.
func Leaves() []string {
	var out []string
	for _, st := range routingStages {
		if st.Part == Leaf {
			out = append(out, st.Key)
		}
	}
	return out
}

// Peak is the highest mean of a stage in its course beside the median of the
// same course.
type Peak struct {
	// Marked: it stands out, by factor and by time.
	Marked        bool
	Factor        float64
	Value, Median float64
	At            time.Time
	// Over is the time from which the median was taken.
	Over time.Duration
}

// What makes a peak: no number of the references. A mean of few visits is
// chance; a stage that took half a millisecond longer changes no TTFT.
const (
	leastVisits = 5               // of a column
	leastPast   = 2 * time.Minute // of columns that a median is taken from
	peakFactor  = 3               // times the median
	peakExcess  = 5e-4            // seconds above the median
)

func peakOf(means, visits []float64, c Course, now time.Time) Peak {
	var seen []float64
	at, first := -1, -1
	for i, v := range means {
		if !(visits[i] >= leastVisits) || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			continue
		}
		if first < 0 {
			first = i
		}
		seen = append(seen, v)
		if at < 0 || v > means[at] {
			at = i
		}
	}
	if time.Duration(len(seen))*c.Step < leastPast {
		return Peak{}
	}
	slices.Sort(seen)
	p := Peak{Value: means[at], Median: seen[len(seen)/2], At: c.At(at, now), Over: time.Duration(len(means)-first) * c.Step}
	if p.Median > 0 {
		p.Factor = p.Value / p.Median
		p.Marked = p.Factor >= peakFactor && p.Value-p.Median >= peakExcess
	}
	return p
}

// RouterMode is what kind of router the families show.
type RouterMode string

// The modes.
const (
	ModeUnknown    RouterMode = ""           // nothing was scraped yet
	ModeKV         RouterMode = "kv"         // the frontend routes by KV overlap
	ModePlain      RouterMode = "plain"      // the frontend routes without KV: round robin, random
	ModeStandalone RouterMode = "standalone" // a router process of its own
	ModeNone       RouterMode = "none"       // no router family at all
)

var (
	needRouted    = sources.Need{Key: "router.requests", Form: sources.FormTotal, By: "instance"}
	needDecisions = sources.Need{Key: "router.overhead.total", Form: sources.FormTotal}
	needKVEvents  = sources.Need{Key: "router.kv_events", Form: sources.FormRate}
)

// RouterModeNeeds are the figures that RouterModeOf reads.
func RouterModeNeeds() []sources.Need {
	return []sources.Need{needDecisions, needRouted, needRegistered, needKVEvents}
}

// RouterModeOf tells the router's kind. Overhead and request families are no
// sign by themselves: a frontend without KV mode has both, at zero (seen at
// 1.6.1 with round robin; earlier ones lack the overhead). A KV router has
// taken decisions, or lists workers, or applies KV events; a standalone one
// has request families on a page that is no frontend's.
func RouterModeOf(s *sources.Snapshot) RouterMode {
	decisions, routed := s.Figure(needDecisions), s.Figure(needRouted)
	if v, ok := decisions.Value(); ok && v > 0 {
		return ModeKV
	}
	for _, g := range routed.Series {
		if t, ok := s.Target(g.Labels["instance"]); ok && t.Role != "frontend" {
			return ModeStandalone
		}
	}
	known := func(f *sources.Figure) bool {
		return f.Status != sources.StatusPending && (f.Status != sources.StatusError || f.HasValue())
	}
	there := func(f *sources.Figure) bool { return known(f) && f.Status != sources.StatusAbsent }
	switch {
	case !known(decisions) || !known(routed):
		return ModeUnknown
	case there(decisions) && (len(s.Figure(needRegistered).Series) > 0 || there(s.Figure(needKVEvents))):
		return ModeKV
	case there(decisions) || there(routed):
		return ModePlain
	}
	return ModeNone
}
