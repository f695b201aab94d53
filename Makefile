# dynascope — `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

export TZ := UTC
export CGO_CFLAGS := -Wno-deprecated-declarations

GO      ?= go
BIN     := bin/dynascope
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)

# NVML needs cgo, and cgo a C compiler.
CC_FOUND := $(shell command -v $$($(GO) env CC 2>/dev/null || echo cc) 2>/dev/null)
ifeq ($(CC_FOUND),)
export CGO_ENABLED := 0
endif

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/dynascope (stripped)
ifeq ($(CC_FOUND),)
	@echo "no C compiler found: building without NVML (GPU figures then come from a DCGM exporter only)"
endif
	@mkdir -p bin
	@$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/dynascope

.PHONY: run
run: build ## run the console: make run ARGS='--target http://127.0.0.1:8000'
	@$(BIN) $(ARGS)

.PHONY: demo
demo: build ## the console on the simulated deployment, nothing else needed
	@$(BIN) demo $(ARGS)

.PHONY: test
test: ## unit tests of every package
	@$(GO) test -timeout 20m ./...

.PHONY: check
check: ## formatting, vet, and the unit tests under the race detector (the long ones shortened)
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not gofmt-clean:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	@$(GO) vet ./...
	@$(GO) test -race -short -timeout 20m ./...

.PHONY: golden
golden: ## rewrite the golden pictures; then look at the diff
	@UPDATE_GOLDEN=1 $(GO) test ./tui/... ./cmd/...
	@git --no-pager diff --stat -- '*.golden'

.PHONY: e2e
e2e: build ## the built program in tmux, and against hostile servers and files
	@DYNASCOPE_BIN=$(abspath $(BIN)) $(GO) test -tags e2e -count=1 -v ./cmd/dynascope/e2e/
	@DYNASCOPE_BIN=$(abspath $(BIN)) $(GO) test -tags e2e -count=1 -parallel 8 ./cmd/dynascope/hostile/

.PHONY: scenarios
scenarios: ## every shipped scenario in virtual time: are its verdicts told, in time, and no others? (make scenarios SCENARIO=kv-pressure prints what is said when)
	@SCENARIO=$(or $(SCENARIO),all) $(GO) test -count=1 -timeout 30m -parallel 2 -run '^TestShipped$$' -v ./cmd/dynascope/trial | grep --line-buffered -v '^=== '

LONG_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/dynascope/scenarios-long

.PHONY: scenarios-long
scenarios-long: ## false alarms in seven simulated days of healthy load; goes on where it was broken off (LONG_ARGS='-days 1 -procs 4')
	@$(GO) build -trimpath -buildvcs=false -o bin/scenarios-long ./cmd/dynascope/trial/long
	@bin/scenarios-long -dir $(LONG_DIR) $(LONG_ARGS)

FUZZ_TIME ?= 3s

.PHONY: fuzz
fuzz: ## every parser of outside bytes, for some seconds each: make fuzz FUZZ_TIME=30s
	@git grep -l '^func Fuzz' -- '*_test.go' | while read -r f; do \
	  sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$f" | while read -r name; do \
	    echo "$$(dirname "$$f") $$name"; \
	    $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZ_TIME) -fuzzminimizetime 5x "./$$(dirname "$$f")" </dev/null || exit 1; \
	  done || exit 1; \
	done

# The real Prometheus server, of the version whose engine is embedded; its own
# module (.ci/prometheus) keeps its dependencies out of ours.
PROMETHEUS_VERSION := $(shell awk '$$1 == "github.com/prometheus/prometheus" {print $$2}' go.mod)
PROMETHEUS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/dynascope/prometheus-$(PROMETHEUS_VERSION)/prometheus
PROMTOOL   := $(dir $(PROMETHEUS))promtool

$(PROMETHEUS) $(PROMTOOL):
	@echo "building $(@F) of Prometheus $(PROMETHEUS_VERSION), once"
	@mkdir -p $(@D)
	@cd .ci/prometheus && $(GO) build -trimpath -tags netgo,remove_all_sd -ldflags '-s -w' -o $@.part github.com/prometheus/prometheus/cmd/$(@F)
	@mv $@.part $@

.PHONY: e2e-prometheus
e2e-prometheus: $(PROMETHEUS) $(PROMTOOL) ## the same questions to the embedded engine and to a real Prometheus server; promtool on the exported rules
	@$(GO) test -tags prometheus -count=1 -timeout 15m ./sources/contract
	@PROMTOOL=$(PROMTOOL) $(GO) test -tags prometheus -count=1 -v -run TestPromtool ./profiling/triage/alerts

.PHONY: e2e-dynamo
e2e-dynamo: build $(PROMETHEUS) ## a real Dynamo (both releases, from PyPI) under load
	@python3 .ci/dynamo/testbed.py install --release all
	@DYNASCOPE_BIN=$(abspath $(BIN)) PROMETHEUS_SERVER=$(PROMETHEUS) $(GO) test -tags e2e_dynamo -count=1 -v -timeout 25m ./cmd/dynascope/e2edynamo/

.PHONY: bench
bench: bench-frame ## what watching costs: beside Prometheus on 1 to 256 targets, beside btop and htop (15 minutes; BENCH_SECONDS=20 BENCH_TARGETS="1 16" shorten it)
	@DYNASCOPE_BIN=$(abspath $(BIN)) $(GO) run ./cmd/dynascope/cost

.PHONY: bench-frame
bench-frame: build ## first frame and key echo with every target black-holed
	@DYNASCOPE_BIN=$(abspath $(BIN)) $(GO) test -tags e2e -run '^$$' -bench . -benchtime 10x ./cmd/dynascope/e2e/

.PHONY: bench-sim
bench-sim: ## the simulator: model, pages, an hour in virtual time, 1000 live streams and their lateness
	@$(GO) test -run '^$$' -bench . -benchtime 3x ./bench/sim/engine ./bench/sim/page ./bench/sim/world
	@GOMAXPROCS=1 $(GO) test -run '^$$' -bench VirtualHour -benchtime 1x ./sources/embedded
	@$(GO) test -run '^$$' -bench Streams -benchtime 1x ./bench/sim/server

.PHONY: bench-trace
bench-trace: ## reading a generated 1 GB trace, beside gunzip, json.load and HTA (10 minutes and 6 GB for those two; BENCH_TRACE_MB=100 is quick)
	@$(GO) run ./profiling/trace/cost

.PHONY: dynamo
dynamo: ## start a real Dynamo on this machine (no GPU): make dynamo RELEASE=1.6.1 SHAPE=agg; stop: make dynamo-stop
	@python3 .ci/dynamo/testbed.py install --release $(or $(RELEASE),1.6.1)
	@python3 .ci/dynamo/testbed.py up --release $(or $(RELEASE),1.6.1) --shape $(or $(SHAPE),agg)

.PHONY: dynamo-stop
dynamo-stop: ## stop what make dynamo started
	@python3 .ci/dynamo/testbed.py down --all

.PHONY: clean
clean: ## remove built files
	@rm -rf bin dist shots
