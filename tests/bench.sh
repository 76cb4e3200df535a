#!/usr/bin/env bash
# Speed against redis-cli and what was promised, on a Redis of its own with a million keys:
# bash tests/bench.sh [HTTP-ENTRIES RESULTS]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
http=${1:-300000} results=${2:-100000}

cargo build --release --quiet --bin animecache
cargo build --release --quiet --package cache-core --example fill
bin=${CARGO_TARGET_DIR:-target}/release
directory=$(mktemp -d)
redis-server --port 0 --unixsocket "$directory/redis.sock" --save '' --appendonly no --dir "$directory" >/dev/null &
server=$!
trap 'kill "$server"; wait "$server" || true; rm -rf "$directory"' EXIT
socket=$directory/redis.sock
until redis-cli -s "$socket" ping >/dev/null 2>&1; do sleep 0.05; done
export REDIS_CACHE_URL=unix://$socket
"$bin/examples/fill" --redis "$REDIS_CACHE_URL" --http "$http" --results "$results"

# timed NAME COMMAND: the best of three, in seconds.
timed() {
    local TIMEFORMAT=%R
    once() { { time bash -c "$1" >/dev/null 2>&1; } 2>&1; }
    printf '%-40s %8s s\n' "$1" "$(for _ in 1 2 3; do once "$2"; done | sort -n | head -n 1)"
}

timed 'redis-cli --scan' "redis-cli -s $socket --scan"
timed 'animecache ls --all --json' "$bin/animecache ls --all --json --no-fallback"
timed 'animecache stats --json' "$bin/animecache stats --json --no-fallback"
# These two change what they measure: once each, on the same keys.
TIMEFORMAT='%R s'
echo 'redis-cli --scan --pattern result_cache:* | xargs -n 1000 redis-cli unlink'
time redis-cli -s "$socket" --scan --pattern 'result_cache:*' | xargs -n 1000 redis-cli -s "$socket" unlink >/dev/null
"$bin/examples/fill" --redis "$REDIS_CACHE_URL" --http 0 --results "$results"
echo 'animecache flush --prefix result_cache --yes --no-undo'
time "$bin/animecache" flush --prefix result_cache --yes --no-undo >/dev/null

# A title from the demo's services, which take as long as real ones do, and then from the cache.
"$bin/animecache" enrich --title 'Cowboy Bebop' --demo-upstream --fresh --json --no-fallback --quiet | python3 -c '
import json, sys

services = json.load(sys.stdin)["services"]
assert all(service["ok"] and service["identical"] for service in services), services
speedups = {kind: [of["speedup"] for of in services if of["strategy"] == kind] for kind in ("result", "http")}
print("\n{:<44} {:>12} {:>16}".format("enrich --title \"Cowboy Bebop\"", "measured", "limit"))
for name, measured, unit, word, limit in [
    ("warm, the seven services together", 1000 * sum(of["warm"]["seconds"] for of in services), "ms", "at most", 50),
    ("warm, requests to services", sum(of["warm"]["upstream"] for of in services), "  ", "at most", 0),
    ("speedup of crawlers, the least", min(speedups["result"]), "x ", "at least", 1000),
    ("speedup of APIs, the least", min(speedups["http"]), "x ", "at least", 100),
]:
    is_met = measured <= limit if word == "at most" else measured >= limit
    verdict = "met" if is_met else "NOT MET"
    print(f"{name:<44} {measured:>9,.1f} {unit} {word:>10} {limit:>5,} {unit} {verdict}")
'

# What a hit costs, next to a bare GET.
cargo bench --quiet --package cache-core --bench hits -- --noplot
