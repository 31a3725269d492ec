# Everything is a target here; `make` lists them. CI is `make check` and nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The engine's C++ build would otherwise start more compilers than there are cores.
export CMAKE_BUILD_PARALLEL_LEVEL ?= $(shell nproc 2>/dev/null || echo 2)
export CARGO_TERM_PROGRESS_WHEN ?= auto
export PROMPT

# One selection everywhere, so that every dependency is compiled once.
ALL := --workspace --all-features --locked
DEVELOPMENT := $(ALL) --bin subrosa --bin subrosa-enclave
BIN := $(or $(CARGO_TARGET_DIR),target)/debug
# Crates that also run in a browser.
CORE := -p subrosa-attest -p subrosa-attest-case -p subrosa-channel -p subrosa-api -p subrosa-measure -p subrosa-translog -p subrosa-vault -p subrosa-client -p subrosa-web-core

.PHONY: help setup setup-check try try-web test-web web-reproduce npm proxy development test lint check docs deny advisories fuzz fuzz-short \
	bench deploy-check e2e vectors vectors-check claims release release-features release-tests install-check image-tools image image-chat image-attack image-reproduce attack wasm-check measure-check mutants differential-check tlog-check log-torture clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what building needs (quick when nothing is missing)
	@scripts/setup build

setup-check: ## Install also what `make check` needs
	@scripts/setup check

development: setup
	@test -x $(BIN)/subrosa-enclave || echo 'building: the first time takes about 10 minutes on 2 cores, 5 on 4; later seconds' >&2
	@cargo build $(DEVELOPMENT) >&2

try: development ## Start an enclave with the demo model and chat with it (or: echo 'Hello' | make try)
	@$(BIN)/subrosa try $(ARGS)

proxy: development ## Start the same service with an OpenAI-compatible proxy on 127.0.0.1:8787
	@$(BIN)/subrosa proxy --start-development-service $(ARGS)

test: ## Set up, then pass all tests
	@scripts/setup test
	@scripts/test $(ARGS)

lint: ## Formatting and clippy, warnings are errors (also for the browser target)
	cargo fmt --all --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy $(ALL) --all-targets -- -D warnings
	cargo clippy $(CORE) --locked --no-default-features --target wasm32-unknown-unknown -- -D warnings

check: ## All of CI
	@bash .ci/run

docs: ## Build the documentation of all crates, warnings are errors
	RUSTDOCFLAGS="-D warnings" cargo doc $(ALL) --no-deps

deny: ## Licences, sources and banned crates of all dependencies
	cargo deny --locked --all-features check --hide-inclusion-graph bans licenses sources
	cargo deny --locked --manifest-path fuzz/Cargo.toml check --hide-inclusion-graph bans licenses sources

advisories: ## Known vulnerabilities of dependencies (needs the network; says so when it could not check)
	@scripts/advisories

claims: ## Every claim of docs/claims.md names a test that exists
	@scripts/check-claims

fuzz: ## One fuzz target: make fuzz T=snp_report TIME=600 (seconds)
	@scripts/setup check
	@scripts/fuzz run "$(T)" "$(or $(TIME),60)"

fuzz-short: ## Every fuzz target for a few seconds (TIME=10)
	@scripts/fuzz short "$(or $(TIME),10)"

bench: bench/run setup ## Run the benchmarks; results go to bench/results/
	@bench/run $(ARGS)

e2e: tests/e2e/run ## Official Python and Node clients against the proxy
	@scripts/setup e2e
	@cargo build $(ALL) --bins --tests >&2
	@tests/e2e/run $(ARGS)

try-web: development ## Open the web application on this machine: service, edge and page
	@scripts/setup web
	@cargo build $(ALL) --bin subrosa-edge >&2
	@scripts/web development
	@scripts/try-web $(ARGS)

test-web: setup ## The web application and the npm package: types, unit tests, and their whole way in Chromium and Node
	@tests/web/run

web-reproduce: ## The web application built twice, in different places: the same bytes (4 minutes)
	@scripts/web-reproduce

npm: ## The npm package, to be published
	@scripts/setup web
	@scripts/npm

wasm-check: ## The verifier judges recorded evidence as WebAssembly as it does natively
	@tests/wasm/run $(ARGS)

tlog-check: ## Our trees, proofs and notes are those of the crates tlog_tiles and signed_note
	CARGO_TARGET_DIR=$(or $(CARGO_TARGET_DIR),target)/tlog cargo test --quiet --locked --manifest-path tests/tlog/Cargo.toml

log-torture: ## Kill a log and its witness while entries are handed in; RUNS=N, 300 if it is not said
	SUBROSA_TORTURE_RUNS=$(or $(RUNS),300) cargo test --locked -p subrosa --all-features --test log_torture -- --nocapture

measure-check: ## Predicted measurements are those of sev-snp-measure and of a second implementation (needs PyPI)
	@tests/measure/run

differential-check: ## Our verifier agrees with the crate dcap-qvl about Intel's quotes and with sev about AMD's reports
	@tests/differential/run

release-tests: ## What a build without `development` refuses
	cargo test --locked -p subrosa --no-default-features --test release

install-check: setup ## Install the static client into an empty root and chat from there (needs root)
	@scripts/setup static
	@cargo build $(ALL) --bins >&2
	@cargo build --locked -p subrosa --no-default-features --features development --target x86_64-unknown-linux-musl >&2
	@tests/install/run $(ARGS)

# Built with the selection that everything is built with, so that nothing is compiled twice.
image-tools: development
	@scripts/setup image

image: image-tools ## Build the measured image into dist/image and predict what it measures (the first time 10 minutes)
	@$(BIN)/subrosa image build $(ARGS)

image-chat: image-tools ## Boot the image, verify it, ask and stop: make image-chat PROMPT='Hello'
	@test -f dist/image/measurement.json || $(BIN)/subrosa image build
	@printf '%s\n' "$${PROMPT:-What is the capital of France?}" | $(BIN)/subrosa image chat $(ARGS)

image-attack: image-tools ## Change one thing after another as a host could, boot, and see it refused (5 minutes)
	@$(BIN)/subrosa image attack $(ARGS)

image-reproduce: image-tools ## Build the image twice, under different conditions, and compare (20 minutes)
	@$(BIN)/subrosa image reproduce $(ARGS)

deploy-check: ## The Helm chart renders to what Kubernetes' schema says (needs PyPI)
	@scripts/deploy-check

mutants: ## Mutation testing of the verifiers: the sample of docs/mutants.md (hours; ARGS="CRATE MODULE 0/40")
	@scripts/mutants $(ARGS)

attack: ## Cheap adversary tests: the ones that play the relay, the host or a web page
	@scripts/attack

vectors: ## Make the vectors of spec/vectors/ again
	@scripts/vectors write

vectors-check: ## Making the vectors again changes nothing
	@scripts/vectors check

release: setup ## Build the release artefacts into dist/ with their explicit feature lists
	@scripts/release $(ARGS)

release-features: ## No release artefact contains the feature `development`
	@scripts/check-release-features

clean: ## Remove what was built
	cargo clean
	rm -rf fuzz/target fuzz/corpus fuzz/artifacts dist tests/e2e/.venv tests/e2e/node_modules
