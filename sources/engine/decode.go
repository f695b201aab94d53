package engine

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// maxRanks is how many DP ranks of one server are kept.
const maxRanks = 512

// Loads is one answer to "how busy are you".
type Loads struct {
	Version      string
	Accelerator  string
	Accelerators int // of one DP rank; 0 when not told
	Ranks        []RankLoad
}

// RankLoad is the load of one DP rank: what the server told, by the names of
// loadFields. What it did not tell is missing.
type RankLoad struct {
	Rank   int
	Values map[string]float64
}

// rawLoad is one element of loads[] in /v1/loads, and of /get_load, whose
// names are older.
type rawLoad struct {
	Rank number `json:"dp_rank"`

	Running         number `json:"num_running_reqs"`
	Waiting         number `json:"num_waiting_reqs"`
	WaitingUncached number `json:"num_waiting_uncached_tokens"`
	Used            number `json:"num_used_tokens"`
	Total           number `json:"num_total_tokens"`
	Capacity        number `json:"max_total_num_tokens"`
	MaxRunning      number `json:"max_running_requests"`
	Usage           number `json:"token_usage"`
	Throughput      number `json:"gen_throughput"`
	HitRate         number `json:"cache_hit_rate"`
	PrefillTokens   number `json:"total_prefill_uncached_tokens"`
	PrefillBusy     number `json:"total_prefill_busy_us"`

	// /get_load
	Requests number `json:"num_reqs"`
	Tokens   number `json:"num_tokens"`

	Memory section[struct {
		Weights number `json:"weight_gb"`
		KV      number `json:"kv_cache_gb"`
		Graphs  number `json:"graph_gb"`
	}] `json:"memory"`
	Speculative section[struct {
		Length number `json:"accept_length"`
		Rate   number `json:"accept_rate"`
	}] `json:"speculative"`
	LoRA section[struct {
		Used  number `json:"slots_used"`
		Total number `json:"slots_total"`
	}] `json:"lora"`
	Queues section[struct {
		Waiting   number `json:"waiting"`
		Grammar   number `json:"grammar"`
		Paused    number `json:"paused"`
		Retracted number `json:"retracted"`
	}] `json:"queues"`
	Disaggregation section[struct {
		Mode      word   `json:"mode"`
		Bootstrap number `json:"prefill_bootstrap_queue_reqs"`
		Inflight  number `json:"prefill_inflight_queue_reqs"`
		Prealloc  number `json:"decode_prealloc_queue_reqs"`
		Transfer  number `json:"decode_transfer_queue_reqs"`
		Retracted number `json:"decode_retracted_queue_reqs"`
		Speed     number `json:"kv_transfer_speed_gb_s"`
		Latency   number `json:"kv_transfer_latency_ms"`
	}] `json:"disaggregation"`
}

const gib = 1 << 30

// values are the load's numbers under the names of the gauges; those that
// differ by a label have it in the name.
func (r rawLoad) values() map[string]float64 {
	out := map[string]float64{}
	put := func(name string, n number, factor float64) {
		// A counter or a gauge below zero is a mistake of the server's.
		if n.ok && n.v >= 0 {
			out[name] = n.v * factor
		}
	}
	put("running_requests", r.Running, 1)
	put("waiting_requests", r.Waiting, 1)
	if !r.Running.ok && r.Requests.ok && r.Waiting.ok {
		// /get_load counts the waiting ones among num_reqs.
		put("running_requests", number{r.Requests.v - r.Waiting.v, true}, 1)
	}
	if r.Queues.ok && r.Queues.v.Waiting.ok {
		// In disaggregated servers num_waiting_reqs adds the queues of the
		// transfer; this is the scheduler's own, as its metrics have it.
		put("waiting_requests", r.Queues.v.Waiting, 1)
	}
	put("waiting_uncached_tokens", r.WaitingUncached, 1)
	put("kv_used_tokens", r.Used, 1)
	put("kv_and_waiting_tokens", r.Total, 1)
	if !r.Total.ok {
		put("kv_and_waiting_tokens", r.Tokens, 1)
	}
	put("kv_capacity_tokens", r.Capacity, 1)
	put("max_running_requests", r.MaxRunning, 1)
	put("kv_usage_ratio", r.Usage, 1)
	put("generation_tokens_per_second", r.Throughput, 1)
	put("cache_hit_ratio", r.HitRate, 1)
	put("prefill_uncached_tokens_total", r.PrefillTokens, 1)
	put("prefill_busy_seconds_total", r.PrefillBusy, 1e-6)
	if m := r.Memory; m.ok {
		put("memory_bytes{pool=weights}", m.v.Weights, gib)
		put("memory_bytes{pool=kv}", m.v.KV, gib)
		put("memory_bytes{pool=graphs}", m.v.Graphs, gib)
	}
	if s := r.Speculative; s.ok {
		put("spec_accept_length", s.v.Length, 1)
		put("spec_accept_ratio", s.v.Rate, 1)
	}
	if l := r.LoRA; l.ok {
		put("lora_slots_used", l.v.Used, 1)
		put("lora_slots", l.v.Total, 1)
	}
	if q := r.Queues; q.ok {
		put("queued_requests{queue=grammar}", q.v.Grammar, 1)
		put("queued_requests{queue=paused}", q.v.Paused, 1)
		put("queued_requests{queue=retracted}", q.v.Retracted, 1)
	}
	if d := r.Disaggregation; d.ok {
		switch d.v.Mode.v {
		case "prefill":
			put("queued_requests{queue=prefill_bootstrap}", d.v.Bootstrap, 1)
			put("queued_requests{queue=prefill_inflight}", d.v.Inflight, 1)
		case "decode":
			put("queued_requests{queue=decode_prealloc}", d.v.Prealloc, 1)
			put("queued_requests{queue=decode_transfer}", d.v.Transfer, 1)
			put("queued_requests{queue=decode_retracted}", d.v.Retracted, 1)
		}
		// Zero is what a server says that has moved nothing yet.
		if d.v.Latency.v > 0 {
			put("kv_transfer_seconds", d.v.Latency, 1e-3)
		}
		if d.v.Speed.v > 0 {
			put("kv_transfer_bytes_per_second", d.v.Speed, gib)
		}
	}
	return out
}

// decodeLoads reads an answer of /v1/loads or of /get_load.
func decodeLoads(body []byte) (Loads, error) {
	var doc struct {
		Version      word          `json:"version"`
		Accelerator  word          `json:"accelerator"`
		Accelerators number        `json:"num_accelerators"`
		Loads        list[rawLoad] `json:"loads"`
	}
	if strings.HasPrefix(strings.TrimSpace(string(body[:min(len(body), 64)])), "[") {
		if err := decode(body, &doc.Loads); err != nil {
			return Loads{}, err
		}
	} else if err := decode(body, &doc); err != nil {
		return Loads{}, err
	}
	out := Loads{Version: label(doc.Version.v), Accelerator: label(doc.Accelerator.v)}
	if n := doc.Accelerators; n.ok && n.v >= 0 && n.v < 1e6 {
		out.Accelerators = int(n.v)
	}
	seen := map[int]bool{}
	for i, l := range doc.Loads {
		rank := i
		if l.Rank.ok {
			rank = int(max(-1, min(l.Rank.v, 1<<20)))
		}
		// The same rank twice would make the page refused as a whole.
		if len(out.Ranks) == maxRanks || rank < 0 || seen[rank] {
			continue
		}
		if v := l.values(); len(v) > 0 {
			seen[rank] = true
			out.Ranks = append(out.Ranks, RankLoad{Rank: rank, Values: v})
		}
	}
	if len(out.Ranks) == 0 {
		return Loads{}, errors.New("the answer has no load of any rank")
	}
	slices.SortFunc(out.Ranks, func(a, b RankLoad) int { return cmp.Compare(a.Rank, b.Rank) })
	return out, nil
}

// ServerInfo is what a server says about its start: only fields that flags.csv
// names, and a few that name it. Everything else, secrets among it, is dropped
// while decoding.
type ServerInfo struct {
	Version    string
	MaxTotal   float64 // tokens of one rank's KV pool; 0 when not told
	MaxRunning float64 // requests a DP rank really runs at once; 0 when not told
	Ranks      int     // DP ranks that answered

	fields map[string]string
}

// setting is the value of a setting and the field it came from. null, which
// means that nothing was given, is no value.
func (i *ServerInfo) setting(s Setting) (value, from string, ok bool) {
	for _, f := range s.info {
		v, there := i.fields[f.name]
		if !there {
			continue
		}
		if f.negate {
			switch v {
			case "true":
				v = "false"
			case "false":
				v = "true"
			}
		}
		return v, f.name, true
	}
	return "", "", false
}

// Field is a field of the answer that flags.csv names: "tp_size".
func (i *ServerInfo) Field(name string) (string, bool) {
	v, ok := i.fields[name]
	return v, ok
}

// infoFields are the names of server_info that are kept.
var infoFields = func() map[string]bool {
	out := map[string]bool{}
	for _, s := range settings {
		for _, f := range s.info {
			out[f.name] = true
		}
	}
	return out
}()

// DecodeServerInfo reads an answer of /server_info, /get_server_info or an
// engine route's /engine/server_info.
func DecodeServerInfo(body []byte) (*ServerInfo, error) {
	var doc map[string]json.RawMessage
	if err := decode(body, &doc); err != nil {
		return nil, err
	}
	// A handler behind a Dynamo route says 200 also where it failed.
	if status := wordOf(doc["status"]); status.v == "error" {
		return nil, errors.New("the route's handler failed: " + label(wordOf(doc["message"]).v))
	}
	i := &ServerInfo{fields: map[string]string{}, Version: label(wordOf(doc["version"]).v)}
	for name := range infoFields {
		if v := wordOf(doc[name]); v.ok {
			i.fields[name] = shown(name, v.v)
		}
	}
	// Dynamo's engine route may wrap SGLang's arguments.
	if len(i.fields) == 0 {
		var inner map[string]json.RawMessage
		if json.Unmarshal(doc["server_args"], &inner) == nil {
			for name := range infoFields {
				if v := wordOf(inner[name]); v.ok {
					i.fields[name] = shown(name, v.v)
				}
			}
		}
	}
	if n := numberOf(doc["max_total_num_tokens"]); n.ok && n.v > 0 {
		i.MaxTotal = n.v
	}
	var states list[struct {
		MaxRunning number `json:"effective_max_running_requests_per_dp"`
		Memory     section[struct {
			Capacity number `json:"token_capacity"`
		}] `json:"memory_usage"`
	}]
	_ = states.UnmarshalJSON(doc["internal_states"]) // never fails
	i.Ranks = len(states)
	for _, s := range states {
		if s.MaxRunning.ok && i.MaxRunning == 0 {
			i.MaxRunning = max(0, s.MaxRunning.v)
		}
		if s.Memory.v.Capacity.ok && i.MaxTotal == 0 {
			i.MaxTotal = max(0, s.Memory.v.Capacity.v)
		}
	}
	if len(i.fields) == 0 && i.Version == "" {
		return nil, errors.New("the answer names no setting of an engine")
	}
	return i, nil
}

func wordOf(raw json.RawMessage) (w word) {
	_ = w.UnmarshalJSON(raw) // never fails
	return w
}

func numberOf(raw json.RawMessage) (n number) {
	_ = n.UnmarshalJSON(raw) // never fails
	return n
}

// ModelInfo is what /model_info says, as far as a console needs it.
type ModelInfo struct {
	Path, ServedName, WeightVersion, Type string
}

func decodeModelInfo(body []byte) (ModelInfo, error) {
	var doc struct {
		Path    word `json:"model_path"`
		Served  word `json:"served_model_name"`
		Version word `json:"weight_version"`
		Type    word `json:"model_type"`
	}
	if err := decode(body, &doc); err != nil {
		return ModelInfo{}, err
	}
	m := ModelInfo{Path: label(doc.Path.v), ServedName: label(doc.Served.v), WeightVersion: label(doc.Version.v), Type: label(doc.Type.v)}
	if m == (ModelInfo{}) {
		return m, errors.New("the answer names no model")
	}
	return m, nil
}

// Model is one entry of /v1/models.
type Model struct {
	ID, Root  string
	MaxLength float64 // tokens; 0 when not told
}

func decodeModels(body []byte) ([]Model, error) {
	var doc struct {
		Data list[struct {
			ID   word   `json:"id"`
			Root word   `json:"root"`
			Max  number `json:"max_model_len"`
		}] `json:"data"`
	}
	if err := decode(body, &doc); err != nil {
		return nil, err
	}
	var out []Model
	for _, m := range doc.Data[:min(len(doc.Data), 256)] {
		if id := label(m.ID.v); id != "" {
			out = append(out, Model{ID: id, Root: label(m.Root.v), MaxLength: max(0, m.Max.v)})
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the answer lists no model")
	}
	return out, nil
}
