# xman: `make demo` shows it at work, `make test` judges it. Both do all their own set-up (tests/lab/setup.sh).

PYTHON = .venv/bin/python
HYPERVISOR = test
PYTEST_ARGS =
# A file's tests stay together, and those that share the two hosts (tests/conftest.py); more processes would only make
# more realms and daemons.
PROCESSES = -n auto --maxprocesses 4 --dist loadgroup

.PHONY: help demo test lint types clean

help:
	@echo 'make demo                   the main job on this machine, in a throw-away realm, without a hypervisor'
	@echo 'make demo HYPERVISOR=qemu   the same with a real guest'
	@echo 'make test                   everything: style, types, and all tests'
	@echo 'make clean                  remove what these made'

demo:
	@tests/lab/setup.sh demo $(HYPERVISOR)
	@$(PYTHON) -m tests.lab.demo --hypervisor $(HYPERVISOR)

test:
	@tests/lab/setup.sh test
	@$(MAKE) --no-print-directory lint types
	@$(PYTHON) -m pytest $(PROCESSES) $(PYTEST_ARGS)

lint:
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types:
	@.venv/bin/mypy

clean:
	rm -rf .venv .build .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
