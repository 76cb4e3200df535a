"""A redis-server of one's own on a free loopback port, and just enough of its protocol to look inside."""

import contextlib
import socket
import subprocess
import time


class RedisServer:
    def __init__(self):
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as probe:
            self.address = probe.getsockname()
        port = str(self.address[1])
        self.url = f"redis://127.0.0.1:{port}/0"
        options = ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        self.ask("PING")

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def ask(self, *words):
        """The reply to a command: bytes, a number, None or a list."""
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        for _ in range(500):
            with contextlib.suppress(ConnectionRefusedError):
                with socket.create_connection(self.address) as connection, connection.makefile("rwb") as stream:
                    stream.write(b"*%d\r\n" % len(words))
                    stream.writelines(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
                    stream.flush()
                    return read_reply(stream)
            time.sleep(0.01)
        raise AssertionError("redis-server does not answer")


def read_reply(stream):
    line = stream.readline().removesuffix(b"\r\n")
    kind, rest = line[:1], line[1:]
    if kind == b"+":
        return rest
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if rest == b"-1" else stream.read(int(rest) + 2)[:-2]
    if kind == b"*":
        return [read_reply(stream) for _ in range(int(rest))]
    raise AssertionError(f"redis-server answers {line}")
