# What is done often. `just` alone lists it.
_default:
    @just --list --unsorted

# The dashboard on the configured cache
run *arguments:
    cargo run --release -- tui {{ arguments }}

# The dashboard on a throw-away cache that is already filled
demo:
    cargo run --release -- tui --demo

# Does it compile? (the quick answer)
check:
    cargo check --workspace --all-targets

# Every test; installs what they need
test:
    bash tests/run.sh

# Speed, on a Redis of its own with a million keys
bench:
    bash tests/bench.sh

# The public HTTP cache test suite (needs node 20; fetches the suite, or CACHE_TESTS=DIR)
conformance *one:
    bash tests/conformance.sh {{ one }}

# What a reviewer would find by machine
review:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
    @just _where-installed cargo-deny cargo deny check bans licenses sources
    @just _where-installed duplicates duplicates

_where-installed program *command:
    @if command -v {{ program }} >/dev/null; then echo '{{ command }}'; {{ command }}; else echo '{{ program }} is not installed: left out'; fi
