# Two commands do all the set-up and their job: make reproduce, make test. `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Set by some shells and editors; it would lead uv and mypy to another environment.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME
# Set in some containers; each stage would compile what it imports anew, for seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help reproduce study study-notebook test fuzz torture mutate lint deps check-lock bench throughput seeds compare lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

reproduce: $(READY) ## run the whole pipeline on MNIST; only what changed, if it ran before
	@dvc repro || { python tools/mend_lock.py && dvc repro; }
	@echo && sed -n '/^|  |/,/^$$/p' reports/README.md
	@echo "report:  reports/index.html (in a browser), reports/README.md"
	@echo "figures: reports/figures/MODEL/*.png"
	@echo "metrics: reports/metrics/MODEL*.json, all of them with: dvc metrics show"

study: $(READY) ## train every model at many dimensions from many seeds, and compare; 15 minutes
	@dvc repro studies/dvc.yaml:summarize@main studies/dvc.yaml:summarize@beta
	@dvc repro report

study-notebook: $(READY) ## the same by the notebook's recipe of 300 epochs; hours on a processor
	@dvc repro studies/dvc.yaml:summarize@notebook
	@dvc repro report

test: $(READY) ## run the tests, and see how much of the code they reach
	@python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term:skip-covered

fuzz: $(READY) ## try 10,000 inputs of each kind on every reader
	@HYPOTHESIS_PROFILE=fuzz python -m pytest tests/test_fuzz.py

torture: $(READY) ## kill the pipeline 50 times on small data, and see that nothing is lost
	@PYTHONPATH=tests:tools python -m support.torture

.PHONY: mutants
mutants: $(READY) ## make mistakes that once passed all tests, and see that a test fails now
	@python tools/mutants.py

mutate: $(READY) ## change losses, metrics and files here and there, and see that a test fails
	@mutmut run && mutmut results

lint: $(READY) ## check style (ruff) and types (mypy)
	@ruff check . && ruff format --check . && mypy

deps: $(READY) ## write the code deps of dvc.yaml from the imports
	@python tools/deps.py

check-lock: $(READY) ## fail when dvc.lock and reports do not match code and params
	@python tools/check_lock.py

bench: $(READY) ## time training against the notebook's own loop, on this machine
	@python benchmarks/bench.py

throughput: $(READY) ## trainings an hour of the study on this machine, by processes and by Dask
	@python benchmarks/throughput.py

seeds: $(READY) ## train every model from five seeds, and see how far results spread
	@python benchmarks/over_seeds.py

compare: $(READY) ## train with other threads, precisions and devices, and compare the results
	@python benchmarks/reproducibility.py

lock: $(READY) ## choose package versions anew for requirements.txt, hashes and no addresses
	@uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --no-annotate --no-header --all-extras \
	    pyproject.toml --output-file requirements.txt
	@echo "requirements.txt made anew; make test installs and tries it"

clean: ## remove the environment and what can be made again; keeps dvc's cache and the reports
	@rm -rf $(VENV) data models checkpoints dvc_plots build .mypy_cache .pytest_cache .ruff_cache \
	    .hypothesis .coverage mutants src/*.egg-info
	@find src stages tests tools benchmarks -name __pycache__ -prune -exec rm -rf {} +

$(READY): requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || \
	    { echo "error: $(PYTHON) not found: Python 3.11 or newer is needed" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: \
	$$($(PYTHON) --version) is too old: Python 3.11 or newer is needed (make PYTHON=python3.12)" \
	    >&2; exit 1; }
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "error: $(PYTHON) -m venv failed: see above" >&2; exit 1; }
	@command -v uv >/dev/null || $(VENV)/bin/python -m pip install --quiet \
	    --disable-pip-version-check uv || { echo "error: uv could not be installed: is there a \
	network, and does pip reach its package index?" >&2; exit 1; }
	@uv pip sync --python $(VENV)/bin/python requirements.txt || { echo "error: the packages of \
	requirements.txt could not be installed: see above; is there a network?" >&2; exit 1; }
	@uv pip install --quiet --python $(VENV)/bin/python --no-deps --no-build-isolation --editable .
	@touch $@
