# Every command sets up what it needs, in .venv. A torch that PYTHON already has is reused.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-all lint benchmark clean

## compose a recipe and train it on this machine, on English text that Python brings along
demo: .venv/ready
	$(BIN)/pgolf-compose data tiny data/tiny
	$(BIN)/pgolf-compose run recipes/examples/demo.yaml --data-dir data/tiny

## the tests of CI
test: .venv/ready
	$(BIN)/python -m pytest -q -n auto --dist worksteal

## the same, and every exhaustive sweep
test-all: .venv/ready
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m ''

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/black --check -q pgolf_compose plugins templates tests hatch_build.py

benchmark: .venv/ready
	$(BIN)/python tests/benchmarks/speed.py

.venv/ready: pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "pgolf-compose needs Python 3.11 or newer: make PYTHON=python3.12"; exit 2; }
	@echo "setting up .venv (the first time takes a minute or two)"
	@if $(PYTHON) -c 'import torch' 2>/dev/null; \
		then $(PYTHON) -m venv --system-site-packages .venv; \
		else $(PYTHON) -m venv .venv && $(BIN)/python -m pip install -q torch==2.13.0; fi
	@$(BIN)/python -m pip install -q -e '.[train,test]'
	@touch $@

clean:
	rm -rf .venv out data
