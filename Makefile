# Two commands do all the set-up: `make lab` opens the course, `make test` runs the tests.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help lab test lint build docs grade pins clean

help:
	@echo "make lab        open the course in JupyterLab"
	@echo "make test       run all tests, notebooks included"
	@echo "make grade A=1  grade your assignment 1"
	@echo "make build      rebuild notebooks/, solutions/ and assignments/ from course/"
	@echo "make docs       measure operations and checker again, write the pages in docs/"
	@echo "make lint       check style and types"

lab: $(READY)
	@$(BIN)/cnnlab lab $(ARGS)

test: $(READY)
	$(BIN)/python -m pytest --nbval --nbval-current-env --nbval-sanitize-with=tests/nbval.cfg \
		tests cnnlab notebooks solutions $(ARGS)

grade: $(READY)
	@test -n "$(A)" || { echo "Say which assignment: make grade A=1"; exit 2; }
	@test -e assignments/a$(A)_*.ipynb || { echo "There is no assignment $(A)."; exit 2; }
	@$(BIN)/cnnlab grade assignments/a$(A)_*.ipynb $(ARGS)

build: $(READY)
	$(BIN)/cnnlab build $(ARGS)

docs: $(READY)
	$(BIN)/python tools/write_ops_docs.py
	$(BIN)/python tools/write_mistakes_docs.py
	$(BIN)/python tools/write_security_docs.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Pin the newest versions that pyproject.toml allows, for every platform and Python.
pins: $(READY)
	$(BIN)/pip install --quiet uv
	echo "-e .[dev]" | $(BIN)/uv pip compile - --universal --python-version 3.11 --upgrade \
		--no-header --no-annotate --output-file requirements.txt

clean:
	rm -rf $(VENV)

# Touched last, so that a set-up that was interrupted is taken up again.
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "cnnlab needs Python 3.11 or newer; this is $$($(PYTHON) --version 2>&1)."; \
		echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		echo "Python could not make a virtual environment. On Debian or Ubuntu:"; \
		echo "    sudo apt install python3-venv"; exit 1; }
	@echo "Installing into $(VENV); the first time takes a minute or two."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@
