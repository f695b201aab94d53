package world

import "time"

// jittered scatters a duration by a tenth.
func (w *World) jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*w.jitterRand.Float64()))
}

func (w *World) jitter(seconds float64) float64 { return seconds * (0.9 + 0.2*w.jitterRand.Float64()) }

// message is one message's time between two processes, with what faults add
// at both ends.
func (w *World) message(added time.Duration) time.Duration {
	n := &w.sc.Deployment.Network
	d := time.Duration(float64(n.Delay) + float64(n.Jitter)*w.jitterRand.NormFloat64())
	return max(d, n.Delay/4) + added
}

// transit is the way of a request to its worker, from where its router is.
func (w *World) transit(a *attempt, k *worker) time.Duration {
	if q := w.routerOf(a.phase); q != nil {
		return w.message(q.fault.net + k.fault.net)
	}
	f := a.r.f
	return f.fault.stages["transport"].apply(w.message(f.fault.net + k.fault.net))
}

// answerTime is the way of one step's tokens over a frontend to the client.
func (w *World) answerTime(f *frontend, k *worker) time.Duration {
	post := w.sc.Deployment.Frontends.Postprocess
	post = f.fault.stages["postprocess"].apply(f.fault.stages["detokenize"].apply(post))
	way := time.Duration(0)
	if q := w.routerOf(k.pool.phase); q != nil {
		way = w.message(f.fault.net+q.fault.net) + w.message(q.fault.net+k.fault.net)
	} else {
		way = w.message(f.fault.net + k.fault.net)
	}
	return way + post + w.loopDelay(f)
}

// connectTime is what it takes to find a dead worker dead. The newer release
// tries once; the older one retries.
func (w *World) connectTime() time.Duration {
	if w.gen16 {
		return w.jittered(8 * time.Millisecond)
	}
	return w.jittered(120 * time.Millisecond)
}

// loopDelay is how late an event loop under the fault is, each turn.
func (w *World) loopDelay(f *frontend) time.Duration {
	if f.fault.loop <= 0 {
		return 0
	}
	return time.Duration(w.jitterRand.Float64() * 2 * float64(f.fault.loop))
}

// preprocessTime draws the two parts of preprocessing. The scenario's figure
// is that of 1000 tokens; templates are a twelfth of it.
func (w *World) preprocessTime(f *frontend, r *request) (template, tokenize time.Duration) {
	base := float64(w.sc.Deployment.Frontends.Preprocess)
	template = w.jittered(time.Duration(base / 12))
	tokenize = w.jittered(time.Duration(base * 11 / 12 * float64(r.isl) / 1000))
	template = f.fault.stages["template"].apply(template)
	tokenize = f.fault.stages["tokenize"].apply(tokenize)
	whole := f.fault.stages["preprocess"].apply(template + tokenize)
	tokenize = whole - template
	return template, max(tokenize, 0) + w.loopDelay(f)
}
