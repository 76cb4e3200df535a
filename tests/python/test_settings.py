"""Settings: what the program reads in a URL and in a `.env` file is what redis-py and python-dotenv read there."""

import json
import unittest

import venvs
from settings_side import ask

FIXTURES = venvs.ROOT / "cache-core" / "tests" / "fixtures"


def rows(name, comment):
    text = (FIXTURES / name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith(comment)]


class Urls(unittest.TestCase):
    def test_every_url_means_what_redis_py_makes_of_it(self):
        wanted = {url: meaning for url, meaning in rows("redis-urls.txt", "# ") if not meaning.startswith("error: ")}
        read = ask("urls", list(wanted))
        # redis-py knows neither Valkey's schemes nor bare paths.
        known = {url: meaning for url, meaning in read.items() if meaning is not None}
        self.assertGreaterEqual(len(known), 50)
        self.assertEqual(known, {url: wanted[url] for url in known})


class DotEnv(unittest.TestCase):
    def test_every_file_sets_what_python_dotenv_makes_of_it(self):
        table = venvs.ROOT / "tests" / "fixtures" / "dot-env.jsonl"
        cases = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
        self.assertGreaterEqual(len(cases), 35)
        for case in cases:
            with self.subTest(case["text"]):
                self.assertEqual(ask("dot_env", case["text"], case["environment"]), case["values"])
