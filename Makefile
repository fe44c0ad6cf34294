# Milepost. `make help` lists the targets; `make demo` and `make test` need Python 3.11+ and make, nothing else.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python3.14; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v "$$p" && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
MEMBERS := protocol agent server simulator
REQUIREMENTS := deploy/requirements
ONCE ?=
# As many processes as there are processors; more than a few only make the tests wait for each other's disk.
SIDE_BY_SIDE := --numprocesses logical --maxprocesses 4 --dist worksteal

.PHONY: help setup demo test check format bench bench-agent bench-agent-ours bench-signals soak crash deb test-deb test-vm \
	test-container contracts pins clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.run-ready ## run the whole road on this machine (ONCE=1: a bounded run with a summary)
	@$(BIN)/milepost-sim demo $(if $(ONCE),--once)

test: $(VENV)/.test-ready ## install what the tests need, then run all of them (PYTEST_ARGS: which, and how)
	@deploy/system-packages test
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(PYTEST_ARGS)

check: $(VENV)/.test-ready ## style, types and import borders
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.test-ready ## let ruff format the tree
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.test-ready ## measure wire, memory and road; figures go to build/bench/*.json
	@deploy/system-packages test
	@$(BIN)/python tests/bench

bench-agent: $(VENV)/.test-ready build/rivals/.ready ## measure the agent beside its rivals (takes an hour)
	@deploy/system-packages test
	@$(BIN)/python tests/bench agent

bench-signals: $(VENV)/.test-ready ## measure how good the signals are, and how fast; build/bench/signals.json
	@$(BIN)/python tests/bench signals

bench-agent-ours: $(VENV)/.test-ready ## after a change of the agent: its own row anew, beside the rivals of the last whole run
	@deploy/system-packages test
	@$(BIN)/python tests/bench agent-ours

soak: $(VENV)/.run-ready ## play histories of agent, broker and server in virtual time (RUNS=10000 SEED=0)
	@$(BIN)/milepost-sim world --seed $(or $(SEED),0) --runs $(or $(RUNS),10000) --json build/bench/world.json

crash: $(VENV)/.test-ready ## the crash tests in their long form: thousands of power cuts, hundreds of kills
	@deploy/system-packages test
	@$(BIN)/python tests/crash

deb: $(VENV)/.run-ready ## build the agent's Debian package into build/deb (ARCH=arm64: for another machine)
	@deploy/debian/build $(BIN)/python build/deb $(ARCH)

test-deb: deb ## install it in a fresh Debian 12, start it there, upgrade, remove and purge it (needs root and debootstrap)
	@deploy/debian/try build/deb build/try

test-vm: deb $(VENV)/.test-ready ## boot it in a virtual machine: SocketCAN, a broker, hangs, power cuts (root, qemu; CUTS=10 SEED=)
	@deploy/debian/try-vm $(BIN)/python build/deb build/vm $(if $(CUTS),--cuts $(CUTS)) $(if $(SEED),--seed $(SEED))

test-container: $(VENV)/.run-ready ## build its container image and live with it (needs root, podman, debootstrap, mosquitto)
	@deploy/container/try $(BIN) build/try-container

contracts: $(VENV)/.test-ready ## write the generated documents anew: schemas, settings, map of files
	@$(BIN)/python -m milepost_protocol.documents docs/protocol
	@$(BIN)/milepost-agent config show --markdown > docs/agent-settings.md
	@$(BIN)/milepost-server config docs > docs/server-settings.md
	@$(BIN)/python tests/house/file_map.py

setup: $(VENV)/.test-ready ## everything a developer needs, without running anything

pins: ## resolve the pinned requirements anew (needs uv)
	@for f in run test rivals agent vm; do uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --python-version 3.11 $(REQUIREMENTS)/$$f.in -o $(REQUIREMENTS)/$$f.txt; done

clean: ## remove what the other targets made
	rm -rf $(VENV) build

$(VENV)/bin/python:
	@deploy/make-venv "$(PYTHON)" $(VENV)

$(VENV)/.run-ready: $(VENV)/bin/python $(REQUIREMENTS)/run.txt $(MEMBERS:%=%/pyproject.toml)
	@echo "Installing what Milepost needs into $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r $(REQUIREMENTS)/run.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation $(MEMBERS:%=-e ./%)
	@touch $@

$(VENV)/.test-ready: $(VENV)/.run-ready $(REQUIREMENTS)/test.txt
	@echo "Installing what the tests need into $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r $(REQUIREMENTS)/test.txt
	@touch $@

build/rivals/.ready: $(REQUIREMENTS)/rivals.txt
	@echo "Installing the rivals into build/rivals ..."
	@deploy/make-venv "$(PYTHON)" build/rivals
	@build/rivals/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@
