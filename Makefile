# The two commands of the README are `make demo` and `make test`; everything they need, they install.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMPS := $(VENV)/.stamps

.DEFAULT_GOAL := help
.PHONY: help demo test check fix bench vscode models install generate clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# Installing -------------------------------------------------------------------------------------

install: $(STAMPS)/python

# torch comes first and alone, so that the pin of constraints.txt is what pip looks for.
$(STAMPS)/python: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "==> Python packages into $(VENV)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[worker,dev]'
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/node: package-lock.json $(STAMPS)/python
	@echo "==> npm packages of the VS Code client"
	@npm ci --no-audit --no-fund --loglevel=error
	@mkdir -p $(STAMPS) && touch $@

models: $(STAMPS)/python ## Install the embedded models (once; kept outside the clone)
	@$(BIN)/transformers-ls models install smollm2-135m
	@$(BIN)/transformers-ls models install gemma3-270m --accept-license

# Using ------------------------------------------------------------------------------------------

demo: models ## Show the main job on real input
	@$(BIN)/python -m tests.support.tokenizer_files
	@$(BIN)/python scripts/demo.py

vscode: models build/transformers-ls.vsix ## Open the examples in VS Code in a browser
	@$(BIN)/python scripts/vscode.py run examples

# Checking ---------------------------------------------------------------------------------------

test: check models build/transformers-ls.vsix ## Run every test, the ones in a real VS Code included
	@$(BIN)/python -m tests.support.tokenizer_files
	@$(BIN)/python scripts/vscode.py setup
	@$(BIN)/python -m pytest --durations=10

check: $(STAMPS)/python $(STAMPS)/node ## Formatter, linters, type checkers, generated files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python scripts/generate_settings.py --check
	@npm run --silent check
	@npm run --silent test

fix: $(STAMPS)/python generate ## Format, and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

generate: $(STAMPS)/python ## Write the settings into package.json and the README
	@$(BIN)/python scripts/generate_settings.py

$(STAMPS)/bench: $(STAMPS)/python
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@touch $@

bench: models $(STAMPS)/bench ## Benchmarks: ratios against a named baseline in the same run
	@$(BIN)/python -m tests.support.tokenizer_files
	@$(BIN)/python scripts/run_benchmarks.py

# Building ---------------------------------------------------------------------------------------

CLIENT := package.json README.md LICENSE $(wildcard client-vscode/*.mjs client-vscode/src/*.ts)

build/transformers-ls.vsix: $(CLIENT) $(STAMPS)/node
	@echo "==> VS Code extension"
	@mkdir -p build && npm run --silent package

clean: ## Remove what was built here (caches outside the clone stay)
	rm -rf $(VENV) node_modules build client-vscode/out
