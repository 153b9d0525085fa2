# Everything a developer runs. It needs Python 3.11 or newer, and a package index to install from.
#
#   make test PYTEST_ARGS="-k template"     some of the tests
#   make test PYTHON=python3.12             another Python, in .venv-3.12
#   make bench BENCH_ARGS="--only bulk"     a part of the benchmark
#   make pyz PYZ_ARGS="--output elsewhere" the single file in another folder

PYTHON ?=
VENV ?= $(if $(PYTHON),.venv-$(patsubst python%,%,$(notdir $(PYTHON))),.venv)
DEMO_VENV ?= .venv-demo
BENCH_VENV ?= .venv-bench
FLOORS_VENV ?= .venv-floors
PYZ_VENV ?= $(VENV)-pyz
PYTEST_ARGS ?=
BENCH_ARGS ?=
PYZ_ARGS ?=
BIN = $(VENV)/bin
MKDOCS = NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs
# These take the time of round trips, so no others run beside them. They wait and hardly compute, so
# three at once take no longer than one.
TIMED = tests/registry/test_depth.py tests/registry/test_distribution.py

export PYTHON
# Where tests find what tools/sigstore-js.sh installs.
export NODE_PATH = $(CURDIR)/$(VENV)/node/node_modules
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# Two targets may use one environment.
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help demo registry test unit edge floors check lint release-files wheel pyz onefile bench site pictures reference format clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(DEMO_VENV)/demo.stamp ## Start a registry with sample images and join them: see it work
	$(DEMO_VENV)/bin/python -m fixtures.demo

registry: $(DEMO_VENV)/demo.stamp ## Keep a registry with sample images running, to try commands on
	$(DEMO_VENV)/bin/python -m fixtures.playground

test: $(VENV)/test.stamp ## Run the tests, real registries included where they can be installed
	@tools/real-registry.sh
	@tools/sigstore-js.sh $(VENV)/node
	$(BIN)/python -m pytest -n auto --maxprocesses=8 --ignore=tests/packaging \
		--ignore=tests/contracts $(if $(PYTEST_ARGS),$(PYTEST_ARGS),$(TIMED:%=--ignore=%))
	$(if $(PYTEST_ARGS),,$(BIN)/python -m pytest -n 3 $(TIMED))

unit: $(VENV)/test.stamp ## Run the tests of pure code: a minute or two
	$(BIN)/python -m pytest -n auto --maxprocesses=8 tests/unit $(PYTEST_ARGS)

edge: $(VENV)/test.stamp ## Run the tests of the code that reaches a registry, on embedded ones
	$(BIN)/python -m pytest -n auto --maxprocesses=8 tests/edge $(PYTEST_ARGS)

floors: $(FLOORS_VENV)/floors.stamp ## Run the tests of pure code on the lowest versions allowed
	$(FLOORS_VENV)/bin/python -m pytest -n auto --maxprocesses=8 tests/unit $(PYTEST_ARGS)

check: lint test wheel onefile ## Run all that has to pass: lint, test, wheel and onefile

lint: $(VENV)/check.stamp ## Check format, style, types, import contracts and the docs' links
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MKDOCS) build --quiet
	$(BIN)/python -m pytest -n auto --maxprocesses=8 tests/contracts

release-files: $(VENV)/check.stamp ## Build what a release publishes: archives, SBOM, checksums
	rm -rf dist/release
	$(BIN)/python -m tools.release files dist/release

wheel: release-files ## Build these, install them on each Python, try them, and check the workflows
	@tools/real-registry.sh
	OCI_MERGE_WHEEL="$$(echo dist/release/*.whl)" $(BIN)/python -m pytest -n auto \
		--maxprocesses=4 --dist=loadfile --ignore=tests/packaging/test_pyz.py tests/packaging

pyz: $(PYZ_VENV)/created.stamp ## Build one file, with its checksum, that needs Python alone
	$(PYZ_VENV)/bin/python tools/pyz/build.py $(PYZ_ARGS)

onefile: $(PYZ_VENV)/created.stamp $(VENV)/test.stamp ## Build that file and try it
	@tools/real-registry.sh
	built="$$($(PYZ_VENV)/bin/python tools/pyz/build.py $(PYZ_ARGS))" && \
		OCI_MERGE_PYZ="$$built" $(BIN)/python -m pytest tests/packaging/test_pyz.py

bench: $(VENV)/bench.stamp $(BENCH_VENV)/run.stamp ## Time oci-merge against other tools: see docs/benchmarks
	@tools/real-registry.sh
	$(BIN)/python -m tests.bench --python $(BENCH_VENV)/bin/python $(BENCH_ARGS)

site: $(VENV)/check.stamp ## Build the site of the docs, into build/site
	$(MKDOCS) build

pictures: $(VENV)/test.stamp ## Make the pictures of the docs anew, from what the program shows
	@tools/real-registry.sh
	$(BIN)/python -m tools.pictures

reference: $(VENV)/test.stamp ## Write the reference pages and the man page anew, from the options
	$(BIN)/python tools/reference.py

format: $(VENV)/check.stamp ## Format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove environments, caches and builds
	rm -rf .venv .venv-* build dist .cache .hypothesis .import_linter_cache .mypy_cache \
		.pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment is made anew when pyproject.toml has changed, so that nothing stays in it which is
# no longer asked for. `check` contains `test`, and comes on top of it.
$(VENV)/created.stamp $(DEMO_VENV)/created.stamp $(BENCH_VENV)/created.stamp $(FLOORS_VENV)/created.stamp $(PYZ_VENV)/created.stamp: pyproject.toml
	tools/venv.sh $(@D)
	@touch $@

$(VENV)/test.stamp $(VENV)/check.stamp $(VENV)/bench.stamp: $(VENV)/created.stamp
$(DEMO_VENV)/demo.stamp: $(DEMO_VENV)/created.stamp
$(VENV)/test.stamp $(VENV)/check.stamp $(VENV)/bench.stamp $(DEMO_VENV)/demo.stamp:
	$(@D)/bin/python -m pip install --quiet --editable . --group $(basename $(@F))
	@touch $@

$(FLOORS_VENV)/floors.stamp: $(FLOORS_VENV)/created.stamp tools/floors.py
	$(@D)/bin/python tools/floors.py > $(@D)/floors.txt
	$(@D)/bin/python -m pip install --quiet --editable . --group test --constraint $(@D)/floors.txt
	@touch $@

# What is timed is installed as a user does it. httpx imports a good deal more, at every start, where
# it finds packages that only the tests ask for.
$(BENCH_VENV)/run.stamp: $(BENCH_VENV)/created.stamp
	$(@D)/bin/python -m pip install --quiet --editable .
	@touch $@
