# An index of what can be done here. `make` alone lists it.
#
# Everything runs on one machine with Rust, a C compiler and Python; `make tools` installs the rest
# into .venv or names what is missing. run, up, test and check share one build of the dev profile,
# which optimizes the media path only and compiles in a fifth of the time. Benchmarks, the fault
# matrix, fuzzing and deployment use the release profile.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV   := .venv
PYTHON ?= python3
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0
export CARGO_TERM_COLOR ?= auto

MEDIA  ?= tests/testkit/assets/two-voices.mka
SPEED  ?= 1
FRAGMENT_MS ?= 2000
PORT   ?= 7878
DATA   ?= target/local
# The command that recognises the delivered words in run and up; empty: no words.
RECOGNISER ?= $(VENV)/bin/python examples/recogniser/recogniser.py
WITH_WORDS = $(if $(RECOGNISER),--recogniser "$(RECOGNISER)")
# Profile of run and up, and where their binaries and those of the tests are.
PROFILE ?= dev
export BIN := target/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
SECONDS := 60
SESSIONS ?= 100
HOST   ?= lambda
MINUTES ?= 30
ENV    ?= dev
REGION ?=
TARGETS := walk pipeline decoders descriptions
# The functions of a session, and with them all that are deployed.
SESSION_FUNCTIONS := session-http-handler kvs-stream-consumer audio-processor
FUNCTIONS := $(SESSION_FUNCTIONS) session-canary
FUNCTION ?= audio-processor
ARCH   ?= both
ARCHITECTURES := $(if $(filter both,$(ARCH)),arm64 x86_64,$(ARCH))
SAM_TOOLS := target/template-tools
EMULATOR  := target/emulator-tools
AWS_CLI   := target/aws-cli

# What is deployed names no folder of the machine that built it: two machines, the same bytes.
CARGO_HOME ?= $(HOME)/.cargo
FOR_LAMBDA := CARGO_BUILD_RUSTFLAGS=--remap-path-prefix=$(CARGO_HOME)=/cargo \
	CFLAGS=-ffile-prefix-map=$(CARGO_HOME)=/cargo

# The packages of the requirements file $(1), printed before they are installed into $(2).
INSTALLING = echo "installing into $(2): $$(sed -n 's/==.*//p' $(1) | paste -sd ' ' -)"

.PHONY: help run up test runbook check check-api check-template template-snapshot check-speaker check-page page browser speaker speaker-page screenshot fmt bench faults load fuzz build \
  reproducible deploy deploy-check smoke tools run-tools announce cloud functions release clean require-media require-deploy require-token \
  alarms dashboard test-alarms compiled-tests test-e2e test-unit test-docs test-events test-clients test-processor test-smoke test-speech test-words test-documents test-browser

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

run: require-media functions ## one session end to end on this machine (SPEED=n, MEDIA=file.mkv|.mka|.webm, FRAGMENT_MS=10000 for fragments as of WebRTC ingestion, PROFILE=release)
	@env -u LOCAL_CLOUD_URL $(BIN)/local-cloud run --media "$(MEDIA)" --speed $(SPEED) --fragment-ms $(FRAGMENT_MS) \
	  --report target/local/report.json $(WITH_WORDS)

# The targets named require-… stand first, so that a missing value is reported before anything is
# built or installed.
require-media:
	@test -e "$(MEDIA)" || { echo "missing: MEDIA=$(MEDIA) does not exist; give an Opus .mkv, .mka or .webm file."; exit 1; }

up: functions speaker-page ## leave the same cloud running (PORT=7878 DATA=target/local) and print what to try
	@$(BIN)/local-cloud up --port $(PORT) --data $(DATA) --guide $(WITH_WORDS)

# The crates that have integration tests, without tests/e2e.
INTEGRATION := $(sort $(filter-out e2e,$(foreach test,$(wildcard crates/*/tests/*.rs crates/*/tests/*/main.rs \
  tests/*/tests/*.rs tests/*/tests/*/main.rs),$(word 2,$(subst /, ,$(test))))))
# The names of a crate's integration tests.
TESTS_OF = $(basename $(notdir $(wildcard crates/$(1)/tests/*.rs tests/$(1)/tests/*.rs))) \
  $(notdir $(patsubst %/main.rs,%,$(wildcard crates/$(1)/tests/*/main.rs tests/$(1)/tests/*/main.rs)))

# The tests run side by side, because most of them wait for timers of the local cloud; the longest
# stand first. One alone: make test-crate/relay, make test-e2e/one_session_arrives_whole. Those of
# the words and of the browser run after them: the recogniser gets the CPU time that is left, and a
# browser that waits for a processor loses sound of its own. So do those with many sessions in one
# process or many processes, two at a time.
HOSTS := sessions_in_instances sessions_move_between_hosts sessions_in_workers sessions_outlive_their_workers
TESTS := test-alarms test-e2e test-crate/faults test-documents test-crate/session-ops test-crate/relay \
  test-processor test-crate/media test-smoke test-crate/local-aws test-clients test-unit \
  $(patsubst %,test-crate/%,$(filter-out faults session-ops relay media local-aws,$(INTEGRATION))) \
  check-template test-docs test-events test-speech
TEST_JOBS ?= 4
# One test's output in one piece (GNU Make 4).
IN_PIECES := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
# What the functions call meanwhile is held against what their roles allow.
test: export LOCAL_CLOUD_CALLS := $(CURDIR)/target/iam
test: tools cloud ## every check that needs no AWS (TEST_JOBS=n side by side)
	rm -rf "$$LOCAL_CLOUD_CALLS"
	@$(MAKE) --no-print-directory --jobs=4 $(IN_PIECES) compiled-tests $(AWS_CLI)/installed.txt \
	  $(SAM_TOOLS)/installed.txt $(EMULATOR)/installed.txt
	@$(MAKE) --no-print-directory --keep-going --jobs=$(TEST_JOBS) $(IN_PIECES) $(TESTS)
	@$(MAKE) --no-print-directory --keep-going --jobs=2 $(IN_PIECES) $(HOSTS:%=test-e2e/%)
	@$(MAKE) --no-print-directory --keep-going test-words test-browser
	$(VENV)/bin/python tests/iam/least_privilege.py "$$LOCAL_CLOUD_CALLS"

# Beside the compiler, because a part that has to wait for its tools is begun after all others.
compiled-tests:
	cargo test --workspace --all-targets --no-run
# The features are those of the whole workspace in each command, so that nothing is built again.
test-unit:
	cargo test --workspace --exclude e2e --lib --bins --examples --benches
test-crate/%:
	cargo test --workspace $(patsubst %,--test %,$(call TESTS_OF,$*))
test-docs:
	cargo test --workspace --doc
# All but those of HOSTS, three at a time.
test-e2e:
	cargo test --workspace --test guarantees -- --test-threads=3 $(HOSTS:%=--skip %::)
test-e2e/%:
	cargo test --workspace --test guarantees -- $*::
test-events:
	$(VENV)/bin/python tests/events/status_change.py
test-clients:
	$(VENV)/bin/python tests/clients/run.py
test-processor:
	$(VENV)/bin/python -m unittest discover -s tests/processor
test-smoke:
	$(VENV)/bin/python tests/smoke/against_local_cloud.py
test-speech:
	$(VENV)/bin/python -m unittest discover -s tests/speech
	$(VENV)/bin/python tests/speech/word_errors.py
test-words:
	$(VENV)/bin/python tests/speech/delivered_words.py
test-alarms:
	$(VENV)/bin/python tests/alarms --short
test-documents: $(AWS_CLI)/installed.txt
	$(VENV)/bin/python tests/documents/commands.py

alarms: tools cloud ## raise each alarm of the template by its cause in local clouds, and clear it (target/operate/alarms.json)
	@$(VENV)/bin/python tests/alarms

dashboard: tools cloud ## draw the template's dashboard with metrics of the local cloud (docs/pictures/dashboard.svg)
	@$(VENV)/bin/python docs/pictures/dashboard.py

# What an operator reads: its commands also are a part of test-documents.
runbook: cloud $(AWS_CLI)/installed.txt ## run every command of the operations documents with the pinned AWS CLI (target/operate/commands.json)
	$(VENV)/bin/python tests/documents/commands.py --operations

check: tools ## fmt, clippy, docs, licences, API description, template, the speaker's page
	cargo fmt --all --check
	$(PYTHON) tests/documents/links.py
	$(PYTHON) docs/pictures/overview.py --check
	$(PYTHON) infra/build/same_features.py $(RUN_PACKAGES)
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items
	@$(MAKE) --no-print-directory check-api check-template check-speaker
	@command -v cargo-deny >/dev/null || cargo install cargo-deny --locked --version 0.20.2 --debug --root $(VENV)
	cargo deny --all-features check bans licenses sources
	cargo check --manifest-path fuzz/Cargo.toml

check-api: tools ## lint docs/openapi.yaml
	$(VENV)/bin/openapi-spec-validator --schema 3.1 --validation-errors all docs/openapi.yaml

# One check alone: target/template-tools/bin/pytest infra/checks/test_routes.py -k function-url
check-template: $(SAM_TOOLS)/installed.txt $(EMULATOR)/installed.txt ## lint infra/template.yaml; check it against the code, its snapshots and an emulator
	$(SAM_TOOLS)/bin/python -m pytest infra/checks
	$(EMULATOR)/bin/python -m pytest infra/checks/emulator

template-snapshot: $(SAM_TOOLS)/installed.txt ## write infra/checks/snapshots after an intended change of the template
	$(SAM_TOOLS)/bin/python -m pytest infra/checks/test_snapshots.py --update-snapshots
	@git --no-pager diff --stat infra/checks/snapshots

speaker: ## the speaker's page: types, tests, bundle in examples/speaker/dist, a try in Chromium if there is one (needs Node.js 20 or later)
	@$(HAS_NODE) || { \
	  echo "missing: Node.js 20 or later with npm (Debian: apt-get install nodejs npm; macOS: brew install node)."; exit 1; }
	cd $(SPEAKER) && npm ci --no-progress && npm run -s check && npm test -s && npm run -s bundle && npm run -s smoke

# Of `make check`, the one part that a machine without Node.js leaves out.
check-speaker:
	@if $(HAS_NODE); then $(MAKE) --no-print-directory speaker check-page; \
	else echo "skipped: the speaker's page (examples/speaker) and that of the local cloud, because Node.js 20 with npm is missing"; fi

# The bundle that /speaker/ of the local cloud serves. Without Node.js the cloud runs, and prints
# what the page needs.
SPEAKER := examples/speaker
HAS_NODE = command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' 2>/dev/null
NODE_MODULES := $(SPEAKER)/node_modules/.package-lock.json
$(NODE_MODULES): $(SPEAKER)/package-lock.json
	@cd $(SPEAKER) && npm ci --silent --no-progress
$(SPEAKER)/dist/index.html: $(NODE_MODULES) $(wildcard $(SPEAKER)/src/*.ts $(SPEAKER)/*.html $(SPEAKER)/*.css $(SPEAKER)/build.mjs)
	@cd $(SPEAKER) && npm run -s bundle
speaker-page:
	@if $(HAS_NODE); then $(MAKE) --silent --no-print-directory $(SPEAKER)/dist/index.html; \
	else echo "Without Node.js 20 and npm, the page at /speaker/ is not built; everything else runs."; fi

# The local cloud's page: its JavaScript is compiled from the TypeScript beside it and committed, so
# that nothing is compiled when it is served. The compiler is the one of examples/speaker.
PAGE := crates/local-aws/page
TSC  := $(SPEAKER)/node_modules/.bin/tsc
page: $(NODE_MODULES) ## compile the local cloud's page after a change of its TypeScript (needs Node.js 20 or later)
	$(TSC) -p $(PAGE)

check-page: $(NODE_MODULES)
	@rm -rf target/page
	@$(TSC) -p $(PAGE) --outDir target/page
	@for file in target/page/*.js; do cmp -s $$file $(PAGE)/$${file##*/} || { \
	  echo "stale: $(PAGE)/$${file##*/} is not what its TypeScript compiles to: make page"; exit 1; }; done
	node --test $(PAGE)/test tests/browser

# Needs Node.js and Chromium, and says that it is skipped where one is missing.
browser: cloud test-browser ## the pages in a headless Chromium, speech through WebRTC included (target/browser/summary.json)

# One scenario alone: node tests/browser/run.mjs reload
test-browser: speaker-page
	@if $(HAS_NODE); then node tests/browser/run.mjs; \
	else echo "skipped: the tests with a real browser (tests/browser), because Node.js 20 with npm is missing"; fi

screenshot: functions ## write the README's pictures of the local cloud's page (needs Node.js, Chromium and the recogniser)
	RECOGNISER="$(RECOGNISER)" node tests/browser/screenshot.mjs

fmt: ## format the code
	cargo fmt --all

bench: release ## criterion benches, streams per core, the API (of `make build`, if made), and target/bench/summary.json
	cargo bench --workspace
	$(VENV)/bin/python tests/speech/whole_programs.py

faults: release ## the fault matrix: 2,000 simulated sessions and 200 with real processes (target/faults/summary.json)
	cargo run --release -p faults --

load: release ## many sessions at once with real processes, and what they cost (SESSIONS=n HOST=lambda|managed-instances|container MINUTES=n CHAOS=kill-one|… WHOLE_FRAGMENTS=1; target/load/summary.json)
	target/release/load --sessions $(SESSIONS) --host $(HOST) --minutes $(MINUTES)$(if $(CHAOS), --chaos $(CHAOS))$(if $(WHOLE_FRAGMENTS), --whole-fragments)

fuzz: tools ## fuzz each target of fuzz/ for SECONDS (default 60); new inputs are kept in fuzz/corpus
	@command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked --version 0.13.2 --root $(VENV)
	cargo run --release -p testkit --example seeds -- fuzz/seeds
	for target in $(TARGETS); do \
	  mkdir -p fuzz/corpus/$$target; \
	  (cd fuzz && RUSTC_BOOTSTRAP=1 cargo fuzz run $$target corpus/$$target seeds/$$target -- -max_total_time=$(SECONDS) -max_len=65536); \
	done

LAMBDAS := $(foreach arch,$(ARCHITECTURES),$(FUNCTIONS:%=lambda/$(arch)/%))
build: $(LAMBDAS) ## zips for Lambda, checked: target/lambda/<arch>/<function>/bootstrap.zip (ARCH=arm64|x86_64|both)
	@$(PYTHON) infra/build/pack_zips.py $(ARCHITECTURES)
	@$(PYTHON) infra/build/check_zips.py $(ARCHITECTURES)

# One function for one architecture: lambda/arm64/audio-processor.
LAMBDA_BUILD = $(FOR_LAMBDA) cargo lambda build --release -p $* --bin $*
lambda/arm64/%: tools
	$(LAMBDA_BUILD) --arm64 --lambda-dir target/lambda/arm64
lambda/x86_64/%: tools
	$(LAMBDA_BUILD) --x86-64 --lambda-dir target/lambda/x86_64

reproducible: build ## build FUNCTION again in another folder and compare the bytes (FUNCTION=… ARCH=arm64|x86_64)
	@for arch in $(ARCHITECTURES); do $(PYTHON) infra/build/reproducible.py $(FUNCTION) $$arch; done

# Where deploy puts the stack and smoke looks for it: samconfig.toml's region, unless REGION names
# another.
IN_REGION = $(if $(REGION),--region $(REGION))

# What samconfig.toml says of an environment stays; the issuer and the audience are added, because a
# parameter override on the command line replaces those of the file. The build gets them too: it
# compiles for the Architecture that is deployed.
deploy: require-deploy tools $(SAM_TOOLS)/installed.txt ## sam build and sam deploy (ENV=dev|prod REGION=… JWT_ISSUER=… JWT_AUDIENCE=…)
	export PATH="$$PATH:$(CURDIR)/$(SAM_TOOLS)/bin" && cd infra && overrides="$$(../$(VENV)/bin/python parameters.py $(ENV))" && \
	  set -- $$overrides "JwtIssuer=$(JWT_ISSUER)" "JwtAudience=$(JWT_AUDIENCE)" $(patsubst %=,%='""',$(PARAMETERS)) && \
	  $(FOR_LAMBDA) sam build --parameter-overrides "$$@" && \
	  sam deploy --config-env $(ENV) $(IN_REGION) --parameter-overrides "$$@"

require-deploy:
	@test -n "$(JWT_ISSUER)" || { echo "missing: JWT_ISSUER, the issuer of the speakers' tokens (https://…)."; exit 1; }
	@test -n "$(JWT_AUDIENCE)" || { echo "missing: JWT_AUDIENCE, the audience or client id in their tokens."; exit 1; }
	@$(PYTHON) infra/parameters.py "$(ENV)" >/dev/null

# Its producer is put-media, which the local cloud contains and does not build.
deploy-check: RUN_PACKAGES += producer
deploy-check: tools functions $(SAM_TOOLS)/installed.txt $(EMULATOR)/installed.txt ## sam build, sam deploy to an emulator, one session through what was deployed
	@PATH="$$PATH:$(CURDIR)/$(SAM_TOOLS)/bin" $(FOR_LAMBDA) $(EMULATOR)/bin/python infra/deploy_check

# A venv for each: they require different versions of one library.
$(SAM_TOOLS)/installed.txt: infra/requirements.txt
$(EMULATOR)/installed.txt: infra/emulator-requirements.txt
$(AWS_CLI)/installed.txt: tests/documents/requirements.txt
$(SAM_TOOLS)/installed.txt $(EMULATOR)/installed.txt $(AWS_CLI)/installed.txt:
	@$(call INSTALLING,$<,$(@D))
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# The token goes through the environment: an argument could be seen in the list of processes.
smoke require-token: export TOKEN := $(TOKEN)
smoke: require-token $(VENV)/.tools ## prove what is deployed with one session of speech (ENV=dev REGION=… TOKEN=… FACTS=1)
	@$(PYTHON) infra/build/compile.py --profile $(PROFILE) -p producer --features cli
	@$(VENV)/bin/python tests/smoke --environment $(ENV) $(IN_REGION) $(if $(FACTS),--facts)

require-token:
	@test -n "$$TOKEN" || { echo "missing: TOKEN, a token of a speaker from the stack's issuer:  make smoke ENV=dev TOKEN=…"; exit 1; }

# Everything that the tests start.
cloud: tools ## build everything that the tests and the documents start
	cargo build --workspace --bins --examples

# What one session needs. Its dependencies have the same features as in the whole workspace, so that
# `make test` does not compile them again: aws-adapters by being named, the others by
# crates/local-cloud/Cargo.toml.
RUN_PACKAGES := local-cloud aws-adapters $(SESSION_FUNCTIONS)
functions: announce run-tools
	@$(VENV)/bin/python infra/build/compile.py --profile $(PROFILE) $(RUN_PACKAGES:%=-p %)

announce:
	@case "$(PROFILE)" in dev|release) ;; *) echo "PROFILE=$(PROFILE): give dev or release."; exit 1 ;; esac
	@test -x $(BIN)/local-cloud || echo "The first build downloads and compiles the local cloud and the functions (profile $(PROFILE)):" \
	  "$(if $(filter dev,$(PROFILE)),4 to 9 minutes,20 minutes or more) on two cores, by their speed. Later builds take seconds."

release: tools
	cargo build --release --workspace --bins --examples

# What `make run` and `make up` need.
run-tools: $(VENV)/.run-tools
	@command -v cargo >/dev/null || { echo "missing: Rust. Install rustup; rust-toolchain.toml names the version."; exit 1; }
	@command -v cc >/dev/null || { echo "missing: a C compiler (Debian: apt-get install build-essential; macOS: xcode-select --install)."; exit 1; }
	@command -v cmake >/dev/null || { echo "missing: cmake, and .venv does not provide it (rm -r .venv, then again)."; exit 1; }

tools: run-tools $(VENV)/.tools ## install what the other targets need into .venv, or name what is missing

# One pinned requirements file; pip's own lock is the stamp's time. Of it `make run` needs cmake
# only. The recogniser has a file of its own, because it has no wheels for some machines, on which
# everything else still works. It is installed without its dependencies, which recognising a stream
# does not need, and of which pip would warn.
RECOGNISER_PACKAGE := examples/recogniser/requirements.txt
$(VENV)/.run-tools: tests/requirements.txt $(RECOGNISER_PACKAGE)
	@command -v $(PYTHON) >/dev/null || { echo "missing: Python 3 with venv (Debian: apt-get install python3-venv)."; exit 1; }
	@echo "installing into $(VENV): cmake moonshine-voice"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check $$(grep '^cmake==' $<)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps -r $(RECOGNISER_PACKAGE) || \
	  echo "not installed: the speech recogniser; without it, words are not shown"
	@touch $@
$(VENV)/.tools: tests/requirements.txt $(VENV)/.run-tools
	@$(call INSTALLING,$<,$(VENV))
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-warn-conflicts -r $<
	@touch $@

clean: ## remove what was built
	cargo clean
	rm -rf $(VENV) examples/speaker/node_modules examples/speaker/build examples/speaker/dist
