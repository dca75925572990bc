# make demo    set up .venv and replay a finding on the embedded AWS, end to end
# make test    the tests
# make test-faults   every AWS call of every playbook made to fail (docs/reliability.md)
# make test-interleavings   thousands of orders of calls (docs/reliability.md)
# make check   formatting, lint, types, tests (warnings are errors: pyproject.toml says so)
# make package [STAGE=dev]   a stage as build/package/template.json and deployment.zip (docs/deploy.md)
# make test-deployed   a stage deployed over HTTP, its packages run under AWS's runtime client (docs/deploy.md)
# make test-package   the package built and run with each Python that is installed, 3.11 to 3.13
# make lint-templates   checkov over the CloudFormation templates, in a venv of its own
# make bench   the figures in docs/performance.md
# make bench-cost   the figures of what a stage costs (docs/deploy.md)

PYTHON ?= python3
STAGE ?= dev
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test test-faults test-interleavings test-package test-deployed check lint-templates package bench bench-cost clean

$(READY): pyproject.toml requirements.txt requirements-desk.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (once, about a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(READY)
	@$(BIN)/firebreak demo

test: $(READY)
	$(BIN)/python -m pytest -q -rs -n auto

test-faults: $(READY)
	$(BIN)/python -m tests.faults --again 8

test-interleavings: $(READY)
	FIREBREAK_INTERLEAVINGS=$${FIREBREAK_INTERLEAVINGS:-2000} $(BIN)/python -m pytest -q -n auto tests/interleavings

test-deployed: $(READY)
	$(BIN)/python -m pytest -q -rs tests/deployed

test-package: $(READY)
	$(BIN)/python -m tests.packaging.each_python

package: $(READY)
	$(BIN)/firebreak package --stage $(STAGE) --out build/package

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -rs -n auto

CHECKOV := .venv-checkov
$(CHECKOV)/.ready: Makefile
	@$(PYTHON) -m venv $(CHECKOV)
	@$(CHECKOV)/bin/python -m pip install --quiet --disable-pip-version-check 'checkov==3.3.30'
	@touch $@

lint-templates: $(READY) $(CHECKOV)/.ready
	$(BIN)/python -m tests.templates.checkov $(CHECKOV)/bin/checkov

bench: $(READY)
	$(BIN)/python -m benchmarks.bench_pattern
	$(BIN)/python -m benchmarks.bench_replay

bench-cost: $(READY)
	$(BIN)/python -m benchmarks.bench_cost

clean:
	rm -rf build .venv .venv-checkov .mypy_cache .ruff_cache .pytest_cache .hypothesis
