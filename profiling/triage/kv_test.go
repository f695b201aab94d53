package triage

import (
	"math"
	"testing"
	"time"

	"dynascope/sources"
)

func TestKVRows(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	figures := map[sources.Need]*sources.Figure{}
	put := func(n sources.Need, st sources.Status, values map[string]float64) {
		f := &sources.Figure{Need: n, Status: st, At: at}
		for instance, v := range values {
			f.Series = append(f.Series, sources.Series{Labels: sources.Labels{"instance": instance, "dp_rank": "0"}, Points: []sources.Point{{T: at.UnixMilli(), V: v}}})
		}
		figures[n] = f
	}
	put(needKVUsed, sources.StatusOK, map[string]float64{"sg": 0.4, "dead": 0.9})
	put(needKVEvictable, sources.StatusOK, map[string]float64{"sg": 0.5})
	put(needKVDynamo, sources.StatusOK, map[string]float64{"sg": 0.41, "vl": 0.2})
	put(needHit, sources.StatusOK, map[string]float64{"sg": 0.6, "vl": 0.3})
	put(needHitHost, sources.StatusIdle, nil)
	put(needTransferQueues[0], sources.StatusOK, map[string]float64{"sg": 2})
	put(needTransferQueues[1], sources.StatusOK, map[string]float64{"sg": 3})
	for _, n := range KVNeeds() {
		if figures[n] == nil {
			figures[n] = &sources.Figure{Need: n, Status: sources.StatusAbsent}
		}
	}
	worker := func(id string, st sources.WorkerState) sources.Worker {
		return sources.Worker{ID: id, Instance: id, Ranks: []string{"0"}, State: st}
	}
	rows := KVRows(sources.NewSnapshot(sources.Snapshot{At: at, Workers: []sources.Worker{
		worker("sg", sources.WorkerUp), worker("vl", sources.WorkerUp), worker("dead", sources.WorkerGone),
	}}, figures))
	if len(rows) != 3 {
		t.Fatalf("%d rows", len(rows))
	}
	sg, vl, dead := rows[0], rows[1], rows[2]
	switch {
	case sg.Used.V != 0.4 || sg.Evictable.V != 0.5 || sg.TransferQueue.V != 5:
		t.Errorf("the engine's own numbers: %+v", sg)
	case vl.Used.V != 0.2 || vl.Used.Need != needKVDynamo || vl.TransferQueue.Has():
		t.Errorf("what Dynamo says stands in, and says so: %+v", vl)
	case vl.Host.Status != sources.StatusAbsent:
		t.Errorf("a tier that nobody counts is %v", vl.Host.Status)
	case dead.Used.Status != sources.StatusStale || dead.Hit.Has():
		t.Errorf("a dead worker's pool is %+v", dead.Used)
	}
	if KVRows(nil) != nil || !math.IsNaN(dead.Hit.V) {
		t.Error("nothing is something")
	}
}
