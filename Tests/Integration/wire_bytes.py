"""Bytes of protobuf written by hand: what no generated class would send."""

import struct

VARINT, FIXED64, BYTES, GROUP_START, GROUP_END, FIXED32 = range(6)

# Field numbers of Request and of the messages that the tests write by hand.
CALL_ID, TIMEOUT_MS = 1, 2
FILTER, RECORD, BUDGETS, AUTHENTICATE, PING = 10, 11, 12, 20, 21
MAX_FRAME = 256 * 1024


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def key(number, wire_type):
    return varint(number << 3 | wire_type)


def uint(number, value):
    return key(number, VARINT) + varint(value)


def double(number, value):
    return key(number, FIXED64) + struct.pack("<d", value)


def field(number, payload):
    """A length-delimited field: text, bytes or a sub-message."""
    payload = payload.encode() if isinstance(payload, str) else payload
    return key(number, BYTES) + varint(len(payload)) + payload


def frame(message):
    return struct.pack(">I", len(message)) + message


def ping(call_id):
    return uint(CALL_ID, call_id) + field(PING, b"")


def padded(message, size, number=1000):
    """`message` with one unknown field that makes it exactly `size` bytes long."""
    for length_bytes in range(1, 5):
        count = size - len(message) - len(key(number, BYTES)) - length_bytes
        if count >= 0 and len(varint(count)) == length_bytes:
            return message + field(number, b"x" * count)
    raise ValueError(f"no padding makes {len(message)} bytes {size}")
