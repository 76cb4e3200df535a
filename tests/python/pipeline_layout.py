"""The pipeline's Redis layout in a few lines: hishel 1.0's own packing, in the keys that the pipeline uses.

Independent of the Rust side on purpose: the two agree only where both follow the written format.
"""

import time
import uuid
from dataclasses import replace

from hishel import Entry, EntryMeta
from hishel._core._storages._packing import pack, unpack

COMPLETE = b"__STREAM_COMPLETE__"


class PipelineStorage:
    def __init__(self, client, prefix):
        self.client, self.prefix = client, prefix

    def _key(self, kind, name):
        return f"{self.prefix}:{kind}:{name}"

    def _index(self, key):
        return self._key("key_index", key.encode().hex())

    def create_entry(self, request, response, key):
        id, ttl = uuid.uuid4(), request.metadata["hishel_ttl"]
        entry = Entry(id, replace(request, metadata={}), EntryMeta(time.time()), response, key.encode())
        chunks = [*response.stream, COMPLETE]
        self.client.rpush(self._key("stream", id), *chunks)
        head = {"data": pack(entry, kind="pair"), "created_at": str(entry.meta.created_at), "cache_key": key}
        self.client.hset(self._key("entry", id), mapping=head)
        self.client.sadd(self._index(key), str(id))
        for name in (self._key("stream", id), self._key("entry", id), self._index(key)):
            self.client.expire(name, ttl)
        return replace(entry, response=replace(response, stream=iter(chunks)))

    def get_entries(self, key):
        for member in self.client.smembers(self._index(key)):
            id = member.decode()
            data = self.client.hget(self._key("entry", id), "data")
            chunks = self.client.lrange(self._key("stream", id), 0, -1)
            if data is None or chunks[-1:] != [COMPLETE]:
                continue
            entry = unpack(data, kind="pair")
            assert str(entry.id) == id and entry.cache_key == key.encode()
            if not entry.meta.deleted_at:
                yield replace(entry, response=replace(entry.response, stream=iter(chunks[:-1])))

    def remove_entry(self, id):
        data = self.client.hgetall(self._key("entry", id))
        entry = unpack(data[b"data"], kind="pair")
        entry.meta.deleted_at = time.time()
        head = {"data": pack(entry, kind="pair"), "deleted_at": str(entry.meta.deleted_at)}
        self.client.hset(self._key("entry", id), mapping=head)

    def close(self):
        self.client.close()
