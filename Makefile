# forgia_hpc. `make help` lists the targets.
SHELL := /bin/bash
VENV ?= .venv
export FORGIA_VENV := $(VENV)
.DEFAULT_GOAL := help
.PHONY: help demo test lint endurance setup clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## from raw files to a trained, judged model and a page, on this machine (minutes)
	@.ci/setup demo
	@.ci/demo

test: ## everything: lint, contracts, unit, DeepSpeed ranks, MPI (two of them), parallel HDF5, a real Slurm, the wheel
	@.ci/setup test
	@$(MAKE) --no-print-directory lint
	@.ci/test

lint: ## ruff, mypy, the floors of the house
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

endurance: ## the long counts, resumable; see tests/endurance
	@.ci/setup test
	@$(VENV)/bin/python tests/endurance/run.py

setup: ## the environment alone
	@.ci/setup test

clean: ## what was built here; runs/ and data/ stay
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
