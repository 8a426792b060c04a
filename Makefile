# Two commands do all the set-up and their job: make reproduce, make test. `make help` lists the rest.
# What else is installed in .venv, such as dvc[s3], stays there; make clean removes it all.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL: # what prepares comes first, and most targets use all cores

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
repro = dvc repro $(1) || { python tools/mend_lock.py && dvc repro $(1); }
# What of the project there is and cannot be written.
closed = for each in . $(wildcard .dvc .dvc/tmp data models checkpoints reports studies); do \
    test -w $$each || { echo "error: $$(cd $$each && pwd -P) cannot be written" >&2; exit 1; }; done
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Set by some shells and editors; it would lead uv and mypy to another environment.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME
# Set in some containers; each stage would compile what it imports anew, for seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help reproduce results study study-notebook test fuzz torture mutants mutate lint deps check-params \
    check-lock check-study rebuild rebuild-all prune quotes bench throughput seeds compare lock state \
    clean writable

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

reproduce: $(READY) ## run the whole pipeline on MNIST; only what changed, if it ran before
	@$(call repro)
	@echo && python tools/table.py
	@echo "report:  reports/index.html (in a browser), reports/README.md"
	@echo "figures: reports/figures/MODEL/*.png"
	@echo "metrics: reports/metrics/MODEL*.json; this table again: make results"

results: $(READY) ## print the results of all models as a table
	@python tools/table.py

study: $(READY) ## train every model at many dimensions from many seeds, and compare; an hour
	@$(call repro,studies/dvc.yaml:summarize@main studies/dvc.yaml:summarize@beta)
	@$(call repro,report)

study-notebook: $(READY) ## the same by the notebook's recipe of 300 epochs; hours on a processor
	@$(call repro,studies/dvc.yaml:summarize@notebook)
	@$(call repro,report)

test: $(READY) ## run the tests; COVER=1 also counts how much of the code they reach, in half as long again
	@python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(if $(COVER),--cov --cov-report=term:skip-covered)

fuzz: $(READY) ## try 10,000 inputs of each kind on every reader
	@HYPOTHESIS_PROFILE=fuzz python -m pytest tests/test_fuzz.py

torture: $(READY) ## kill the pipeline 50 times on small data (FULL=1: 12 times on all), and see that nothing is lost
	@PYTHONPATH=tests:tools python -m support.torture $(if $(FULL),--full --kills 12)

mutants: $(READY) ## make mistakes that once passed all tests, and see that a test fails now
	@python tools/mutants.py

mutate: $(READY) ## change losses, metrics and files here and there, and see that a test fails
	@mutmut run && mutmut results

lint: $(READY) ## check style (ruff) and types (mypy)
	@ruff check . && ruff format --check . && mypy

deps: $(READY) ## write the code deps of dvc.yaml from the imports, and versions/
	@python tools/deps.py

check-params: $(READY) ## check every setting of params.yaml, as `dvc repro` does before all else
	@python stages/settings.py && echo "params.yaml is in order"

check-lock: $(READY) ## fail when what is committed does not fit together: lock, reports, texts, code
	@python tools/check_lock.py

rebuild: $(READY) ## make the page and the study's summaries anew elsewhere, and compare; seconds
	@python tools/rebuild.py

rebuild-all: $(READY) ## the same of the whole pipeline; minutes
	@python tools/rebuild.py --all

check-study: $(READY) ## train two models of each grid of the study anew, and compare; minutes
	@python tools/check_study.py

prune: $(READY) ## remove what belongs to no model or grid of params.yaml
	@python tools/prune.py

quotes: $(READY) ## bring the numbers in README and docs up to date with reports/
	@python tools/quotes.py --write

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
	@python tools/deps.py
	@echo "requirements.txt and versions/ made anew; make test installs and tries it"

state: writable $(READY) ## keep what DVC unpickles in the project, for you alone; what runs DVC does so first
	@python tools/state.py

clean: ## remove the environment and what can be made again; keeps dvc's cache and the reports
	@rm -rf $(VENV) .dvc/tmp/site data models checkpoints dvc_plots build .mypy_cache .pytest_cache .ruff_cache \
	    .hypothesis .coverage mutants src/*.egg-info
	@find src stages tests tools benchmarks -name __pycache__ -prune -exec rm -rf {} +

# What DVC unpickles lies by default where everybody on the machine can write.
reproduce study study-notebook test torture check-lock prune: state
quotes deps lock bench throughput seeds compare mutate: writable

writable:
	@$(closed)

$(READY): requirements.txt pyproject.toml
	@$(closed)
	@command -v $(PYTHON) >/dev/null || \
	    { echo "error: $(PYTHON) not found: Python 3.11 or newer is needed" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: \
	$$($(PYTHON) --version) is too old: Python 3.11 or newer is needed (make PYTHON=python3.12)" \
	    >&2; exit 1; }
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "error: $(PYTHON) -m venv failed: see above" >&2; exit 1; }
	@command -v uv >/dev/null || $(VENV)/bin/python -m pip install --quiet \
	    --disable-pip-version-check --require-hashes --requirement \
	    <(sed -n '/^uv==/,/[^\\]$$/p' requirements.txt) || { echo "error: uv could not be installed: \
	is there a network, and does pip reach its package index?" >&2; exit 1; }
	@uv pip install --python $(VENV)/bin/python -r requirements.txt || { echo "error: the packages of \
	requirements.txt could not be installed: see above; is there a network?" >&2; exit 1; }
	@uv pip install --quiet --python $(VENV)/bin/python --no-deps --no-build-isolation --editable .
	@touch $@
