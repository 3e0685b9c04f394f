# Logic lives in scripts/; a target here is one line.

FEATURES := $(shell scripts/libpq-feature)
# Neither --package nor --workspace: cargo then resolves features over the whole workspace, as `build` and `test` do,
# so that no target rebuilds what another has built.
PAYONCE = cargo run $(FEATURES) --bin payonce --

.DEFAULT_GOAL := help
.PHONY: help tools test-tools build run run-postgres test migrate migrate-down migration shell model bench bench-full pgo seeds fuzz chaos chaos-proof simulate demo lint hooks sbom docker-up docker-down

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
	scripts/with-servers --pooler cargo test --workspace $(FEATURES)

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

seeds: tools ## deterministic runs of the core from many seeds; SEEDS=100000, or RUN=seed=7 for one and its trace
	scripts/seeds $(FEATURES) -- $(or $(RUN),$(SEEDS))

fuzz: tools ## the fuzz targets for longer; SECONDS_EACH=60
	scripts/fuzz $(FEATURES) -- $(SECONDS_EACH)

bench: tools ## measure the release build on private servers; ARGS="--only fresh,replay --quick" for a short look
	scripts/bench $(ARGS)

bench-full: tools ## the same, also beside 10 million stored payments
	scripts/bench --full $(ARGS)

pgo: tools ## find out anew what release builds run most: pgo/payonce.profdata, by which they are compiled
	scripts/pgo

chaos: tools ## faults against release processes; ARGS="--modes kill,pause --seed 1"
	scripts/chaos $(FEATURES) -- $(ARGS)

chaos-proof: tools ## breaks rules of the protocol on purpose: the same harness must find each
	scripts/chaos $(FEATURES) -- --prove $(ARGS)

simulate: tools ## clients that pay, retry and repeat themselves; ARGS="--clients 50 --payments 5000 --report report.html"
	$(PAYONCE) simulate $(ARGS)

demo: tools ## an unstable gateway, a kill -9, a recovery, and who was charged twice: nobody; under a minute
	scripts/demo $(FEATURES)

lint: tools ## formatting, clippy, the repository's own rules, shellcheck, dependencies, deployment files
	scripts/lint $(FEATURES)

hooks: ## have git check formatting, rules and shell scripts before each commit in this clone
	scripts/install-hooks

sbom: tools ## the list of what the release binary is made of: target/sbom/payonce.cdx.json
	scripts/sbom

docker-up: ## the service, its databases, Prometheus and Grafana in containers, on this machine's own ports
	scripts/docker-compose up $(ARGS)

docker-down: ## stop them; ARGS=--volumes also throws away their data
	scripts/docker-compose down $(ARGS)
