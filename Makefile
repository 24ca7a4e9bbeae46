# `make lab` and `make test` each work from a fresh clone; the second time they start at once.
#
#   make lab    PYTHON=python3.12        another Python (3.11 or newer) to build the environment from
#   make lab    VENV="$CONDA_PREFIX"     an environment that exists already, here conda's
#   make train  ARGS="--loss ce"         more options for the training run (make train ARGS=--help)

VENV   ?= .venv
PYTHON ?= python3
ARGS   ?=
JOBS   ?= 3

BIN       := $(VENV)/bin
# Of the packages' 16,000 modules most are never imported; those that are get compiled then, once.
INSTALL   := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt
LAB_READY  := $(VENV)/.bcl-lab
TEST_READY := $(VENV)/.bcl-test
FIRST_NOTEBOOK := $(firstword $(sort $(wildcard notebooks/*.ipynb)))

# Every kernel and worker imports the package: where bytecode is not kept, each compiles it anew, a second each time.
unexport PYTHONDONTWRITEBYTECODE

# Worker processes share the cores, so each computes on one thread. Memory that they and their kernels free stays with
# them, as in training (bcl_edu.training.device.keep_freed_memory): the system would clear it again page by page.
PYTEST := OMP_NUM_THREADS=1 MALLOC_TRIM_THRESHOLD_=2147483647 MALLOC_MMAP_THRESHOLD_=1073741824 \
  $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help environment lab test lint test-code test-notebooks nbval-lax nbval-strict pictures train sync site bench clean
.DELETE_ON_ERROR:

help:
	@echo "make lab       open the notebooks in JupyterLab"
	@echo "make train     train and evaluate the long-tailed digits, in under a minute on a CPU"
	@echo "make test      lint, type-check, test the code, the notebooks and JupyterLab in a browser"
	@echo "make bench     measure loss, views, step, start, estimates and growth (below 15 minutes), write docs/benchmarks.md"
	@echo "make pictures  run the browser tests and keep what they saw in tests/browser/screenshots, in both themes"
	@echo "make sync      write the .ipynb notebooks anew from their sources in notebooks/source, executed"
	@echo "make site      write all notebooks as pages to read without Python, into build/site"
	@echo "make clean     remove caches and test artefacts (the environment $(VENV) stays)"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, but '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || echo not found)."; \
	  echo "Name another one: make lab PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot create environments. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Creating $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(LAB_READY): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing bcl-edu for the notebooks into $(VENV) (the first time this takes some minutes) ..."
	@$(INSTALL) --editable '.[lab]'
	@touch $@

$(TEST_READY): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing bcl-edu and the test tools into $(VENV) (the first time this takes some minutes) ..."
	@$(INSTALL) --editable '.[lab,test]'
	@touch $(LAB_READY) $@

environment: $(TEST_READY)

lab: $(LAB_READY)
	$(BIN)/jupyter lab --config=tools/jupyter_lab_config.py --LabApp.default_url=/lab/tree/$(FIRST_NOTEBOOK)

train: $(LAB_READY)
	$(BIN)/python -m bcl_edu.train digits-lt $(ARGS)

sync: $(TEST_READY)
	$(BIN)/python -m tools.notebooks sync

site: $(TEST_READY)
	$(BIN)/python -m tools.site

bench: $(TEST_READY)
	$(BIN)/python -m tools.benchmark_page

# Linting and type checking keep one core busy, so they go beside the first tests.
test: $(TEST_READY)
	@$(MAKE) --no-print-directory --jobs 2 lint test-code
	@$(MAKE) --no-print-directory test-notebooks

lint: $(TEST_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tools.notebooks check

test-code: $(TEST_READY)
	$(PYTEST) -p no:nbval --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder tests

pictures: $(TEST_READY)
	PICTURES=1 $(PYTEST) -p no:nbval --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder tests/browser

# nbval runs every notebook from top to bottom in a kernel of its own; a claim that no longer holds is a failed
# assert in its cell, and a notebook that computes longer than it states fails. Kernels are not pytest: the
# warnings-are-errors rule of the code does not reach into them.
# Where nothing is trained and no rounding error is printed, what is printed must be what is stored, to the letter.
STRICT := $(wildcard notebooks/03_*.ipynb notebooks/05_*.ipynb)
NBVAL  := $(PYTEST) -p tools.stated_minutes --dist loadfile --nbval-current-env --nbval-cell-timeout 180 -p no:cacheprovider

test-notebooks: $(TEST_READY)
	@$(MAKE) --no-print-directory --jobs 2 nbval-lax nbval-strict

nbval-lax: $(TEST_READY)
	$(NBVAL) --numprocesses $(JOBS) --nbval-lax $(filter-out $(STRICT),$(wildcard notebooks/*.ipynb))

nbval-strict: $(TEST_READY)
	$(NBVAL) --numprocesses 1 --nbval -p tools.strict_outputs $(STRICT)

clean:
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist tests/browser/screenshots
	find bcl_edu tests tools notebooks -name __pycache__ -prune -exec rm -rf {} + \
	  -o -name .ipynb_checkpoints -prune -exec rm -rf {} +
