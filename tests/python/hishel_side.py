"""The Python side of the live tests, run by an interpreter that has one version of hishel.

    hishel_side.py write|read|remove KIND STORE     exchanges as JSON on standard input, and on output of `read`

KIND is what opens the store: `hishel`, that version's own storage, or `pipeline`, the pipeline's Redis layout as
written down in cache-core's documentation. STORE is a Redis URL or a SQLite file.
"""

import base64
import json
import sys
from pathlib import Path

import hishel
from hishel import Headers, Request, Response

PREFIX = "hishel_cache"
IS_V2 = not hasattr(hishel, "EntryMeta")


def open_storage(kind, store):
    if store.startswith("redis://"):
        import redis

        client = redis.Redis.from_url(store)
        if kind == "pipeline":
            from pipeline_layout import PipelineStorage

            return PipelineStorage(client, PREFIX)
        return hishel.RedisStorage(client=client, key_prefix=PREFIX)
    if IS_V2:
        return hishel.SqliteStorage(database_path=Path(store))
    return hishel.SyncSqliteStorage(database_path=store if not hasattr(hishel, "RedisStorage") else Path(store))


def write(storage, exchange):
    request = Request(exchange["method"], exchange["url"], Headers(exchange["request_headers"]))
    body = iter([base64.b64decode(chunk) for chunk in exchange["chunks"]])
    response = Response(exchange["status"], Headers(exchange["response_headers"]), body)
    if IS_V2:
        entry = storage.create_entry(request, response, exchange["key"], ttl=exchange["ttl"])
    else:
        request.metadata = {"hishel_ttl": exchange["ttl"]}
        entry = storage.create_entry(request, response, exchange["key"])
    for _ in entry.response.stream:  # reading is what saves it
        pass


def read(entry, key):
    return {
        "key": key,
        "method": entry.request.method,
        "url": entry.request.url,
        "request_headers": entry.request.headers._headers,
        "status": entry.response.status_code,
        "response_headers": entry.response.headers._headers,
        "chunks": [base64.b64encode(b"".join(entry.response.stream)).decode()],
    }


def main(action, kind, store):
    exchanges = json.load(sys.stdin)
    keys = sorted({exchange["key"] for exchange in exchanges})
    storage = open_storage(kind, store)
    if action == "write":
        for exchange in exchanges:
            write(storage, exchange)
    elif action == "read":
        json.dump([read(entry, key) for key in keys for entry in storage.get_entries(key)], sys.stdout)
    elif action == "remove":
        for key in keys:
            for entry in storage.get_entries(key):
                storage.remove_entry(entry.id)
    storage.close()


main(*sys.argv[1:])
