# Three doors: "make demo" shows what facetl does, "make test" shows that it works, and "make quick"
# runs, in under a minute, what needs no process, no Ray and no browser: while writing.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test quick benchmark clean

demo: .venv/demo
	$(BIN)/facetl demo --force

test: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror facetl/mtcnn/native/kernels.cpp
	$(BIN)/mypy
	$(BIN)/pytest -n auto --cov --cov-report=term

quick: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pytest -n auto -m "not slow"

benchmark: .venv/test
	$(BIN)/python benchmarks/detect.py --only files one-core stages memory
	$(BIN)/python benchmarks/onnx_runner.py
	$(BIN)/python benchmarks/prepare.py
	$(BIN)/python benchmarks/train.py
	$(BIN)/python benchmarks/cartoons.py
	$(BIN)/python benchmarks/main_road.py --cartoon --epochs 12

clean:
	rm -rf .venv build *.egg-info .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Installed in place: the marker is newer than its sources once all they ask for is there.
SOURCES := pyproject.toml setup.py facetl/mtcnn/native/kernels.cpp

.venv/demo: $(SOURCES)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/test: $(SOURCES)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@
