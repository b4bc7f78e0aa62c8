# Every target sets up what it needs: the environment in .venv, a container engine, the sandbox image.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all fuzz attack-matrix lint format proto lock images bench bench-page clean

BIN := .venv/bin
ENGINE := scripts/with_engine.sh
SOURCES := runtime tests scripts sandbox_images
# The interpreter to make .venv with; by default the first of 3.11 or newer.
export PYTHON
# Tests marked slow take more than half a minute each.
PYTEST_QUICK := -m "not slow"

help: ## Show this text
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

setup: ## Make the environment in .venv
	@scripts/venv.sh

images: setup ## Find or start a container engine and build the sandbox image
	@$(ENGINE) scripts/image.sh

demo: images ## Show the whole loop, offline, on real questions
	@$(ENGINE) $(BIN)/toolwright demo

test: lint images ## Lint, then all quick tests
	@$(ENGINE) scripts/test.sh $(PYTEST_QUICK)

test-all: lint images ## The same with the slow tests, and coverage
	@$(ENGINE) scripts/test.sh --coverage

attack-matrix: images ## Fire every attack case under every runtime, and write docs/attack-matrix.md
	@$(ENGINE) $(BIN)/pytest -q -m case --attack-results build/attack-results.json tests
	@$(ENGINE) $(BIN)/python scripts/attack_matrix.py build/attack-results.json

fuzz: setup ## Fuzz what reads hostile bytes, by coverage; TOOLWRIGHT_FUZZ_SECONDS=60 for each of four targets
	@$(BIN)/pytest -m slow tests/fuzz

lint: setup ## Check style, types, layers, protos and generated code
	@scripts/lint.sh

format: setup ## Format the code and mend what can be mended
	@$(BIN)/ruff check --fix --quiet $(SOURCES) || true
	@$(BIN)/ruff format $(SOURCES)

proto: setup ## Generate runtime/toolwright/v1 from proto/
	@scripts/proto.sh

lock: ## Write the lock files anew from pyproject.toml (needs uv)
	@scripts/lock.sh

bench: images ## Measure calls and their floors in one run; BENCH="--quick" for less than a minute
	@$(ENGINE) $(BIN)/toolwright bench $(BENCH)

bench-page: images ## Measure, and write docs/benchmarks.md; wants a machine that does nothing else
	@mkdir -p build
	@$(ENGINE) $(BIN)/toolwright bench --json $(BENCH) > build/benchmarks.json
	@$(BIN)/python scripts/benchmark_page.py build/benchmarks.json

clean: ## Remove this project's containers, images and environment; the engine stays
	@scripts/clean.sh
