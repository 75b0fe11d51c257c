"""A client's settings, checked when the client is made."""

from __future__ import annotations

import random
import ssl
from typing import List, Optional, Sequence, Tuple, Union

from ._errors import Invalid

GREATEST_COST = 9_000_000_000.0


class Address:
    """`host:port`, `[host]:port` or `unix:PATH`."""

    __slots__ = ("text", "host", "port", "path")

    def __init__(self, text: str) -> None:
        self.text, self.host, self.port, self.path = text, "", 0, ""
        if text.startswith("unix:"):
            self.path = text[len("unix:"):]
            if self.path:
                return
        else:
            host, colon, port = text.rpartition(":")
            if host.startswith("[") and host.endswith("]"):
                host = host[1:-1]
            elif ":" in host:
                host = ""  # without brackets nobody can say where an IPv6 address ends
            if colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65536:
                self.host, self.port = host, int(port)
                return
        raise Invalid(f"'{text}' is not an address: give host:port or unix:PATH")


def addresses(given: Union[str, Sequence[str]]) -> List[Address]:
    """One or more, as a list or with commas between them."""
    texts = given.split(",") if isinstance(given, str) else list(given)
    found = [Address(text.strip()) for text in texts if text.strip()]
    if not found:
        raise Invalid("no address is given: give host:port or unix:PATH")
    return found


class Settings:
    """What a client was told. Times in seconds."""

    def __init__(
        self,
        *,
        on_unavailable: Optional[str] = None,
        filter_timeout: float = 0.1,
        reserve_timeout: float = 1.5,
        record_timeout: float = 5.0,
        call_timeout: float = 5.0,
        connect_timeout: float = 1.0,
        pause: float = 0.05,
        longest_pause: float = 5.0,
        outbox: int = 100_000,
        journal: Optional[str] = None,
        token: Optional[str] = None,
        token_file: Optional[str] = None,
        tls_ca: Optional[str] = None,
        tls_cert: Optional[str] = None,
        tls_key: Optional[str] = None,
        server_name: Optional[str] = None,
    ) -> None:
        if on_unavailable is None:
            raise Invalid("on_unavailable is not given: open lets requests pass while budgetd is "
                          "away, closed denies them")
        if on_unavailable not in ("open", "closed"):
            raise Invalid(f"on_unavailable is '{on_unavailable}': give open or closed")
        self.opens = on_unavailable == "open"
        self.filter_timeout, self.reserve_timeout = filter_timeout, reserve_timeout
        self.record_timeout, self.call_timeout = record_timeout, call_timeout
        self.connect_timeout = connect_timeout
        self.pause, self.longest_pause, self.outbox = pause, longest_pause, outbox
        self.journal = journal
        self._token, self.token_file = token, token_file
        self.server_name = server_name
        self.tls: Optional[ssl.SSLContext] = None
        if tls_ca == "":
            raise Invalid("tls_ca is empty: give the file of the server's roots, or leave it away")
        if tls_ca is not None:
            self.tls = _tls(tls_ca, tls_cert, tls_key)
        else:
            _check_no_tls(tls_cert=tls_cert, tls_key=tls_key, server_name=server_name)
        self.token()

    def token(self) -> Optional[str]:
        """The token, read anew: a file may have another by now."""
        if self.token_file is None:
            return self._token
        try:
            with open(self.token_file, encoding="utf-8") as file:
                token = file.read().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise Invalid(f"the token file {self.token_file} cannot be read: {why}") from None
        if not token:
            raise Invalid(f"the token file {self.token_file} is empty")
        return token


def _check_no_tls(**given: Optional[str]) -> None:
    # The token would go in the clear, though somebody has thought of encryption.
    if any(value is not None for value in given.values()):
        raise Invalid("tls_cert, tls_key and server_name need tls_ca: give the file of the "
                      "server's roots, or leave them away")


def _tls(ca: str, cert: Optional[str], key: Optional[str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        if cert is not None:
            context.load_cert_chain(cert, key)
        return context
    except (OSError, ssl.SSLError) as error:
        names = ", ".join(name for name in (ca, cert, key) if name)
        raise Invalid(f"the files for encryption cannot be used ({names}): {error}") from None


class Pause:
    """How long something that failed is left alone: longer each time, never all clients at once."""

    __slots__ = ("_first", "_longest", "_failures", "until")

    def __init__(self, first: float, longest: float) -> None:
        self._first, self._longest = first, longest
        self._failures, self.until = 0, 0.0

    def failed(self, now: float) -> None:
        # 2**40 is past any pause; without the bound the power grows for ever.
        longest = min(self._longest, self._first * 2 ** min(self._failures, 40))
        self._failures += 1
        self.until = now + longest * random.uniform(0.5, 1.0)

    def over(self) -> None:
        self._failures, self.until = 0, 0.0


def checked_key(key: str) -> str:
    size = len(key.encode("utf-8", "surrogatepass"))
    if not 1 <= size <= 256:
        raise Invalid(f"the key has {size} bytes: 1 to 256 are allowed")
    return key


def checked_request(body: bytes) -> bytes:
    # The server takes 256 KiB; a call's number and timeout stand before the method.
    most = (256 << 10) - 32
    if len(body) > most:
        raise Invalid(f"the request has {len(body)} bytes: at most {most} are allowed")
    return body


def checked_cost(cost: float) -> float:
    # A NaN is no amount either: every comparison with it is false.
    if not 0 <= cost <= GREATEST_COST:
        raise Invalid(f"the cost {cost:g} is not an amount: 0 to 9000000000")
    return float(cost)


Timeouts = Tuple[float, int]


def milliseconds(seconds: float) -> int:
    """For `timeout_ms`, which is 0 for none and has 32 bits."""
    return max(1, min(round(seconds * 1000), 0xFFFFFFFF))
