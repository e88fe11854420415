# Everything is set up inside the tree: .venv, from requirements.lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DATA ?= quayside-data
FOR ?=
SEED ?= 1
# These have a target of their own, test-engine.
APART := --ignore tests/canaries --ignore tests/chaos
BENCH ?=
CHAOS ?=
MUTANTS ?=
# How many test files run at the same time: much of a test is waiting for a process.
AT_ONCE ?= 2
SPREAD := -n $(AT_ONCE) --dist loadfile

.PHONY: help setup demo test test-kafka test-engine test-slow lint types check chaos mutants clean dashboards screenshots docs bench client

help: ## What can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## Install into .venv (locked dependencies)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Quayside needs Python 3.11 or newer; this is %d.%d. Set PYTHON=python3.x." % sys.version_info[:2])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing locked dependencies into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

demo: $(READY) ## The whole pipeline with a demo supply network (FOR=45 ends it after 45 s)
	@$(BIN)/quayside up --demo --seed $(SEED) --data $(DATA) $(if $(FOR),--for $(FOR))

test: $(READY) ## The tests; needs no Java
	@$(BIN)/python -m pytest -q --durations=20 $(SPREAD) -m "not kafka and not slow" $(APART)

test-kafka: $(READY) ## The tests against a real Apache Kafka (Maven and Java)
	@$(BIN)/python -m pytest -q -m "kafka and not slow" $(APART)

test-engine: $(READY) ## Canaries of what we lean on, and the short crash runs, on both brokers
	@$(BIN)/python -m pytest -q -m "not slow" tests/canaries tests/chaos

test-slow: $(READY) ## What takes too long for every change: brokers that give way under load, loops of kills
	@$(BIN)/python -m pytest -q -m slow tests

chaos: $(READY) ## The long crash runs, with a table (CHAOS="--seed 7 --kills 50 --broker both" for options)
	@$(BIN)/python -m tests.chaos $(CHAOS)

mutants: $(READY) ## Each guard taken out in turn: a test has to fail (MUTANTS="--list" for options)
	@$(BIN)/python -m tests.mutants $(MUTANTS)

lint: $(READY) ## Format and lint
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: $(READY) ## Strict types, tests included
	@$(BIN)/mypy

check: lint types test ## What a commit has to pass

dashboards: $(READY) ## Write the generated dashboards again, and try all of them on the demo's history
	@$(BIN)/quayside dashboards build
	@$(BIN)/quayside dashboards check --demo-history

screenshots: $(READY) ## Take the pictures in docs/images again (five minutes of the demo; needs a Chromium)
	@$(BIN)/python -m tests.screenshots

docs: $(READY) ## Write the generated documents again
	@$(BIN)/python -m schemas.contracts docs

bench: $(READY) ## Our worker beside its peers (Maven and Java; BENCH="--rounds 1" for options)
	@$(BIN)/quayside bench $(BENCH)

client: $(READY) ## Build the suppliers' client, a wheel of its own, into dist/
	@$(BIN)/python -m deploy.client.build --out dist

clean: ## Remove what was made, the demo's data included
	@rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis dist *.egg-info $(DATA)
