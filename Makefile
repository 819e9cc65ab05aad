# Every target sets up first; once that is done, a second call finds the stamp and starts at once.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help setup run test check bench count fuzz sbom slo docs release format lock clean

# Images of Python like to set this, and then each of the suite's hundreds of gateways compiles itself anew.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
# Scripts in .venv name the checkout they belong to: one that was moved or copied has another stamp, and sets up again.
STAMP := .venv/.setup-$(shell pwd | cksum | cut -d ' ' -f 1)

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Create .venv from the locked requirements (PYTHON=/path/to/python3 names the Python)
	@echo "ready: $(BIN)/wizard"

$(STAMP): pyproject.toml .ci/setup $(wildcard requirements/*.txt)
	@bash .ci/setup $@

run: $(STAMP) ## Start the gateway (ARGS="--port 9000" and the like are passed on)
	@exec $(BIN)/wizard serve $(ARGS)

test: $(STAMP) ## Run the whole suite, with coverage, three at a time: most of it waits (ARGS="-n 0 FILE" for one)
	@$(BIN)/python -W error -m pytest --cov -n 3 $(ARGS)

check: $(STAMP) ## Run every static check
	@bash .ci/check

bench: $(STAMP) ## Measure the gateway on this machine, paired with its floor
	@$(BIN)/python -m loadtests.bench $(ARGS)

count: $(STAMP) ## Count what calls make the interpreter do, and what changed (ARGS="--record loadtests/history.jsonl")
	@$(BIN)/python -m loadtests.instructions --check loadtests/history.jsonl $(ARGS)

fuzz: $(STAMP) ## Look for inputs that break a parser (SECONDS=600 for each, TARGETS="requests streams")
	@bash .ci/fuzz "$(or $(SECONDS),60)" $(TARGETS)

sbom: $(STAMP) ## Write sbom.json: what the gateway is made of, as CycloneDX (ARGS=FILE names another file)
	@$(BIN)/python -W ignore -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible --of JSON \
		--validate --output-file $(or $(ARGS),sbom.json) requirements/runtime.txt

slo: $(STAMP) ## Measure the gateway against its objectives: a table with pass or fail
	@$(BIN)/python -m loadtests.slo $(ARGS)

docs: $(STAMP) ## Write the made pages anew, and build the site into .site, strictly
	@$(BIN)/python .ci/pages.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --config-file deploy/mkdocs.yml
	@echo "built: .site/index.html"

release: $(STAMP) ## Check the definition of done: everything before a version goes out (ARGS="--only docs" for a part)
	@$(BIN)/python .ci/release.py $(ARGS)

format: $(STAMP) ## Format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

lock: $(STAMP) ## Compile the requirement files anew (ARGS=--upgrade moves the pins)
	@bash .ci/lock $(ARGS)

clean: ## Remove everything that make made
	rm -rf .venv .uv .site .fuzz .setup.log .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find app loadtests tests .ci -name __pycache__ -type d -prune -exec rm -rf {} +
