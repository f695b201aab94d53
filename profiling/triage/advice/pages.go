package advice

import (
	"fmt"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// The size of a KV page. Upstream's tuning guide takes 128 tokens for most dense
// models; that a page counts as small below half of it is ours.
const (
	goodPage  = 128
	smallPage = goodPage / 2
	// leastMoves is how many transfers a mean must rest on, leastPrompts how
	// many requests a mean of lengths.
	leastMoves   = 30
	leastPrompts = 50
	// fewHits is the hit ratio that upstream's dashboard draws red.
	fewHits = 0.3
	// fewPages is how many pages of a prompt are so few that the last, partial
	// one is a large share of it; our own number.
	fewPages = 16
)

var (
	needTransfer  = sources.Need{Key: "engine.kv_transfer", Form: sources.FormMean, Window: Look}
	needTransfers = sources.Need{Key: "engine.kv_transfer", Form: sources.FormCount, Window: Look}
	needHits      = sources.Need{Key: "engine.hit_ratio", Form: sources.FormExpr, Window: Look}
	needLength    = sources.Need{Key: "frontend.isl", Form: sources.FormMean, Window: Look}
	needLengths   = sources.Need{Key: "frontend.isl", Form: sources.FormBuckets, Window: Look}
	needPrompts   = sources.Need{Key: "frontend.isl", Form: sources.FormCount, Window: Look}
)

func pages() []Rule {
	return []Rule{
		{
			Code: "page-size-small", Title: "KV pages are small for transfers", Settings: []string{"page_size"},
			Needs: []sources.Need{needTransfer, needTransfers},
			Help: fmt.Sprintf("Prefill and decode are apart, KV moves between them (%d transfers in %s), and a page holds fewer than %d tokens. "+
				"Upstream's tuning guide: %d for most dense models; small pages make small transfers.", leastMoves, Look, smallPage, goodPage),
			Judge: pageSmall,
		},
		{
			Code: "page-size-large", Title: "KV pages are large for these prompts", Settings: []string{"page_size"},
			Needs: []sources.Need{needHits, needLength, needPrompts},
			Help: fmt.Sprintf("A page holds more than %d tokens, the mean prompt fills fewer than %d pages, and less than %.0f %% of prompt tokens "+
				"come from the cache: only whole pages are shared.", goodPage, fewPages, 100*fewHits),
			Judge: pageLarge,
		},
	}
}

func pageSmall(m *Moment) {
	n, _ := m.number(needTransfers, nil)
	took, ok := m.number(needTransfer, nil)
	if !m.disaggregated() || !ok || n < leastMoves {
		return
	}
	for _, p := range m.processes("prefill", "decode") {
		size, known := p.numeric("page_size")
		if known && size >= smallPage {
			continue
		}
		a := Advice{
			Flag: p.set("page_size", plain(goodPage)), Now: p.now("page_size"),
			Observation: fmt.Sprintf("moving a request's KV takes %s on average (n %s)", text.Duration(took), text.Count(n)),
			Evidence:    []verdict.Evidence{m.evidence("KV transfer "+text.Duration(took), needTransfer, nil, took, nan)},
			Effect:      "fewer, larger pieces for each transfer, and less bookkeeping",
			Cost:        "prefixes are shared by whole pages only, so short common beginnings hit less; some attention backends fix the size; prefill, decode and router must agree; restart",
		}
		if known {
			a.Observation += fmt.Sprintf(", in pages of %s tokens", plain(size))
		} else {
			a.Unknown = []Missing{p.unknown("page_size")}
			a.Observation += "; the size of its pages is not known"
		}
		m.give(p, a)
	}
}

func pageLarge(m *Moment) {
	hits, ok1 := m.number(needHits, nil)
	length, ok2 := m.number(needLength, nil)
	n, _ := m.number(needPrompts, nil)
	if !ok1 || !ok2 || n < leastPrompts || hits >= fewHits || length <= 0 {
		return
	}
	for _, p := range m.processes("prefill", "aggregated") {
		size, known := p.numeric("page_size")
		switch {
		case !known && length < fewPages*2*goodPage:
			m.cannot(p, "page_size")
		case known && size > goodPage && length < fewPages*size:
			m.give(p, Advice{
				Flag: p.set("page_size", plain(goodPage)), Now: p.now("page_size"),
				Observation: fmt.Sprintf("a page of %s tokens is %s of the mean prompt (%s tokens, n %s), and %s of prompt tokens come from the cache",
					plain(size), text.Percent(size/length), text.Count(length), text.Count(n), text.Percent(hits)),
				Evidence: []verdict.Evidence{
					m.evidence("hit ratio "+text.Percent(hits), needHits, nil, hits, fewHits),
					m.evidence("prompts "+text.Count(length)+" tokens", needLength, nil, length, fewPages*size),
				},
				Effect: "more of each prompt's beginning is shared, where prompts begin alike",
				Cost:   "smaller pieces for KV transfers and more bookkeeping; prefill, decode and router must agree; restart",
			})
		}
	}
}
