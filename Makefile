# The commands that people and CI use. `make demo` is the first one to try.

VENV := .venv/bin
SETUP := sip_config/setup/setup.sh

.PHONY: help setup setup-tests demo test coverage test-long test-rounding test-pythons check \
  check-style check-types check-imports check-documents check-lists format hooks bench wheel lock \
  clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

setup: ## everything into .venv/ (first time: about five minutes; after that: seconds)
	@$(SETUP)

setup-tests: setup
	@$(SETUP) --tests

demo: setup ## one real SIP call on this machine, from greeting to voorlichter group (ARGS=…)
	@$(VENV)/wegwijs demo $(ARGS)

# CI's own two: COVERAGE=1 measures, REPEAT=1 runs what failed once more, each alone.
test: PYTEST := $(if $(COVERAGE),$(VENV)/coverage run -m pytest,$(VENV)/pytest)
test: setup-tests ## every test (ARGS='tests/unit -k menu' for some of them)
	@$(if $(REPEAT),$(VENV)/python .ci/repeat.py -- )$(PYTEST) $(ARGS)

coverage: ## which branches `make test COVERAGE=1` came through, and the floor under that
	@$(VENV)/coverage report
	@$(VENV)/python .ci/floor.py $$($(VENV)/coverage report --format=total)

test-long: setup-tests ## every test three times: other rounding, one thread, one busy core
	@$(VENV)/python .ci/otherwise.py $(ARGS)

test-rounding: setup-tests ## speech and themas with the arithmetic of an old processor
	@$(VENV)/python .ci/otherwise.py --only old tests/unit/asr tests/unit/intent $(ARGS)

test-pythons: setup ## what needs no SIP stack, on each other Python from 3.11 on
	@$(VENV)/python .ci/pythons.py $(ARGS)

check: check-style check-types check-imports check-documents check-lists ## style, types, import rules, lists

check-style: setup
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .

check-types: setup
	$(VENV)/mypy

check-imports: setup
	$(VENV)/lint-imports

check-documents: setup
	$(VENV)/python docs/generate.py --check

check-lists: setup # the locks answer pyproject.toml, coverage's floor rises, no test is unstable
	$(VENV)/python sip_config/setup/lock_check.py
	$(VENV)/python .ci/floor.py --check
	$(VENV)/python .ci/repeat.py --check

format: setup ## rewrite the code in the project's style
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

hooks: setup ## from now on every commit in this clone is checked first
	$(VENV)/pre-commit install

bench: setup ## every benchmark, one JSON object a line
	@failed=; for file in benchmarks/bench_*.py; do \
	  echo "# $$file" >&2; \
	  $(VENV)/python $$file --json || failed="$$failed $$file"; \
	done; if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi

# The build backend of the lock, so that nothing is downloaded.
wheel: setup ## dist/wegwijs-VERSION-py3-none-any.whl
	$(VENV)/python -m hatchling build --target wheel

# No index address is written down: the lock says what, the machine's own configuration where.
lock: setup ## both locks, after a change of pyproject.toml (UPGRADE=1: the newest)
	$(VENV)/uv pip compile --quiet $(if $(UPGRADE),--upgrade) --universal \
	  --python-version 3.11 --extra dev \
	  --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --output-file requirements.lock pyproject.toml
	$(VENV)/uv pip compile --quiet $(if $(UPGRADE),--upgrade) --universal \
	  --python-version 3.11 \
	  --extra asr-training --extra embeddings --extra sherpa --extra whisper \
	  --overrides sip_config/setup/lock_overrides.txt --constraints requirements.lock \
	  --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --output-file requirements-tests.lock pyproject.toml sip_config/setup/torch_needs.txt

clean: ## remove what tools left in the checkout; .venv and the cache outside it stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist \
	  .cache/coverage .cache/python-*
	find ivr asr intent tests benchmarks sip_config -name __pycache__ -type d -prune \
	  -exec rm -rf {} +
