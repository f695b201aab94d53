package world

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"dynascope/bench/sim/engine"
	"dynascope/bench/sim/page"
	"dynascope/bench/sim/scenario"
)

// Config says what to simulate.
type Config struct {
	// Scenario is complete and valid, as scenario.Load returns it.
	Scenario *scenario.Scenario
	// Seed is where randomness starts; 0 takes the scenario's.
	Seed uint64
	// Start is the epoch of time 0. The world only carries it.
	Start time.Time
	// Truth takes the log of what really happened, JSONL; nil is none.
	Truth io.Writer
	// Quiet leaves out the scenario's load: external requests alone.
	Quiet bool
}

// World is a deployment. It is not safe for use by several goroutines.
type World struct {
	sc    *scenario.Scenario
	start time.Time
	clock clock
	truth *truth

	gen16, plain, kvRouter bool
	embedded               bool // the KV router is in the frontends
	migrationLimit         int

	models    []*model
	pools     []*pool
	workers   []*worker
	frontends []*frontend
	routers   []*router // standalone; one for each component of workers
	exporters []*exporter
	planner   *planner
	ends      []*endpoint
	byName    map[string]*endpoint

	active      []*activeFault
	frozenPages map[string][]byte

	seed                                      uint64
	idRand, routerRand, faultRand, jitterRand *rand.Rand

	requests, attempts, prompts uint64
	turn                        int // of the clients over the frontends
	draining                    bool
	costs                       []candidate
	batches                     [][]delivery
	outputs                     outputs
}

// Streams of randomness: each use has its own, so that one more draw here
// changes nothing there.
const (
	streamIDs uint64 = iota + 1
	streamRouter
	streamFaults
	streamJitter
	streamLoad     = 1 << 56
	streamThink    = 2 << 56
	streamArrivals = 3 << 56
)

func (w *World) stream(n uint64) *rand.Rand { return rand.New(rand.NewPCG(w.seed, mix(n))) }

// Times of the deployment that no scenario changes.
const (
	// leaseTime is how long the discovery keeps a dead worker.
	leaseTime = 10 * time.Second
	// suspectFor is how long the newer router does not try a worker that it
	// could not reach. Longer than the lease, so that few requests meet a dead
	// worker, as recorded.
	suspectFor = 5 * time.Second
	// startedBefore is how long the processes have been up at time 0.
	startedBefore = 2 * time.Second
	second        = time.Second
	// watchBounds is how often the truth looks at what binds.
	watchBounds = 100 * time.Millisecond
)

// model is one model with the pools that serve it.
type model struct {
	name             string
	page             int
	disagg           bool
	pre, dec         []*rank // prefill; decode or aggregated
	preQueue, queue1 []*attempt
	seen             bool // a request has asked for it
	turn             int
}

// pool is a group of equal workers.
type pool struct {
	name      string
	spec      *scenario.Pool
	model     *model
	phase     phase
	component string
	params    engine.Params
	interval  int // tokens in one chunk
	block     int // tokens of a block of the router's index: one page or several
	size      int // workers of the scenario
	workers   []*worker
}

// indexed: the router keeps an index of the pool's KV events.
func (p *pool) indexed() bool { return p.phase != decoding }

func (m *model) queue(ph phase) *[]*attempt {
	if ph == prefilling {
		return &m.preQueue
	}
	return &m.queue1
}

func (m *model) ranks(ph phase) []*rank {
	if ph == prefilling {
		return m.pre
	}
	return m.dec
}

func (m *model) phases() []phase {
	if m.disagg {
		return []phase{prefilling, decoding}
	}
	return []phase{aggregated}
}

func (m *model) component(ph phase) string {
	if ph == prefilling {
		return "prefill"
	}
	return "backend"
}

func (m *model) join(ph phase, ranks []*rank) {
	if ph == prefilling {
		m.pre = append(m.pre, ranks...)
	} else {
		m.dec = append(m.dec, ranks...)
	}
}

func (m *model) leave(ph phase, ranks []*rank) {
	gone := map[*rank]bool{}
	for _, r := range ranks {
		gone[r] = true
	}
	list := &m.dec
	if ph == prefilling {
		list = &m.pre
	}
	kept := (*list)[:0:0]
	for _, r := range *list {
		if !gone[r] {
			kept = append(kept, r)
		}
	}
	*list = kept
}

// New builds the deployment as it is at time 0: up, and without a request.
func New(c Config) (*World, error) {
	sc := c.Scenario
	if sc == nil {
		return nil, errors.New("build the world: no scenario; hint: scenario.Load")
	}
	d := &sc.Deployment
	w := &World{
		sc: sc, start: c.Start, truth: newTruth(c.Truth), seed: c.Seed, byName: map[string]*endpoint{}, frozenPages: map[string][]byte{},
		gen16: d.Generation != "1.4", plain: d.Kind == "plain-sglang", migrationLimit: d.Frontends.MigrationLimit,
	}
	if w.seed == 0 {
		w.seed = sc.Seed
	}
	w.kvRouter = d.Router.Mode == "kv" && !w.plain
	w.embedded = w.kvRouter && !d.Router.Standalone
	w.idRand, w.routerRand = w.stream(streamIDs), w.stream(streamRouter)
	w.faultRand, w.jitterRand = w.stream(streamFaults), w.stream(streamJitter)
	for i := range max(d.Frontends.Count, 1) {
		w.addFrontend(i)
		if w.plain {
			break // clients call the servers themselves; one keeps them
		}
	}
	for i := range d.Pools {
		if err := w.addPool(&d.Pools[i]); err != nil {
			return nil, err
		}
	}
	if w.kvRouter && !w.embedded {
		w.addRouters()
	}
	w.addObservers()
	w.addEndpoints()
	for _, k := range w.workers {
		if k.inPool < k.pool.size {
			k.start()
		}
	}
	for _, x := range w.exporters {
		for _, g := range x.gpus {
			g.sample(0, 0)
		}
	}
	w.startFaults(0)
	if !c.Quiet {
		w.startLoad(0, 0)
	}
	if sc.Repeat {
		w.clock.at(sc.Duration, w.repeat(1, c.Quiet))
	}
	w.clock.at(second, w.everySecond)
	if w.truth != nil {
		w.clock.at(0, w.watch)
	}
	return w, nil
}

// repeat begins the scenario anew after its end.
func (w *World) repeat(round int, quiet bool) func(time.Duration) {
	return func(now time.Duration) {
		w.startFaults(now)
		if !quiet {
			w.startLoad(round, now)
		}
		w.clock.at(now+w.sc.Duration, w.repeat(round+1, quiet))
	}
}

func (w *World) addFrontend(i int) {
	d := &w.sc.Deployment
	f := &frontend{w: w, number: i, name: fmt.Sprintf("frontend%d", i), id: randomID(w.idRand), routerID: randomID(w.idRand)}
	if !w.plain {
		f.book = page.Frontend(page.Gen(d.Generation), page.FrontendOptions{
			Prefix: d.Frontends.Prefix, Namespace: d.Namespace, WorkerID: f.id, RouterID: f.routerID,
			KVRouter: w.embedded, EventLoop: d.Exporters.EventLoop, Tokio: d.Exporters.Tokio,
			Edges: page.Edges{
				TTFT: d.Buckets.TTFT.Edges(), ITL: d.Buckets.ITL.Edges(), Duration: d.Buckets.RequestDuration.Edges(),
				ISL: d.Buckets.InputSequence.Edges(), OSL: d.Buckets.OutputSequence.Edges(),
			},
		})
	}
	w.frontends = append(w.frontends, f)
}

func (w *World) addPool(spec *scenario.Pool) error {
	params, err := engineParams(spec)
	if err != nil {
		return err
	}
	p := &pool{name: spec.Name, spec: spec, params: params, component: "backend", interval: 1, size: spec.Workers}
	if n := spec.Params.StreamInterval; n != nil {
		p.interval = max(*n, 1)
	}
	p.model = w.modelNamed(spec.Model)
	if p.model == nil {
		p.model = &model{name: spec.Model, page: params.PageSize}
		w.models = append(w.models, p.model)
	}
	if p.model.page != params.PageSize {
		return fmt.Errorf("build pool %s: pages of %d tokens beside %d of the model's other pool; hint: one params.page_size for both",
			p.name, params.PageSize, p.model.page)
	}
	switch spec.Role {
	case scenario.Prefill:
		p.phase, p.component, p.model.disagg = prefilling, "prefill", true
	case scenario.Decode:
		p.phase, p.model.disagg = decoding, true
	}
	p.block = params.PageSize
	if n := w.sc.Deployment.Router.BlockSize; n > 0 && w.kvRouter {
		if p.block = n; n%params.PageSize != 0 {
			return fmt.Errorf("build pool %s: router.block_size %d is no multiple of its pages of %d tokens; hint: a router that counts otherwise than its workers finds nothing", p.name, n, params.PageSize)
		}
	}
	w.pools = append(w.pools, p)
	if !w.plain {
		for _, f := range w.frontends {
			f.poolAdded(p)
		}
	}
	for i := range w.mostWorkers(p) {
		k := &worker{w: w, number: len(w.workers), inPool: i, pool: p, dead: true, gone: true}
		k.name = fmt.Sprintf("worker%d", k.number)
		gpus := params.TP * max(params.DP, 1)
		first := w.gpuCount()
		k.host = first / max(spec.GPUsPerHost, 1)
		for g := range gpus {
			n := first + g
			k.gpus = append(k.gpus, &gpu{
				number: n, host: n / max(spec.GPUsPerHost, 1), index: n % max(spec.GPUsPerHost, 1), model: gpuModels[spec.GPU],
				worker: k, rank: g / params.TP, clock: 1,
			})
		}
		w.workers = append(w.workers, k)
		p.workers = append(p.workers, k)
	}
	return nil
}

// mostWorkers is the largest size that faults give a pool.
func (w *World) mostWorkers(p *pool) int {
	n := p.size
	for _, f := range w.sc.Faults {
		if f.Kind != scenario.Scale {
			continue
		}
		for _, t := range f.Target {
			if t.Pool == p.name {
				n = max(n, f.Workers)
			}
		}
	}
	return n
}

func (w *World) gpuCount() int {
	n := 0
	for _, k := range w.workers {
		n += len(k.gpus)
	}
	return n
}

// scale starts or stops workers of a pool.
func (w *World) scale(name string, to int) {
	for _, p := range w.pools {
		if p.name != name {
			continue
		}
		for i, k := range p.workers {
			switch {
			case i < to && k.dead && k.gone:
				k.start()
			case i >= to && !k.dead:
				k.leave()
				k.gone = true
			}
		}
	}
}

// Now is the present, since the scenario's start.
func (w *World) Now() time.Duration { return w.clock.now }

// Start is the epoch of time 0.
func (w *World) Start() time.Time { return w.start }

// Next is when something happens next.
func (w *World) Next() (time.Duration, bool) { return w.clock.next() }

// Advance runs every event up to and at a time.
func (w *World) Advance(to time.Duration) { w.clock.advance(to) }

// Flush writes what is buffered of the truth and returns the first error of
// writing it.
func (w *World) Flush() error { return w.truth.flush() }

// Models lists the served models' names.
func (w *World) Models() []string {
	out := make([]string, len(w.models))
	for i, m := range w.models {
		out[i] = m.name
	}
	return out
}

// Scenario is what is simulated; not to be changed.
func (w *World) Scenario() *scenario.Scenario { return w.sc }

// PageSize is the tokens of a KV page of a model; 16 for one that is unknown.
func (w *World) PageSize(name string) int {
	if m := w.modelNamed(name); m != nil {
		return m.page
	}
	return 16
}

func (w *World) modelNamed(name string) *model {
	for _, m := range w.models {
		if m.name == name {
			return m
		}
	}
	return nil
}

func (w *World) frontendFor(name string) *frontend {
	for _, f := range w.frontends {
		if f.name == name || w.plain {
			return f
		}
	}
	return nil
}

func (w *World) workerNamed(name string) *worker {
	for _, k := range w.workers {
		if k.name == name {
			return k
		}
	}
	return nil
}

// maxContext is the longest prompt and answer of a pool; 0 is no limit.
func maxContext(p *pool) int {
	if n := p.spec.Params.MaxContext; n != nil {
		return *n
	}
	return 0
}

// render is an endpoint's page without any fault.
func (w *World) render(e *endpoint) []byte {
	var b bytes.Buffer
	e.render(&b)
	return b.Bytes()
}
