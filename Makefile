# Two commands for a fresh machine with Python 3.11 or newer; each installs into .venv first.
#   make quick    the whole pipeline on embedded data, to a report page
#   make test     formatting, lint, types, documentation, tests, one run of the smoke scale
# make test-pipeline tests the pipeline: reruns, killed and stopped runs, profiles, shards, several processes, the report in a
# browser and SLURM.
# make test-workflow is its part without SLURM; make test-slurm starts SLURM on this machine, as root, and runs the pipeline on it.
# make compare lists significant differences of the quick run from docs/quick_numbers.csv.

PYTHON ?= python3
CORES ?= 2
CONFIG := workflow/config/quick.yaml
BIN := .venv/bin
# Workers that share the tests by file, in the order of tests/conftest.py.
WORKERS ?= 2
PYTEST := OMP_NUM_THREADS=1 pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES) --configfile $(CONFIG)
REPORT := results/quick/report/index.html

export PATH := $(CURDIR)/$(BIN):$(PATH)
# Material for MkDocs advertises its successor at every build.
export NO_MKDOCS_2_WARNING := 1

.PHONY: quick compare test test-pipeline test-workflow test-slurm lint types unit docs format lock clean

quick: .venv/installed
	@start=$$(date +%s) && \
	if ls .snakemake/locks/* >/dev/null 2>&1; then $(SNAKEMAKE) --unlock --quiet all; fi && \
	$(SNAKEMAKE) && \
	$(SNAKEMAKE) --report $(dir $(REPORT))report.html && \
	echo && echo "Elapsed: $$(( $$(date +%s) - start )) s" && echo "Open: file://$(CURDIR)/$(REPORT)" && \
	echo "See first: results/quick/figures/teaser.png, delta_curve.png and the claims at the top of the report"

# Significant differences from the numbers in the repository.
compare: .venv/installed
	python -m ihdm report compare docs/quick_numbers.csv results/quick \
		--output results/quick/report/compare.html --output results/quick/report/compare.csv
	@echo "Open: file://$(CURDIR)/results/quick/report/compare.html"

test: .venv/installed
	$(MAKE) --jobs 3 lint types unit

test-pipeline: test-workflow test-slurm

test-workflow: .venv/installed
	$(PYTEST) -m pipeline --ignore tests/pipeline/slurm

test-slurm: .venv/installed
	pytest -m pipeline -rs --durations 5 tests/pipeline/slurm

lint: .venv/installed
	ruff format --check .
	ruff check .
	snakefmt --check Snakefile workflow
	snakemake --lint

types: .venv/installed
	mypy

unit: .venv/installed
	$(PYTEST)

docs: .venv/installed
	mkdocs build --strict
	@echo && echo "Documentation: $(CURDIR)/site/index.html"

format: .venv/installed
	ruff format .
	ruff check --fix .
	snakefmt Snakefile workflow

# The lock file constrains versions without requiring packages of other platforms.
.venv/installed: pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=…")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[test,docs]'
	@touch $@

lock: .venv/installed
	$(BIN)/python -m pip freeze --exclude-editable > requirements.lock

clean:
	rm -rf .venv site results/quick
