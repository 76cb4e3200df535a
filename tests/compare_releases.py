#!/usr/bin/env python3
"""Compares two releases of the program: python3 tests/compare_releases.py OLD NEW LOAD_FIXTURE

Runs both over every fixture (a Redis of its own for each recording, a copy of each SQLite file) and the demo cache, and
compares the JSON of ls, show, stats, flush --dry-run and doctor field by field. Times and sentences for people may differ.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OLD, NEW, LOAD = (str(Path(path).resolve()) for path in sys.argv[1:4])
FIXTURES = Path(__file__).resolve().parent.parent / "cache-core/tests/fixtures"
# Fields that hold a time, or a sentence for people.
FREE = {
    "age", "took", "seconds", "time", "started", "at", "now", "uptime", "latency", "expires_at", "ttl", "min", "max", "median",
    "message", "detail", "advice", "fix", "hint", "problem", "reason", "error", "why", "summary", "next", "try", "text",
    "memory_bytes", "memory", "backend_bytes", "used_memory", "keyspace_hits", "keyspace_misses", "ttl_left",
}  # fmt: skip
commands = differences = 0


def run(program, arguments, environment):
    done = subprocess.run([program, *arguments], capture_output=True, env=environment, timeout=120)
    values = []
    for line in done.stdout.decode().splitlines():
        try:
            values.append(json.loads(line))
        except json.JSONDecodeError:
            values = None
            break
    if values is None:
        try:
            values = [json.loads(done.stdout)]
        except json.JSONDecodeError:
            values = [done.stdout.decode()]
    return done.returncode, values


def compare(where, old, new):
    """Yields each difference between two values."""
    name = where.rsplit(".", 1)[-1]
    if re.sub(r"\[\d+\]$", "", name) in FREE:
        if type(old) is not type(new) and not (isinstance(old, (int, float)) and isinstance(new, (int, float))):
            yield f"{where}: {old!r} -> {new!r} (types)"
    elif isinstance(old, dict) and isinstance(new, dict):
        if list(old) != list(new):
            yield f"{where}: fields {list(old)} -> {list(new)}"
        for key in old.keys() & new.keys():
            yield from compare(f"{where}.{key}", old[key], new[key])
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            yield f"{where}: {len(old)} -> {len(new)} items"
        for at, pair in enumerate(zip(old, new)):
            yield from compare(f"{where}[{at}]", *pair)
    elif isinstance(old, float) and isinstance(new, float):
        if abs(old - new) > 5:
            yield f"{where}: {old} -> {new}"
    elif old != new:
        yield f"{where}: {old!r} -> {new!r}"


def both(name, arguments, environment):
    global commands, differences
    commands += 1
    (old_code, old), (new_code, new) = (run(program, arguments, environment) for program in (OLD, NEW))
    found = [] if old_code == new_code else [f"exit code {old_code} -> {new_code}"]

    def key(value):
        names = ("url", "method", "cache_key", "id") if "--demo" in arguments else ("id",)
        return [str(value.get(name)) for name in names] if isinstance(value, dict) else [str(value)]

    if arguments[0] == "ls":
        old, new = sorted(old, key=key), sorted(new, key=key)
    if "--demo" in arguments:
        # A demo cache is made for each command, with identifiers and sizes of its own.
        for value in [*old, *new]:
            if isinstance(value, dict):
                for name in ("id", "key", "created_at", "last_used", "location"):
                    value.pop(name, None)
    found += compare("", old, new)
    differences += len(found)
    for line in found[:20]:
        print(f"{name}: {' '.join(arguments)}: {line}")


def every_command(name, environment, options):
    both(name, ["stats", "--json", *options], environment)
    both(name, ["doctor", "--json", *options], environment)
    both(name, ["ls", "--all", "--json", *options], environment)
    for selectors in (["--prefix", "result_cache"], ["--prefix", "hishel_cache"], ["--service", "jikan"], ["--state", "corrupt"], ["--stale"], ["--fresh"],
                      ["--ttl-under", "12h"], ["--status", "2xx"], ["--larger-than", "1kB"], ["--kind", "result"], ["--dead-schemas"]):  # fmt: skip
        both(name, ["ls", "--json", *selectors, *options], environment)
        both(name, ["flush", "--dry-run", "--json", *selectors, *options], environment)
        both(name, ["ttl", "--set", "12h", "--dry-run", "--json", *selectors, *options], environment)
    _, entries = run(OLD, ["ls", "--all", "--json", *options], environment)
    for entry in entries:
        if name != "demo" and isinstance(entry, dict) and "id" in entry:
            both(name, ["show", entry["id"], "--json", *options], environment)


def main():
    base = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
    with tempfile.TemporaryDirectory() as directory:
        base["HOME"] = base["XDG_CONFIG_HOME"] = base["XDG_DATA_HOME"] = base["XDG_STATE_HOME"] = directory
        os.chdir(directory)
        for at, recording in enumerate(sorted(FIXTURES.glob("*.ndjson"))):
            socket = f"{directory}/{at}.sock"
            server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", directory], stdout=subprocess.DEVNULL)  # fmt: skip
            try:
                while subprocess.run(["redis-cli", "-s", socket, "ping"], capture_output=True).returncode:
                    time.sleep(0.05)
                url = f"unix://{socket}"
                subprocess.run([LOAD, "--redis", url, str(recording)], check=True, stdout=subprocess.DEVNULL)
                every_command(recording.name, base | {"REDIS_CACHE_URL": url}, ["--no-fallback"])
            finally:
                server.terminate()
                server.wait()
        for database in sorted(FIXTURES.glob("*.db")):
            copy = f"{directory}/{database.name}"
            shutil.copy(database, copy)
            every_command(database.name, base, ["--storage", "sqlite", "--sqlite", copy])
        every_command("demo", base, ["--demo"])
    print(f"{commands} commands, {differences} differences")
    return differences > 0


if __name__ == "__main__":
    sys.exit(main())
