# make demo     the main job on a simulated Messages; needs Rust, make and a C compiler
# make test     everything; installs what it needs and says so
# make types    write examples/imsgd.d.ts again, after a change of the protocol
# make plugins  build plugins/dist again, after a change in plugins/ or wit/
# make signing  sign and verify what `imsgd install` makes, with a signer that runs anywhere
# make tutorial run docs/first-plugin.md as its reader would; `.ci/tutorial … --write` writes its outputs again
# make lint     format and clippy
# make soak     faults, at length, with what they cost
# make fuzz     ten minutes for each reader of what strangers write; needs cargo-fuzz, nightly Rust and C++
# make man      write manual pages into $(CARGO_TARGET_DIR)/man
# make bench    measure, and write docs/benchmarks.md and .json
# make macos    compile and link for macOS, also on Linux
# make release  archives for both Macs and this Linux, checksums, bill of materials, Homebrew formula, into $(RELEASE)

# Outside the checkout, so that a fresh clone is quick.
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/imsgd
CARGO_TARGET_DIR ?= $(CACHE)/target
override CARGO_TARGET_DIR := $(abspath $(CARGO_TARGET_DIR))
# Policies: another compiler, another target.
WASM_TARGET_DIR ?= $(CARGO_TARGET_DIR)-wasm
FRESH = $(WASM_TARGET_DIR)/dist
export CACHE CARGO_TARGET_DIR

IMSGD = $(CARGO_TARGET_DIR)/debug/imsgd
POLICIES = allowlist pairing group chunking guests/hostile
EXAMPLES = quiet-hours keyword-router one-time-codes spam-score openclaw-rules
FUZZ = body summary poll lines
FUZZ_SECONDS ?= 600
# The kinds of `imsgd plugin new`.
KINDS = allowlist pairing group filter chunking
RELEASE ?= $(CARGO_TARGET_DIR)/dist
# What the tests saw a daemon say.
RECORDED = $(CARGO_TARGET_DIR)/recorded

# What is compiled in plugins/ and for it has its own folder.
IN_WASM = CARGO_TARGET_DIR=$(WASM_TARGET_DIR)

.PHONY: demo test toolchain lint licences host contract policies fresh examples languages tutorial dev signing macos types \
	plugins soak fuzz man bench release
.NOTPARALLEL:

demo:
	cargo run --locked -- demo

test: toolchain lint licences host contract policies fresh examples languages tutorial dev signing macos
	@echo "make test: everything passed"

toolchain:
	.ci/toolchain

lint:
	cargo fmt --check
	cargo fmt --check --all --manifest-path plugins/Cargo.toml
	cargo fmt --check --all --manifest-path examples/plugins/Cargo.toml
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo fmt --check --manifest-path tests/signing/Cargo.toml
	cargo fmt --check --all --manifest-path benches/policies/Cargo.toml
	cargo fmt --check --manifest-path benches/peers/Cargo.toml
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --bins --tests --manifest-path fuzz/Cargo.toml -- -D warnings
	$(IN_WASM) cargo clippy --locked --workspace --all-targets --manifest-path plugins/Cargo.toml -- -D warnings
	$(IN_WASM) cargo clippy --locked --workspace --all-targets --manifest-path examples/plugins/Cargo.toml -- -D warnings

# Of everything that is part of the program, and of what builds and tests it.
licences:
	.ci/licences

host:
	rm -rf $(RECORDED)
	IMSGD_RECORD=$(RECORDED) cargo test --locked
	cargo test --locked --manifest-path fuzz/Cargo.toml

# One at a time: each is to have the machine for itself. As released, for loads that a debug build does not stand.
soak:
	IMSGD_SOAK=1 cargo test --locked --release --test all faults:: -- --nocapture --test-threads=1

# The protocol as it is published, against what the tests of `host` saw.
contract:
	cargo build --locked
	.ci/contract $(IMSGD) $(RECORDED)

types:
	cargo build --locked
	.ci/contract $(IMSGD) --write-types

policies:
	$(IN_WASM) cargo test --locked --workspace --manifest-path plugins/Cargo.toml
	$(IN_WASM) cargo test --locked --workspace --manifest-path examples/plugins/Cargo.toml

# From source, with the program's own `plugin build`, and the host's tests on what came out.
fresh:
	cargo build --locked
	rm -rf $(FRESH)
	mkdir -p $(FRESH)/guests
	set -e; for policy in $(POLICIES); do \
		$(IN_WASM) $(IMSGD) plugin build plugins/$$policy --out $(FRESH)/$$policy.wasm; \
		[ ! -f plugins/$$policy/cases.toml ] || \
			$(IMSGD) plugin test $(FRESH)/$$policy.wasm plugins/$$policy/cases.toml; \
	done
	.ci/fresh $(FRESH)

examples:
	mkdir -p $(FRESH)/examples
	cargo build --locked
	$(IMSGD) config check --config examples/config.toml
	set -e; for policy in $(EXAMPLES); do \
		$(IN_WASM) $(IMSGD) plugin build examples/plugins/$$policy --out $(FRESH)/examples/$$policy.wasm; \
		$(IMSGD) plugin test $(FRESH)/examples/$$policy.wasm examples/plugins/$$policy/cases.toml; \
	done
	.ci/examples $(IMSGD) $(FRESH)/examples/quiet-hours.wasm

# The same policy in each of several languages, made with their own tools.
languages:
	cargo build --locked
	$(IN_WASM) .ci/languages $(IMSGD) $(WASM_TARGET_DIR)/languages

# And what each kind of policy begins with.
tutorial:
	cargo build --locked
	mkdir -p $(FRESH)/templates
	set -e; for kind in $(KINDS); do \
		$(IN_WASM) $(IMSGD) plugin build plugins/templates/$$kind --out $(FRESH)/templates/$$kind.wasm; \
		$(IMSGD) plugin test $(FRESH)/templates/$$kind.wasm plugins/templates/$$kind/cases.toml; \
	done
	$(IN_WASM) .ci/tutorial $(IMSGD) docs/first-plugin.md
	$(IN_WASM) .ci/tutorial $(IMSGD) tests/console/build.md

# `imsgd plugin dev`, while the source changes.
dev:
	cargo build --locked
	$(IN_WASM) .ci/dev $(IMSGD)

# A folder of its own for what is compiled: it has hundreds of crates, which imsgd itself does not need.
signing:
	cargo build --locked
	IMSGD=$(IMSGD) CARGO_TARGET_DIR=$(CARGO_TARGET_DIR)-signing \
		cargo test --locked --manifest-path tests/signing/Cargo.toml

plugins:
	cargo build --locked
	set -e; for policy in $(POLICIES); do \
		$(IN_WASM) $(IMSGD) plugin build plugins/$$policy --out plugins/dist/$$policy.wasm; \
	done
	$(IN_WASM) $(IMSGD) plugin build tests/guests/wasi --out tests/guests/wasi.wasm

# What is found is in fuzz/artifacts; what leads to new places is kept for the next time.
fuzz:
	cargo run --locked --manifest-path fuzz/Cargo.toml --bin seeds -- $(CACHE)/fuzz
	set -e; for target in $(FUZZ); do \
		cargo +nightly fuzz run --features libfuzzer --target-dir $(CARGO_TARGET_DIR)-fuzz $$target $(CACHE)/fuzz/$$target \
			-- -max_total_time=$(FUZZ_SECONDS) -max_len=16384 -print_final_stats=1; \
	done

man:
	cargo run --locked -- man --out $(CARGO_TARGET_DIR)/man/man1
	@echo "make man: man -M $(CARGO_TARGET_DIR)/man imsgd shows the first"

# Writes docs/benchmarks.md and docs/benchmarks.json.
bench:
	cargo bench --locked --bench bench -- $(PARTS)

macos:
	.ci/macos

release:
	.ci/release $(RELEASE)
