"""Asks redis-py and python-dotenv, in an environment that has them, what they read.

As a program it answers one question: a JSON value on standard input, the answer on standard output.
"""

import json
import subprocess
import sys


def ask(question, value, environment=None):
    """The answer of the libraries."""
    import venvs

    run = [venvs.python("settings"), __file__, question]
    environment = {"PYTHONUTF8": "1", **(environment or {})}
    answer = subprocess.run(run, input=json.dumps(value), capture_output=True, text=True, check=True, env=environment)
    return json.loads(answer.stdout)


def meaning(url):
    """What redis-py makes of a URL; `None`: it refuses it."""
    from redis.connection import SSLConnection, parse_url

    try:
        read = parse_url(url)
    except ValueError:
        return None
    if "path" in read:
        text = f"path={read['path']}"
    else:
        text = f"host={read.get('host', 'localhost')} port={read.get('port', 6379)}"
    text += f" db={read.get('db', 0)}"
    for name in ["username", "password"]:
        if read.get(name):
            text += f" {name}={read[name]}"
    if read.get("protocol", 2) != 2:
        text += f" protocol={read['protocol']}"
    return text + (" tls=yes" if read.get("connection_class") is SSLConnection else "")


def urls(given):
    return {url: meaning(url) for url in given}


def dot_env(text):
    """What python-dotenv adds to this process's environment for the text of a file."""
    import io
    import logging

    from dotenv.main import DotEnv

    logging.disable(logging.CRITICAL)
    read = DotEnv(None, stream=io.StringIO(text, newline=None), override=False).dict()
    return {name: value for name, value in read.items() if value is not None}


if __name__ == "__main__":
    print(json.dumps({"urls": urls, "dot_env": dot_env}[sys.argv[1]](json.load(sys.stdin))))
