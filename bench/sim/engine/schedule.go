package engine

import (
	"slices"
	"time"
)

const (
	// clipNewTokens bounds what a request is assumed to still produce when
	// room is judged, so that a huge max_tokens does not block the queue.
	clipNewTokens = 4096
	// retractHeadroom is the decode steps that the ratio after a retraction
	// allows for before the next.
	retractHeadroom = 20
)

// schedule starts the next step, if there is anything to do.
func (e *Engine) schedule(now time.Duration, emit func(Event)) {
	e.work = Work{}
	e.shrink(now, emit)
	admitted := e.admit(now, emit)
	if !admitted {
		e.makeRoom(now, emit)
		if len(e.running) == 0 {
			// A retraction may have freed what the queue's head waits for.
			admitted = e.admit(now, emit)
		}
	}
	switch {
	case !admitted && len(e.running) == 0:
		if len(e.waiting) == 0 {
			e.ratio = e.p.NewTokenRatio
		}
		return
	case !admitted:
		e.decode()
		e.doing = decoding
	case e.p.Mixed && len(e.running) > 0 && e.decodeRoom() <= e.pool.room():
		e.decode()
		e.doing = mixing
	default:
		e.doing = prefilling
	}
	for _, r := range e.batch {
		if r.chunk > 0 {
			e.work.addPrefill(r.ctx-r.chunk, r.chunk)
		}
	}
	e.from, e.busyTo = now, now+e.p.StepTime(e.work)
	e.end = e.busyTo + seconds(e.p.HostDelay)
	e.stats.Idle += now - e.done
}

// admit fills the prefill batch: first the prompt under way, then the queue in
// order, as far as budget, places and pages go. It says whether there is one,
// and leaves in e.bound what the queue's head waits for.
func (e *Engine) admit(now time.Duration, emit func(Event)) bool {
	e.bound = Unbound
	budget := e.p.MaxPrefillTokens
	if e.p.Mixed {
		budget = max(e.p.PageSize, budget-len(e.running))
	}
	if r := e.chunked; r != nil {
		n := e.cut(r, budget)
		if n == 0 {
			e.bound = BoundKV
			return false // no page to be had: decode until there is one
		}
		e.extend(r, n)
		r.chunk = n
		budget -= n
		e.batch = append(e.batch, r)
		if r.ctx < r.target {
			e.bound = BoundPrefill
			return true
		}
		e.chunked = nil
	}
	if e.full {
		e.bound = BoundKV
		return len(e.batch) > 0
	}
	taken := 0
	for taken < len(e.waiting) {
		if len(e.running)+len(e.batch) >= e.p.MaxRunning {
			e.bound = BoundRunning
			break
		}
		if e.chunked != nil {
			e.bound = BoundPrefill
			break
		}
		r := e.waiting[taken]
		if e.ceil(r.ISL+r.OSL) > e.p.KVPages {
			e.reject(now, r, emit)
			taken++
			continue
		}
		if budget <= 0 && !r.RemotePrefilled {
			e.bound = BoundPrefill
			break
		}
		reserved := e.reserve()
		e.match(r)
		// Room for all of it, the answer included, beside what the others
		// are expected to take.
		want := e.ceil(r.target+min(r.left(), clipNewTokens)) - r.pages()
		if want+reserved > e.pool.room() {
			e.drop(r)
			e.full, e.bound = true, BoundKV
			break
		}
		cached := r.ctx
		n := 0
		if !r.RemotePrefilled {
			if n = e.cut(r, budget); n == 0 {
				e.drop(r)
				e.bound = BoundPrefill
				break
			}
		}
		taken++
		e.stats.CachedTokens += uint64(cached)
		if !r.scheduled {
			r.scheduled = true
			emit(Event{Kind: Scheduled, ID: r.ID, At: now, Cached: cached})
		}
		if r.RemotePrefilled {
			e.join(now, r, emit)
			continue
		}
		e.extend(r, n)
		r.chunk = n
		budget -= n
		e.batch = append(e.batch, r)
		if r.ctx < r.target {
			e.chunked = r
		}
	}
	e.waiting = slices.Delete(e.waiting, 0, taken)
	return len(e.batch) > 0
}

// join takes a request whose prompt was computed elsewhere straight into the
// decode batch. Its first token came with the KV. After a retraction the KV of
// prompt and answer comes back by transfer, all but the newest token's.
func (e *Engine) join(now time.Duration, r *request, emit func(Event)) {
	if r.generated > 0 {
		e.extend(r, r.target-1)
		e.work.ReloadTokens += r.target - 1
		e.running = append(e.running, r)
		return
	}
	e.extend(r, r.ISL)
	if !e.produce(now, r, FirstToken, emit) {
		e.running = append(e.running, r)
	}
}

// match lets the request hold the pages of its prefix that are known. At least
// one token is left to compute, for there is no next token without it.
func (e *Engine) match(r *request) {
	if e.p.NoPrefixCache || r.RemotePrefilled {
		return
	}
	for limit := (r.target - 1) / e.p.PageSize; len(r.path) < limit; {
		key := e.key(r, len(r.path))
		if key == 0 && r.retracted {
			key = e.ownKey(r, len(r.path))
		}
		if key == 0 {
			break
		}
		n, ok := e.pool.find(key)
		if !ok {
			break
		}
		r.path = append(r.path, n)
		r.tail = key
	}
	r.ctx = len(r.path) * e.p.PageSize
}

// cut returns how many tokens of r the next step computes: all that is left if
// budget and pages allow, else as many full pages as they do.
func (e *Engine) cut(r *request, budget int) int {
	left := r.target - r.ctx
	limit := min(budget, (r.pages()+e.pool.room())*e.p.PageSize-r.ctx)
	if left <= limit {
		return left
	}
	return max(0, (r.ctx+limit)/e.p.PageSize*e.p.PageSize-r.ctx)
}

// extend gives r the pages for n more tokens.
func (e *Engine) extend(r *request, n int) {
	r.ctx += n
	more := e.ceil(r.ctx) - r.pages()
	r.private += more
	e.pool.take(more)
}

func (e *Engine) ceil(tokens int) int {
	return (tokens + e.p.PageSize - 1) / e.p.PageSize
}

// reserve returns the pages that the requests in the batch are expected to
// take before they end.
func (e *Engine) reserve() int {
	tokens := 0
	for _, r := range e.running {
		tokens += min(r.left(), clipNewTokens)
	}
	pages := int(float64(tokens)*e.ratio) / e.p.PageSize
	for _, r := range e.batch {
		pages += e.ceil(r.target+min(r.left(), clipNewTokens)) - r.pages()
	}
	return pages
}

// decodeRoom returns the pages that one more token for each running request
// needs.
func (e *Engine) decodeRoom() int {
	n := 0
	for _, r := range e.running {
		if r.ctx%e.p.PageSize == 0 {
			n++
		}
	}
	return n
}

// decode gives each running request room for one more token.
func (e *Engine) decode() {
	pages, kv := 0, 0
	for _, r := range e.running {
		if r.ctx%e.p.PageSize == 0 {
			r.private++
			pages++
		}
		r.ctx++
		kv += r.ctx
	}
	e.pool.take(pages)
	e.work.DecodeSeqs, e.work.DecodeKV = len(e.running), kv
}

// makeRoom retracts until the running requests can go on by one token, or
// lowers the ratio by a step if they can.
func (e *Engine) makeRoom(now time.Duration, emit func(Event)) {
	if len(e.running) == 0 {
		return
	}
	if e.decodeRoom() <= e.pool.room() {
		e.ratio = max(e.p.NewTokenRatioMin, e.ratio-e.p.NewTokenRatioStep)
		return
	}
	for len(e.running) > 0 && e.decodeRoom() > e.pool.room() {
		e.retractOne(now, emit)
	}
	done, all := 0, 0
	for _, r := range e.running {
		done += r.generated
		all += r.OSL
	}
	if all > 0 {
		e.ratio = min(1, float64(done+retractHeadroom*len(e.running))/float64(all))
	}
}

// shrink retracts until what is in use fits a pool that became smaller.
func (e *Engine) shrink(now time.Duration, emit func(Event)) {
	for e.pool.used > e.pool.total && (len(e.running) > 0 || e.chunked != nil) {
		e.retractOne(now, emit)
	}
	if r := e.chunked; r != nil && e.ceil(r.ISL+r.OSL) > e.p.KVPages {
		e.chunked = nil
		e.drop(r)
		e.reject(now, r, emit)
	}
}

// retractOne takes the pages from one request: by policy from the running
// ones, as long as another is left; then from the prompt under way.
func (e *Engine) retractOne(now time.Duration, emit func(Event)) {
	var r *request
	switch {
	case e.chunked != nil && len(e.running) <= 1:
		r, e.chunked = e.chunked, nil
	default:
		victim := len(e.running) - 1
		if e.p.Retract == RetractFewestTokens {
			for i, c := range e.running {
				v := e.running[victim]
				if c.generated < v.generated || c.generated == v.generated && c.ISL > v.ISL {
					victim = i
				}
			}
		}
		r = e.running[victim]
		e.running = slices.Delete(e.running, victim, victim+1)
	}
	// The prompt's pages may survive as cache until it comes back.
	r.retracted = true
	for i := len(r.Prefix); i < len(r.path); i++ {
		e.pool.name(r.path[i], e.ownKey(r, i))
	}
	e.drop(r)
	if e.ceil(r.ISL+r.OSL) > e.p.KVPages {
		e.reject(now, r, emit)
		return
	}
	r.target = r.ISL + r.generated
	e.waiting = append(e.waiting, r)
	e.stats.Retractions++
	e.stats.RetractedTokens += uint64(r.generated)
	emit(Event{Kind: Retracted, ID: r.ID, At: now, Tokens: r.generated})
}

// reject ends a request that can never fit.
func (e *Engine) reject(now time.Duration, r *request, emit func(Event)) {
	delete(e.byID, r.ID)
	e.stats.Rejected++
	emit(Event{Kind: Rejected, ID: r.ID, At: now})
}
