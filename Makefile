# One command a purpose; `make test` is the gate.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python

.PHONY: test check demo bench stress screenshots clean

test:  ## the gate: a fresh clone of HEAD in a fresh environment, then the suite against the wheel
	PYTHON=$(PYTHON) bash tests/gate.sh

$(VENV)/ready: requirements/runtime.txt requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet -r requirements/dev.txt
	$(RUN) -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

check: $(VENV)/ready  ## the same checks on the working tree, in one environment that stays
	bash tests/checks.sh $(RUN)
	$(RUN) -m pytest -q

demo: $(VENV)/ready  ## the main job on real input, in under a minute
	$(RUN) -m daemon demo

bench: $(VENV)/ready  ## the benchmark suite; one table with the goals
	$(RUN) -m tests.benchmarks

stress: $(VENV)/ready  ## what is too long for every day: ten thousand connections, 400 histories
	SLOTD_TEST_CONNECTIONS=10000 $(RUN) -m pytest -q tests/wire/test_listener.py
	CHAOS_SEEDS=400 $(RUN) -m pytest -q tests/simulation

screenshots: $(VENV)/ready  ## the README's picture, from a scripted cluster
	$(RUN) -m tests.screens.screenshots

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .hypothesis
