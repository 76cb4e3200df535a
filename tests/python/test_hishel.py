"""What we store, hishel reads; what hishel stores, we read: with its own storages, live, body and headers equal."""

import base64
import contextlib
import json
import os
import pathlib
import sqlite3
import subprocess
import tempfile
import time
import unittest

import venvs
from redis_server import RedisServer

HERE = pathlib.Path(__file__).parent
INTEROP = venvs.TARGET / "debug" / "examples" / "interop"
PROGRAM = venvs.TARGET / "debug" / "animecache"


def exchange(key, body=(b"{}",), *, method="GET", status=200, request=None, response=None, ttl=3600):
    return {
        "key": key,
        "method": method,
        "url": f"https://api.jikan.moe/v4/{key}",
        "request_headers": request or {"accept": ["*/*"]},
        "status": status,
        "response_headers": response or {"content-type": ["application/json"]},
        "chunks": [base64.b64encode(chunk).decode() for chunk in body],
        "ttl": ttl,
    }


EXCHANGES = [
    exchange("plain"),
    exchange("no-body", body=(), status=204),
    exchange("many-chunks", body=[b"a" * 70_000, b"b" * 70_000, b"c" * 70_000]),
    exchange("every-byte", body=[bytes(range(256)) * 4], response={"content-type": ["image/png"]}),
    exchange("marker", body=[b"__STREAM_COMPLETE__", b"1"]),
    exchange("ワンピース", response={"x-title": ["café ワンピース"], "content-type": ["text/plain"]}),
    exchange("repeated", response={"set-cookie": ["a=1; path=/", "b=2"], "vary": ["accept, origin"]}),
    exchange("posted", method="POST", request={"content-type": ["application/json"], "accept": ["*/*"]}),
    exchange("variants", body=[b"one"], request={"accept-language": ["ja"]}),
    exchange("variants", body=[b"two"], request={"accept-language": ["en"]}, ttl=7200),
    exchange("GET:with:colons and spaces*?[x]"),
    exchange("moved", status=301, response={"location": ["/v4/plain"]}, body=()),
]


def whole(exchanges, *, ttl=False):
    """The exchanges in one order, each with its body in one piece."""
    result = []
    for one in exchanges:
        body = b"".join(base64.b64decode(chunk) for chunk in one["chunks"])
        result.append({**one, "chunks": base64.b64encode(body).decode(), "ttl": one["ttl"] if ttl else None})
    return sorted(result, key=lambda one: (one["key"], one["chunks"]))


def run(command, exchanges):
    done = subprocess.run(command, input=json.dumps(exchanges), capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} failed:\n{done.stderr}")
    return done.stdout


class Hishel:
    """One version of hishel at a store."""

    def __init__(self, version, store, kind="hishel"):
        self.command = [venvs.python(version), HERE / "hishel_side.py"]
        self.arguments = [kind, str(store)]

    def __call__(self, action, exchanges=EXCHANGES):
        answer = run([*self.command, action, *self.arguments], exchanges)
        return [{**one, "ttl": None} for one in json.loads(answer)] if action == "read" else None


class Ours:
    """cache-core at the same store."""

    def __init__(self, *store, layout="pipeline"):
        self.store, self.layout = [str(part) for part in store], layout

    def __call__(self, action, exchanges=EXCHANGES):
        answer = run([INTEROP, action, *self.store, "--layout", self.layout], exchanges)
        return json.loads(answer) if action == "read" else None


class RoundTrips:
    """What must hold wherever the two meet."""

    def setUp(self):
        self.hishel, self.ours = self.sides()

    def test_what_we_store_hishel_reads(self):
        self.ours("write")
        self.assertEqual(whole(self.hishel("read"), ttl=True), whole(EXCHANGES))

    def test_what_hishel_stores_we_read(self):
        self.hishel("write")
        found = self.ours("read")
        self.assertEqual(whole(found), whole(EXCHANGES))
        for read, written in zip(whole(found, ttl=True), whole(EXCHANGES, ttl=True)):
            expected = self.ttl_that_we_read(written["ttl"])
            if expected is None:
                self.assertIsNone(read["ttl"])
            else:
                self.assertAlmostEqual(read["ttl"], expected, delta=20)

    def ttl_that_we_read(self, stored):
        return stored

    def test_the_program_shows_what_hishel_stored(self):
        self.hishel("write")
        listed = [json.loads(line) for line in self.program("ls", "--json").splitlines()]
        shown = [(one["url"], one["status"], self.program("show", one["id"], "--body")) for one in listed]
        body = lambda one: b"".join(base64.b64decode(chunk) for chunk in one["chunks"])
        self.assertEqual(sorted(shown), sorted((one["url"], one["status"], body(one)) for one in EXCHANGES))

    def program(self, *arguments):
        return subprocess.run([PROGRAM, *self.ours.store, *arguments], check=True, capture_output=True).stdout

    def test_what_we_remove_hishel_misses(self):
        self.hishel("write")
        self.ours("remove")
        self.assertEqual(self.hishel("read"), [])

    def test_what_hishel_removes_we_miss(self):
        self.ours("write")
        self.hishel("remove")
        self.assertEqual(self.ours("read"), [])


class OnRedis(RoundTrips):
    """A redis-server of its own, on a free loopback port."""

    @classmethod
    def setUpClass(cls):
        cls.redis = RedisServer()
        cls.addClassCleanup(cls.redis.stop)

    def setUp(self):
        self.redis.ask("FLUSHALL")
        super().setUp()

    def test_nothing_is_left_of_what_we_remove(self):
        self.hishel("write")
        self.ours("remove")
        # Bodies stay for half a second, for readers that have the heads already.
        end = time.monotonic() + 10
        while self.redis.ask("DBSIZE") and time.monotonic() < end:
            time.sleep(0.02)
        self.assertEqual(self.redis.ask("DBSIZE"), 0)


class OnSqlite(RoundTrips):
    """A file of its own."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.file = pathlib.Path(directory.name) / "http_cache.db"
        super().setUp()


class PipelineOnRedis(OnRedis, unittest.TestCase):
    def sides(self):
        return Hishel("1.0.0", self.redis.url, kind="pipeline"), Ours("--redis", self.redis.url)


class Hishel13OnRedis(OnRedis, unittest.TestCase):
    def sides(self):
        return Hishel("1.3.0", self.redis.url), Ours("--redis", self.redis.url, layout="hishel1")


class Hishel20OnRedis(OnRedis, unittest.TestCase):
    def sides(self):
        return Hishel("2.0.0", self.redis.url), Ours("--redis", self.redis.url, layout="hishel2")


class OnOurSqlite(OnSqlite):
    """Our file, which holds tables that hishel does not know."""

    version = None

    def sides(self):
        return Hishel(self.version, self.file), Ours("--sqlite", self.file)

    def test_hishel_works_undisturbed_and_leaves_our_tables_alone(self):
        self.ours("write-results", {"result_cache:anisearch_anime:82fce6a05e45281a:18878": '{"title": "ワンピース"}'})
        ours = self.other_tables()
        self.assertIn("ワンピース", str(ours))
        self.hishel("write")
        self.assertEqual(whole(self.hishel("read"), ttl=True), whole(EXCHANGES))
        self.hishel("remove")
        self.assertEqual(self.other_tables(), ours)

    def other_tables(self):
        with contextlib.closing(sqlite3.connect(self.file)) as connection:
            connection.text_factory = lambda text: text.decode(errors="replace")
            self.assertEqual(connection.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            return {
                name: [[read_text(value) for value in row] for row in connection.execute(f'SELECT * FROM "{name}"')]
                for (name,) in names
                if name not in ("entries", "streams")
            }


def read_text(value):
    return value.decode(errors="replace") if isinstance(value, bytes) else value


class Hishel10OnSqlite(OnOurSqlite, unittest.TestCase):
    version = "1.0.0"

    def ttl_that_we_read(self, _):
        return None  # this version keeps no TTL: the expiry is unknown, and nothing is assumed of it


class Hishel13OnSqlite(OnOurSqlite, unittest.TestCase):
    version = "1.3.0"


class Hishel20OnSqlite(OnSqlite, unittest.TestCase):
    def sides(self):
        hishel = Hishel("2.0.0", self.file)
        hishel("read")  # creates the file: we would create one of layout C
        return hishel, Ours("--sqlite", self.file)


if __name__ == "__main__":
    unittest.main()
