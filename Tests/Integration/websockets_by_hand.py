"""WebSockets (RFC 6455) as far as the tests need them: texts and closes, both sides."""

import base64
import hashlib
import http.client
import json
import os
import socket
import struct

TEXT, CLOSE = 1, 8
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept(key):
    """The server's answer to the client's Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1(key.encode() + MAGIC).digest()).decode()


def write(file, value, opcode=TEXT, mask=False):
    """One message: JSON, or a close with its code."""
    data = struct.pack(">H", value) if opcode == CLOSE else json.dumps(value).encode()
    size = len(data)
    head = bytes((0x80 | opcode,))
    flag = 0x80 if mask else 0
    head += bytes((flag | size,)) if size < 126 else bytes((flag | 126,)) + struct.pack(">H", size)
    if mask:
        key = os.urandom(4)
        head += key
        data = bytes(byte ^ key[place % 4] for place, byte in enumerate(data))
    file.write(head + data)
    file.flush()


def read(file):
    """The next message's value; None when the other side closes. Pings are passed over."""
    while True:
        head = file.read(2)
        if len(head) < 2:
            return None
        opcode, size = head[0] & 0x0F, head[1] & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", file.read(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", file.read(8))
        key = file.read(4) if head[1] & 0x80 else b"\0\0\0\0"
        data = bytes(byte ^ key[place % 4] for place, byte in enumerate(file.read(size)))
        if opcode == CLOSE:
            return None
        if opcode == TEXT:
            return json.loads(data)


class WebSocket:
    """A client's; `status` is 101 where it was taken."""

    def __init__(self, port, path, timeout, **headers):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.file = self.socket.makefile("rwb")
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket",
                 "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13",
                 *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self.file.write("\r\n".join(lines).encode())
        self.file.flush()
        self.status = int(self.file.readline().split()[1])
        answer = http.client.parse_headers(self.file)
        assert self.status != 101 or answer["Sec-WebSocket-Accept"] == accept(key)

    def send(self, value):
        write(self.file, value, mask=True)

    def receive(self):
        return read(self.file)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            write(self.file, 1000, CLOSE, mask=True)
        except OSError:
            pass  # the other side is gone
        self.file.close()
        self.socket.close()
