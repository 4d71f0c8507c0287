# The commands that people and CI use. `make demo` is the first one to try.

VENV := .venv/bin
SETUP := sip_config/setup/setup.sh

.PHONY: help setup setup-tests demo test check format bench lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## everything into .venv/ (first time: about five minutes; after that: seconds)
	@$(SETUP)

setup-tests: setup
	@$(SETUP) --tests

demo: setup ## one real SIP call on this machine, from greeting to voorlichter group (ARGS=…)
	@$(VENV)/wegwijs demo $(ARGS)

test: setup-tests ## every test (ARGS='tests/unit -k menu' for some of them)
	@$(VENV)/pytest $(ARGS)

check: setup ## style, types, import rules, generated documents
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/lint-imports
	$(VENV)/docs/generate.py --check
	$(VENV)/python sip_config/setup/lock_check.py

format: setup ## rewrite the code in the project's style
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

bench: setup ## every benchmark, one JSON object a line
	@failed=; for file in benchmarks/bench_*.py; do \
	  echo "# $$file" >&2; \
	  $(VENV)/python $$file --json || failed="$$failed $$file"; \
	done; if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi

# No index address is written down: the lock says what, the machine's own configuration where.
lock: setup ## write both locks again after a change of pyproject.toml (UPGRADE=1: newest versions)
	$(VENV)/uv pip compile --quiet $(if $(UPGRADE),--upgrade) --universal --python-version 3.11 --extra dev \
	  --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --output-file requirements.lock pyproject.toml
	$(VENV)/uv pip compile --quiet $(if $(UPGRADE),--upgrade) --universal --python-version 3.11 \
	  --extra asr-training --extra embeddings --extra sherpa --extra whisper \
	  --overrides sip_config/setup/lock_overrides.txt --constraints requirements.lock \
	  --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --output-file requirements-tests.lock pyproject.toml sip_config/setup/torch_needs.txt

clean: ## remove what tools left in the checkout; .venv and the cache outside it stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find ivr asr intent tests benchmarks sip_config -name __pycache__ -type d -prune \
	  -exec rm -rf {} +
