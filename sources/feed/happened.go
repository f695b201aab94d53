package feed

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"dynascope/sources"
	"dynascope/sources/text"
)

// read tells the events of the span from the stretches, newest first.
func (h *happening) read() []sources.Event {
	r := newReader(h)
	for in := range r.up {
		r.page(in)
	}
	for in := range r.pages {
		if _, scraped := r.up[in]; !scraped {
			r.page(in)
		}
	}
	r.listings()
	r.models()
	r.planner()
	r.out = slices.DeleteFunc(slices.Clone(r.out), r.told)
	slices.SortFunc(r.out, func(a, b sources.Event) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Detail, b.Detail))
	})
	return r.out
}

// told says that an event says no more than another one: scrapes that fail
// because their worker ended.
func (r *reader) told(e sources.Event) bool {
	return e.Kind == sources.EventScrapeLost && e.Worker != "" && slices.ContainsFunc(r.out, func(o sources.Event) bool {
		return o.Kind == sources.EventVanished && o.Worker == e.Worker && o.At.Sub(e.At).Abs().Milliseconds() <= r.step
	})
}

// identity is one worker's page over one stretch.
type identity struct {
	stretch
	instance, hex, component string
}

// reader is what the stretches say, by whom they concern.
type reader struct {
	*happening
	known int64 // what was there before this did not appear
	near  int64 // within this two things belong together
	out   []sources.Event

	short map[string]string     // hexadecimal id → short id
	up    map[string][]stretch  // instance → its health, oldest first
	pages map[string][]identity // instance → the workers it was, oldest first
	ids   map[string][]identity // hexadecimal id → its pages, oldest first
}

func newReader(h *happening) *reader {
	r := &reader{happening: h, up: map[string][]stretch{}, pages: map[string][]identity{}, ids: map[string][]identity{}}
	r.near = 2 * max(h.step, h.scrape)
	r.known = max(h.first, h.At.Add(-h.have).UnixMilli()) + r.near
	for _, l := range h.lines[pastUp] {
		r.up[l.labels["instance"]] = l.runs
	}
	for _, l := range h.lines[pastIdentity] {
		in, hex := l.labels["instance"], l.labels["worker_hex"]
		if _, err := sources.DecimalID(hex); err != nil || in == "" {
			continue
		}
		for _, run := range l.runs {
			id := identity{run, in, hex, l.labels["component"]}
			r.pages[in], r.ids[hex] = append(r.pages[in], id), append(r.ids[hex], id)
		}
	}
	byTime := func(a, b identity) int { return cmp.Compare(a.from, b.from) }
	var known []string
	for _, ids := range r.pages {
		slices.SortFunc(ids, byTime)
	}
	for hex, ids := range r.ids {
		slices.SortFunc(ids, byTime)
		known = append(known, hex)
	}
	for _, l := range h.lines[pastListed] {
		if hex, err := sources.HexID(l.labels["worker_id"]); err == nil && r.ids[hex] == nil {
			known = append(known, hex)
		}
	}
	slices.Sort(known)
	r.short = sources.ShortIDs(slices.Compact(known))
	return r
}

// say notes an event, when it is within the span and not what the store began
// with.
func (r *reader) say(at int64, kind sources.EventKind, subject, detail, instance, worker string) {
	began := kind == sources.EventAppeared || kind == sources.EventListed || kind == sources.EventModel
	if at < r.from || began && at <= r.known || at > r.At.UnixMilli() {
		return
	}
	r.out = append(r.out, sources.Event{
		At: time.UnixMilli(at).UTC(), Kind: kind, Subject: text.Clean(subject, 64), Detail: detail, Instance: instance, Worker: worker,
	})
}

func (r *reader) name(hex string) string { return cmp.Or(r.short[hex], hex) }

// who names whoever was last on a page before a moment: the worker, or the
// address of a page that is none.
func (r *reader) who(instance string, at int64) (subject, worker string) {
	for _, id := range slices.Backward(r.pages[instance]) {
		if id.from <= at {
			return r.name(id.hex), id.hex
		}
	}
	return instance, ""
}

// page tells what happened to one target: its scrapes, and the worker it is.
func (r *reader) page(in string) {
	changed := map[int64]bool{} // moments at which another process came up
	ids := r.pages[in]
	for i, id := range ids {
		if i == 0 {
			if id.from > r.known {
				changed[id.from] = true
				r.say(id.from, sources.EventAppeared, r.name(id.hex), "a new worker at "+text.Clean(in, 64), in, id.hex)
			}
			continue
		}
		was := ids[i-1]
		switch {
		case was.hex != id.hex:
			changed[id.from] = true
			detail := "was " + r.name(was.hex)
			if off := id.from - was.to - r.step; off > 0 {
				detail += ", away for " + text.Age(time.Duration(off)*time.Millisecond)
			}
			r.say(id.from, sources.EventRestarted, r.name(id.hex), detail, in, id.hex)
		case was.component != id.component:
			r.say(id.from, sources.EventRole, r.name(id.hex), text.Clean("component "+was.component+" is now "+id.component, 120), in, id.hex)
		}
	}
	for _, l := range r.lines[pastUptime] {
		if l.labels["instance"] != in {
			continue
		}
		for i := 1; i < len(l.runs); i++ {
			run := l.runs[i]
			again := run.start > l.runs[i-1].start+float64(2*(r.scrape+r.step))/1000+1
			if !again || r.close(changed, run.from) {
				continue
			}
			changed[run.from] = true
			subject, worker := r.who(in, run.from)
			r.say(run.from, sources.EventRestarted, subject, "its uptime began anew", in, worker)
		}
	}
	runs := r.up[in]
	for i := 1; i < len(runs); i++ {
		was, run := runs[i-1], runs[i]
		switch {
		case run.v == was.v:
		case run.v == 0:
			subject, worker := r.who(in, was.to)
			r.say(run.from, sources.EventScrapeLost, subject, "its scrapes fail", in, worker)
		case !r.close(changed, run.from):
			subject, worker := r.who(in, run.from)
			off := time.Duration(run.from-was.from) * time.Millisecond
			r.say(run.from, sources.EventScrapeBack, subject, "its scrapes succeed again after "+text.Age(off), in, worker)
		}
	}
	// Where targets come and go with their processes, the end of a page is the
	// end of its scrapes too.
	if n := len(ids); n > 0 && len(runs) > 0 {
		if last := ids[n-1]; last.to < r.last-r.near && runs[len(runs)-1].to < r.last-r.near {
			r.say(last.to+r.step, sources.EventVanished, r.name(last.hex), "its page and its target are gone", in, last.hex)
		}
	}
}

// close says whether something else happened at about the same time.
func (r *reader) close(to map[int64]bool, at int64) bool {
	for t := range to {
		if max(t-at, at-t) <= r.near {
			return true
		}
	}
	return false
}

// answering says whether a target's page answered at a moment.
func (r *reader) answering(instance string, at int64) bool {
	for _, run := range r.up[instance] {
		if run.from <= at && at <= run.to {
			return run.v == 1
		}
	}
	return false
}

// blind says whether a page, or the process behind it, came or went at about a
// moment, so that what it stopped or began to say proves nothing.
func (r *reader) blind(instance string, at int64) bool {
	for t := at - r.near; t <= at+r.near; t += r.step {
		if t >= r.first && t <= r.last && !r.answering(instance, t) {
			return true
		}
	}
	return false
}

// listing is when a router listed a worker.
type listing struct {
	stretch
	instance, as string
}

// joined are stretches as one course: those of several routers, and of one
// that changed what it says, less gaps that nobody can see.
func joined(in []listing, near int64) (out []listing) {
	slices.SortFunc(in, func(a, b listing) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	for _, l := range in {
		if n := len(out); n > 0 && l.from <= out[n-1].to+near && l.as == out[n-1].as {
			if l.to > out[n-1].to {
				out[n-1].to, out[n-1].instance = l.to, l.instance
			}
			continue
		}
		out = append(out, l)
	}
	return out
}

// listings tells what routers say of who is there.
func (r *reader) listings() {
	by := map[string][]listing{}
	for _, l := range r.lines[pastListed] {
		hex, err := sources.HexID(l.labels["worker_id"])
		if err != nil {
			continue
		}
		for _, run := range l.runs {
			by[hex] = append(by[hex], listing{run, l.labels["instance"], l.labels["worker_type"]})
		}
	}
	for hex, all := range by {
		runs := joined(all, r.near)
		for i, run := range runs {
			r.listed(hex, runs[:i], run)
			if i == len(runs)-1 || runs[i+1].from > run.to+r.near {
				r.dropped(hex, run)
			}
		}
	}
}

// listed tells that a router begins to list a worker, where its own page does
// not tell as much.
func (r *reader) listed(hex string, before []listing, run listing) {
	ids := r.ids[hex]
	page := ""
	if len(ids) > 0 {
		page = ids[len(ids)-1].instance
	}
	if r.blind(run.instance, run.from-r.near) {
		return
	}
	switch n := len(before); {
	case n > 0 && before[n-1].as != run.as && before[n-1].as != "" && run.as != "":
		r.say(run.from, sources.EventRole, r.name(hex), text.Clean("the router had it as "+before[n-1].as+", and now as "+run.as, 120), page, hex)
	case n > 0:
		r.say(run.from, sources.EventListed, r.name(hex), "the router lists it again", page, hex)
	case len(ids) == 0:
		r.say(run.from, sources.EventAppeared, r.name(hex), "the router lists it; its page is not scraped", page, hex)
	}
}

// dropped tells that the routers ceased to list a worker.
func (r *reader) dropped(hex string, run listing) {
	at := run.to + r.step
	if at > r.last || r.blind(run.instance, at) {
		return
	}
	page := ""
	for _, id := range r.ids[hex] {
		if id.from <= at {
			page = id.instance
		}
		if id.from <= at && at+r.near <= id.to {
			r.say(at, sources.EventUnlisted, r.name(hex), "the router dropped it while its page answers", id.instance, hex)
			return
		}
	}
	r.say(at, sources.EventVanished, r.name(hex), "the router dropped it", page, hex)
}

// models tells which models frontends announce.
func (r *reader) models() {
	by := map[string][]listing{}
	for _, l := range r.lines[pastModels] {
		for _, run := range l.runs {
			by[l.labels["model"]] = append(by[l.labels["model"]], listing{stretch: run, instance: l.labels["instance"]})
		}
	}
	for model, all := range by {
		if model == "" {
			continue
		}
		for _, run := range joined(all, r.near) {
			if !r.blind(run.instance, run.from-r.near) {
				r.say(run.from, sources.EventModel, model, "announced by "+text.Clean(run.instance, 64), run.instance, "")
			}
			if at := run.to + r.step; at <= r.last && !r.blind(run.instance, at) {
				r.say(at, sources.EventModelGone, model, "no frontend announces it", run.instance, "")
			}
		}
	}
}

// planner tells when another number of workers was counted.
func (r *reader) planner() {
	for _, pool := range []struct {
		need sources.Need
		name string
	}{{pastDecode, "decode"}, {pastPrefill, "prefill"}} {
		for _, l := range r.lines[pool.need] {
			for i := 1; i < len(l.runs); i++ {
				was, run := l.runs[i-1], l.runs[i]
				if was.v != run.v {
					r.say(run.from, sources.EventScaled, "planner", fmt.Sprintf("%s workers %g to %g", pool.name, was.v, run.v), l.labels["instance"], "")
				}
			}
		}
	}
}
