# `make demo` sets up and scans the example media; `make test` sets up and passes all tests.
# Both need Python >= 3.11 with pip, and nothing else.

PYTHON ?= python3
VENV ?= .venv
MODELS = src/unmask/detector/models
BIN = $(VENV)/bin
# One exact torch: a CPU build is enough here, and an open range may bring gigabytes of GPU libraries.
TORCH = torch==2.13.0

.PHONY: demo test check unit benchmark examples model clean

demo: $(VENV)/.base
	$(BIN)/unmask scan examples/media --html out/ || case $$? in 1|3|4) ;; *) exit 1 ;; esac
	@echo "open out/index.html in a browser"

test: check unit

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(VENV)/.dev
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered

benchmark: $(VENV)/.dev
	$(BIN)/python benchmarks/scan.py

examples: $(VENV)/.dev
	$(BIN)/python examples/make_media.py

model: $(VENV)/.dev
	$(BIN)/unmask data index $(CORPUS) --layout corpus --out runs/all.parquet
	$(BIN)/python scripts/flagship_data.py runs/all.parquet runs/train.parquet --rotation 4 --each 16
	$(BIN)/unmask train recipes/accurate-first.yaml --corpus runs/train.parquet
	@echo "next, with the SHA-256 of runs/accurate-first/best.pt in recipes/fast.yaml and recipes/accurate.yaml:"
	@echo "$(BIN)/unmask train recipes/fast.yaml --corpus runs/train.parquet"
	@echo "$(BIN)/unmask train recipes/accurate.yaml --corpus runs/train.parquet"
	@echo "then, as MODEL_CARD.md says, on all of val:"
	@echo "$(BIN)/python scripts/flagship_data.py runs/all.parquet runs/full.parquet --rotation 4"
	@echo "$(BIN)/python scripts/recalibrate.py runs/fast/fast.onnx runs/full.parquet $(MODELS)/fast.onnx"
	@echo "$(BIN)/unmask quantize fast --on runs/full.parquet --out runs/fast-int8.onnx"
	@echo "$(BIN)/python scripts/lean_model.py runs/accurate/accurate.onnx clip_vit_b16/clip runs/full.parquet" \
		"$(MODELS) --beside runs/fast-int8.onnx"

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH) -e ".[lab,web,postgresql,share,dev]"
	touch $@ $(VENV)/.base

clean:
	rm -rf $(VENV) out build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
