# `make demo` and `make test` do all their own set-up on a fresh Debian machine with root and Go.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PY := .venv/bin/python
CACHE := $(or $(ZAUM_CACHE),$(HOME)/.cache/zaum)
export ZAUM_CACHE := $(CACHE)
# Another cluster may stand in for the local one: KUBECONFIG=… make e2e, or CLUSTER=kind make demo.
export CLUSTER := $(or $(CLUSTER),$(if $(KUBECONFIG),external,local))
# An external cluster's nodes pull from a registry that only its owner can fill: nothing is built or loaded for it.
LOADED := $(if $(filter external,$(CLUSTER)),true,$(PY) -m tests.cluster.images build && $(PY) -m tests.cluster.images load)
IN_CLUSTER := $(PY) -m tests.cluster exec --

.PHONY: help
help: ## Say what each target does
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: dev
dev: .venv/.ready ## Make .venv with everything that the targets below need

.venv/.ready: requirements/dev.txt pyproject.toml
	@command -v python3 >/dev/null || { apt-get update -q && apt-get install -yq --no-install-recommends python3 python3-venv; }
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'python3 is older than 3.11: install a newer one' >&2; exit 1; }
	@python3 -c 'import ensurepip' 2>/dev/null || { apt-get update -q && apt-get install -yq --no-install-recommends python3-venv; }
	@echo 'dev: making .venv from requirements/dev.txt'
	@[ -x $(PY) ] || python3 -m venv .venv
	@$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(PY) -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: prerequisites
prerequisites: dev ## Name what is missing on this machine, and install what Debian packages
	@$(PY) -m tests.cluster prerequisites

.PHONY: demo
demo: prerequisites ## Cluster, chart, an agent, a breach, the containment, the proof
	@$(PY) -m tests.cluster up
	@$(LOADED)
	@$(IN_CLUSTER) $(PY) -m tests.demo

# What can run side by side does, two at a time: much of it waits. The output of each comes in one piece. What takes
# longest begins first.
TOGETHER := $(MAKE) --jobs=2 --keep-going --output-sync=target

.PHONY: test
test: prerequisites ## All the tests, from nothing
	@$(TOGETHER) lint unit-operator unit-others
	@$(MAKE) coverage
	@$(PY) -m tests.cluster path kwok >/dev/null
	@$(PY) -m tests.cluster up
	@$(LOADED)
	@$(IN_CLUSTER) $(PY) -m tests.support.e2e.install
	@failed=0; \
	$(TOGETHER) integration-watchdog e2e-second e2e-first integration-clusters integration-chart || failed=1; \
	$(MAKE) e2e-timed || failed=1; \
	$(TOGETHER) e2e-alone integration-loopback || failed=1; \
	exit $$failed

.PHONY: unit
unit: dev ## Pure and fast tests, with the coverage of the core packages
	@$(TOGETHER) unit-operator unit-others
	@$(MAKE) coverage

COVERED := $(PY) -m coverage run --data-file

.PHONY: unit-operator unit-others coverage
unit-operator: dev
	@$(COVERED) .coverage.operator -m pytest tests/unit/zaum_operator -q
unit-others: dev
	@$(COVERED) .coverage.others -m pytest tests/unit --ignore=tests/unit/zaum_operator -q
coverage: dev
	@$(PY) -m coverage combine -q --data-file=.coverage .coverage.operator .coverage.others
	@$(PY) -m coverage report --include='*/core/*,*/zaum_egress/*,*/zaum_api/*' --fail-under=95

.PHONY: integration
integration: prerequisites ## Real processes on loopback: watchdog, Envoy, authorizer; the rendered chart on the API server
	@$(PY) -m tests.cluster up
	@$(PY) -m pytest tests/integration -q $(INTEGRATION)

.PHONY: e2e
e2e: prerequisites ## Tests on a real cluster
	@$(PY) -m tests.cluster up
	@$(LOADED)
	@$(IN_CLUSTER) $(PY) -m pytest tests/e2e -v $(E2E)

# The parts of both, which find the cluster up and the chart installed. What a part leaves out, another one has. What
# takes all the cpu, or says how long a thing takes, has the machine to itself.
CLUSTERS := tests/integration/nodes tests/integration/scale tests/integration/storm
OF_THEIR_OWN := tests/integration/chart tests/integration/watchdog
TIMED := tests/e2e/test_contain_times.py tests/e2e/test_healthy.py
SHARED := ZAUM_E2E_INSTALLED=1 $(IN_CLUSTER) $(PY) -m pytest -v --durations=15

.PHONY: integration-loopback integration-watchdog integration-chart integration-clusters e2e-first e2e-second e2e-alone e2e-timed
integration-loopback:
	@$(PY) -m pytest tests/integration -q --durations=10 $(CLUSTERS:%=--ignore=%) $(OF_THEIR_OWN:%=--ignore=%)
integration-watchdog:
	@$(PY) -m pytest tests/integration/watchdog -q --durations=10
integration-chart:
	@$(PY) -m pytest tests/integration/chart -q
integration-clusters:
	@$(PY) -m pytest $(CLUSTERS) -q
e2e-first:
	@$(SHARED) -m 'not alone' tests/e2e/test_[a-e]*.py
e2e-second:
	@$(SHARED) -m 'not alone' tests/e2e/test_[!a-e]*.py
e2e-alone:
	@$(SHARED) -m alone tests/e2e $(TIMED:%=--ignore=%)
e2e-timed:
	@$(SHARED) $(TIMED)

.PHONY: battery
battery: prerequisites ## What an agent would try, from inside its pod; make battery BATTERY='--groups 1,2 --strict', or BATTERY=--neighbours: what a neighbour feels of an attacker
	@$(PY) -m tests.cluster up
	@$(LOADED)
	@$(IN_CLUSTER) $(PY) -m tests.battery $(BATTERY)

.PHONY: redaction
redaction: dev ## Precision and recall of the redactor, class by class; make redaction SPLITS=all: cut in all places (half an hour)
	@$(PY) -m tests.redaction $(if $(SPLITS),--splits)

.PHONY: ladder
ladder: prerequisites ## An agent that does not stop is throttled, cut and killed, each in its time (5 minutes)
	@$(PY) -m tests.cluster up
	@$(LOADED)
	@ZAUM_LADDER=1 $(IN_CLUSTER) $(PY) -m pytest -v tests/e2e/test_containment_options.py -k 'does_not_stop'

.PHONY: healthy
healthy: prerequisites ## No healthy agent is killed for want of cpu, gateway, ledger or API server (8 minutes)
	@$(PY) -m tests.cluster up
	@$(LOADED)
	@$(IN_CLUSTER) $(PY) -m tests.healthy

CHAOS := ZAUM_INSTANCE=chaos ZAUM_STORE=json $(PY) -m tests.cluster

.PHONY: fuzz
fuzz: dev ## make fuzz CASES=1000000 SEED=7: odd bytes for whatever reads hosts, ClientHellos, HTTP and signatures
	@$(PY) -m tests.fuzz $(if $(CASES),--cases $(CASES)) $(if $(SEED),--seed $(SEED))

.PHONY: properties
properties: dev ## make properties TIMES=20: what must hold for whatever is drawn, tried with so many times as many new examples
	@ZAUM_EXAMPLES_TIMES=$(or $(TIMES),10) $(PY) -m pytest tests/unit -q -m hypothesis

.PHONY: walks
walks: dev ## make walks STEPS=10000000 SEED=7: limits of pods and ledger through failures of all kinds, in a simulation
	@$(PY) -m tests.limits $(if $(STEPS),--steps $(STEPS)) $(if $(SEED),--seed $(SEED))

.PHONY: races
races: prerequisites ## make races ROUNDS=20 SEED=7: pods race for tokens and money while watchdogs, ledger and authorizer are killed
	@$(PY) -m tests.cluster up
	@$(LOADED)
	@ZAUM_RACES=$(or $(ROUNDS),5) ZAUM_SEED=$(SEED) $(IN_CLUSTER) $(PY) -m pytest -s tests/e2e/test_races.py

.PHONY: cuts
cuts: prerequisites ## make cuts CUTS=50: how soon a live tunnel of an agent ends when its policy names the host no more
	@$(PY) -m tests.cluster up
	@$(LOADED)
	@ZAUM_CUTS=$(or $(CUTS),50) $(IN_CLUSTER) $(PY) -m pytest -s tests/e2e/test_cut.py

.PHONY: chaos
chaos: prerequisites ## make chaos FAULTS=200 SEED=7: faults against the operator, on a control plane of its own
	@$(CHAOS) up --light
	@trap '$(CHAOS) down' EXIT; $(CHAOS) exec -- $(PY) -m tests.chaos $(if $(FAULTS),--faults $(FAULTS)) $(if $(SEED),--seed $(SEED))

.PHONY: chaos-cluster
chaos-cluster: prerequisites ## Faults on the cluster where the chart is installed: its pods are killed, and the API server under them
	@$(PY) -m tests.cluster up
	@$(LOADED)
	@$(IN_CLUSTER) $(PY) -m tests.chaos.in_cluster $(if $(FAULTS),--faults $(FAULTS)) $(if $(SEED),--seed $(SEED))

LOOP := ZAUM_INSTANCE=loopchaos ZAUM_STORE=json $(PY) -m tests.cluster

.PHONY: chaos-contain
chaos-contain: prerequisites ## make chaos-contain FAULTS=200 SEED=7: kill -9 of operator, ledger, authorizers while agents are contained
	@$(LOOP) up --light
	@trap '$(LOOP) down' EXIT; $(LOOP) exec -- $(PY) -m tests.chaos.loop $(if $(FAULTS),--faults $(FAULTS)) $(if $(SEED),--seed $(SEED))

.PHONY: chaos-contain-cluster
chaos-contain-cluster: prerequisites ## The same where the chart is installed: agents break out, containers' processes are killed on the node
	@$(PY) -m tests.cluster up
	@$(LOADED)
	@$(IN_CLUSTER) $(PY) -m tests.support.e2e.install
	@$(IN_CLUSTER) $(PY) -m tests.chaos.loop.in_cluster $(if $(FAULTS),--faults $(FAULTS)) $(if $(SEED),--seed $(SEED))

.PHONY: guards
guards: prerequisites ## Remove each guard and see its test turn red
	@$(PY) -m tests.cluster up
	@$(LOADED)
	@$(PY) -m tests.guards

.PHONY: lint
lint: dev ## ruff, mypy --strict, the architecture's arrows, generated files, the policy scanner
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check -q .
	@$(PY) -m mypy
	@.venv/bin/lint-imports
	@$(PY) crds/generate.py --check
	@$(PY) -m tests.cluster build
	@$(PY) -m tests.integration.chart.scan

.PHONY: fix
fix: dev ## Let ruff mend what it can
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

.PHONY: bench
bench: dev ## make bench BENCH=watchdog, BENCH=egress, BENCH=operator, BENCH=ledger, BENCH=limits or BENCH=contain COUNT=50
	@[ -n "$(BENCH)" ] || { echo 'name one: make bench BENCH=watchdog, BENCH=egress, BENCH=operator, BENCH=ledger, BENCH=limits or BENCH=contain' >&2; exit 2; }
	@$(PY) -m bench.$(BENCH)

.PHONY: soak
soak: prerequisites ## Keep the operator busy for a quarter of an hour; fails when it keeps memory, files or tasks
	@$(PY) -m bench.soak

.PHONY: crds
crds: dev ## Generate the CRDs from the models
	@$(PY) crds/generate.py

.PHONY: images
images: prerequisites ## Build the images
	@$(PY) -m tests.cluster.images build

.PHONY: cluster-up
cluster-up: prerequisites ## The local cluster, kept for fast iteration
	@$(PY) -m tests.cluster up

.PHONY: cluster-down
cluster-down: dev ## Take the local cluster down, and nothing else
	@$(PY) -m tests.cluster down

.PHONY: kubectl
kubectl: dev ## make kubectl ARGS='get agentpolicies -A'
	@$(PY) -m tests.cluster kubectl -- $(ARGS)

.PHONY: clean
clean: ## Remove what these targets made in the tree
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.* dist
