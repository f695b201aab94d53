package scenario

import "time"

// Deployment is the shape of what is simulated: who runs, with which settings,
// and what each process exposes.
type Deployment struct {
	// Which release's names, labels and bucket edges the processes expose.
	Generation string `yaml:"generation" default:"1.6" enum:"1.6|1.4" ex:"1.4"`
	// The engine inside the workers, whose metric names they pass on.
	Engine string `yaml:"engine" default:"sglang" enum:"sglang|vllm|trtllm" ex:"vllm"`
	// Dynamo workers (system port only) behind a Dynamo frontend, or SGLang's
	// own `launch_server`s (plain-sglang), which clients call in turn: no
	// frontend, no router, no dynamo_* metrics.
	Kind string `yaml:"kind" default:"dynamo" enum:"dynamo|plain-sglang" ex:"plain-sglang"`
	// Names of the models served. Each must have a pool.
	Models []string `yaml:"models" default:"Qwen/Qwen3-32B" ex:"[Qwen/Qwen3-32B, Qwen/Qwen3-8B]"`
	// The Dynamo namespace of all processes.
	Namespace string `yaml:"namespace" default:"dynamo" ex:"prod"`
	// Workers expose every family of a real engine, or only the few of
	// Dynamo's mocker.
	Full bool `yaml:"full" default:"true" ex:"false"`
	// The processes that speak to clients.
	Frontends Frontends `yaml:"frontends"`
	// Groups of equal workers. Without any, one pool of two aggregated workers.
	Pools []Pool `yaml:"pools"`
	// How requests find a worker.
	Router Router `yaml:"router"`
	// Who else exposes metrics.
	Exporters Exporters `yaml:"exporters"`
	// Between the processes.
	Network Network `yaml:"network"`
	// Edges of the frontend's histograms, as DYN_METRICS_<X>_{MIN,MAX,COUNT}
	// would set them. Without an entry, the release's own.
	Buckets Buckets `yaml:"buckets"`
}

// Frontends describes the frontend processes, all alike. Clients use them in
// turn. `frontends: 2` is short for `frontends: {count: 2}`.
type Frontends struct {
	// How many.
	Count int `yaml:"count" default:"1" range:"[1,64]" ex:"2"`
	// Prefix of their metric names (`--metrics-prefix`).
	Prefix string `yaml:"prefix" default:"dynamo_frontend" ex:"acme_frontend"`
	// Mean time to tokenise and template one request of 1000 tokens; it grows
	// with the prompt.
	Preprocess time.Duration `yaml:"preprocess" default:"2ms" range:"[0,)" ex:"5ms"`
	// Mean time to detokenise and send one output token.
	Postprocess time.Duration `yaml:"postprocess" default:"20us" range:"[0,)" ex:"100us"`
	// How often a request is moved to another worker when its own is lost
	// (`--migration-limit`). With 0 it fails.
	MigrationLimit int `yaml:"migration_limit" default:"0" range:"[0,100]" ex:"2"`
	// Requests one frontend has open at most; more are refused as overload
	// (HTTP 529). 0 is no limit.
	MaxRequests int `yaml:"max_requests" default:"0" range:"[0,)" ex:"256"`
}

func (Frontends) shorthand() string { return "count" }

// Pool is a group of equal workers, each one process on `tp` GPUs per replica.
type Pool struct {
	// By which faults and expectations call it; letters and dashes. Without
	// it, the role; several pools of one role need names.
	Name string `yaml:"name" ex:"decode"`
	// Does prefill and decode (aggregated), or only one of the two, with a
	// transfer of KV between them.
	Role Role `yaml:"role" default:"aggregated" enum:"aggregated|prefill|decode" ex:"decode"`
	// The model they serve, one of the deployment's. Without it, the first.
	Model string `yaml:"model" ex:"Qwen/Qwen3-8B"`
	// How many workers there are at the start.
	Workers int `yaml:"workers" default:"2" range:"[1,1024]" ex:"4"`
	// GPUs that share each layer (tensor parallel size). Step times were
	// measured for these.
	TP int `yaml:"tp" default:"1" enum:"1|2|4|8" unit:"GPUs" ex:"2"`
	// Engine replicas in one process (data parallel ranks), each with its own
	// queue and KV pool on its own `tp` GPUs.
	DP int `yaml:"dp" default:"1" range:"[1,64]" unit:"ranks" ex:"2"`
	// Model of their GPUs.
	GPU string `yaml:"gpu" default:"H200" enum:"A100|L40S|H100|H200|B200|GB200" ex:"B200"`
	// GPUs in one host: how workers spread over hosts.
	GPUsPerHost int `yaml:"gpus_per_host" default:"8" range:"[1,72]" unit:"GPUs" ex:"4"`
	// Release of these workers where it differs from the deployment's (a
	// rolling upgrade). Without it, the deployment's.
	Generation string `yaml:"generation" enum:"1.6|1.4" ex:"1.4"`
	// Engine of these workers where it differs from the deployment's.
	Engine string `yaml:"engine" enum:"sglang|vllm|trtllm" ex:"vllm"`
	// Settings of each engine that differ from those fitted to model and GPU.
	Params Params `yaml:"params"`
}

// Role is what a pool's workers do.
type Role string

// The roles.
const (
	Aggregated Role = "aggregated"
	Prefill    Role = "prefill"
	Decode     Role = "decode"
)

// Params overrides what the simulation would derive from model, GPU and tp.
// A nil field is not overridden.
type Params struct {
	// Requests in the running batch of one rank at most (`--max-running-requests`).
	MaxRunning *int `yaml:"max_running" range:"[1,)" unit:"requests" ex:"64"`
	// Prompt tokens computed in one step at most (`--chunked-prefill-size`).
	MaxPrefillTokens *int `yaml:"max_prefill_tokens" range:"[1,)" unit:"tokens" ex:"8192"`
	// Tokens in one KV page.
	PageSize *int `yaml:"page_size" range:"[1,1024]" unit:"tokens" ex:"16"`
	// KV pages of one rank.
	KVPages *int `yaml:"kv_pages" range:"[1,)" unit:"pages" ex:"4096"`
	// KV pages in host memory behind them (HiCache), which its gauges show;
	// nothing is loaded back from there. SGLang with `full` only. 0 is none.
	HostKVPages *int `yaml:"host_kv_pages" range:"[0,)" unit:"pages" ex:"65536"`
	// Longest prompt and answer together; longer ones are refused.
	MaxContext *int `yaml:"max_context" range:"[1,)" unit:"tokens" ex:"32768"`
	// Chunks of prompts share steps with decoding, or have steps of their own.
	Mixed *bool `yaml:"mixed" ex:"true"`
	// Reuse KV of equal prompt beginnings (radix cache).
	PrefixCache *bool `yaml:"prefix_cache" ex:"false"`
	// Output tokens sent in one chunk (`--stream-interval`).
	StreamInterval *int `yaml:"stream_interval" range:"[1,)" unit:"tokens" ex:"20"`
	// Every step takes this many times as long.
	Slow *float64 `yaml:"slow" range:"(0,)" unit:"×" ex:"1.5"`
	// Host time that every step adds while the GPU waits.
	HostDelay *time.Duration `yaml:"host_delay" range:"[0,)" ex:"2ms"`
	// SGLang tells by CUDA events when its GPU works
	// (`SGLANG_ENABLE_METRICS_DEVICE_TIMER=1`): the time of its scheduler is
	// told apart by whether the GPU worked meanwhile. With `full` only.
	DeviceTimer *bool `yaml:"device_timer" ex:"true"`
	// SGLang's ranks share attention only (`--enable-dp-attention`) and count
	// the tokens of work that unequal ranks cost; their steps stay independent
	// here. With `full` and `dp` only.
	DPAttention *bool `yaml:"dp_attention" ex:"true"`
	// Of the transfer of KV from prefill to decode workers.
	TransferBandwidth *float64 `yaml:"transfer_bandwidth" range:"(0,)" unit:"GB/s" ex:"25"`
	// Time to set up one transfer.
	TransferLatency *time.Duration `yaml:"transfer_latency" range:"[0,)" ex:"2ms"`
	// How much room is kept for tokens to come when a request joins the batch
	// (`--schedule-conservativeness`): it multiplies the share of the remaining
	// answer that is expected. Lower takes more requests and retracts more.
	Conservativeness *float64 `yaml:"conservativeness" range:"(0,)" unit:"×" ex:"0.3"`
	// Which running request gives way when the pool is full: the one with the
	// shortest answer so far (SGLang), or the one that joined last (vLLM).
	Retract *string `yaml:"retract" enum:"fewest-tokens|youngest" ex:"youngest"`
	// The constant share of every step. This and the next seven are the step
	// time model of the engine, at tp 1.
	StepOverhead *time.Duration `yaml:"step_overhead" range:"[0,)" ex:"2ms"`
	// Reading the weights once; no decode step is shorter.
	WeightTime *time.Duration `yaml:"weight_time" range:"[0,)" ex:"18ms"`
	// What each request of the batch adds to a decode step.
	DecodePerSeq *time.Duration `yaml:"decode_per_seq" range:"[0,)" ex:"50us"`
	// What each token of context in the batch adds to a decode step.
	DecodePerKVToken *float64 `yaml:"decode_per_kv_token" range:"[0,)" unit:"ns" ex:"55"`
	// What each prompt token computed adds to a prefill step.
	PrefillPerToken *time.Duration `yaml:"prefill_per_token" range:"[0,)" ex:"60us"`
	// What each pair of a computed prompt token and a token of its context adds.
	PrefillPerTokenContext *float64 `yaml:"prefill_per_token_context" range:"[0,)" unit:"ns" ex:"0.4"`
	// Latency of one step's collectives between two GPUs; it grows with log2(tp).
	CommPerStep *time.Duration `yaml:"comm_per_step" range:"[0,)" ex:"500us"`
	// Time that collectives need for one token's data.
	CommPerToken *float64 `yaml:"comm_per_token" range:"[0,)" unit:"ns" ex:"2000"`
	// Requests that a worker's handler serves at once (pool_capacity).
	HandlerPool *int `yaml:"handler_pool" range:"[1,)" unit:"requests" ex:"1500"`
	// Requests that may wait for the handler.
	HandlerQueue *int `yaml:"handler_queue" range:"[1,)" unit:"requests" ex:"6000"`
	// Requests that a worker admits to its engine; others wait before it
	// (`--engine-request-limit`). Without it, no limit.
	EngineRequestLimit *int `yaml:"engine_request_limit" range:"[1,)" unit:"requests" ex:"64"`
	// Requests that may wait for admission; more are rejected.
	AdmissionQueue *int `yaml:"admission_queue" range:"[0,)" unit:"requests" ex:"32"`
}

// Router is how a request finds its worker.
type Router struct {
	// How it chooses (`--router-mode`). Dynamo's device-aware-weighted is no
	// value of its own: it tells workers on CPUs from others, and is
	// least-loaded where, as here, all have GPUs.
	Mode string `yaml:"mode" default:"kv" enum:"kv|round-robin|random|power-of-two|least-loaded" ex:"round-robin"`
	// A process of its own (`python -m dynamo.router`), one for each component
	// of workers, between frontends and workers: the router's families are on
	// its page and not on the frontends', those of its overhead, queue, index
	// and beliefs on none, and each message goes one hop more. Or part of each
	// frontend. The KV mode only.
	Standalone bool `yaml:"standalone" default:"false" ex:"true"`
	// Requests wait in the router while every worker has more prefill work
	// than this multiple of its max_prefill_tokens
	// (`--router-queue-threshold`). -1 is no queue; 0 queues whenever anything
	// is active.
	QueueThreshold float64 `yaml:"queue_threshold" default:"-1" range:"[-1,)" unit:"×" ex:"0.5"`
	// Requests that may wait in the router; more are refused
	// (back-pressure). 0 is no limit.
	QueueLimit int `yaml:"queue_limit" default:"0" range:"[0,)" unit:"requests" ex:"128"`
	// Prompt tokens that may wait in the router. 0 is no limit.
	QueueTokenLimit int `yaml:"queue_token_limit" default:"0" range:"[0,)" unit:"tokens" ex:"500000"`
	// Order of the waiting.
	Policy string `yaml:"policy" default:"fcfs" enum:"fcfs|wspt|lcfs" ex:"wspt"`
	// What a cached block counts against load in the KV mode.
	OverlapWeight float64 `yaml:"overlap_weight" default:"1" range:"[0,)" ex:"2"`
	// Randomness of the choice in the KV mode; 0 takes the best.
	Temperature float64 `yaml:"temperature" default:"0" range:"[0,)" ex:"0.5"`
	// Tokens in one block of the router's index, a multiple of the workers'
	// page size. 0 is that size.
	BlockSize int `yaml:"block_size" default:"0" range:"[0,1024]" unit:"tokens" ex:"64"`
}

// Exporters says who exposes what besides the metrics that are always there.
type Exporters struct {
	// GPUs by a DCGM exporter on each host.
	DCGM bool `yaml:"dcgm" default:"true" ex:"false"`
	// How often a DCGM exporter takes new values (its own default is 30s).
	DCGMInterval time.Duration `yaml:"dcgm_interval" default:"1s" range:"(0,)" ex:"30s"`
	// KV block manager on each worker, and the prefix of its names.
	KVBM string `yaml:"kvbm" default:"off" enum:"off|kvbm_|dynamo_kvbm_" ex:"kvbm_"`
	// A planner that watches and reports; it changes nothing by itself
	// (the fault `scale` does).
	Planner bool `yaml:"planner" default:"false" ex:"true"`
	// How often the planner decides.
	PlannerInterval time.Duration `yaml:"planner_interval" default:"30s" range:"(0,)" ex:"10s"`
	// The frontends' tokio runtime families.
	Tokio bool `yaml:"tokio" default:"true" ex:"false"`
	// The frontends' event-loop families.
	EventLoop bool `yaml:"event_loop" default:"true" ex:"false"`
}

// Network is what lies between frontends and workers.
type Network struct {
	// One way, each message.
	Delay time.Duration `yaml:"delay" default:"200us" range:"[0,)" ex:"2ms"`
	// Standard deviation of that.
	Jitter time.Duration `yaml:"jitter" default:"50us" range:"[0,)" ex:"1ms"`
}

// Buckets holds grids of the frontend's histograms; nil is the release's own.
type Buckets struct {
	// Time to first token, in seconds.
	TTFT *Grid `yaml:"ttft"`
	// Inter-token latency, in seconds.
	ITL *Grid `yaml:"itl"`
	// Duration of requests, in seconds.
	RequestDuration *Grid `yaml:"request_duration"`
	// Prompt length, in tokens.
	InputSequence *Grid `yaml:"input_sequence"`
	// Answer length, in tokens.
	OutputSequence *Grid `yaml:"output_sequence"`
}
