# Everything runs from a virtual environment that is built from the lock file alone.
PYTHON ?= python3
BIN := .venv/bin
SETUP := .venv/.ready
export MPLBACKEND := Agg

.PHONY: demo test check audit bench console-pictures format setup clean

setup: $(SETUP)

$(SETUP): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $(SETUP)

demo: $(SETUP)  ## the whole loop on a simulated marketplace
	$(BIN)/touchstone demo

test: $(SETUP)  ## every test, doctests and the README included
	$(BIN)/python -m pytest -n auto --dist worksteal

check: $(SETUP) audit  ## format, lint, types, known vulnerabilities
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

audit: $(SETUP)  ## known vulnerabilities of what is locked; says so where nobody can be asked
	@rm -f .venv/audit.json
	@$(BIN)/pip-audit --disable-pip --require-hashes -r requirements.lock -f json -o .venv/audit.json --timeout 5 --progress-spinner off >/dev/null 2>&1 || true
	@$(BIN)/python -m tests.audit .venv/audit.json

format: $(SETUP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(SETUP)  ## every side-by-side figure
	$(BIN)/python -m benchmarks

bench-%: $(SETUP)
	$(BIN)/python -m benchmarks $*

console-pictures: $(SETUP)  ## the pictures of docs/console.md, from a small marketplace
	$(BIN)/python -m tests.serving.console.pictures --home .touchstone/pictures

clean:
	rm -rf .venv .touchstone
