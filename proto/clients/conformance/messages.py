"""Messages of budget.proto as JSON-like values, from the file itself: for the runner's servers.

Written are fields in the order of their numbers, without what has its default value; lists of
numbers are packed. That is what clients send, byte for byte.
"""

import re
import struct

NUMBERS = {"uint32", "uint64", "int64", "bool"}
FIELD = re.compile(r"^(?:(repeated|optional)\s+)?(\w+)\s+(\w+)\s*=\s*(\d+);")


class NoField(Exception):
    """A field that budget.proto does not have."""


class Field:
    def __init__(self, label, kind, name, number, in_oneof):
        self.kind, self.name, self.number = kind, name, int(number)
        self.repeated = label == "repeated"
        #: Whether it is told from its default value.
        self.present = label == "optional" or in_oneof


class Messages:
    """The schema of one .proto."""

    def __init__(self, path):
        self.types = {}
        stack = []
        for line in path.read_text().splitlines():
            line = line.split("//")[0].strip()
            opened = re.match(r"^(message|enum|oneof|service)\s+(\w+)\s*{", line)
            if opened:
                stack.append(opened.groups())
                if opened[1] == "message":
                    self.types[opened[2]] = []
            elif line == "}":
                stack.pop()
            elif (found := FIELD.match(line)) and stack:
                kind, _ = stack[-1]
                if kind in ("message", "oneof"):
                    owner = [name for kind, name in stack if kind == "message"][-1]
                    self.types[owner].append(Field(*found.groups(), kind == "oneof"))

    def encode(self, kind, value):
        fields = {field.name: field for field in self.types[kind]}
        unknown = value.keys() - fields.keys()
        if unknown:
            raise NoField(f"budget.proto's {kind} has no {', '.join(sorted(unknown))}")
        out = b""
        for field in sorted(fields.values(), key=lambda one: one.number):
            if field.name in value:
                out += self._field(field, value[field.name])
        return out

    def _field(self, field, value):
        if not field.repeated:
            if not value and not field.present and field.kind not in self.types:
                return b""
            return self._one(field, value)
        if self._packed(field):
            data = b"".join(self._plain(field, one) for one in value)
            return _key(field.number, 2) + varint(len(data)) + data if value else b""
        return b"".join(self._one(field, one) for one in value)

    def _packed(self, field):
        return field.kind not in self.types and field.kind not in ("string", "bytes")

    def _one(self, field, value):
        if field.kind in self.types:
            data = self.encode(field.kind, value)
            return _key(field.number, 2) + varint(len(data)) + data
        if field.kind == "string":
            data = value.encode()
            return _key(field.number, 2) + varint(len(data)) + data
        return _key(field.number, 1 if field.kind == "double" else 0) + self._plain(field, value)

    def _plain(self, field, value):
        if field.kind == "double":
            return struct.pack("<d", value)
        return varint(int(value) & (1 << 64) - 1)

    def decode(self, kind, data):
        fields, out, at = {field.number: field for field in self.types[kind]}, {}, 0
        while at < len(data):
            key, at = read_varint(data, at)
            value, at = _value(data, at, key & 7)
            field = fields.get(key >> 3)
            if field is None:
                raise NoField(f"budget.proto's {kind} has no field {key >> 3}")
            if field.kind in self.types:
                value = self.decode(field.kind, value)
            elif field.kind == "string":
                value = value.decode()
            elif field.kind == "double":
                (value,) = struct.unpack("<d", value)
            elif field.repeated and isinstance(value, bytes):
                numbers, place = [], 0
                while place < len(value):
                    number, place = read_varint(value, place)
                    numbers.append(number)
                out.setdefault(field.name, []).extend(numbers)
                continue
            elif field.kind == "bool":
                value = bool(value)
            if field.repeated:
                out.setdefault(field.name, []).append(value)
            else:
                out[field.name] = value
        return out


def _key(number, kind):
    return varint(number << 3 | kind)


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        shift += 7
        if byte < 128:
            return value, at


def _value(data, at, kind):
    if kind == 0:
        return read_varint(data, at)
    size = {1: 8, 5: 4}.get(kind)
    if size is None:
        size, at = read_varint(data, at)
    assert at + size <= len(data), "a field that is longer than its message"
    return data[at:at + size], at + size
