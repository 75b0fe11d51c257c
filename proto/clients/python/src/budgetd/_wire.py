"""budget.v1 by hand: requests to bytes, responses from bytes. proto/budget/v1/budget.proto says
what the numbers mean. Fields leave in the order of their numbers, defaults are left out."""

from __future__ import annotations

import struct
from typing import Iterator, List, Optional, Sequence, Tuple, Union

from ._answers import Budget, Budgets, Candidate, Denial, Pong

FILTER_DEPLOYMENTS, RECORD_SPEND, GET_PROVIDER_BUDGETS = 10, 11, 12
RESERVE_SPEND, RELEASE_RESERVATION, AUTHENTICATE, PING, EXTEND_RESERVATION = 13, 14, 20, 21, 22
_METHODS = frozenset((10, 11, 12, 13, 14, 20, 21, 22))

OK, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, ALREADY_EXISTS = 0, 2, 3, 4, 6
RESOURCE_EXHAUSTED, OUT_OF_RANGE, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 8, 11, 12, 13, 14
CODES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
    "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
    "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)
LONGEST_RESPONSE = 1 << 20

_DOUBLE = struct.Struct("<d")
_LENGTH = struct.Struct(">I")
_SMALL = tuple(bytes((n,)) for n in range(128))


def code_name(code: int) -> str:
    """The name in Status.Code; of a number that has none, the number."""
    return CODES[code] if 0 <= code < len(CODES) else str(code)


def status_text(code: int, message: str) -> str:
    """`CODE: message`, or the code alone."""
    return f"{code_name(code)}: {message}" if message else code_name(code)


def varint(value: int) -> bytes:
    if value < 128:
        return _SMALL[value]
    if value < 1 << 14:
        return bytes((value & 127 | 128, value >> 7))
    if value < 1 << 21:
        return bytes((value & 127 | 128, value >> 7 & 127 | 128, value >> 14))
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _tag(number: int, kind: int) -> bytes:
    return varint(number << 3 | kind)


def _text(tag: bytes, value: str) -> bytes:
    try:
        data = value.encode()
    except UnicodeEncodeError:
        # A name that is no UTF-8 matches no budget, and the server counts it: it must not fail.
        data = value.encode("utf-8", "surrogatepass")
    size = len(data)
    return tag + (_SMALL[size] if size < 128 else varint(size)) + data if size else b""


def _message(tag: bytes, body: bytes) -> bytes:
    return tag + varint(len(body)) + body


def _double(tag: bytes, value: float) -> bytes:
    return tag + _DOUBLE.pack(value) if value else b""


def _number(tag: bytes, value: int) -> bytes:
    return tag + varint(value) if value else b""


_T = {(number, kind): _tag(number, kind) for number in range(1, 25) for kind in (0, 1, 2)}
_1, _2, _3, _4, _5, _6, _7, _8 = (_T[number, 2] for number in range(1, 9))
_ESTIMATE, _FREE = _T[5, 1], _T[6, 0]


def candidate(one: Candidate) -> bytes:
    """Field 1 of FilterDeploymentsRequest; made once for each object."""
    data = one._wire
    if data is None:
        body = _text(_1, one.id) + _text(_2, one.model_name) + _text(_3, one.model)
        body += _text(_4, one.provider)
        if one.estimate is not None:
            body += _ESTIMATE + _DOUBLE.pack(one.estimate)
        body += _number(_FREE, int(one.free))
        data = one._wire = _message(_1, body)
    return data


def filter_deployments(
    candidates: Sequence[Candidate], tags: Sequence[str], model_name: str, estimate: float,
) -> bytes:
    parts = [one._wire or candidate(one) for one in candidates]
    for tag in tags:
        parts.append(_tag_field(_2, tag))
    if model_name:
        parts.append(_text(_3, model_name))
    if estimate:
        parts.append(_double(_T[4, 1], estimate))
    body = b"".join(parts)
    return b"R" + varint(len(body)) + body


def reserving(filtering: bytes, amount: Optional[float], ttl_ms: int, key: str) -> bytes:
    """A FilterDeployments that also holds the amount for the candidate that it chooses."""
    _, at = read_varint(filtering, 1)
    body = filtering[at:] + _T[5, 0] + b"\x01"
    if amount is not None:
        body += _T[6, 1] + _DOUBLE.pack(amount)
    body += _number(_T[7, 0], ttl_ms) + _text(_8, key)
    return b"R" + varint(len(body)) + body


def _tag_field(tag: bytes, value: str) -> bytes:
    # An empty tag is sent as it is: positions do not matter, but the server counts it.
    return _text(tag, value) or tag + b"\x00"


class Charged:
    """Who is charged: the names of a record and of a reservation."""

    __slots__ = ("provider", "deployment_id", "model", "tags", "model_name")

    def __init__(
        self, provider: str = "", deployment_id: str = "", model: str = "",
        tags: Sequence[str] = (), model_name: str = "",
    ) -> None:
        self.provider, self.deployment_id, self.model = provider, deployment_id, model
        self.tags, self.model_name = tuple(tags), model_name

    def wire(self) -> bytes:
        """Fields 1 to 4, the same in both messages."""
        names = _text(_1, self.provider) + _text(_2, self.deployment_id) + _text(_3, self.model)
        return names + b"".join(_tag_field(_4, tag) for tag in self.tags)


def record_spend(charged: Charged, cost: float, key: str, reservation: str) -> bytes:
    body = charged.wire() + _T[5, 1] + _DOUBLE.pack(cost) + _text(_6, key)
    body += _text(_7, reservation) + _text(_8, charged.model_name)
    return _message(_T[RECORD_SPEND, 2], body)


def reserve_spend(charged: Charged, amount: Optional[float], ttl_ms: int, key: str) -> bytes:
    body = charged.wire() + _double(_T[5, 1], amount or 0.0) + _number(_T[6, 0], ttl_ms)
    body += _text(_7, key) + _text(_8, charged.model_name)
    return _message(_T[RESERVE_SPEND, 2], body)


def release_reservation(reservation: str) -> bytes:
    return _message(_T[RELEASE_RESERVATION, 2], _text(_1, reservation))


def extend_reservation(reservation: str, ttl_ms: int) -> bytes:
    body = _text(_1, reservation) + _number(_T[2, 0], ttl_ms)
    return _message(_T[EXTEND_RESERVATION, 2], body)


def get_provider_budgets(
    deployments: bool, tags: bool, models: bool, pools: bool, page_token: str,
) -> bytes:
    body = _number(_T[2, 0], int(deployments)) + _number(_T[3, 0], int(tags))
    body += _text(_5, page_token) + _number(_T[8, 0], int(models)) + _number(_T[9, 0], int(pools))
    return _message(_T[GET_PROVIDER_BUDGETS, 2], body)


def authenticate(token: str) -> bytes:
    return _message(_T[AUTHENTICATE, 2], _text(_1, token))


def ping() -> bytes:
    return _message(_T[PING, 2], b"")


def timeout(milliseconds: int) -> bytes:
    """Field 2 of Request."""
    return b"\x10" + varint(milliseconds)


def frame(call_id: int, timeout: bytes, body: bytes) -> bytes:
    """A Request in its frame: its length, its number, its timeout, its method."""
    number = varint(call_id)
    size = 1 + len(number) + len(timeout) + len(body)
    return b"%b\x08%b%b%b" % (_LENGTH.pack(size), number, timeout, body)


class Malformed(Exception):
    """The bytes are no message of budget.v1."""


Value = Union[int, bytes]


def read_varint(data: bytes, at: int) -> Tuple[int, int]:
    byte = data[at]
    if byte < 128:
        return byte, at + 1
    value, shift = byte & 127, 7
    while True:
        at += 1
        byte = data[at]
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFFFFFFFFFFFFFF, at + 1
        shift += 7
        if shift > 63:
            raise Malformed("a number of more than 10 bytes")


def fields(data: bytes) -> Iterator[Tuple[int, Value]]:
    """Each field's number and value; of fixed widths the bytes."""
    at, end = 0, len(data)
    try:
        while at < end:
            key, at = read_varint(data, at)
            kind = key & 7
            if kind == 0:
                value, at = read_varint(data, at)
                yield key >> 3, value
                continue
            size = 8 if kind == 1 else 4
            if kind == 2:
                size, at = read_varint(data, at)
            elif kind not in (1, 5):
                raise Malformed(f"a field of kind {kind}")
            if at + size > end:
                raise Malformed("a field that is longer than its message")
            yield key >> 3, data[at:at + size]
            at += size
    except IndexError:
        raise Malformed("a message that ends within a field") from None


class Reply:
    """A Response: how the call ended, and the bytes of its result."""

    __slots__ = ("call_id", "code", "message", "method", "result")

    def __init__(self) -> None:
        self.call_id = self.code = self.method = 0
        self.message, self.result = "", b""


def reply(data: bytes) -> Reply:
    found = Reply()
    try:
        # Nearly all: a number, and the result of a filter.
        if data[0] == 8:
            call_id, at = read_varint(data, 1)
            if data[at] == 82:
                size, at = read_varint(data, at + 1)
                if at + size == len(data):
                    found.call_id, found.method, found.result = call_id, 10, data[at:]
                    return found
    except IndexError:
        pass  # an empty message, or one that is short: below
    for number, value in fields(data):
        if number == 1:
            found.call_id = _int(value)
        elif number == 2:
            for inner, part in fields(_bytes(value)):
                if inner == 1:
                    found.code = _int(part)
                elif inner == 2:
                    found.message = _str(part)
        elif number in _METHODS:
            found.method, found.result = number, _bytes(value)
    return found


def _int(value: Value) -> int:
    if isinstance(value, int):
        return value
    raise Malformed("bytes in the place of a number")


def _signed(value: Value) -> int:
    number = _int(value)
    return number - (1 << 64) if number >> 63 else number


def _bytes(value: Value) -> bytes:
    if isinstance(value, bytes):
        return value
    raise Malformed("a number in the place of bytes")


def _str(value: Value) -> str:
    return _bytes(value).decode("utf-8", "replace")


def _float(value: Value) -> float:
    data = _bytes(value)
    if len(data) != 8:
        raise Malformed("an amount that is not a double")
    number: float = _DOUBLE.unpack(data)[0]
    return number


def _positions(value: Value) -> List[int]:
    if isinstance(value, int):
        return [value]
    if not value or max(value) < 128:
        return list(value)
    found, at = [], 0
    while at < len(value):
        number, at = read_varint(value, at)
        found.append(number)
    return found


class Filtered:
    """FilterDeploymentsResponse, and what ReserveSpendResponse has of it."""

    __slots__ = ("allowed", "denials", "candidates", "omitted", "chosen", "reservation",
                 "expires_at_ms", "reserved")

    def __init__(self) -> None:
        self.allowed: List[int] = []
        self.denials: List[Denial] = []
        self.candidates: List[Candidate] = []
        self.omitted = self.expires_at_ms = 0
        self.chosen: Optional[int] = None
        self.reservation, self.reserved = "", 0.0


def only_allowed(data: bytes) -> Optional[List[int]]:
    """The positions in a FilterDeploymentsResponse that has nothing else and that are small, as
    nearly all are; None where `filtered` has to look."""
    if len(data) < 2 or data[0] != 10 or data[1] != len(data) - 2 or max(data) > 127:
        return None
    return list(data[2:])


def filtered(data: bytes) -> Filtered:
    found = Filtered()
    for number, value in fields(data):
        if number == 1:
            found.allowed += _positions(value)
        elif number == 2:
            found.denials.append(_denial(_bytes(value)))
        elif number == 3:
            found.candidates.append(_candidate(_bytes(value)))
        elif number == 4:
            found.omitted = _int(value)
        elif number == 5:
            found.chosen = _int(value)
        elif number == 6:
            found.reservation = _str(value)
        elif number == 7:
            found.expires_at_ms = _signed(value)
        elif number == 8:
            found.reserved = _float(value)
    return found


def reserved(data: bytes) -> Filtered:
    found = Filtered()
    for number, value in fields(data):
        if number == 1:
            found.reservation = _str(value)
        elif number == 2:
            found.expires_at_ms = _signed(value)
        elif number == 3:
            found.denials.append(_denial(_bytes(value)))
        elif number == 4:
            found.omitted = _int(value)
        elif number == 5:
            found.reserved = _float(value)
    return found


def _denial(data: bytes) -> Denial:
    found = Denial()
    for number, value in fields(data):
        if number == 1:
            found.deployment = _int(value)
        elif number == 2:
            found.scope = _int(value)
        elif number == 3:
            found.name = _str(value)
        elif number == 4:
            found.spend = _float(value)
        elif number == 5:
            found.limit = _float(value)
        elif number == 6:
            found.resets_at_ms = _signed(value)
        elif number == 7:
            found.withheld = _float(value)
        elif number == 8:
            found.mode = _int(value)
        elif number == 9:
            found.window = _str(value)
        elif number == 10:
            found.reserved = _float(value)
    return found


def _candidate(data: bytes) -> Candidate:
    texts, estimate, free = {1: "", 2: "", 3: "", 4: ""}, None, False
    for number, value in fields(data):
        if number in texts:
            texts[number] = _str(value)
        elif number == 5:
            estimate = _float(value)
        elif number == 6:
            free = bool(_int(value))
    return Candidate(texts[1], texts[2], texts[3], texts[4], estimate, free)


def recorded(data: bytes) -> bool:
    """Whether RecordSpendResponse says that the key was seen before."""
    return any(number == 1 and bool(value) for number, value in fields(data))


def expires_at_ms(data: bytes) -> int:
    """Of ExtendReservationResponse."""
    return next((_signed(value) for number, value in fields(data) if number == 1), 0)


_SCOPES = {1: "providers", 2: "deployments", 3: "tags", 6: "models", 7: "pools", 8: "total"}


def budgets(data: bytes, into: Budgets) -> str:
    """Adds a page to `into`; the token of the next page, empty after the last."""
    token = ""
    for number, value in fields(data):
        if number in _SCOPES:
            getattr(into, _SCOPES[number]).append(_budget(_bytes(value)))
        elif number == 4:
            into.reconciled_at_ms = _signed(value)
        elif number == 5:
            token = _str(value)
    return token


def _budget(data: bytes) -> Budget:
    found = Budget()
    for number, value in fields(data):
        if number == 1:
            found.name = _str(value)
        elif number == 2:
            found.limit = _float(value)
        elif number == 3:
            found.period = _str(value)
        elif number == 4:
            found.spend = _float(value)
        elif number == 5:
            found.remaining = _float(value)
        elif number == 6:
            found.resets_at_ms = _signed(value)
        elif number == 7:
            found.reserved = _float(value)
        elif number == 8:
            found.exhausted = bool(_int(value))
        elif number == 9:
            found.mode = _int(value)
    return found


def pong(data: bytes) -> Pong:
    found = Pong()
    for number, value in fields(data):
        if number == 1:
            found.version = _str(value)
        elif number == 2:
            found.node_id = _str(value)
        elif number == 3:
            found.ready = bool(_int(value))
        elif number == 4:
            found.durability = _str(value)
        elif number == 5:
            found.store_state = _str(value)
        elif number == 6:
            found.not_ready_reason = _str(value)
        elif number == 7:
            found.idempotency_horizon_ms = _signed(value)
        elif number == 8:
            found.methods.append(_str(value))
        elif number == 9:
            found.role = _str(value)
    return found
