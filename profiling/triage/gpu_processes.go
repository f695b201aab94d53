package triage

import (
	"cmp"
	"math"
	"net"
	"slices"
	"strings"

	"dynascope/sources"
)

// GPUProcess is one process that holds memory of a GPU.
type GPUProcess struct {
	PID, Name string
	Slice     string // the MIG instance, empty without MIG
	Memory    Cell   // bytes
	SM        Cell   // share of time in which it kept SMs busy
	// Worker is the instance of the worker that the process serves, empty when
	// nothing tells; Proof is what told.
	Worker string
	Proof  Proof
}

// Proof is what a process's worker is known from.
type Proof int

// The proofs, from none to certain.
const (
	ProofNone Proof = iota
	// ProofOnly: the process is named for an engine, and the one worker known
	// on its host runs that engine. Another, unscraped one may run beside it.
	ProofOnly
	// ProofPID: the worker's port is held by this process, or by its parent.
	ProofPID
)

// Owner says that a process of a host belongs to a worker: it listens on the
// worker's port, or is started by what does.
type Owner struct {
	Host     string // as NVML names it; empty is the host that NVML shows
	PID      string
	Instance string // of the worker's target
}

// needOwner is which processes of this host are a worker's (sources/engine).
var needOwner = sources.Need{Key: "engine.process", Form: sources.FormNow, By: "instance,pid"}

// ownersOf reads what the snapshot knows of them.
func ownersOf(s *sources.Snapshot) []Owner {
	var out []Owner
	for _, series := range s.Figure(needOwner).Series {
		if pid := series.Labels["pid"]; pid != "" {
			out = append(out, Owner{PID: pid, Instance: series.Labels["instance"]})
		}
	}
	return out
}

// ownership finds a process's worker.
type ownership struct {
	byPID map[[2]string]string // host, pid → instance
	only  map[string]sources.Worker
}

func newOwnership(s *sources.Snapshot, gpus []GPU, owners []Owner) ownership {
	o := ownership{byPID: map[[2]string]string{}, only: map[string]sources.Worker{}}
	local := ""
	for i := range gpus {
		if gpus[i].Local() {
			local = gpus[i].Host
			break
		}
	}
	for _, own := range append(ownersOf(s), owners...) {
		o.byPID[[2]string{cmp.Or(own.Host, local), own.PID}] = own.Instance
	}
	crowded := map[string]bool{}
	for _, w := range s.Workers {
		host, _, err := net.SplitHostPort(w.Instance)
		if err != nil || w.State == sources.WorkerGone {
			continue
		}
		if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
			host = local
		}
		if _, has := o.only[host]; has {
			crowded[host] = true
		}
		o.only[host] = w
	}
	for host := range crowded {
		delete(o.only, host)
	}
	delete(o.only, "")
	return o
}

func (o ownership) of(host, pid, name string) (string, Proof) {
	if in, ok := o.byPID[[2]string{host, pid}]; ok {
		return in, ProofPID
	}
	w, ok := o.only[host]
	if ok && w.Engine != "" && strings.Contains(strings.ToLower(name), strings.ToLower(w.Engine)) {
		return w.Instance, ProofOnly
	}
	return "", ProofNone
}

// processes gives each GPU its processes.
func (j join) processes(out []GPU, at map[string]int, o ownership) {
	sm := j.snap.Figure(needProcessSM)
	busy := map[[2]string]Cell{}
	for _, series := range sm.Series {
		busy[[2]string{series.Labels["uuid"], series.Labels["pid"]}] = j.read(sm, series, 10)
	}
	fig := j.snap.Figure(needProcess)
	for _, series := range fig.Series {
		l := series.Labels
		i, ok := at[l["uuid"]]
		if !ok || l["pid"] == "" {
			continue
		}
		p := GPUProcess{PID: l["pid"], Name: l["process"], Slice: l["mig_id"], Memory: j.read(fig, series, 1<<50)}
		p.SM, ok = busy[[2]string{l["uuid"], p.PID}]
		if !ok {
			p.SM = Cell{V: math.NaN(), Status: sm.Status, At: sm.At, Need: needProcessSM}
			if sm.Status == sources.StatusOK {
				p.SM.Status = sources.StatusIdle // it was not seen on an SM
			}
		}
		p.Worker, p.Proof = o.of(out[i].Host, p.PID, p.Name)
		out[i].Processes = append(out[i].Processes, p)
	}
	for i := range out {
		slices.SortStableFunc(out[i].Processes, func(a, b GPUProcess) int {
			return cmp.Or(-compareCells(a.Memory, b.Memory), compareNames(a.PID, b.PID))
		})
	}
}

// compareCells orders numbers, those that are missing first.
func compareCells(a, b Cell) int {
	switch {
	case a.Has() != b.Has():
		if a.Has() {
			return 1
		}
		return -1
	case !a.Has():
		return 0
	}
	return cmp.Compare(a.V, b.V)
}

// Workers are the instances that the GPU's processes serve, each once, and
// the weakest proof among them.
func (g *GPU) Workers() (instances []string, proof Proof) {
	proof = ProofPID
	for _, p := range g.Processes {
		if p.Proof == ProofNone {
			continue
		}
		proof = min(proof, p.Proof)
		if !slices.Contains(instances, p.Worker) {
			instances = append(instances, p.Worker)
		}
	}
	if len(instances) == 0 {
		return nil, ProofNone
	}
	return instances, proof
}
