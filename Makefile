# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

PYTHON ?= python3
ARGS ?=

TOOLS := $(PYTHON) -B -m tests.tools
GATES := lint unit integration browser awx sanity ansible-lint docs changelog build galaxy-importer

.DEFAULT_GOAL := help
.PHONY: help test test-all $(GATES) demo bench bench-bundle bench-require stage environments format clean

help:  ## Show the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo "Variables: PYTHON=python3.12 (interpreter to use), ARGS='-k name' (for unit, integration, browser, awx, demo, bench-require)."

test:  ## Run every gate, and show a table of them.
	@$(TOOLS) test $(GATES)

test-all:  ## As test, then every Python and ansible-core version found. Takes long.
	@$(TOOLS) test-all $(GATES)

lint:  ## ruff (rules and format) and mypy.
	@$(TOOLS) test $@

unit:  ## Unit tests.
	@$(TOOLS) test $@ -- $(ARGS)

integration:  ## Modules, role and playbooks against real database servers.
	@$(TOOLS) test $@ -- $(ARGS)

awx:  ## Jobs as AWX runs them, AWX's setup, the inventory from AWS.
	@$(TOOLS) test $@ -- $(ARGS)

browser:  ## The report in Chromium: accessibility, filters, hostile servers, 2,000 servers.
	@$(TOOLS) test $@ -- $(ARGS)

sanity:  ## ansible-test sanity, every test of it.
	@$(TOOLS) test $@

ansible-lint:  ## ansible-lint, profile production.
	@$(TOOLS) test $@

docs:  ## Check the documentation, and build its site in build/docsite/html.
	@$(TOOLS) test $@

changelog:  ## Changelog and its fragments.
	@$(TOOLS) test $@

build:  ## Build the tarball, install it elsewhere, find every plugin in it by name.
	@$(TOOLS) test $@

galaxy-importer:  ## What Galaxy checks when a collection is uploaded.
	@$(TOOLS) test $@

demo:  ## Show the collection at work against real servers.
	@$(TOOLS) run runtime -- python -m demo $(ARGS)

bench:  ## Measure whole playbook runs beside ansible.mysql. ARGS='--hosts 50,200 --forks 10 --rounds 3 --json FILE'.
	@$(TOOLS) run bench -- python -m tests.bench.fleet $(ARGS)

bench-bundle:  ## Measure rds_ca_bundle beside get_url: time and bytes on the wire. ARGS='--rounds 9 --json FILE'.
	@$(TOOLS) run test -- python -m tests.bench.bundle $(ARGS)

bench-require:  ## Time mysql_require_ssl on thousands of accounts, by server.
	@$(TOOLS) run test -- python -m tests.bench.require_ssl $(ARGS)

stage:  ## Copy the checkout to where Ansible finds it as a collection, and print that path.
	@$(TOOLS) stage

environments:  ## Make the virtual environments that the gates need.
	@$(TOOLS) environments

format:  ## Let ruff put the code in order.
	@$(TOOLS) format

clean:  ## Remove what was generated here; the user's cache stays.
	rm -rf build
