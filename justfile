# Common tasks. Run 'just' to list them.
_default:
    @just --list --unsorted

# Open the dashboard
run *arguments:
    cargo run --release -- tui {{ arguments }}

# Open the dashboard with sample data
demo:
    cargo run --release -- tui --demo

# Check that the workspace compiles
check:
    cargo check --workspace --all-targets

# Check that cache-core compiles with each of its features alone, and with none
features:
    for features in "" redis sqlite reqwest macros; do \
        cargo clippy --package cache-core --no-default-features --features "$features" --all-targets -- -D warnings || exit 1; \
    done

# Run all tests (installs their dependencies)
test:
    bash tests/run.sh

# Run benchmarks on a temporary Redis with a million keys
bench:
    bash tests/bench.sh

# Run the public HTTP cache test suite (requires Node.js 20; downloads it unless CACHE_TESTS=DIR is set)
conformance *one:
    bash tests/conformance.sh {{ one }}

# Run formatters, linters and dependency checks
review:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
    @just _where-installed cargo-deny cargo deny check bans licenses sources
    @just _where-installed duplicates duplicates

_where-installed program *command:
    @if command -v {{ program }} >/dev/null; then echo '{{ command }}'; {{ command }}; else echo 'skipped: {{ program }} is not installed'; fi
