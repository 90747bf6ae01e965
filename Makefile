# Everything a newcomer needs: `make demo`, `make test`. Both install into .venv what is missing.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo docs test test-fast lint bench bench-quick bench-workers bench-long bench-fidelity bench-real bench-state bench-cached bench-routing bench-report litellm bench-production clean

demo: .venv/installed
	$(BIN)/backroute demo --out demo-out

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-fast: .venv/installed
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The pages that follow from the code: the command line and the Python API.
docs: .venv/installed
	$(BIN)/python docs/generate.py

# Ratios against peers and limits of the same run; PEERS=peers/bin/python adds the user's script (see benchmarks/bench.py).
bench: .venv/installed
	$(BIN)/python -m benchmarks.bench --json bench.json $(if $(PEERS),--peers $(PEERS))

bench-quick: .venv/installed
	$(BIN)/python -m benchmarks.bench --quick $(if $(PEERS),--peers $(PEERS))

# Two workers against one, starts included; `make bench-workers ARGS=--dask` on a cluster, `ARGS='--rows 1000000'` for longer.
bench-workers: .venv/installed
	$(BIN)/python -m benchmarks.workers $(ARGS)

# Time per request and memory up to ten million requests: a log of 9.5 GB, as much again while it runs, ten minutes.
bench-long: .venv/installed
	$(BIN)/python -m benchmarks.long $(ARGS)

# Leaves whole tasks, kinds and models out, and compares the counterfactual model with the simple ways and with oracles;
# then its structure with lesser ones, chosen without the kind that is judged, and what more kinds of task would bring.
bench-fidelity: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.fidelity
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.fidelity_structure

# The main job on real logs, where the shared data lies beside the project.
bench-real: .venv/installed
	$(BIN)/python -m benchmarks.real_logs

# Routing that learns, on sources, domains and tasks left out; `make bench-routing ARGS=--quick` for under two minutes,
# `ARGS="--only timing"` on a quiet machine for the times alone.
bench-routing: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.routing $(ARGS)

# The report on a million requests; `make bench-report ARGS=--quick` for twenty thousand.
bench-report: .venv/installed
	$(BIN)/python -m benchmarks.report $(ARGS)

# Real caches, recorded against simulated counts, and the speed of all that keeps state; `make bench-state ARGS=--quick` for a short run.
bench-state: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.state $(ARGS)

# Savings with and without simulated prompt caches, against bills that are known; `make bench-cached ARGS=--quick` for a short run.
bench-cached: .venv/installed
	$(BIN)/python -m benchmarks.cached $(ARGS)

# The pinned versions are those the tests last ran with.
.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Backroute needs Python 3.11 or newer; name one: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

# Bills, false alarms, power, drift and overhead of production; the proxy's part needs `make litellm`.
bench-production: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.production $(ARGS)

# The LiteLLM proxy in an environment of its own (its pins are many), for the tests that start it. 1.107.0 was withdrawn
# as compromised: pin another.
litellm: .venv-litellm/installed

.venv-litellm/installed: pyproject.toml
	$(PYTHON) -m venv .venv-litellm
	.venv-litellm/bin/python -m pip install --quiet --disable-pip-version-check 'litellm[proxy]==1.108.7' .
	@touch $@

clean:
	rm -rf .venv .venv-litellm demo-out
