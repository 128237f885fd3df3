# Every command sets up what it needs, in .venv. A torch that PYTHON already has is reused.
PYTHON ?= python3
BIN := .venv/bin
# a torch that is reused may come with pytest plugins that are no concern of these tests
PYTEST := PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(BIN)/python -m pytest -p xdist -q -n auto --dist worksteal

.PHONY: demo test test-all recipes lint benchmark clean

## compose a recipe and train it on this machine, on English text that Python brings along
demo: .venv/ready
	$(BIN)/pgolf-compose data tiny data/tiny
	$(BIN)/pgolf-compose run recipes/examples/demo.yaml --data-dir data/tiny

## the tests of CI
test: .venv/ready
	$(PYTEST)

## the same, and every exhaustive sweep
test-all: .venv/ready
	$(PYTEST) -m ''

## write recipes/README.md and tests/recipes.lock anew
recipes: .venv/ready
	$(BIN)/python tests/recipe_index.py

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/black --check -q pgolf_compose plugins templates tests hatch_build.py

benchmark: .venv/ready
	$(BIN)/python tests/benchmarks/speed.py

# _a_torch.pth: read before the editable install's own, which may need a package found through it
.venv/ready: pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "pgolf-compose needs Python 3.11 or newer: make PYTHON=python3.12"; exit 2; }
	@echo "setting up .venv (the first time takes a minute or two)"
	@$(PYTHON) -m venv .venv
	@torch=$$($(PYTHON) -c 'import pathlib, torch; print(pathlib.Path(torch.__file__).parents[1])' 2>/dev/null) \
		&& echo "$$torch" > $$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')/_a_torch.pth \
		|| $(BIN)/python -m pip install -q torch==2.13.0
	@$(BIN)/python -m pip install -q -e '.[train,test]'
	@touch $@

clean:
	rm -rf .venv out data
