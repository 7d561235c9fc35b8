# make             install, then run the default experiment and write its report
# make report      the report once more, with videos where OpenGL (EGL) works
# make arena       every curation method by the policy that it makes, of the experiments to run; over an hour
# make compare     new runs beside the published ones: every number, its difference, a verdict
# make test        install, then run the tests
# make test-quick  the tests of files that take less than 5 seconds
# make test-peers  the real lerobot and robomimic open what we write; needs Python 3.12, downloads 3 GB
# make test-oddities  data sets with odd but legal properties, drawn at random for an hour (ODDITIES_SECONDS=3600)
# make test-slurm  the workflow on a SLURM of two nodes on this machine, with jobs killed; as root; some minutes
# make test-faults kill -9, full disks, damaged files: docs/faults.md anew; half an hour, needs Linux and root
# make test-gpu    docs/gpu_<card>.md: tests and speed on this machine's GPU; ten minutes (GPU_TEST="--plan more")
# make gpu-wheels  packs what a machine with nothing but PyTorch lacks for that (docs/gpu.md)
# make bench       docs/speed.md: each benchmark beside a peer or a limit; an idle machine and forty minutes
# make wandb       install Weights & Biases, for wandb.enable=true
# make robosuite   install robosuite, for env=robosuite
# make lerobot     install LeRobot, for policies that only it knows; needs Python 3.12, downloads 3 GB
# make lint        ruff, snakefmt, snakemake --lint
# make verify      which reported number no longer follows from its inputs
# make docs        tables in docs/ and workflow/schemas, from settings files, models and results/published
# make lock        resolve envs/requirements.in again
CORES ?= all
PYTHON ?= python3
PEERS_PYTHON ?= python3.12
ODDITIES_SECONDS ?= 3600
BIN := .venv/bin
INSTALLED := .venv/.installed
PEERS := .venv-peers
LEROBOT := .venv-lerobot
# Importing torch takes twice as long without its byte code.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: all report arena compare test test-quick test-peers test-oddities test-slurm test-faults test-gpu gpu-wheels bench wandb robosuite lerobot lint verify docs lock clean
all: $(INSTALLED)
	$(BIN)/python workflow/scripts/tools/run_workflow.py --cores $(CORES)
	@cat results/*/tables/summary.md
	@$(BIN)/python workflow/scripts/tools/make_report.py

report: $(INSTALLED)
	$(BIN)/python workflow/scripts/tools/make_report.py --videos --cores $(CORES)

arena: $(INSTALLED)
	$(BIN)/python workflow/scripts/tools/run_workflow.py --cores $(CORES) arena
	@cat results/*/arena/summary.md

compare: $(INSTALLED)
	@$(BIN)/python workflow/scripts/tools/compare.py

test: $(INSTALLED) wandb robosuite
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=40

test-quick: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

test-peers: $(PEERS)/.installed robosuite
	HF_HUB_OFFLINE=1 PYTHONPATH=workflow:tests/helpers $(PEERS)/bin/python -m pytest --confcutdir=tests/peers tests/peers

lerobot: $(LEROBOT)/.installed

$(LEROBOT)/.installed: envs/lerobot.lock
$(PEERS)/.installed: envs/peers.lock envs/peers_robomimic.lock
$(LEROBOT)/.installed $(PEERS)/.installed: $(INSTALLED)
	@$(PEERS_PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2> /dev/null || \
		{ echo "error: $(PEERS_PYTHON) is no Python 3.12 or newer, which lerobot needs; set PEERS_PYTHON=PATH"; exit 2; }
	test -x $(@D)/bin/python || $(PEERS_PYTHON) -m venv --without-pip $(@D)
	$(BIN)/uv pip install --quiet --python $(@D)/bin/python --no-deps --require-hashes \
		$(addprefix -r ,$(filter envs/%,$^))
	touch $@

test-oddities: $(INSTALLED)
	ODDITIES_SECONDS=$(ODDITIES_SECONDS) $(BIN)/python -m pytest tests/oddities

test-faults: $(INSTALLED)
	$(BIN)/python tests/faults/run_faults.py --kills 50 --out docs/faults.md

# SLURM_TEST=--optional: where there is no SLURM and none can be installed, say so and succeed.
test-slurm: $(INSTALLED)
	$(BIN)/python tests/slurm/run.py $(SLURM_TEST)

test-gpu: $(INSTALLED)
	$(BIN)/python tests/gpu/run.py $(GPU_TEST)

bench: $(INSTALLED)
	$(BIN)/python tests/bench/run.py --out docs/speed.md

gpu-wheels: $(INSTALLED)
	$(BIN)/python tests/gpu/pack_wheels.py

wandb robosuite: %: .venv/.%_installed
.venv/.%_installed: envs/%.lock $(INSTALLED)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r $<
	touch $@

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

verify: $(INSTALLED)
	@$(BIN)/python workflow/scripts/tools/verify.py

docs: $(INSTALLED)
	$(BIN)/python workflow/scripts/tools/document_settings.py
	$(BIN)/python workflow/scripts/tools/document_results.py

# --no-deps: the lock is complete, and names opencv-python-headless where gym-pusht asks for opencv-python.
$(INSTALLED): envs/requirements.lock envs/uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed; set PYTHON=python3.12, say")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r envs/uv.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r envs/requirements.lock
	touch $@

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url
lock: $(INSTALLED)
	$(COMPILE) --override envs/overrides.in envs/requirements.in -o envs/requirements.lock
	$(COMPILE) envs/wandb.in -o envs/wandb.lock
	$(COMPILE) --no-deps envs/robosuite.in -o envs/robosuite.lock
	$(subst 3.11,3.12,$(COMPILE)) envs/lerobot.in -o envs/lerobot.lock
	$(subst 3.11,3.12,$(COMPILE)) envs/peers.in -o envs/peers.lock
	$(COMPILE) --no-deps envs/peers_robomimic.in -o envs/peers_robomimic.lock
	echo "uv==$$($(BIN)/uv --version | cut -d' ' -f2)" | $(COMPILE) - -o envs/uv.lock

clean:
	rm -rf .venv $(PEERS) $(LEROBOT) .snakemake
