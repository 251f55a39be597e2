# Two commands: `make gate` runs the release gate on the embedded default, `make test` the project's own tests.
# `make test-all` adds the tests that are marked as slow, and draws more examples of each property.
# `make compat` builds the oldest and the newest libraries in .compat, tests both and compares their numbers.
# `make nightly` is `make test-all` and `make coverage`, and simulates how often the gate is wrong, and fails where that is more often than promised.
# `make fuzz MINUTES=60` gives every parser changed inputs, and fails where one is neither accepted nor refused (Linux, Python 3.11 to 3.13).
# `make dist` builds the archives of a release twice, compares and checks them, and lists what they need. It needs a clean clone.
# `make docs` builds the documentation site in build/site, without a network, and fails at a warning or a link to nothing.
# `make coverage` says which lines and branches the tests run, and fails below the shares that are held.
# `make mutants` changes the code that decides, slip by slip, and counts what the tests notice.
# Each sets up what it lacks in .venv, or what is older than its inputs, and installs nothing otherwise. The gate needs
# the package alone, as its users have it; everything else needs the tools of development too.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
GATE_READY := $(VENV)/.gate
READY := $(VENV)/.ready
# uv takes a third of pip's processor time, but reads no pip.conf: `make test INSTALLER=uv`.
INSTALLER ?= pip
# Without compiling: of 24,000 files the tests import a quarter, and those are compiled then.
PIP := $(VENV)/bin/pip install --disable-pip-version-check --no-compile --constraint constraints.txt
INSTALL_pip := $(PIP)
INSTALL_uv := $(VENV)/bin/uv pip install --python $(VENV)/bin/python --constraint constraints.txt
INSTALL := $(INSTALL_$(INSTALLER))
PYTEST_ARGS ?=

.PHONY: gate test test-all pytest ready lint docs fuzz coverage mutants nightly compat reference dist clean

gate: $(GATE_READY)
	HF_HUB_OFFLINE=1 $(VENV)/bin/pytest suites/ --models all $(PYTEST_ARGS)

WORKERS ?= 2

# A worker takes over half of what another one has left, so that most modules have their fixtures made once.
PYTEST := HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(VENV)/bin/pytest tests -n $(WORKERS) --dist worksteal --durations 10

test: lint pytest

test-all: lint
	$(PYTEST) --hypothesis-profile robust-many $(PYTEST_ARGS)

# What `make test` runs beside the linters.
pytest: $(READY)
	$(PYTEST) -m "not slow" $(PYTEST_ARGS)

ready: $(READY)

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

docs: $(READY)
	$(VENV)/bin/python -m sphinx --fail-on-warning --keep-going --nitpicky --fresh-env --quiet \
		--conf-dir docs/site --doctree-dir build/doctrees . build/site

MINUTES ?= 5
FUZZ_ARGS ?=

fuzz: $(VENV)/.fuzz
	$(VENV)/bin/python -m benchmarks.fuzz --minutes $(MINUTES) $(FUZZ_ARGS)

COVERAGE_ARGS ?=

# Apart from `make test`, because tracing takes half as much processor time again.
coverage: $(READY)
	$(VENV)/bin/coverage erase
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(VENV)/bin/coverage run -m pytest tests -n $(WORKERS) --dist worksteal -m "not slow" $(PYTEST_ARGS)
	$(VENV)/bin/coverage combine --quiet
	$(VENV)/bin/coverage json --quiet -o .coverage.json
	$(VENV)/bin/python -m benchmarks.coverage_shares .coverage.json $(COVERAGE_ARGS)

# The tools have a folder of their own: what they need must not decide what the package is tested with.
MUTANTS_TOOLS := .mutants
MUTANTS_ARGS ?=

mutants: $(READY) $(MUTANTS_TOOLS)/.ready
	$(VENV)/bin/python -m benchmarks.mutants $(MUTANTS_ARGS)

$(MUTANTS_TOOLS)/.ready: benchmarks/mutants/requirements.txt
	$(VENV)/bin/pip install --disable-pip-version-check --no-deps --upgrade --target $(MUTANTS_TOOLS) --requirement benchmarks/mutants/requirements.txt
	touch $(MUTANTS_TOOLS)/.ready

NIGHTLY_ARGS ?=
NIGHTLY_PATIENTS_ARGS ?=

nightly: test-all coverage
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m benchmarks.gate_rates $(NIGHTLY_ARGS)
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m benchmarks.gate_rates_patients $(NIGHTLY_PATIENTS_ARGS)

PYTHON_OLDEST ?= $(shell command -v python3.10 || echo $(PYTHON))
COMPAT_ARGS ?=

compat:
	$(PYTHON) -m benchmarks.versions --python-oldest $(PYTHON_OLDEST) $(COMPAT_ARGS)

NAME ?= tiny-cxr-clip

reference: $(READY)
	$(VENV)/bin/python -m training.reference $(NAME)

# The tools of a release have an environment of their own: what they need must not decide what the package is tested with.
DIST_VENV := .dist
TAG ?=

dist: $(GATE_READY) $(DIST_VENV)/.ready
	$(DIST_VENV)/bin/python -m releasing.dist --environment $(VENV)/bin/python --tag "$(TAG)"

$(DIST_VENV)/.ready: releasing/requirements.txt
	$(PYTHON) -m venv $(DIST_VENV)
	$(DIST_VENV)/bin/pip install --disable-pip-version-check --requirement releasing/requirements.txt
	touch $(DIST_VENV)/.ready

$(GATE_READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(if $(filter uv,$(INSTALLER)),$(PIP) uv)
	$(INSTALL) hatchling editables
	$(INSTALL) --no-build-isolation --editable .
	touch $(GATE_READY)

$(READY): $(GATE_READY)
	$(INSTALL) --no-build-isolation --editable '.[dev]'
	touch $(READY)

$(VENV)/.fuzz: $(READY)
	$(INSTALL) --no-build-isolation --editable '.[fuzz]'
	touch $(VENV)/.fuzz

clean:
	rm -rf $(VENV) .compat .dist .fuzz .mutants mutants .coverage* build dist
