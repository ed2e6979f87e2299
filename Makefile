# Everything a developer or CI does with flowersim; `make help` lists it.

.DEFAULT_GOAL := help
.PHONY: help setup environment run serve test test-all lint bench lock audit clean

# Passed on by run, serve, test and test-all: make test ARGS="tests/retrieval -x"
ARGS ?=

PYTHON := .venv/bin/python
FLOWERSIM := .venv/bin/flowersim
# Most of a test run is single-threaded graph building; a worker takes up to 2.5 GB of memory. Files are
# handed out in the order that tests/conftest.py gives them, the long ones first.
PYTEST := TF_CPP_MIN_LOG_LEVEL=2 $(PYTHON) -m pytest -q -n auto --maxprocesses 4 --dist loadfile \
	--no-loadscope-reorder

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) \
		| awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'
	@echo
	@echo '  ARGS="..."                 more arguments for run, serve, test and test-all'
	@echo '  FLOWERSIM_PYTHON=3.10      force a Python (a version or a path), and with it the TFX line:'
	@echo '                             3.11 and 3.10 get TFX 1.16; 3.13 and 3.12 get TFX 1.21 (glibc 2.39)'
	@echo '  UPGRADE=1                  with lock: newest versions instead of the smallest change'

setup: ## make .venv, or bring it up to date; all but help, lock and clean do this first
	@bash requirements/bootstrap.sh

environment:
	@bash requirements/bootstrap.sh --quiet

run: environment ## run the pipeline on the default preset, then ask the model over HTTP
	@$(FLOWERSIM) run --query $(ARGS)

serve: environment ## serve the newest pushed model over REST
	@$(FLOWERSIM) serve $(ARGS)

test: environment ## run the tests that CI runs
	@$(PYTEST) -m "not extended" $(ARGS)

test-all: environment ## run every test, also the long ones
	@$(PYTEST) $(ARGS)

lint: environment ## check style, format and types
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy

bench: environment ## run the short benchmarks; each prints one line of JSON
	@set -e; for name in image_storage center_loss training; do \
		TF_CPP_MIN_LOG_LEVEL=2 $(PYTHON) benchmarks/$$name.py; done

lock: ## resolve requirements/*.lock anew from setup.py
	@uv=$$(bash requirements/bootstrap.sh --uv) && bash requirements/lock.sh "$$uv"

audit: ## look the locked packages up among known vulnerabilities; SECURITY.md judges those it names
	@uv=$$(bash requirements/bootstrap.sh --uv) && bash requirements/audit.sh "$$uv"

clean: ## remove the environment and every cache, not what runs wrote
	@rm -rf .venv .venv.lock .uv .uv.log build dist *.egg-info
	@rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
