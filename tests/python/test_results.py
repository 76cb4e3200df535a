"""Function results: what Rust stores is what plain Python would have stored, byte for byte, and the other way round.

The Python side is written from the format's description alone; the pipeline's decorator has no part in it.
"""

import hashlib
import json
import math
import random
import struct
import subprocess
import unittest

import venvs
from redis_server import RedisServer

INTEROP = venvs.TARGET / "debug" / "examples" / "interop"
SCHEMA = "82fce6a05e45281a"


def key(prefix, positional, keyword):
    plain = (str, int, float, bool)
    parts = [prefix, SCHEMA]
    parts += [str(one) if isinstance(one, plain) else json.dumps(one, sort_keys=True) for one in positional]
    for name, one in sorted(keyword.items()):
        text = str(one) if isinstance(one, (*plain, type(None))) else json.dumps(one, sort_keys=True)
        parts.append(f"{name}={text}")
    joined = ":".join(parts)
    if len(joined) > 200:
        joined = f"{prefix}:{SCHEMA}:{hashlib.sha256(joined.encode()).hexdigest()}"
    return f"result_cache:{joined}".encode()


def value(result):
    return json.dumps(result, ensure_ascii=False).encode()


def random_floats(count):
    bits = random.Random(9111)
    floats = (struct.unpack("d", bits.randbytes(8))[0] for _ in range(count))
    return [one for one in floats if math.isfinite(one)]


CRAWLED = {
    "title": "ダンダダン",
    "alternative": ["Dandadan", "café \"au lait\"", "\u2028\x7f\x1f\\", "🦀"],
    "score": 8.0,
    "rank": None,
    "is_airing": True,
    "characters": [{"name": "Okarun", "id": 1}, {}, []],
    "a_last_name_that_sorts_first": {"b": 1, "a": 2},
}

# Of each call the prefix, the positional arguments, the keyword arguments and the result.
CALLS = [
    ("anisearch_anime", ["18878,dan-da-dan"], {}, CRAWLED),
    ("no_arguments", [], {}, [1, "two", 3.5]),
    ("text", ["ワンピース", "with:colons", "", "new\nline", "*?[x]"], {}, "ワンピース\n\t\"quoted\""),
    ("numbers", [0, -1, 2**63 - 1, -(2**63), 2**64 - 1], {}, [0, -1, 2**63 - 1, -(2**63), 2**64 - 1]),
    ("floats", [2.0, -0.0, 1e22, 1e16, 1e15, 1e-4, 1e-5, 0.1 + 0.2, 5e-324, 123456789.125], {}, [2.0, -0.0, 1e22, 1e-7]),
    ("infinities", [math.inf, -math.inf, math.nan], {"limit": math.inf}, False),
    ("random_floats", [], {}, random_floats(2_000)),
    ("bools", [True, False], {"deep": True, "fast": False}, True),
    ("none", [None, "null"], {"opts": None}, 0),
    ("nested", [["t", 1, None, True], {"z": [1.5, {"é": "ü"}], "a": {}}], {"tags": ["a", "é"], "map": {"b": 1, "a": 2}}, [[]]),
    ("unsorted", [1], {"z": 1, "a": 2, "m": "é", "Z": 3}, {}),
    ("exactly_200", ["ワ" * (200 - len(f"exactly_200:{SCHEMA}:"))], {}, 1),
    ("over_200", ["ワ" * (201 - len(f"over_200:{SCHEMA}:"))], {}, 1),
    ("large", [1], {}, [CRAWLED] * 2_000),
]

ENTRIES = {key(prefix, positional, keyword): value(result) for prefix, positional, keyword, result in CALLS}


def as_json(argument):
    """JSON has no infinities."""
    return {"float": str(argument)} if isinstance(argument, float) and not math.isfinite(argument) else argument


def rust(redis, calls=CALLS):
    """Makes the calls, and gives for each the result and whether it was computed."""
    calls = [
        {
            "prefix": prefix,
            "schema": SCHEMA,
            "positional": [as_json(one) for one in positional],
            "keyword": {name: as_json(one) for name, one in keyword.items()},
            "result": result,
        }
        for prefix, positional, keyword, result in calls
    ]
    command = [INTEROP, "call", "--redis", redis.url]
    done = subprocess.run(command, input=json.dumps(calls), capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"interop failed:\n{done.stderr}")
    return [(one["result"], one["was_computed"]) for one in json.loads(done.stdout)]


class Results(unittest.TestCase):
    maxDiff = 2_000

    def setUp(self):
        self.redis = RedisServer()
        self.addCleanup(self.redis.stop)

    def stored(self):
        return {key: self.redis.ask("GET", key) for key in self.redis.ask("KEYS", "result_cache:*")}

    def test_what_rust_stores_python_would_have_stored(self):
        self.assertEqual(rust(self.redis), [(result, True) for *_, result in CALLS])
        stored = self.stored()
        self.assertEqual(sorted(stored), sorted(ENTRIES))
        for key, value in ENTRIES.items():
            self.assertEqual(stored[key], value, key.decode())
            self.assertTrue(86_300 < self.redis.ask("TTL", key) <= 86_400, key.decode())

    def test_what_python_stored_rust_hits(self):
        for key, value in ENTRIES.items():
            self.redis.ask("SETEX", key, 3600, value)
        never = [(prefix, positional, keyword, "computed") for prefix, positional, keyword, _ in CALLS]
        self.assertEqual(rust(self.redis, never), [(result, False) for *_, result in CALLS])
        self.assertEqual(self.stored(), ENTRIES)

    def test_none_is_not_stored(self):
        self.assertEqual(rust(self.redis, [("none", [], {}, None)]), [(None, True)])
        self.assertEqual(self.stored(), {})

    def test_what_python_cannot_have_stored_is_computed_again(self):
        name = key("damaged", [], {})
        for damaged in (b"", b"null", b"{", b"\xff"):
            self.redis.ask("SETEX", name, 3600, damaged)
            self.assertEqual(rust(self.redis, [("damaged", [], {}, [1])]), [([1], True)])
            self.assertEqual(self.stored(), {name: b"[1]"})


if __name__ == "__main__":
    unittest.main()
