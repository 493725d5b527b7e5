# Each verb does all its own set-up: Python 3.11 or newer, make and a package index are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: install demo test test-slow lint bench docs release lock clean

install: $(STAMP)-core
demo: $(STAMP)-demo
	$(BIN)/everloop demo
test: $(STAMP)-test
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"
test-slow: $(STAMP)-test
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow
lint: $(STAMP)-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
bench: $(STAMP)-test
	$(BIN)/python -m bench $(NAME)
docs: $(STAMP)-core
	$$($(BIN)/python -c "from bench.peers import environment; print(environment('docs'))") -m sphinx -b html -W --keep-going -n docs build/docs
release: $(STAMP)-core
	$(BIN)/python -m bench.release

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(STAMP)-%: requirements/%.txt pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements/$*.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

# The pinned requirements, with hashes and without naming any index. The fullest set first: the others pin what it pins, so that one folder
# may be installed for one target after another.
lock:
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal --extra demo --group test --group lint pyproject.toml requirements/build.in -o requirements/lint.txt
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal pyproject.toml requirements/build.in -c requirements/lint.txt -o requirements/core.txt
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal --extra demo pyproject.toml requirements/build.in -c requirements/lint.txt -o requirements/demo.txt
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal --extra demo --group test pyproject.toml requirements/build.in -c requirements/lint.txt -o requirements/test.txt
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal pyproject.toml requirements/great_expectations.in -o requirements/great_expectations.txt
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal --override requirements/profilers.overrides requirements/profilers.in -o requirements/profilers.txt
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal pyproject.toml requirements/ray.in -o requirements/ray.txt
	for peer in airflow bentoml ci clouds datacontract datadog docs dvc evidently fairlearn feast grafana kfp litserve mlflow mlserver nannyml release river spark starlette statsforecast ville; do uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal requirements/$$peer.in -o requirements/$$peer.txt; done
	uv pip compile -q --no-deps --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal requirements/kubernetes.in -o requirements/kubernetes.txt
	for peer in axe containers gitlab-ci-local liquid shopify; do npm install --prefix requirements/$$peer --package-lock-only --ignore-scripts --no-audit --no-fund; done
	$(PYTHON) -c 'import json, pathlib as p; write = lambda f, said: ([one.pop("funding", None) for one in said["packages"].values()], f.write_text(json.dumps(said, indent=2) + "\n")); [write(f, json.loads(f.read_text())) for f in p.Path("requirements").glob("*/package-lock.json")]'

clean:
	rm -rf $(VENV) .tools build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
