# Logic lives in scripts/; a target here is one line.

FEATURES := $(shell scripts/libpq-feature)
# Neither --package nor --workspace: cargo then resolves features over the whole workspace, as `build` and `test` do,
# so that no target rebuilds what another has built.
PAYONCE = cargo run $(FEATURES) --bin payonce --

.DEFAULT_GOAL := help
.PHONY: help tools test-tools build run run-postgres test migrate migrate-down migration shell model bench bench-full simulate fuzz chaos chaos-proof lint

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

tools:
	@scripts/check-tools $(FEATURES)

build: tools ## compile everything
	cargo build --workspace $(FEATURES)

run: tools ## serve on http://127.0.0.1:8000 with SQLite in data/payonce.db
	$(PAYONCE) serve

run-postgres: tools ## the same with a private PostgreSQL, its data in data/postgres
	scripts/with-servers --keep data/postgres $(PAYONCE) serve

test-tools:
	@scripts/find-browser >/dev/null && scripts/find-schemathesis >/dev/null

test: tools test-tools ## every test, with private servers where TEST_DATABASE_URL, TEST_REDIS_URL name none
	scripts/with-servers cargo test --workspace $(FEATURES)

migrate: tools ## bring the database (DATABASE_URL, else SQLite) to the newest schema
	$(PAYONCE) migrate up

migrate-down: tools ## undo the newest migration of that database
	$(PAYONCE) migrate down

migration: ## name=add_refunds: a new, empty migration for both stores
	scripts/new-migration "$(name)"

shell: ## the prompt of the database (DATABASE_URL, else SQLite)
	@scripts/database-shell

model: ## every order of events in the model of the protocol; SIZE=large tries more
	cargo run --release --bin model -- --size $(or $(SIZE),ci)

simulate: tools ## deterministic runs of the core from many seeds; SEEDS=100000, or RUN=seed=7 for one and its trace
	scripts/simulate $(FEATURES) -- $(or $(RUN),$(SEEDS))

fuzz: tools ## the fuzz targets for longer; SECONDS_EACH=60
	scripts/fuzz $(FEATURES) -- $(SECONDS_EACH)

bench: tools ## measure the release build on private servers; ARGS="--only fresh,replay --quick" for a short look
	scripts/bench $(ARGS)

bench-full: tools ## the same, also beside 10 million stored payments
	scripts/bench --full $(ARGS)

chaos: tools ## faults against release processes; ARGS="--modes kill,pause --seed 1"
	scripts/chaos $(FEATURES) -- $(ARGS)

chaos-proof: tools ## breaks rules of the protocol on purpose: the same harness must find each
	scripts/chaos $(FEATURES) -- --prove $(ARGS)

lint: tools ## formatting, clippy, the repository's own rules, shellcheck
	scripts/lint $(FEATURES)
