# "make demo" shows what facetl does, "make test" shows that it works, and "make quick", for use while
# writing, runs in under a minute what needs no process, no Ray and no browser. "make docs" builds the
# documents and the Python interface as a site, and fails on a broken link. "make wheel" builds a wheel
# for all versions of Python in dist/, and an sdist.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test quick docs wheel benchmark clean

demo: .venv/demo
	$(BIN)/facetl demo --force

test: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror facetl/mtcnn/native/kernels.cpp benchmarks/kernels.cpp tests/*.cpp
	$(BIN)/mypy
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder --cov --cov-report=term

quick: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pytest -n auto -m "not slow"

docs: .venv/test
	$(BIN)/mkdocs build
	@echo "open build/site/index.html"

# manylinux_2_28 is held to what the kernels ask of the system's libraries; auditwheel refuses if more
wheel: .venv/test
	rm -rf build/wheel
	$(BIN)/python -m build --quiet --outdir build/wheel
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/auditwheel repair --only-plat --wheel-dir dist \
		--plat manylinux_2_28_$$(uname -m) build/wheel/*.whl
	cp build/wheel/*.tar.gz dist

benchmark: .venv/test
	$(BIN)/python benchmarks/detect.py --only files one-core stages memory
	$(BIN)/python benchmarks/onnx_runner.py
	$(BIN)/python benchmarks/prepare.py
	$(BIN)/python benchmarks/train.py
	$(BIN)/python benchmarks/cartoons.py
	$(BIN)/python benchmarks/main_road.py --cartoon --epochs 12

clean:
	rm -rf .venv build dist *.egg-info .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Installed in place: the marker is newer than its sources once everything they ask for is installed.
SOURCES := pyproject.toml setup.py facetl/mtcnn/native/kernels.cpp

.venv/demo: $(SOURCES)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[train]'
	touch $@

.venv/test: $(SOURCES)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@
