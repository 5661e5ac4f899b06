# `make help` lists what can be made. `make run` and `make test` set up all they need.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
UV_PIP := $(BIN)/uv pip
export CARGO_TARGET_DIR ?= $(CURDIR)/target
# One interpreter for every build of pyo3, so that cargo and maturin keep each other's work warm.
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python
# Bytecode is kept, whatever the environment says: a server starts in half the time, and the tests start a hundred.
export PYTHONDONTWRITEBYTECODE :=
# Processes in which Python's tests run, a file in each (tests/side_by_side.py); as many as the machine is to have cores.
PROCESSES ?= 2

# What the journeys in tests/ drive the server with: clients nobody here wrote.
TEST_PACKAGES := ffmpeg openssl gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
	gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav gstreamer1.0-rtsp iproute2 coturn chromium

ENGINE_SOURCES := pyproject.toml Cargo.toml Cargo.lock $(shell find crates -name '*.rs' -o -name Cargo.toml)
ROOMS := web/rooms
ROOMS_SOURCES := $(wildcard $(ROOMS)/*.json $(ROOMS)/*.ts $(ROOMS)/*.html) $(shell find $(ROOMS)/src $(ROOMS)/public -type f)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run setup build test check format bench fuzz lock clean

help: ## This list.
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F '\t' '{printf "make %-8s %s\n", $$1, $$2}'

run: setup ## Start the server; FILE=headgate.yml names a configuration.
	@exec $(BIN)/headgate run $(FILE)

setup: $(VENV)/.engine-release $(VENV)/.rooms ## Make .venv with the program .venv/bin/headgate, optimised.

build: $(VENV)/.locked $(VENV)/.rooms ## Make a wheel in dist/.
	$(BIN)/maturin build --release --locked --out dist

test: $(VENV)/.engine-dev $(VENV)/.rooms $(VENV)/.test-packages ## Run every test: the engine's, the pages', then Python's. TESTS=… chooses some of Python's.
	cargo test --locked -p headgate-engine -p headgate-load
	npm --prefix $(ROOMS) test
	$(BIN)/python -m pytest $(or $(TESTS),-n $(PROCESSES) --no-loadscope-reorder)

check: $(VENV)/.engine-dev $(VENV)/.rooms-packages ## Formatting, lints, types, floors, and the engine's stub against the engine.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports
	$(BIN)/stubtest headgate._engine
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	npm --prefix $(ROOMS) run check

format: $(VENV)/.locked-dev ## Rewrite the sources as `make check` wants them.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cargo fmt --all

bench: $(VENV)/.engine-release $(VENV)/.locked-dev ## Measure the server and its floors; BENCH=--quick for the short run.
	cargo build --locked --release -p headgate-load
	$(BIN)/python -m benchmarks $(BENCH)

fuzz: $(VENV)/.engine-dev ## Run every fuzz target for SECONDS=20 each (needs the nightly toolchain).
	$(BIN)/python -m tests.rooms.hostile $(or $(SECONDS),20)
	scripts/fuzz $(or $(SECONDS),20)

lock: $(VENV)/.uv ## Resolve the Python dependencies anew.
	$(UV_PIP) compile $(LOCK) pyproject.toml --group build -o requirements.lock
	$(UV_PIP) compile $(LOCK) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock

LOCK = --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header

clean: ## Remove everything that was made here.
	rm -rf $(VENV) dist target src/headgate/web $(ROOMS)/node_modules src/headgate/_engine.abi3.so .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps. Each is a file in .venv, so that removing .venv starts afresh.

$(VENV)/.uv:
	@scripts/prerequisites $(PYTHON)
	$(PYTHON) -m venv $(VENV)
	@# pip gets uv at the lock's version and hashes; uv installs everything after it.
	@sed -n '/^uv==/,/^ *# via/p' requirements.lock > $(VENV)/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@touch $@

$(VENV)/.locked: $(VENV)/.uv requirements.lock
	$(UV_PIP) install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.locked-dev: $(VENV)/.locked requirements-dev.lock
	$(UV_PIP) install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.engine-dev: $(VENV)/.locked-dev
$(VENV)/.engine-%: $(VENV)/.locked $(ENGINE_SOURCES)
	@# A server that runs keeps its engine: the file is replaced, not written over.
	@rm -f $(VENV)/.engine-* src/headgate/_engine.abi3.so
	@echo "building the engine ($*)"
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --locked --skip-install --profile $*
	@MATURIN_PEP517_ARGS="--locked --profile $*" $(UV_PIP) install --quiet --python $(BIN)/python \
		--no-deps --no-index --no-build-isolation --reinstall-package headgate --editable .
	@touch $@

$(VENV)/.test-packages: Makefile $(VENV)/.uv
	scripts/debian-packages $(TEST_PACKAGES)
	@touch $@

$(VENV)/.rooms-packages: $(VENV)/.uv $(ROOMS)/package-lock.json
	npm --prefix $(ROOMS) ci --silent
	@touch $@

$(VENV)/.rooms: $(VENV)/.rooms-packages $(ROOMS_SOURCES)
	@echo "building the rooms' page"
	@npm --prefix $(ROOMS) run --silent build -- --logLevel warn
	@touch $@
