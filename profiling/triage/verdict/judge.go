package verdict

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"dynascope/sources"
)

// Input is what a judgement is a function of.
type Input struct {
	// Snap answered Needs of the same rules, in a tick that also asked for the
	// events of Span.
	Snap  *sources.Snapshot
	Base  Baselines // may be nil
	SLA   SLA
	Rules []Rule
}

// Judge judges one moment.
func Judge(in Input) *Judgement {
	c := newMatter(in.Snap, in.Rules, in.Base, in.SLA)
	j := &Judgement{At: Moment{c, c.columns - 1}.At(), State: Healthy}
	for k := range in.Rules {
		r := &in.Rules[k]
		if note, blind := c.blind(r); blind {
			j.Blind = append(j.Blind, Blind{r.Code, r.Title, note})
			continue
		}
		on, past := c.judge(r, k)
		j.Verdicts, j.Past = append(j.Verdicts, on...), append(j.Past, past...)
	}
	j.silence(in.Rules)
	slices.SortStableFunc(j.Verdicts, worstFirst)
	slices.SortStableFunc(j.Past, newestFirst)
	j.Have, j.Want = c.filled(in.Rules)
	switch {
	case len(j.Verdicts) > 0 && j.Verdicts[0].Severity == Critical:
		j.State = Critic
	case len(j.Verdicts) > 0 && j.Verdicts[0].Severity == Warning:
		j.State = Warned
	case !c.anything():
		j.State = Unknown
	case j.Have < j.Want:
		j.State = Learning
	}
	return j
}

func worstFirst(a, b Verdict) int {
	return cmp.Or(-cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.rank, b.rank), -cmp.Compare(a.score, b.score),
		a.Since.Compare(b.Since), cmp.Compare(a.Culprit.Name, b.Culprit.Name))
}

func newestFirst(a, b Verdict) int { return cmp.Or(b.Until.Compare(a.Until), worstFirst(a, b)) }

// track follows one culprit over the columns.
type track struct {
	on     bool
	firing int // columns in a row at Fires
	clear  int // columns in a row below Stays, while on
	since  int // first column of the firing that began it
	seen   int // last column with a finding
	last   Finding
}

// judge follows one rule over every column and tells what is on at the last,
// and what was and ended.
func (c *matter) judge(r *Rule, order int) (on, past []Verdict) {
	hold, release := int(r.Hold/Step), int(r.Release/Step)
	tracks := map[[2]string]*track{}
	for i := range c.columns {
		for _, f := range r.Judge(Moment{c, i}) {
			if f.Level == Clear {
				continue
			}
			k := [2]string{f.Culprit.Kind, f.Culprit.Name}
			t := tracks[k]
			if t == nil {
				t = &track{seen: -1}
				tracks[k] = t
			}
			if t.seen != i-1 {
				t.firing = 0
			}
			t.seen, t.last, t.clear = i, f, 0
			if f.Level == Fires {
				t.firing++
			} else {
				t.firing = 0
			}
			if !t.on && t.firing > hold {
				t.on, t.since = true, i-t.firing+1
			}
		}
		for _, t := range tracks {
			if t.on && t.seen < i {
				if t.clear++; t.clear > release {
					t.on = false
					v := c.tell(r, order, t)
					v.Until = Moment{c, t.seen + 1}.At()
					past = append(past, v)
				}
			}
		}
	}
	for _, t := range tracks {
		if t.on {
			on = append(on, c.tell(r, order, t))
		}
	}
	return on, past
}

func (c *matter) tell(r *Rule, order int, t *track) Verdict {
	s := r.Tell(Moment{c, t.seen}, t.last)
	v := Verdict{
		Code: r.Code, Title: cmp.Or(s.Title, r.Title), Severity: t.last.Severity, Sentence: s.Sentence, Evidence: s.Evidence,
		Culprit: t.last.Culprit, Since: Moment{c, t.since}.At(), Open: t.since == 0, Advice: s.Advice, Missing: s.Missing, Key: r.Key,
		score: t.last.Score, rank: r.Rank*1000 + order,
	}
	v.After = c.after(v)
	return v
}

// causal is how long after an event a verdict may begin to be told with it.
const causal = 2 * time.Minute

// after finds what happened shortly before a verdict began: the newest event,
// one of the culprit's own before any other.
func (c *matter) after(v Verdict) *sources.Event {
	if v.Open {
		return nil
	}
	all := c.snap.Events
	from := sort.Search(len(all), func(i int) bool { return !all[i].At.After(v.Since) })
	var found *sources.Event
	for i := from; i < len(all) && v.Since.Sub(all[i].At) <= causal; i++ {
		e := &all[i]
		own := e.Worker != "" && e.Worker == v.Culprit.Worker || e.Instance != "" && e.Instance == v.Culprit.Instance
		if own {
			return e
		}
		if found == nil && (e.Kind.Bad() || e.Kind == sources.EventAppeared || e.Kind == sources.EventScaled || e.Kind == sources.EventRole) {
			found = e
		}
	}
	return found
}

// silence moves away what an active verdict explains, and marks what another
// one explained while both lasted. Silent verdicts still explain others, so
// that a chain leaves its first cause.
func (j *Judgement) silence(rules []Rule) {
	by := map[string][]Silence{}
	for _, r := range rules {
		by[r.Code] = r.Silenced
	}
	all := j.Verdicts
	ever := slices.Concat(all, j.Past)
	for i := range j.Past {
		v := &j.Past[i]
		for _, s := range by[v.Code] {
			if slices.ContainsFunc(ever, func(o Verdict) bool {
				return o.Code == s.Code && (!s.Same || same(o.Culprit, v.Culprit)) && o.Since.Before(v.Until) && (o.Until.IsZero() || v.Since.Before(o.Until))
			}) {
				v.SilencedBy = s.Code
				break
			}
		}
	}
	j.Verdicts = nil
	for _, v := range all {
		for _, s := range by[v.Code] {
			if slices.ContainsFunc(all, func(o Verdict) bool { return o.Code == s.Code && (!s.Same || same(o.Culprit, v.Culprit)) }) {
				v.SilencedBy = s.Code
				break
			}
		}
		if v.SilencedBy != "" {
			j.Silenced = append(j.Silenced, v)
		} else {
			j.Verdicts = append(j.Verdicts, v)
		}
	}
	slices.SortStableFunc(j.Silenced, worstFirst)
}

func same(a, b Culprit) bool {
	return a.Worker != "" && a.Worker == b.Worker || a.Instance != "" && a.Instance == b.Instance || a.Kind == b.Kind && a.Name == b.Name
}

// blind says whether no family that could prove a rule exists, and the flag
// that would bring one.
func (c *matter) blind(r *Rule) (note string, blind bool) {
	for _, n := range r.Proof {
		f := c.needs[course(n)].fig
		if f.Status != sources.StatusAbsent {
			return "", false
		}
		if note == "" {
			note = f.Note
		}
	}
	return note, len(r.Proof) > 0
}

// anything says whether any figure has a number or says that nothing happens.
func (c *matter) anything() bool {
	for _, g := range c.needs {
		if g.fig.Live() || g.fig.Status == sources.StatusIdle {
			return true
		}
	}
	return false
}

// filled is how much of the longest look-back the store fills.
func (c *matter) filled(rules []Rule) (have, want time.Duration) {
	for _, r := range rules {
		w := r.Hold
		longest := time.Duration(0)
		for _, n := range r.Needs {
			if g := c.needs[course(n)]; looksBack(n.Form) && g.fig.HasValue() {
				longest = max(longest, g.fig.Window)
			}
		}
		// A column more, for the first that is filled, and one for the last that
		// is not there yet.
		want = max(want, longest+w+2*Step)
	}
	have = time.Duration(c.snap.At.UnixMilli()-c.oldest) * time.Millisecond
	return min(have, want), want
}
