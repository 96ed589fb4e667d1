# The product's commands. `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test serve lint bench soak

help:
	@echo "make demo   set up, load demo data, run the main job and show it"
	@echo "make test   set up and run the tests"
	@echo "make serve  the admin on http://127.0.0.1:8000/admin/, login demo / demo"
	@echo "make lint   every check of form, types and structure"
	@echo "make bench  the benchmarks"
	@echo "make soak   four processes decide while changes are published; 10,000 revisions; more examples"

demo: .venv/runtime .env
	@$(BIN)/python manage.py migrate --verbosity 0 || { echo "make demo: the database could not be migrated (above: why)" >&2; exit 1; }
	@$(BIN)/python manage.py demo || { echo "make demo: the main job failed (above: why)" >&2; exit 1; }

test: .venv/development .venv/aimock/package.json .env
	@status=0; \
	$(BIN)/python -m pytest --numprocesses=2 --cov --cov-report=term:skip-covered --cov-fail-under=95 || status=1; \
	$(BIN)/python -m pytest tests/browser || status=1; \
	exit $$status

serve: .venv/runtime .env
	@$(BIN)/python manage.py migrate --verbosity 0 || { echo "make serve: the database could not be migrated (above: why)" >&2; exit 1; }
	@$(BIN)/python manage.py demo --load-only
	@echo "http://127.0.0.1:8000/admin/  login demo / demo"
	@$(BIN)/python manage.py runserver 127.0.0.1:8000

lint: .venv/development .env
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/djlint --check --lint --quiet igny8_core flags
	@$(BIN)/lint-imports
	@$(BIN)/mypy
	@$(BIN)/python manage.py check --fail-level WARNING
	@$(BIN)/python manage.py makemigrations --check

bench: .venv/bench .env
	@$(BIN)/python -m tests.benchmarks

soak: .venv/development .venv/aimock/package.json .env
	@$(BIN)/python -m tests.benchmarks.soak
	@$(BIN)/python -m tests.benchmarks.long_life
	@$(BIN)/python -m tests.benchmarks.chaos
	@EXAMPLES=20 $(BIN)/python -m pytest tests/igny8_core/test_writers.py
	@EXAMPLES=10 $(BIN)/python -m pytest --numprocesses=2 -m hypothesis

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "igny8 needs Python 3.11 or newer; $(PYTHON) is older or missing. Name another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo "making .venv"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "no virtual environment could be made; on Debian, install python3-venv" >&2; exit 1; }

.venv/runtime: requirements.txt constraints.txt | .venv/bin/python
	@echo "installing requirements.txt"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt || { echo "installing requirements.txt failed (above: why)" >&2; exit 1; }
	@touch $@

.venv/development: requirements-dev.txt .venv/runtime
	@echo "installing requirements-dev.txt"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt || { echo "installing requirements-dev.txt failed (above: why)" >&2; exit 1; }
	@touch $@

.venv/bench: requirements-bench.txt .venv/development
	@echo "installing requirements-bench.txt"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt || { echo "installing requirements-bench.txt failed (above: why)" >&2; exit 1; }
	@touch $@

# The server of the providers' protocols; without Node their contract is not tested.
.venv/aimock/package.json: tests/aimock/package.json | .venv/bin/python
	@if command -v npm >/dev/null; then \
	  echo "installing tests/aimock/package.json" && mkdir -p $(@D) && cp $< $@ && \
	  npm install --prefix $(@D) --silent --no-package-lock --no-audit --no-fund || { rm -f $@; exit 1; }; \
	else \
	  echo "npm is missing: the tests that need it are skipped" >&2; \
	fi

.env:
	@umask 077; $(PYTHON) -c 'import base64, secrets; print("SECRET_KEY=" + secrets.token_urlsafe(50)); print("DEBUG=true"); print("ENCRYPTION_KEYS=" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())' > .env.tmp
	@mv .env.tmp .env
	@echo "wrote .env: random keys, DEBUG on"
