PYTHON ?= python3
BIN := .venv/bin
CORE := .venv/.core
READY := .venv/.ready
BENCH_READY := .venv/.ready-bench
MUTANTS_READY := .venv/.ready-mutants
TYPES := .venv/.types
comma := ,

# Programs are read as bytecode after their first start, of which the tests have dozens.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test validate mutants figures docs bench format

# uv installs several times faster than pip; where it cannot, say from an index that only pip is told of, pip does.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python
install = { $(PIP) uv && $(UV) --editable '$(1)'; } || $(PIP) --editable '$(1)'

$(CORE): pyproject.toml
	$(PYTHON) -m venv .venv
	$(call install,.)
	touch $(CORE)

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(call install,.[test])
	touch $(CORE) $(READY)

$(BENCH_READY): $(READY)
	$(call install,.[bench$(comma)nufft])
	touch $(BENCH_READY)

$(MUTANTS_READY): $(READY)
	$(call install,.[mutants])
	touch $(MUTANTS_READY)

demo: $(CORE)  ## the first look: studies, figures and a table of claims under results/
	$(BIN)/python -m paper_figs --demo --out results

test: $(READY)  ## everything that must hold before a change lands
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@echo "$(BIN)/lint-imports and $(BIN)/pyright, beside $(BIN)/pytest -n 2"
	@{ $(BIN)/lint-imports && $(BIN)/pyright; } > $(TYPES) 2>&1 & types=$$!; \
	$(BIN)/pytest -n 2; tests=$$?; \
	wait $$types; types=$$?; cat $(TYPES); \
	exit $$((tests ? tests : types))

validate: $(READY)  ## the slow half of the tests: full-size validation against theory
	XLA_FLAGS=--xla_force_host_platform_device_count=4 $(BIN)/pytest -n 2 -m slow

mutants: $(MUTANTS_READY)  ## formulas changed by one, which the fast tests must notice: a sample; see tests/mutants
	$(BIN)/python tests/mutants --sample 40

figures: $(READY)  ## every figure at full size, under results/
	$(BIN)/python -m paper_figs --out results

docs: $(READY)  ## the site, under results/site/html: reference, lessons, gallery, live page
	$(BIN)/python .docs --out results/site

bench: $(BENCH_READY)  ## timings against named peers, and the tables of them in the READMEs
	$(BIN)/python -m benchmarks --json benchmarks/results.json
	$(BIN)/python -m benchmarks --json benchmarks/results.json --tables .

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
