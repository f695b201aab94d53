package report

import (
	"fmt"
	"math"
	"strings"

	"dynascope/profiling/triage"
	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// Outlook is how much of the work keeps what was promised, how fast that uses up
// what may miss, and how much more load fits.
type Outlook struct {
	Goodput   triage.Goodput
	TTFT, ITL triage.Burning
	Headroom  triage.Headroom
}

// OutlookNeeds are the figures that OutlookOf reads.
func OutlookNeeds() []sources.Need { return append(triage.BurnNeeds(), triage.HeadroomNeeds()...) }

// OutlookOf reads a snapshot whose tick asked OutlookNeeds.
func OutlookOf(s *sources.Snapshot, sla verdict.SLA) Outlook {
	p := triage.Promise{TTFT: sla.TTFT, ITL: sla.ITL}
	o := Outlook{Goodput: triage.GoodputOf(s, p, triage.BurnShort), Headroom: triage.HeadroomOf(s, p)}
	o.TTFT, o.ITL = triage.BurnOf(s, p)
	return o
}

// Lines say it, each with what is asked before two blanks.
func (o Outlook) Lines() (out []string) {
	kept := func(name, of string, b triage.Burning) {
		k := b.Short.Kept
		if k.Promised <= 0 {
			return
		}
		if math.IsNaN(k.Lo) {
			out = append(out, name+"  no "+of+" in "+text.Age(triage.BurnShort))
			return
		}
		s := fmt.Sprintf("%s of %s %s within %s in %s", text.Share(k.Lo, k.Hi), text.Count(k.N), of, text.Duration(k.Promised.Seconds()), text.Age(k.Window))
		if name == "TTFT" && !math.IsNaN(o.Goodput.RequestsLo) {
			s += ": goodput " + between(o.Goodput.RequestsLo, o.Goodput.RequestsHi, "requests/s")
		}
		out = append(out, name+"  "+s)
		out = append(out, "burn  "+burnWords(b))
	}
	kept("TTFT", "requests", o.TTFT)
	kept("ITL", "token gaps", o.ITL)
	for _, c := range o.Headroom.Ceilings {
		if math.IsNaN(c.Rate.Value) {
			out = append(out, "room  "+c.Resource+": not known, "+c.Why)
			continue
		}
		out = append(out, fmt.Sprintf("room  %s: at most %s requests/s (%s), %s now; %s of %s; %s", c.Resource, number3(c.Rate.Value), interval(c), number3(o.Headroom.Rate),
			text.Value(c.Now, c.Unit), text.Value(c.Max, c.Unit), c.Method))
	}
	if len(o.Headroom.Missing) > 0 {
		out = append(out, "room  not exported here, and would show another ceiling: "+strings.Join(o.Headroom.Missing, ", "))
	}
	return out
}

// burnWords say how fast the budget goes, over both windows.
func burnWords(b triage.Burning) string {
	s := between(b.Short.Lo, b.Short.Hi, "times") + " what may miss (" + text.Percent(1-b.Short.Objective) + ")"
	switch {
	case b.Long.Part:
		s += "; the store holds no hour yet"
	case !math.IsNaN(b.Long.Lo):
		s += "; " + between(b.Long.Lo, b.Long.Hi, "times") + " over " + text.Age(b.Long.Window)
	}
	return s
}

func between(lo, hi float64, unit string) string {
	if number3(lo) == number3(hi) {
		return number3(lo) + " " + unit
	}
	return number3(lo) + "–" + number3(hi) + " " + unit
}

func interval(c triage.Ceiling) string {
	if math.IsNaN(c.Rate.Lo) {
		return "no interval"
	}
	hi := "no end"
	if !math.IsInf(c.Rate.Hi, 1) {
		hi = number3(c.Rate.Hi)
	}
	return fmt.Sprintf("%s–%s at %s", number3(c.Rate.Lo), hi, text.Percent(c.Rate.Level))
}

// number3 is a number with three digits that count.
func number3(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return strings.TrimSpace(text.Value(v, ""))
}

type outlookDoc struct {
	Goodput  goodputDoc         `json:"goodput"`
	Burn     map[string]burnDoc `json:"burn"`
	Headroom headroomDoc        `json:"headroom"`
}

type goodputDoc struct {
	RequestsLo number `json:"requests_per_s_lo"`
	RequestsHi number `json:"requests_per_s_hi"`
}

type burnDoc struct {
	PromisedS number     `json:"promised_s"`
	Objective number     `json:"objective"`
	Windows   []burnOver `json:"windows"`
}

type burnOver struct {
	WindowS number `json:"window_s"`
	N       number `json:"n"`
	ShareLo number `json:"share_lo"`
	ShareHi number `json:"share_hi"`
	BurnLo  number `json:"burn_lo"`
	BurnHi  number `json:"burn_hi"`
	Part    bool   `json:"part"`
}

type headroomDoc struct {
	Rate     number       `json:"requests_per_s"`
	Ceilings []ceilingDoc `json:"ceilings"`
	Missing  []string     `json:"missing"`
}

type ceilingDoc struct {
	Resource string `json:"resource"`
	Now      number `json:"now"`
	Max      number `json:"max"`
	Unit     string `json:"unit"`
	Rate     number `json:"requests_per_s"`
	Lo       number `json:"requests_per_s_lo"`
	Hi       number `json:"requests_per_s_hi"`
	Level    number `json:"level"`
	Method   string `json:"method,omitempty"`
	Why      string `json:"why,omitempty"`
}

func (o Outlook) doc() outlookDoc {
	d := outlookDoc{
		Goodput:  goodputDoc{number(o.Goodput.RequestsLo), number(o.Goodput.RequestsHi)},
		Burn:     map[string]burnDoc{},
		Headroom: headroomDoc{Rate: number(o.Headroom.Rate), Ceilings: []ceilingDoc{}, Missing: append([]string{}, o.Headroom.Missing...)},
	}
	for name, b := range map[string]triage.Burning{"ttft": o.TTFT, "itl": o.ITL} {
		if b.Short.Promised <= 0 {
			continue
		}
		doc := burnDoc{PromisedS: number(b.Short.Promised.Seconds()), Objective: number(b.Short.Objective)}
		for _, x := range []triage.Burn{b.Short, b.Long} {
			doc.Windows = append(doc.Windows, burnOver{
				number(x.Window.Seconds()), number(x.N), number(x.Kept.Lo), number(x.Kept.Hi), number(x.Lo), number(x.Hi), x.Part,
			})
		}
		d.Burn[name] = doc
	}
	for _, c := range o.Headroom.Ceilings {
		d.Headroom.Ceilings = append(d.Headroom.Ceilings, ceilingDoc{
			c.Resource, number(c.Now), number(c.Max), c.Unit, number(c.Rate.Value), number(c.Rate.Lo), number(c.Rate.Hi), number(c.Rate.Level), c.Method, c.Why,
		})
	}
	return d
}
