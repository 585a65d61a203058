# The targets need Python 3.11 or newer, g++ and make. `make help` lists the targets.
PYTHON ?= python3
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Workers that run out of tests take some from the others.
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist worksteal
FUZZ_SECONDS ?= 180

# BEGIN is the first line of a recipe; TIMED opens its last line, which prints the time since then.
BEGIN = @mkdir -p build && date +%s > build/.began-$(@F)
TIMED = @trap 'echo "$(@F): $$(($$(date +%s) - $$(cat build/.began-$(@F)))) s"' EXIT
MAKE_BOTH = @$(MAKE) --no-print-directory --jobs=$(JOBS)

# This folder is searched first for data that cannot ship (docs/guide.md, "Data sets").
ifneq ($(wildcard ../shared/data),)
OHMCARLO_DATA ?= $(abspath ../shared/data)
endif
ifdef OHMCARLO_DATA
export OHMCARLO_DATA
endif

.DEFAULT_GOAL := help
.PHONY: help train check test verify docs lint warm format rtl bitstream formal netlist fuzz coverage bench bench-one clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# A stamp marks an installation as complete for this pyproject.toml.
$(VENV)/.installed: pyproject.toml setup.py | $(BIN)/python
	$(BEGIN)
	@echo "installing ohmcarlo into $(VENV) (once) ..."
	$(PIP) install --editable .
	$(TIMED); touch $@

$(VENV)/.installed-fpga: $(VENV)/.installed
	$(BEGIN)
	@echo "installing synthesis and place and route into $(VENV) (once) ..."
	$(PIP) install --editable '.[fpga]'
	$(TIMED); touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.installed
	$(BEGIN)
	@echo "installing the packages of the tests into $(VENV) (once) ..."
	$(PIP) install --editable '.[dev,reproduce,fpga,sim]'
	@echo "compiling the synthesis tools for this machine (once, 1 minute) ..."
	$(BIN)/python -m verif.harness.prewarm
	$(TIMED); touch $@

$(VENV)/.installed-verify: $(VENV)/.installed-dev
	$(BEGIN)
	@echo "installing the tools of make verify into $(VENV) (once): compact models, buses, pages ..."
	$(PIP) install --editable '.[veriloga,bus-models,site,notebooks,browser]'
	$(TIMED); touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-dev
	$(BEGIN)
	@echo "installing the samplers that make bench compares into $(VENV) (once) ..."
	$(PIP) install --editable '.[samplers]'
	$(TIMED); touch $@

$(VENV)/.installed-site: $(VENV)/.installed
	$(BEGIN)
	@echo "installing the packages of the site into $(VENV) (once) ..."
	$(PIP) install --editable '.[site]'
	$(TIMED); touch $@

train: $(VENV)/.installed  ## train an array to recognise malignant tissue (breast-cancer)
	$(BIN)/ohmcarlo train breast-cancer

check: $(VENV)/.installed-dev  ## lint, types, unit tests of the host; no hardware build (3 minutes)
	$(BEGIN)
	$(MAKE_BOTH) lint warm
	$(TIMED); $(PYTEST) -m "not hdl and not slow and not verify" tests

test: $(VENV)/.installed-dev  ## all tests that a change must pass: every promise except the longest (15 minutes)
	$(BEGIN)
	$(MAKE_BOTH) lint warm
	$(TIMED); $(PYTEST) -m "not verify"

verify: SEED := $(or $(SEED),$(shell od -A n -N 3 -t u4 /dev/urandom | tr -d ' '))
verify: $(VENV)/.installed-verify  ## everything, with random stimuli from a new SEED (75 minutes)
	$(BEGIN)
	$(MAKE_BOTH) lint warm
	@echo "SEED=$(SEED): make verify SEED=$(SEED) repeats this run"
	SEED=$(SEED) OHMCARLO_BOARD_PROFILE=1 $(PYTEST) --hypothesis-seed=$(SEED) || { echo "SEED=$(SEED)"; exit 1; }
	@$(MAKE) --no-print-directory coverage SEED=$(SEED)
	$(TIMED); $(MAKE) --no-print-directory fuzz

docs: $(VENV)/.installed-site  ## build the site of all pages into build/site; its start is build/site/index.html
	$(BEGIN)
	$(TIMED); NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

lint: $(VENV)/.installed-dev  ## ruff (lint and format) and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# One process compiles the sampler before several need it.
warm: $(VENV)/.installed-dev
	$(BIN)/ohmcarlo train toy2d --steps 10 > /dev/null

format: $(VENV)/.installed-dev  ## sort imports and format with ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

rtl: $(VENV)/.installed-dev  ## renew rtl_gen/reference: Verilog, memory images, C header, register page
	$(BIN)/python -m ohmcarlo_rtl

bitstream: $(VENV)/.installed-fpga  ## build a bitstream with open tools: make bitstream BOARD=ulx3s-85f
	$(BIN)/ohmcarlo build $(or $(BOARD),$(error which board? make bitstream BOARD=ulx3s-85f; ohmcarlo build --help lists them))

formal: $(VENV)/.installed-dev  ## prove the interlocks of the sequencer, and the bridges from standard buses
	$(BIN)/python -m pytest verif/test_formal.py verif/test_bus_formal.py

bench-one: $(VENV)/.installed-dev  ## run a single bench: make bench-one BLOCK=sequencer WAVES=1 SEED=7 [TEST=words of -k]
	WAVES=$(WAVES) SEED=$(SEED) $(BIN)/python -m pytest \
	  verif/test_$(or $(BLOCK),$(error which bench? make bench-one BLOCK=sequencer runs verif/test_sequencer.py)).py \
	  $(if $(TEST),-k '$(TEST)')

netlist: $(VENV)/.installed-dev  ## run the benches on synthesised netlists (40 minutes)
	$(PYTEST) verif/test_netlist.py verif/test_netlist_models.py

fuzz: $(VENV)/.installed-dev  ## fuzz the firmware's parser and commands (needs clang; FUZZ_SECONDS each)
	@if command -v clang > /dev/null; then \
	$(BIN)/python -m ohmcarlo_rtl.firmware.fuzz --seconds $(FUZZ_SECONDS); \
	else echo "fuzz: clang is not installed; the tests replay the corpus only (apt install clang)"; fi

coverage: $(VENV)/.installed-dev  ## measure line and toggle coverage of the core (15 minutes)
	$(BIN)/python -m verif.coverage --clean
	COVERAGE=1 $(PYTEST) verif/test_core.py verif/test_core_service.py
	$(BIN)/python -m verif.coverage

bench: $(VENV)/.installed-bench  ## measure accuracy, speed, clocks, the link, costs, and other samplers: tables of docs/results.md (35 minutes)
	@for bench in tests/bench/bench_*.py; do $(BIN)/python $$bench || exit 1; done

clean:  ## remove all builds and installations
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name '*.egg-info' -prune -exec rm -rf {} +
	find . -name __pycache__ -prune -exec rm -rf {} +
