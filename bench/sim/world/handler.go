package world

// handler is the gate before a worker's engines: so many requests at once,
// others wait, more are refused. Without limits it is open.
type handler struct {
	k      *worker
	active int
	queue  []*attempt
}

// limits are the slots, and the places to wait; 0 slots is no limit.
func (h *handler) limits() (slots, places int) {
	p := h.k.pool.spec.Params
	places = 1 << 30
	if p.HandlerPool != nil {
		slots = *p.HandlerPool
	} else if h.k.fault.slots > 0 {
		slots = 10000
	}
	if h.k.fault.slots > 0 {
		slots = max(int(float64(slots)*h.k.fault.slots), 1)
	}
	if p.HandlerQueue != nil {
		places = *p.HandlerQueue
	}
	if p.EngineRequestLimit != nil && (slots == 0 || *p.EngineRequestLimit < slots) {
		slots = *p.EngineRequestLimit
		if p.AdmissionQueue != nil {
			places = *p.AdmissionQueue
		}
	}
	return slots, places
}

// enter takes an attempt in, or lets it wait; false: it is refused.
func (h *handler) enter(a *attempt) bool {
	slots, places := h.limits()
	if slots > 0 && h.active >= slots {
		if len(h.queue) >= places {
			return false
		}
		h.queue = append(h.queue, a)
		return true
	}
	h.admit(a)
	return true
}

func (h *handler) admit(a *attempt) {
	h.active++
	a.handled = true
	h.k.book.admitted(a)
	h.k.w.handle(a)
}

// exit gives an attempt's slot to the next.
func (h *handler) exit(a *attempt) {
	if a.rank.id != h.k.id {
		return // of the process before
	}
	if !a.handled {
		for i, b := range h.queue {
			if a == b {
				h.queue = append(h.queue[:i], h.queue[i+1:]...)
				break
			}
		}
		return
	}
	a.handled = false
	h.active--
	slots, _ := h.limits()
	for len(h.queue) > 0 && (slots == 0 || h.active < slots) && !h.k.dead {
		next := h.queue[0]
		h.queue = h.queue[1:]
		h.admit(next)
	}
}
