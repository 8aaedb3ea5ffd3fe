# make run    builds what is missing and reads a real capture
# make test   installs what the tests need, and passes them all

CAPTURE ?= fixtures/captures/incident.pcap
CARGO   ?= cargo

.PHONY: run build test needs-build needs-test

run: build
	@echo '$$ closewait $(CAPTURE)'
	@target/release/closewait $(CAPTURE); status=$$?; [ $$status -le 1 ] || exit $$status

build: needs-build
	@$(CARGO) build --release --locked

test: needs-test
	$(CARGO) test --locked --no-fail-fast

# libpcap's headers, for the pcap crate.
needs-build:
	@.ci/need 'echo "#include <pcap.h>" | cc -E -' libpcap-dev

# tcpdump and tshark to compare with; a MariaDB, an HAProxy and network namespaces for the reproduction.
needs-test: needs-build
	@.ci/need 'command -v tcpdump' tcpdump
	@.ci/need 'command -v tshark dumpcap' tshark
	@.ci/need 'command -v mariadbd mariadb-install-db' mariadb-server
	@.ci/need 'command -v haproxy' haproxy
	@.ci/need 'command -v ip ss' iproute2
	@.ci/need 'command -v bpftrace' bpftrace || echo 'without bpftrace, exact kernel times are not compared' >&2
