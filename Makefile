# make run    builds what is missing and reads a real capture
# make test   installs what the tests need, and passes them all
# make soak   a million simulated conversations (SEEDS=…)
# make fuzz   every fuzz target for a minute (FUZZ_SECONDS=…)

CAPTURE ?= fixtures/captures/incident.pcap
CARGO   ?= cargo

.PHONY: run build test soak fuzz needs-build needs-test

run: build
	@echo '$$ closewait $(CAPTURE)'
	@target/release/closewait $(CAPTURE); status=$$?; [ $$status -le 1 ] || exit $$status

build: needs-build
	@$(CARGO) build --release --locked

test: needs-test
	$(CARGO) test --locked --no-fail-fast

SEEDS ?= 1000000
soak: needs-build
	CLOSEWAIT_SEEDS=$(SEEDS) $(CARGO) test --locked --release --test simulation -- --nocapture

FUZZ_SECONDS ?= 60
fuzz:
	@command -v cargo-fuzz >/dev/null || $(CARGO) install cargo-fuzz --locked
	@for target in $$($(CARGO) fuzz list); do \
	  mkdir -p fuzz/corpus/$$target && cp fuzz/seeds/$$target/* fuzz/corpus/$$target/ && \
	  $(CARGO) fuzz run -s none $$target -- -max_total_time=$(FUZZ_SECONDS) -timeout=25 || exit 1; \
	done

# libpcap's headers, for the pcap crate.
needs-build:
	@.ci/need 'echo "#include <pcap.h>" | cc -E -' libpcap-dev

# tcpdump to compare with; a MariaDB, an HAProxy, dumpcap and network namespaces for the reproduction.
SBIN = PATH=$$PATH:/usr/sbin:/sbin
needs-test: needs-build
	@.ci/need '$(SBIN) command -v tcpdump' tcpdump
	@.ci/need '$(SBIN) command -v tshark && command -v dumpcap' tshark
	@.ci/need '$(SBIN) command -v mariadbd && command -v mariadb-install-db' mariadb-server
	@.ci/need '$(SBIN) command -v haproxy' haproxy
	@.ci/need '$(SBIN) command -v ip && command -v ss' iproute2
	@.ci/need '$(SBIN) command -v bpftrace' bpftrace || echo 'no bpftrace: exact kernel times are not compared' >&2
