# make run    builds what is missing and reads a real capture
# make test   installs what the tests need, and passes them all
# make bench  speed beside tcpdump, tshark, tcptrace and argus, in ratios; then part by part
# make bench-live  live capture beside tcpdump under load (root)
# make budget instructions a packet, held by CI
# make test-fleet  the job on Spark, and the questions to DuckDB, ClickHouse and Spark SQL, each installed into target/fleet
# make screenshots  the screens in the manual, as they are drawn
# make soak   a million simulated conversations (SEEDS=…)
# make soak-kernel  two real kernels and every fault between them, for MINUTES=30 (root)
# make soak-live  a live capture at churn, for MINUTES=30 (root): nothing is lost, and memory stays where it is
# make fuzz   every fuzz target for a minute (FUZZ_SECONDS=…)
# make fuzz-check  the fuzz targets compile
# make library  the library alone builds, and without the program's crates
# make dist   a .deb and a tarball to install elsewhere, in target/dist

CAPTURE ?= fixtures/captures/incident.pcap
CARGO   ?= cargo

# The first target: `make` alone says what there is.
help:
	@sed -n '/^#/!q; s/^# //p' Makefile

.PHONY: help run build test test-fleet screenshots library bench bench-live budget soak soak-kernel soak-live fuzz fuzz-check dist needs-build needs-test needs-fleet needs-budget needs-cxx needs-fuzz needs-dist

run: build
	@echo '$$ closewait $(CAPTURE)'
	@target/release/closewait $(CAPTURE); status=$$?; [ $$status -le 1 ] || exit $$status

build: needs-build
	@$(CARGO) build --release --locked

test: needs-test
	$(CARGO) test --locked --all-features --no-fail-fast

# PySpark, DuckDB and chdb are 1.1 GB: into an environment of their own, and no part of `make test`.
FLEET = $(or $(CARGO_TARGET_DIR),target)/fleet
test-fleet: needs-fleet
	@$(CARGO) build --locked --features fleet --bin closewait
	@CLOSEWAIT=$(abspath $(or $(CARGO_TARGET_DIR),target)/debug/closewait) $(FLEET)/venv/bin/python tests/fleet/test_fleet.py

# `closewait top` on fixtures, at five moments; `make test` fails where they are others.
screenshots: needs-build
	CLOSEWAIT_BLESS=1 $(CARGO) test --locked --all-features --test top screens::

# What only the program needs (the feature `cli`), a user of the library does not get.
PROGRAM = clap|indicatif|landlock|seccompiler|netlink-[a-z-]+|nix|pulldown-cmark|ratatui-[a-z]+|signal-hook|tempfile|pcap
library:
	$(CARGO) clippy --locked --no-default-features --lib -- -D warnings
	@! $(CARGO) tree --locked --no-default-features -e normal --prefix none | grep -E '^($(PROGRAM)) '

# Tools that are missing are left out. CLOSEWAIT_BENCH_DIR needs 4 GB, CLOSEWAIT_BENCH_PAIRS=5.
bench: needs-build
	@$(CARGO) bench --locked --bench side_by_side
	@$(CARGO) bench --locked --bench parts

bench-live: needs-build
	@.ci/need 'command -v tcpreplay' tcpreplay
	@$(CARGO) bench --locked --bench live

budget: needs-budget
	@$(CARGO) bench --locked --bench budget

SEEDS ?= 1000000
soak: needs-build
	CLOSEWAIT_SEEDS=$(SEEDS) $(CARGO) test --locked --release --test simulation -- --nocapture

# From another seed each time; SEED=… says which. What it got wrong is in KEEP=…, if that names a folder.
MINUTES ?= 30
SEED    ?= $(shell date +%s)
soak-kernel: needs-test
	$(CARGO) build --locked --all-features --examples
	CLOSEWAIT_KERNEL_SECONDS=$$(($(MINUTES) * 60)) CLOSEWAIT_KERNEL_SEED=$(SEED) $(if $(KEEP),CLOSEWAIT_KERNEL_KEEP=$(KEEP)) \
	  CLOSEWAIT_REQUIRE=root,netns,ss,tcpdump $(CARGO) test --locked --all-features --test kernel -- --nocapture

soak-live: needs-build
	CLOSEWAIT_CHURN_SECONDS=$$(($(MINUTES) * 60)) CLOSEWAIT_CHURN_RATE=1000 CLOSEWAIT_REQUIRE=root \
	  $(CARGO) test --locked --release --all-features --test churn -- --nocapture

# Each fuzz target for so long; a finding ends it. fuzz/README.md tells more. Weighing inputs by entropy
# takes libFuzzer three times as long here as the inputs themselves do.
FUZZ_SECONDS ?= 60
fuzz: needs-fuzz
	@set -e; for target in $$($(CARGO) fuzz list); do \
	  fuzz/seeds.sh $$target fuzz/corpus/$$target; \
	  echo "fuzzing $$target for $(FUZZ_SECONDS) s"; \
	  $(CARGO) fuzz run -s none $$target -- -max_total_time=$(FUZZ_SECONDS) -timeout=25 -entropic=0 \
	    -dict=fuzz/words.dict -print_final_stats=1 >fuzz/corpus/$$target.log 2>&1 \
	    || { tail -n 60 fuzz/corpus/$$target.log; exit 1; }; \
	  grep number_of_executed_units fuzz/corpus/$$target.log; \
	done

fuzz-check: needs-cxx
	$(CARGO) clippy --locked --manifest-path fuzz/Cargo.toml --target-dir $(TARGET) --all-targets -- -D warnings

# Without symbols: they are most of the binary, and cargo-deb would keep them.
TARGET  = $(or $(CARGO_TARGET_DIR),target)
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
NAME    = closewait-$(VERSION)-$(shell uname -m)
dist: needs-dist build
	@$(CARGO) run --quiet --release --locked --example pages -- $(TARGET)/release/pages
	@rm -rf $(TARGET)/dist && mkdir -p $(TARGET)/dist/$(NAME)
	@strip -o $(TARGET)/dist/$(NAME)/closewait $(TARGET)/release/closewait
	@cp -r README.md CHANGELOG.md LICENSE-* $(filter-out .dist/pages.rs,$(wildcard .dist/*)) $(TARGET)/dist/$(NAME)
	@cp -r $(TARGET)/release/pages/* $(TARGET)/dist/$(NAME)
	@mkdir $(TARGET)/dist/$(NAME)/manual && cp src/manual/*.md src/manual/incident.html $(TARGET)/dist/$(NAME)/manual
	@tar -C $(TARGET)/dist --sort=name --owner=0 --group=0 --numeric-owner -czf $(TARGET)/dist/$(NAME).tar.gz $(NAME)
	@rm -r $(TARGET)/dist/$(NAME)
	@$(CARGO) deb --quiet --locked --no-build --strip --output $(TARGET)/dist
	@ls -sh1 $(TARGET)/dist

# cargo-deb asks dpkg-shlibdeps which version of each library the binary needs.
needs-dist:
	@.ci/need 'command -v strip && command -v dpkg-shlibdeps' binutils dpkg-dev
	@$(CARGO) deb --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-deb

# libFuzzer is C++, and is built with the targets.
needs-cxx:
	@.ci/need 'command -v c++' g++

needs-fuzz: needs-cxx
	@$(CARGO) fuzz --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-fuzz

# libpcap's headers, for the pcap crate.
needs-build:
	@.ci/need 'echo "#include <pcap.h>" | cc -E -' libpcap-dev

# PySpark 4 runs on Java 17.
needs-fleet: needs-build
	@.ci/need 'command -v java' openjdk-17-jre-headless
	@.ci/need 'python3 -c "import venv, ensurepip"' python3-venv
	@test -x $(FLEET)/venv/bin/python || python3 -m venv $(FLEET)/venv
	@$(FLEET)/venv/bin/pip install --quiet --disable-pip-version-check -r tests/fleet/requirements.txt

needs-budget: needs-build
	@.ci/need 'command -v valgrind' valgrind

# tcpdump to compare with; a MariaDB, an HAProxy, dumpcap and network namespaces for the reproduction; a
# PostgreSQL, a PgBouncer, an nginx, a Redis and a RabbitMQ whose protocols are read; nft rewrites addresses;
# programs in Go and C, whose code is named; a tmux for the screen.
SBIN = PATH=$$PATH:/usr/sbin:/sbin
needs-test: needs-build
	@.ci/need '$(SBIN) command -v tcpdump' tcpdump
	@.ci/need '$(SBIN) command -v tshark && command -v dumpcap' tshark
	@.ci/need '$(SBIN) command -v mariadbd && command -v mariadb-install-db' mariadb-server
	@.ci/need '$(SBIN) command -v haproxy' haproxy
	@.ci/need '$(SBIN) command -v prometheus && command -v promtool' prometheus
	@.ci/need 'ls /usr/lib/postgresql/*/bin/postgres' postgresql
	@.ci/need '$(SBIN) command -v pgbouncer' pgbouncer
	@.ci/need '$(SBIN) command -v nginx' nginx-light
	@.ci/need '$(SBIN) command -v redis-server' redis-server
	@.ci/need 'ls /usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server' rabbitmq-server
	@.ci/need '$(SBIN) command -v ip && command -v ss' iproute2
	@.ci/need 'command -v chromium || command -v chromium-browser' chromium
	@.ci/need 'command -v tidy' tidy
	@.ci/need 'command -v tmux' tmux
	@.ci/need '$(SBIN) command -v nft' nftables
	@.ci/need 'command -v gcc && command -v strip && command -v objcopy' gcc binutils
	@.ci/need 'command -v go && test -e /usr/share/gocode/src/github.com/go-sql-driver/mysql' golang-go golang-github-go-sql-driver-mysql-dev
	@.ci/need '$(SBIN) command -v bpftrace' bpftrace || echo 'no bpftrace: exact kernel times are not compared' >&2
