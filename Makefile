# make run    set everything up in a fresh checkout and run the demonstration
# make test   set everything up and pass the tests

BIN := .venv/bin
OPTIONS ?=

.PHONY: help run test test-all bench docs format set-up set-up-test clean

help:
	@echo 'make run       set up and run the demonstration: virtual cameras, recorded to a fresh disk'
	@echo 'make test      set up, lint, check types, build the written docs, run all tests'
	@echo 'make test-all  the same with the whole docs, then fuzzing and the benchmarks'
	@echo 'make bench     the benchmarks, each figure beside its yardstick'
	@echo 'make docs      the documentation as HTML, in docs/_build/html'
	@echo 'make format    bring the code into shape'
	@echo 'make clean     remove what the above made, except recordings'

set-up:
	@tools/set-up run

set-up-test:
	@tools/set-up test

set-up-fuzz: set-up-test
	@tools/set-up fuzz

run: set-up
	@trap : INT; $(BIN)/twistd --nodaemon --pidfile= axis-nvr --demo $(OPTIONS) || [ $$? -eq 130 ]

test: set-up-test
	@$(BIN)/python tools/run_tests.py

test-all: set-up-fuzz
	@$(BIN)/python tools/run_tests.py --all

bench: set-up-test
	@$(BIN)/python tools/run_tests.py --only bench

docs: set-up-test
	@$(BIN)/python tools/run_tests.py --only docs
	@echo 'docs/_build/html/index.html'

format: set-up-test
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf .venv .tox build dist docs/_build docs/api/modules .mypy_cache .ruff_cache .hypothesis _trial_temp*
	rm -rf *.egg-info twisted/plugins/dropin.cache
	find axis_nvr tests twisted tools -name __pycache__ -type d -prune -exec rm -rf {} +
