# One place to set up, run, test and lint. Needs Python 3.11 or 3.12, make and git.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
LOCK   := constraints.txt
# Peers of the benchmarks live apart: their licences and their versions are their own.
BENCH  := .venv-bench
PEERS  := benchmarks/peers.txt
# In a variable: a comma would end an argument of call.
EXTRAS := .[catalogue,check]

# Private certificate authorities live in the system's store; older uv ignores the name.
export UV_SYSTEM_CERTS ?= 1
export UV_LINK_MODE ?= copy
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Warnings of libraries about their own future are no business of a strict build.
export NO_MKDOCS_2_WARNING := 1

# uv where it works; pip where uv finds no wheel of itself or no certificate.
define install
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraints $(LOCK) $(1) || { \
	  echo "uv could not install; trying pip, which takes minutes."; \
	  $(BIN)/python -m pip install --quiet --upgrade "pip>=25.1" \
	  && $(BIN)/python -m pip install --quiet --constraint $(LOCK) $(1); }
endef

.PHONY: setup setup-bench demo test test-long test-all lint format docs lock clean help

help: ## Show the targets.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "No Python found: install Python 3.11 or 3.12, or say make PYTHON=/path/to/python."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' || \
	  { echo "$(PYTHON) is not Python 3.11 or 3.12: say make PYTHON=/path/to/python3.11."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --constraint $(LOCK) uv || \
	  echo "uv could not be brought in; pip does its work, more slowly."
	@touch $@

# What the product needs to run.
$(VENV)/.runtime: pyproject.toml $(LOCK) | $(VENV)/.made
	$(call install,--editable .)
	@touch $@

# What its developers need besides.
$(VENV)/.developer: pyproject.toml $(LOCK) | $(VENV)/.runtime
	$(call install,--editable '$(EXTRAS)' --group dev)
	@touch $@

$(VENV)/.documents: pyproject.toml $(LOCK) | $(VENV)/.runtime
	$(call install,--group docs)
	@touch $@

# Compiled kernels are cached beside their sources; without them the first scan waits.
$(VENV)/.warm: $(VENV)/.runtime $(wildcard analysis/*.py src/voltomo/twin/*.py)
	@$(BIN)/voltomo warmup || echo "Kernels were not compiled ahead; the first scan will do it."
	@touch $@

setup: $(VENV)/.runtime $(VENV)/.developer $(VENV)/.warm ## Make .venv with everything to run and develop.

# uv where it works, pip otherwise, as above.
$(BENCH)/.made: $(PEERS) | $(VENV)/.made
	$(PYTHON) -m venv $(BENCH)
	@$(BIN)/uv pip install --quiet --python $(BENCH)/bin/python --requirement $(PEERS) || { \
	  echo "uv could not install; trying pip, which takes minutes."; \
	  $(BENCH)/bin/python -m pip install --quiet --requirement $(PEERS); }
	@touch $@

setup-bench: setup $(BENCH)/.made ## Make .venv-bench with the peers that benchmarks compare with (1.6 GB).

demo: $(VENV)/.runtime $(VENV)/.warm ## Scan a virtual cell and leave files and reports in demo-output/.
	$(BIN)/voltomo demo

# Two at a time: what needs the one virtual beamline, and all the rest (tests/conftest.py).
test: setup ## Run the tests, but for the longest few.
	$(BIN)/pytest --numprocesses 2 --no-loadscope-reorder -m "not long"

test-long: setup ## Run the longest few: whole features, from end to end.
	$(BIN)/pytest --numprocesses 2 --no-loadscope-reorder -m long

test-all: test-long test ## Run all tests.

lint: $(VENV)/.developer ## Check style, format, types and imports between rooms.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports

format: $(VENV)/.developer ## Bring sources into form.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(VENV)/.documents ## Build the documentation into site/.
	$(BIN)/mkdocs build --strict --quiet

lock: $(VENV)/.made ## Pin all dependencies anew, without addresses.
	$(BIN)/uv pip compile --quiet --upgrade --universal --no-emit-index-url --no-annotate --no-header \
	  --all-extras --group bootstrap --group dev --group docs --group tables \
	  pyproject.toml --output-file $(LOCK)

clean: ## Remove environment, caches and builds; data and logs stay.
	rm -rf $(VENV) $(BENCH) build dist site src/voltomo.egg-info .pytest_cache .ruff_cache .hypothesis
	find analysis devices plans profiles src tests benchmarks tools -name __pycache__ -type d -prune -exec rm -rf {} +
