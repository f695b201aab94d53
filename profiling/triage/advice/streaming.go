package advice

import (
	"fmt"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// Streaming. Upstream's guide streams from SGLang in chunks of 20 tokens; a
// frontend whose event loop is 5 ms late counts as stalled.
const (
	goodInterval = 20
	lateLoop     = 0.005
	// leastLoops is how many ticks of the canary a mean must rest on, leastOut
	// the tokens a second from which chunks are worth sparing; our own numbers.
	leastLoops = 100
	leastOut   = 500
)

var (
	needLate  = sources.Need{Key: "frontend.event_loop_delay", Form: sources.FormMean, Window: Look}
	needLoops = sources.Need{Key: "frontend.event_loop_delay", Form: sources.FormCount, Window: Look}
	needOut   = sources.Need{Key: "frontend.output_tokens", Form: sources.FormRate, Window: Look}
)

func streaming() []Rule {
	return []Rule{{
		Code: "stream-interval", Title: "every token is a chunk, and the frontend is late", Settings: []string{"stream_interval"},
		Needs: []sources.Need{needLate, needLoops, needOut},
		Help: fmt.Sprintf("The frontend's event loop is %s late on average while it streams %d tokens a second or more, and the engines send a chunk for fewer than %d tokens.",
			text.Duration(lateLoop), leastOut, goodInterval),
		Judge: streamInterval,
	}}
}

func streamInterval(m *Moment) {
	late, ok := m.number(needLate, nil)
	n, _ := m.number(needLoops, nil)
	out, _ := m.number(needOut, nil)
	if !ok || n < leastLoops || late < lateLoop || out < leastOut {
		return
	}
	for _, p := range m.processes("decode", "aggregated") {
		if p.Flags.Engine == "trtllm" {
			continue // it has no such flag
		}
		interval, known := p.numeric("stream_interval")
		if known && interval >= goodInterval {
			continue
		}
		a := Advice{
			Flag: p.set("stream_interval", plain(goodInterval)), Now: p.now("stream_interval"),
			Observation: fmt.Sprintf("the frontend's event loop is %s late on average (n %s) while it streams %s tokens a second", text.Duration(late), text.Count(n), text.Count(out)),
			Evidence: []verdict.Evidence{
				m.evidence("event loop "+text.Duration(late)+" late", needLate, nil, late, lateLoop),
				m.evidence("output "+text.Count(out)+" tok/s", needOut, nil, out, leastOut),
			},
			Effect: fmt.Sprintf("up to %d times fewer chunks for the frontend to parse, detokenise and send", goodInterval),
			Cost:   "the client's tokens come in bursts: its ITL between chunks grows as many times, its time per token stays; restart",
		}
		if known && interval > 1 {
			a.Effect = fmt.Sprintf("up to %.0f times fewer chunks for the frontend to parse, detokenise and send", goodInterval/interval)
		}
		if !known {
			a.Unknown = []Missing{p.unknown("stream_interval")}
		}
		m.give(p, a)
	}
}
