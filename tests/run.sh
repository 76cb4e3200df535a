#!/usr/bin/env bash
# Installs what the tests need, then runs all of them: bash tests/run.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n== %s\n' "$*"; }
run() { say "$*"; "$@"; }
has() { command -v "$1" >/dev/null 2>&1; }

# The registries are not always in step with themselves: what was locked a minute ago may be missing for a while.
retry() {
    for pause in 5 10 15 30 30; do
        "$@" && return
        echo "failed; again in $pause s"
        sleep "$pause"
    done
    "$@"
}

# install PROGRAM PACKAGE...: by apt where that is possible.
install() {
    local program=$1
    shift
    say "$program is missing"
    if ! has apt-get || [ "$(id -u)" != 0 ]; then
        echo "Install it ($*) and run this again. This script only installs by apt-get, as root." >&2
        return 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    [ -n "${apt_is_fresh:-}" ] || retry apt-get update -qq
    apt_is_fresh=1
    retry apt-get install -y -qq --no-install-recommends "$@"
}

has cargo || { echo "There is no cargo here: install Rust first, https://rustup.rs" >&2; exit 1; }
has cc || install "a C compiler (for SQLite and TLS)" gcc libc6-dev
has redis-server || install redis-server redis-server
# Without a browser the tests of rendered pages fail under CI=true, and are skipped elsewhere.
has chromium || has chromium-browser || has google-chrome || install chromium chromium || true
can_make_venvs() { python3 -c 'import ensurepip, venv' 2>/dev/null; }
can_make_venvs || install "python3 with venv" python3 python3-venv

# nextest ends tests that hang, and gives each its own process.
has cargo-nextest || run retry cargo install --locked cargo-nextest

run retry cargo fetch --locked
export CARGO_NET_OFFLINE=true

run cargo build --workspace --all-targets
# Other programs' side of the formats: a registry that is down must not keep the Rust tests from running.
python_status=0
run retry python3 tests/python/venvs.py && run python3 -m unittest discover --start-directory tests/python --verbose || python_status=$?
run cargo test --workspace --doc
run bash tests/servers.sh
# Responses of real services, which are not part of the project.
if [ -d ../shared/recordings ]; then
    run cargo nextest run --package animecache --test enrich --run-ignored only recorded
else
    say "The tests of recorded responses are left out: there are no recordings"
fi
# Last, so that the closing line is the one that counts the most tests.
run cargo nextest run --workspace --all-targets
[ "$python_status" = 0 ] || say "The Python tests failed, see above"
exit "$python_status"
