# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

PYTHON ?= python3
ARGS ?=

# nox comes from tests/requirements/nox.txt, into the user's cache.
NOX := nox=$$($(PYTHON) -B tests/tools/environments.py nox) && PYTHONDONTWRITEBYTECODE=1 exec "$$nox/bin/nox" --non-interactive
RESULTS := build/results
GATES := lint unit functional browser awx sanity ansible-lint docs changelog build galaxy-importer
OTHERS := demo servers pictures bench bench-bundle bench-require format environments

.DEFAULT_GOAL := help
.PHONY: help test test-all $(GATES) integration $(OTHERS) stage clean

help:  ## Show the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo "Variables: PYTHON=python3.12 (interpreter to use), ARGS='-k name' (for tests, demo and measurements)."

test: TAGS := gate
test:  ## Run every gate, and show a table of them.
test-all: TAGS := gate matrix
test-all:  ## As test, then every supported Python and ansible-core. Takes long.
test test-all:
	@rm -rf $(RESULTS) && mkdir -p $(RESULTS)
	-@$(NOX) --tags $(TAGS) --report $(RESULTS)/report.json </dev/null
	@$(PYTHON) -B tests/tools/summary.py

lint:  ## ruff (rules and format), mypy, and antsibull-nox's checks.
unit:  ## Unit tests.
functional:  ## Modules, role and playbooks against real database servers.
browser:  ## The report in Chromium: accessibility, filters, hostile servers, 2,000 servers.
awx:  ## Jobs as AWX runs them, AWX's setup, the inventory from AWS.
sanity:  ## ansible-test sanity, every test of it.
ansible-lint:  ## ansible-lint, profile production.
docs:  ## Check the documentation, and build its site in build/docsite/html.
changelog:  ## Changelog and its fragments.
build:  ## Build the tarball, install it elsewhere, find every plugin in it by name.
galaxy-importer:  ## What Galaxy checks when a collection is uploaded.
$(GATES):
	@$(NOX) --session $@ -- $(ARGS) </dev/null

integration: functional  ## The same as functional.

demo:  ## Show the collection at work against real servers.
servers:  ## Real servers for your own experiments. ARGS=list, ARGS='run mariadb-11.8'.
pictures:  ## Take the README's pictures of what make demo has left.
bench:  ## Measure whole playbook runs beside ansible.mysql. ARGS='--hosts 50,200 --forks 10 --rounds 3 --json FILE'.
bench-bundle:  ## Measure rds_ca_bundle beside get_url: time and bytes on the wire. ARGS='--rounds 9 --json FILE'.
bench-require:  ## Time mysql_require_ssl on thousands of accounts, by server.
format:  ## Format the code, and wrap the text of the guides.
environments:  ## Make the virtual environments that the gates need.
$(OTHERS):
	@$(NOX) --session $@ -- $(ARGS)

stage:  ## Copy the checkout to where Ansible finds it as a collection, and print that path.
	@$(PYTHON) -B -m tests.tools.staging

clean:  ## Remove what was generated here; the user's cache stays.
	rm -rf build
