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
.PHONY: help train test lint format bench clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# A stamp says that an installation is complete for this pyproject.toml.
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "installing ohmcarlo into $(VENV) (once) ..."
	$(PIP) install --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.installed
	@echo "installing what the tests need into $(VENV) (once) ..."
	$(PIP) install --editable '.[dev,report]'
	@touch $@

train: $(VENV)/.installed  ## an array learns to recognise malignant tissue (breast-cancer)
	$(BIN)/ohmcarlo train breast-cancer --whiten --rho 0.8 --chains 4

lint: $(VENV)/.installed-dev  ## ruff (lint and format) and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev  ## let ruff put imports and layout right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: lint  ## lint, types and all tests
	$(BIN)/python -m pytest -n $(JOBS)

bench: $(VENV)/.installed-dev  ## accuracy and speed as the README states them (3 minutes)
	@for bench in tests/bench/bench_*.py; do $(BIN)/python $$bench || exit 1; done

clean:  ## remove what was built and installed
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name '*.egg-info' -prune -exec rm -rf {} +
	find . -name __pycache__ -prune -exec rm -rf {} +
