package world

import "maps"

func init() { maps.Copy(stories, frontStories) }

// frontStories are those of what lies before the workers, and of their
// handlers.
var frontStories = map[string]story{
	"router-stage-mild": {before: s(60, 180), during: s(190, 420), after: s(480, 590), facts: []fact{
		{"preprocess on the page, +ms", adds(func(p *past) float64 {
			return 1000 * average(front0, "dynamo_frontend_stage_duration_seconds", `stage="preprocess"`)(p)
		}), 13, 17},
		{"TTFT, +s", adds(ttft(nil)), 0.008, 0.025},
		{"promise kept", during(kept(nil)), 0.95, 1},
	}},
	"router-queue-mild": {before: s(60, 180), during: s(200, 420), after: s(480, 590), facts: []fact{
		{"held in the router, s", during(mean(nil, held)), 0.02, 0.6},
		{"held before, s", before(mean(nil, held)), 0, 0.03},
		{"wait in the engines, s", during(waited(nil)), 0, 0.05},
		{"requests pending on the page", during(gauge(front0, "dynamo_frontend_router_queue_pending_requests")), 1, inf},
		{"promise kept", during(kept(nil)), 0.9, 1},
	}},
	"frontend-event-loop-mild": {before: s(60, 180), during: s(190, 420), after: s(480, 590), facts: []fact{
		{"event loop on the page, +s", adds(average(front0, "dynamo_frontend_event_loop_delay_seconds")), 0.008, 0.012},
		{"TTFT on a worker's page, +s", adds(average("worker0", engineTTFT)), -0.02, 0.02},
		{"promise kept", during(kept(nil)), 0.9, 1},
	}},
	"worker-pool-exhausted": {before: s(60, 180), during: s(200, 360), after: s(530, 590), facts: []fact{
		{"the handler binds", during(binds("handler", "")), 0.9, 1},
		{"tasks at work", during(gauge("worker0", "dynamo_work_handler_pool_active_tasks")), 15, 16},
		{"their limit", during(gauge("worker0", "dynamo_work_handler_pool_capacity")), 16, 16},
		{"queue of the handler, most", during(peak("worker1", "dynamo_work_handler_queue_depth")), 10, inf},
		{"queue of the engine, most", during(peak("worker1", queued)), 0, 2},
		{"TTFT ÷ before", grows(ttft(nil)), 5, inf},
		{"promise kept", during(kept(nil)), 0, 0.5},
	}},
	"worker-pool-exhausted-mild": {before: s(60, 180), during: s(200, 420), after: s(500, 590), facts: []fact{
		{"tasks at work at worker1", during(gauge("worker1", "dynamo_work_handler_pool_active_tasks")), 7, 10.8},
		{"limit that is shown", during(gauge("worker1", "dynamo_work_handler_pool_capacity")), 24, 24},
		{"queue of its handler", during(gauge("worker1", "dynamo_work_handler_queue_depth")), 0.3, 8},
		{"queue of the other's, most", during(peak("worker0", "dynamo_work_handler_queue_depth")), 0, 0},
		{"queue of its engine, most", during(peak("worker1", queued)), 0, 2},
	}},
	"client-side": {before: s(60, 180), during: s(190, 360), after: s(420, 590), unmended: true, facts: []fact{
		{"cancelled before", before(ending("cancelled", nil)), 0, 0.06},
		{"cancelled", during(ending("cancelled", nil)), 0.5, 0.8},
		{"cancelled after", after(ending("cancelled", nil)), 0, 0.06},
		{"TTFT ÷ before", grows(ttft(nil)), 0.7, 1.2},
		{"ITL ÷ before", grows(itl(nil)), 0.7, 1.2},
		{"on the page, /s", during(rate(front0, "dynamo_frontend_model_cancellation_total")), 2, 5},
	}},
	"client-side-mild": {before: s(60, 180), during: s(190, 420), after: s(480, 590), unmended: true, facts: []fact{
		{"cancelled before", before(ending("cancelled", nil)), 0.005, 0.07},
		{"cancelled", during(ending("cancelled", nil)), 0.18, 0.36},
		{"cancelled after", after(ending("cancelled", nil)), 0.005, 0.07},
		{"TTFT ÷ before", grows(ttft(nil)), 0.7, 1.2},
		{"ITL ÷ before", grows(itl(nil)), 0.7, 1.2},
	}},
	"errors": {before: s(60, 180), during: s(190, 360), after: s(420, 590), facts: []fact{
		{"failed", during(ending("backend_error", nil)), 0.1, 0.3},
		{"of worker1", during(ending("backend_error", on("worker1"))), 0.4, 0.6},
		{"of worker0", during(ending("backend_error", on("worker0"))), 0, 0},
		{"errors on its page, /s", during(rate("worker1", "dynamo_component_errors_total")), 0.5, 2.5},
	}},
	"errors-mild": {before: s(60, 180), during: s(190, 480), after: s(500, 590), facts: []fact{
		{"failed", during(ending("internal", nil)), 0.025, 0.055},
		{"on the page, /s", during(rate(front0, requests, `error_type="internal"`)), 0.15, 0.6},
	}},
	"admission-rejected": {before: s(60, 180), during: s(190, 360), after: s(450, 590), facts: []fact{
		{"refused", during(ending("overload", nil)), 0.2, 0.9},
		{"refused before", before(ending("overload", nil)), 0, 0},
		{"by the router's page, /s", during(rate(front0, "dynamo_frontend_router_queue_backpressure_total", `reason="request_limit"`)), 5, inf},
	}},
	"admission-rejected-mild": {before: s(60, 180), during: s(190, 420), after: s(480, 590), facts: []fact{
		{"refused", during(ending("overload", nil)), 0.02, 0.12},
		{"refused before", before(ending("overload", nil)), 0, 0},
		{"by a worker's page, /s", during(rate("worker0", "dynamo_rejection_request_total")), 0.05, inf},
	}},
	"telemetry-missing": {before: s(60, 180), during: s(180, 360), after: s(420, 590), facts: []fact{
		{"promise kept", during(kept(nil)), 0.98, 1},
		{"nothing binds", during(binds("none", "")), 0.995, 1},
		{"pages of the frontend", during(answers(front0)), 0, 0.1},
		{"pages of the workers", during(answers("worker0")), 1, 1},
	}},
	"telemetry-missing-mild": {before: s(30, 120), during: s(125, 540), after: s(545, 590), facts: []fact{
		{"promise kept", during(kept(nil)), 0.98, 1},
		{"pages of worker1", during(answers("worker1")), 1, 1},
		{"those with SGLang's families", during(has("worker1", running)), 0.5, 0.65},
	}},
	"planner-oscillation-mild": {before: s(60, 115), during: s(120, 580), unmended: true, facts: []fact{
		{"replicas before", before(gauge("planner", "dynamo_planner_num_decode_replicas")), 2, 2},
		{"replicas, most", during(peak("planner", "dynamo_planner_num_decode_replicas")), 3, 3},
		{"looks that differ from the one before", during(changes("planner", "dynamo_planner_num_decode_replicas")), 4, 6},
		{"promise kept", during(kept(nil)), 0.95, 1},
	}},
}
