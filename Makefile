# Two doors: "make demo" shows what facetl does, "make test" shows that it works.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test benchmark clean

demo: .venv/demo
	$(BIN)/facetl demo --force

test: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n auto --cov --cov-report=term

benchmark: .venv/test
	$(BIN)/python benchmarks/detect.py
	$(BIN)/python benchmarks/prepare.py
	$(BIN)/python benchmarks/train.py
	$(BIN)/python benchmarks/cartoons.py
	$(BIN)/python benchmarks/main_road.py --cartoon --epochs 12

clean:
	rm -rf .venv build *.egg-info .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Installed in place: the marker is newer than pyproject.toml once all it asks for is there.
.venv/demo: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/test: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@
