#!/usr/bin/env bash
# The public HTTP cache test suite, against the reverse proxy of cache-core's examples: bash tests/conformance.sh
# Fetches the suite, or takes the checkout in CACHE_TESTS. One test alone, with what was sent: … private|shared TEST
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
commit=b55b8bda3dbb8c927c04e85bd8d496a8caa3e4ba # of 20 July 2026

node --eval 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || { echo "node 20 is needed" >&2; exit 2; }
suite=${CACHE_TESTS:-${CARGO_TARGET_DIR:-target}/cache-tests}
if [ ! -d "$suite/test-engine" ]; then
    git init --quiet "$suite"
    git -C "$suite" fetch --quiet --depth 1 https://github.com/http-tests/cache-tests "$commit"
    git -C "$suite" checkout --quiet FETCH_HEAD
fi
# The suite's tests of interim responses are sent with it.
[ -d "$suite/node_modules/undici" ] || npm install --prefix "$suite" --omit=dev --no-audit --no-fund --no-save --silent

cargo build --release --quiet --package cache-core --example reverse_proxy
proxy=$(realpath "${CARGO_TARGET_DIR:-target}/release/examples/reverse_proxy")
node cache-core/tests/cache-tests/run.mjs "$(realpath "$suite")" "$proxy" "$@"
