# What a person runs. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# aws-sdk-ec2 is half of all build time and gives one number (launch times): the demo and the
# quick checks go without, `make test` has it.
LIGHT := --no-default-features --features weir-controller/lambda,weir-worker/otel,weir-worker/s3

TRACE ?=
DEMO_ARGS ?=
TRACES ?=
PAGE ?=
JUDGE_ARGS ?=
BENCH_ARGS ?=
ARCH ?=

EXAMPLES_PYTHON := target/examples/venv/ready

.PHONY: help demo judge bench test check pure e2e report moto infra docs dist dist-check deny clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## a day of thumbnails in minutes, on a small cloud on loopback; TRACE=FILE.csv for another day
	@cargo build --locked $(LIGHT) -p weir-controller -p weir-worker -p weir-sandbox --bins --example thumbnails
	@target/debug/weir-sandbox demo $(if $(TRACE),--trace '$(TRACE)') --summary target/demo/summary.json $(DEMO_ARGS)

judge: ## cost and lateness beside tuned peers on arrival traces; TRACES=DIR of t_seconds,arrivals CSV files
	@if [ -z '$(TRACES)' ]; then \
	  echo 'make judge needs a folder of arrival traces: make judge TRACES=DIR' >&2; exit 64; \
	fi
	@cargo run --quiet --locked --release -p weir-controller --no-default-features --example judge -- '$(TRACES)' $(JUDGE_ARGS)

bench: ## the judgement's speed and memory; the worker's calls, CPU and memory beside other consumers; target/bench/bench.json
	cargo bench --locked -p weir-controller --no-default-features
	cargo build --locked --release -p weir-worker -p weir-bench --bins
	cargo run --quiet --locked --release -p weir-bench --bin weir-bench -- $(BENCH_ARGS)

check: ## before each commit: format, lints, the pure tests
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets $(LIGHT) -- -D warnings
	cargo test --locked -p weir-protocol -p weir-yaml -p weir-controller --no-default-features
	python3 -m unittest discover -s packaging/tests -t packaging

test: export WEIR_PROGRAMS = $(CURDIR)/target/debug
test: tools check report e2e moto infra ## everything: check, the report page in a browser, all tests with the real binaries, queues on moto, Terraform

e2e: $(EXAMPLES_PYTHON) ## all Rust tests, the end-to-end ones on the sandbox included
	cargo build --locked --workspace --bins --examples
	cargo test --locked --workspace

report: ## the report page in a headless Chromium; PAGE=FILE.html for one more page, screenshots in target/report
	@cargo run --quiet --locked -p weir-controller --no-default-features --features testing --example report -- target/report/pages
	python3 controller/tests/report/run.py target/report/pages $(if $(PAGE),'$(PAGE)')

# The Python that the service in worker/examples runs on.
$(EXAMPLES_PYTHON): worker/examples/requirements.txt
	python3 -m venv --clear target/examples/venv
	target/examples/venv/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

moto: ## the conformance cases of queues over another emulator, beside what AWS documents
	python3 sandbox/tests/moto/conform.py

infra: ## Terraform: format, validity, mocked plans, linters, and whole lives on an emulator, in one table
	python3 infra/tests/run.py

docs: ## the tables of inputs and outputs in infra's READMEs, from the variables
	python3 infra/tests/docs.py

dist: ## what is released, in dist/: archives, Lambda zip, packages, sums; ARCH=x86_64 or arm64 for that one alone
	python3 packaging/dist.py $(if $(ARCH),--arch '$(ARCH)')

dist-check: ## make dist twice, in different folders, and compare every byte
	python3 packaging/twice.py $(if $(ARCH),--arch '$(ARCH)')

.PHONY: tools
tools:
	@for tool in "cargo|https://rustup.rs" "python3|your system's packages (3.9 or later)" "chromium|your system's packages" "identify|your system's packages (imagemagick)" "curl|your system's packages" "jq|your system's packages" "shellcheck|your system's packages" "systemd-analyze|your system's packages (systemd)" "terraform|https://developer.hashicorp.com/terraform/install (1.9 or later)"; do \
	  command -v "$${tool%%|*}" >/dev/null || { echo "make test needs $${tool%%|*}, which is not on the PATH: get it from $${tool#*|}" >&2; exit 64; }; \
	done

deny: ## licences, sources and banned crates (installs cargo-deny where it is missing)
	command -v cargo-deny >/dev/null || cargo install --locked --version 0.20.2 cargo-deny
	cargo deny check licenses bans sources

clean: ## remove all that the other targets made
	cargo clean
	rm -rf dist
