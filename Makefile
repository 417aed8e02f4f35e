# Every command a person needs. Each installs what it uses, pinned and with hashes, into .venv.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
SOURCES := libs services cli tests bench examples
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.DEFAULT_GOAL := help
.PHONY: help run test check demo bench audit-verify compose-test lock snapshot clean

help:  ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

run: $(VENV)/.local  ## Start everything here, with the local phone company; Ctrl-C stops it
	@$(BIN)/switchboard up

test: $(VENV)/.dev  ## Everything a change must pass
	@$(MAKE) --no-print-directory check-code
	@$(BIN)/pytest -n $(or $(TEST_WORKERS),3)

check: $(VENV)/.dev  ## The quick part of it, in under a minute
	@$(MAKE) --no-print-directory check-code
	@$(BIN)/pytest -n $(or $(TEST_WORKERS),3) tests/contracts tests/common

.PHONY: check-code
check-code:
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports
	$(BIN)/python -m common.docs --check

demo: $(VENV)/.local  ## The story of one text, against the running stack or one of its own
	@$(BIN)/switchboard demo

bench: $(VENV)/.dev  ## What it costs, beside floors of the same durability
	@$(BIN)/python -m bench

audit-verify: $(VENV)/.local  ## Check every chain of the audit, entry by entry
	@$(BIN)/switchboard audit verify

compose-test: $(VENV)/.local  ## Bring up deploy/compose.yaml with its demo profile and play the story against it
	@deploy/compose-test

lock: $(VENV)/.dev  ## Pin the requirements anew
	$(COMPILE) requirements/dev.in -o requirements/dev.txt
	for set in build local runtime; do $(COMPILE) -c requirements/dev.txt requirements/$$set.in -o requirements/$$set.txt; done

snapshot: $(VENV)/.dev  ## Write the generated documents: schemas, AsyncAPI, tables
	$(BIN)/python -m common.docs
	$(BIN)/switchboard settings > .env.example

clean:  ## Remove what was installed and made, except data/
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps: an install happens when a pin changes. What `make test` needs contains what `make run` needs.
$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.local: requirements/local.txt pyproject.toml | $(VENV)/.made
	@if [ -e $(VENV)/.dev ]; then $(MAKE) --no-print-directory $(VENV)/.dev; \
	else $(PIP) --require-hashes -r requirements/local.txt && $(PIP) --no-deps --no-build-isolation -e .; fi
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/.made
	$(PIP) --require-hashes -r requirements/dev.txt
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.local
