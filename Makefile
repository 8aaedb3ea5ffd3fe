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

needs-test: needs-build
	@.ci/need 'command -v tcpdump' tcpdump
