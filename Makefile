# make demo    set up .venv and replay a finding on the embedded AWS, end to end
# make test    the tests
# make test-faults   every AWS call of every playbook made to fail (docs/reliability.md)
# make test-interleavings   thousands of orders of calls (docs/reliability.md)
# make check   formatting, lint, types, tests (warnings are errors: pyproject.toml says so)
# make bench   the figures in docs/performance.md

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test test-faults test-interleavings check bench clean

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

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -rs -n auto

bench: $(READY)
	$(BIN)/python -m benchmarks.bench_pattern
	$(BIN)/python -m benchmarks.bench_replay

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
