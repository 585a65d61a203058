# Everything below works on a machine with Python 3.11, g++ and make. `make help` lists the targets.
PYTHON ?= python3
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Data that cannot ship is looked for here first (README.md, "Data").
ifneq ($(wildcard ../shared/data),)
OHMCARLO_DATA ?= $(abspath ../shared/data)
endif
ifdef OHMCARLO_DATA
export OHMCARLO_DATA
endif

.DEFAULT_GOAL := help
.PHONY: help train test lint format rtl bitstream formal netlist fuzz coverage bench clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# A stamp says that an installation is complete for this pyproject.toml.
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "installing ohmcarlo into $(VENV) (once) ..."
	$(PIP) install --editable '.[fpga]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.installed
	@echo "installing what the tests need into $(VENV) (once) ..."
	$(PIP) install --editable '.[dev,reproduce,fpga,sim]'
	@echo "compiling the synthesis tools for this machine (once, 1 minute) ..."
	$(BIN)/python -m verif.harness.prewarm
	@touch $@

train: $(VENV)/.installed  ## an array learns to recognise malignant tissue (breast-cancer)
	$(BIN)/ohmcarlo train breast-cancer --whiten --rho 0.8 --chains 4

lint: $(VENV)/.installed-dev  ## ruff (lint and format), mypy, and the committed Verilog is what the sources give
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m ohmcarlo_rtl --check

format: $(VENV)/.installed-dev  ## let ruff put imports and layout right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: lint  ## lint, types and all tests, the hardware's in simulation among them (50 minutes)
	$(BIN)/python -m pytest -n $(JOBS)

rtl: $(VENV)/.installed-dev  ## Verilog, memory images, C header, register page: rtl_gen/reference
	$(BIN)/python -m ohmcarlo_rtl

bitstream: $(VENV)/.installed  ## a board's bitstream with open tools: make bitstream BOARD=ulx3s-85f
	$(BIN)/ohmcarlo build $(or $(BOARD),$(error which board? make bitstream BOARD=ulx3s-85f; ohmcarlo build --help lists them))

formal: $(VENV)/.installed-dev  ## interlocks of the sequencer, proved
	$(BIN)/python -m pytest verif/test_formal.py

netlist: $(VENV)/.installed-dev  ## the benches on synthesised netlists, iCE40 and ECP5 (30 minutes)
	NETLIST=1 $(BIN)/python -m pytest -n $(JOBS) verif/test_netlist.py verif/test_netlist_models.py

fuzz: $(VENV)/.installed-dev  ## fuzz the firmware's parser and commands (needs clang; 20 minutes)
	$(BIN)/python -m ohmcarlo_rtl.fuzz --seconds 600

coverage: $(VENV)/.installed-dev  ## line and toggle coverage of the core (15 minutes)
	$(BIN)/python -m verif.coverage --clean
	COVERAGE=1 $(BIN)/python -m pytest -n $(JOBS) verif/test_core.py verif/test_core_service.py
	$(BIN)/python -m verif.coverage

bench: $(VENV)/.installed-dev  ## accuracy, speed, clocks and the link as the README states them (15 minutes)
	@for bench in tests/bench/bench_*.py; do $(BIN)/python $$bench || exit 1; done

clean:  ## remove what was built and installed
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name '*.egg-info' -prune -exec rm -rf {} +
	find . -name __pycache__ -prune -exec rm -rf {} +
