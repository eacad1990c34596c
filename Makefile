# The two commands: make run, make test. All others: make help.
VENV ?= .venv
PYTHON_IN = $(VENV)/bin/python
export VENV
# Containers often ask Python to write no bytecode: then each of the hundreds of programs that the tests start would compile byhand again.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help setup run check unit test lint format notebook outputs gallery docs docs-check explorer zoo statquest bench gpu libraries prebuilt wheels constraints

help: ## these lines
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

setup: ## the whole development environment, in .venv (another: VENV=folder; a Python of your choice: PYTHON=python3.12)
	@tools/setup.sh

run: setup ## train and evaluate the hand-made LSTM; then the notebook, into runs/main.html, and the explorer, into runs/explorer.html
	$(PYTHON_IN) LSTM.py
	$(PYTHON_IN) tools/notebook.py main.ipynb --html runs/main.html
	$(PYTHON_IN) tools/explorer_page.py runs/explorer.html

check: setup ## the quick answer while you work: style, types, imports, unit tests, and the page's own in node
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint unit

unit: setup ## the unit tests, on the reference engine
	$(PYTHON_IN) -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder tests/unit

test: lint ## every check and every test
	tools/postgres.sh
	tools/browser.sh
	$(PYTHON_IN) tests/support/compile_kernels.py
	$(PYTHON_IN) -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

lint: setup ## ruff and pyright
	$(PYTHON_IN) -m ruff check .
	$(PYTHON_IN) -m ruff format --check .
	$(VENV)/bin/lint-imports --no-logo 2>/dev/null || $(VENV)/bin/lint-imports
	$(PYTHON_IN) -m pyright --pythonpath $(PYTHON_IN)

format: setup ## let ruff lay out the code
	$(PYTHON_IN) -m ruff check --fix .
	$(PYTHON_IN) -m ruff format .

notebook: setup ## open main.ipynb in Jupyter
	$(PYTHON_IN) -m jupyter lab main.ipynb

outputs: setup ## run main.ipynb and keep its outputs in it, and its picture in docs
	$(PYTHON_IN) tools/notebook.py main.ipynb --keep

gallery: setup ## redraw the pictures of docs/gallery.md
	$(PYTHON_IN) tools/gallery.py

docs: setup ## build the site into build/site, offline: python -m webbrowser build/site/index.html (options: DOCS=--clean)
	$(PYTHON_IN) -m tools.website --install $(DOCS)

docs-check: docs ## then open every page of it in a browser: accessible, no wider than a phone, searchable from the disk
	tools/browser.sh
	BYHAND_SITE=build/site $(PYTHON_IN) -m pytest tests/site

explorer: ## build the explorer's page out of frontend (needs node and npm)
	cd frontend && npm ci --no-audit --no-fund && npm run check && npm run build

zoo: setup ## train the models of the zoo again, and compare them with their cards (some of them: ZOO="an_bn digits")
	$(PYTHON_IN) -m byhand zoo make $(or $(ZOO),--all)

statquest: setup ## reproduce the published numbers (experiments/statquest)
	$(PYTHON_IN) -m experiments.statquest.run

bench: setup ## times: byhand against torch's layers; Lightning against a bare loop (options: BENCH="grid --summary", see byhand bench --help)
	$(PYTHON_IN) -m benchmarks.lightning_step
	$(PYTHON_IN) -m byhand bench $(BENCH)

gpu: ## on a machine with a GPU: is the GPU engine right there, and how fast; nothing is installed (PYTHON=python3, GPU="--minutes 20"; without one: INTERPRET=1)
	@$(or $(PYTHON),python3) tools/gpu $(if $(INTERPRET),--interpret) $(GPU)

libraries: setup ## the tests that need Flax, Haiku, Paddle, MLX, xLSTM and others, or models of others; a few gigabytes (options: LIBRARIES="--only paddle")
	$(PYTHON_IN) tools/libraries.py $(LIBRARIES)

prebuilt: setup ## compile the kernels of a platform wheel into the package, for this kind of machine (another: tools/prebuilt.py)
	$(PYTHON_IN) tools/prebuilt.py

wheels: setup ## into dist: the pure wheel, and one for each system whose kernels are prebuilt here
	$(PYTHON_IN) tools/wheels.py

constraints: setup ## write the versions that are installed into constraints.txt
	$(PYTHON_IN) -m pip install --quiet --constraint constraints.txt --group docs
	{ sed -n 1p constraints.txt; $(PYTHON_IN) -m pip freeze --all --exclude-editable --exclude triton | sed 's/+cpu$$//' | sort -f; } > constraints.new
	mv constraints.new constraints.txt
