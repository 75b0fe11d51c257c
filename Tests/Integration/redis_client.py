"""A Redis client of one page: RESP2 over a socket, replies as Python values. The tests judge what
Redis holds with it, so it shares nothing with what they test."""

import socket


class RedisError(Exception):
    """An error reply; its first word is the code: NOSCRIPT, OOM, READONLY, WRONGTYPE, ..."""


class RedisClient:
    """One connection to a Unix socket (a path) or to a (host, port)."""

    def __init__(self, where, timeout=20):
        if isinstance(where, tuple):
            self.socket = socket.create_connection(where, timeout)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(str(where))
        self.reader = self.socket.makefile("rb")

    def __call__(self, *command):
        """Sends one command; text replies are str."""
        return self.many([command])[0]

    def many(self, commands):
        """Sends all commands at once; raises the first error reply, once all replies are read."""
        self.socket.sendall(b"".join(frame(command) for command in commands))
        replies = [self.receive() for _ in commands]
        for reply in replies:
            if isinstance(reply, RedisError):
                raise reply
        return replies

    def receive(self):
        line = self.reader.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if rest == b"-1":
                return None
            data = self.reader.read(int(rest) + 2)
            if len(data) != int(rest) + 2:
                raise EOFError("Redis closed the connection")
            return data[:-2].decode(errors="surrogateescape")
        assert kind == b"*", line
        return None if rest == b"-1" else [self.receive() for _ in range(int(rest))]

    def hash(self, key):
        """All fields of a hash."""
        flat = self("HGETALL", key)
        return dict(zip(flat[::2], flat[1::2]))

    def info(self, section="all"):
        """INFO as {field: text}."""
        rows = [line.split(":", 1) for line in self("INFO", section).splitlines() if ":" in line]
        return dict(rows)

    def keys(self):
        """All keys, sorted; the tests' Redis is small."""
        return sorted(self("KEYS", "*"))

    def close(self):
        self.reader.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def frame(command):
    parts = [part if isinstance(part, bytes) else str(part).encode(errors="surrogateescape")
             for part in command]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)
