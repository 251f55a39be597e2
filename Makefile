# Two commands: `make gate` runs the release gate on the embedded default, `make test` the project's own tests.
# `make nightly` simulates how often the gate is wrong, and fails where that is more often than promised.
# All set up .venv when it is missing or older than its inputs, and install nothing otherwise.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
READY := $(VENV)/.ready
PYTEST_ARGS ?=

.PHONY: gate test lint nightly reference clean

gate: $(READY)
	HF_HUB_OFFLINE=1 $(VENV)/bin/pytest suites/ --models all $(PYTEST_ARGS)

WORKERS ?= 2

test: lint
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(VENV)/bin/pytest tests -n $(WORKERS) $(PYTEST_ARGS)

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

NIGHTLY_ARGS ?=

nightly: $(READY)
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m benchmarks.gate_rates $(NIGHTLY_ARGS)

NAME ?= tiny-cxr-clip

reference: $(READY)
	$(VENV)/bin/python -m training.reference $(NAME)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --disable-pip-version-check --constraint constraints.txt hatchling editables
	$(VENV)/bin/pip install --disable-pip-version-check --constraint constraints.txt --no-build-isolation --editable '.[dev]'
	touch $(READY)

clean:
	rm -rf $(VENV) build dist
