"""A client for budgetd in one page.

    with Client(("127.0.0.1", 7077)) as budgets:
        budgets.call(record_spend=dict(provider="openai", cost_usd=0.25))
        print(budgets.call(get_provider_budgets={}).get_provider_budgets)

A frame is four bytes of length, most significant first, and that many bytes of one message:
Request to the server, Response back. Many calls may be under way at once; a response carries the
call_id of its request. Needs `protoc` and the Python package `protobuf`.
"""

import importlib
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

PROTO = Path(__file__).resolve().parents[2] / "proto"


def generate_messages():
    """The classes that protoc writes from the .proto."""
    with tempfile.TemporaryDirectory() as out:
        subprocess.run(
            ["protoc", f"--proto_path={PROTO}", f"--python_out={out}", "budget/v1/budget.proto"],
            check=True,
        )
        sys.path.insert(0, out)
        try:
            return importlib.import_module("budget.v1.budget_pb2")
        finally:
            sys.path.remove(out)


pb = generate_messages()


class Client:
    """One connection."""

    def __init__(self, address, timeout=20):
        """`address`: a host and a port, or the path of a Unix socket. One with a `context` is spoken to
        in TLS."""
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context := getattr(address, "context", None):
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.reader = self.socket.makefile("rb")
        self.last_call_id = 0

    def call(self, **request):
        """Sends one request and waits for its response."""
        call_id = self.send(**request)
        response = self.receive()
        assert response.call_id == call_id, f"asked {call_id}, answered {response}"
        return response

    def send(self, **request):
        """Sends one request, `method=fields`; returns its call_id."""
        self.last_call_id += 1
        self.send_frame(pb.Request(call_id=self.last_call_id, **request).SerializeToString())
        return self.last_call_id

    def send_frame(self, message):
        self.socket.sendall(struct.pack(">I", len(message)) + message)

    def receive(self):
        """The next response."""
        (length,) = struct.unpack(">I", self.read(4))
        return pb.Response.FromString(self.read(length))

    def read(self, count):
        data = self.reader.read(count)
        if len(data) < count:
            raise EOFError(f"the server closed the connection {count - len(data)} bytes early")
        return data

    def close(self):
        self.reader.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
