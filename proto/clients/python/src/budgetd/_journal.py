"""What is owed, in files: ../README.md has the format, which all languages share."""

from __future__ import annotations

import errno
import logging
import os
import secrets
import socket
import struct
import threading
import zlib
from typing import Dict, List, Optional, Tuple

from ._errors import Invalid
from ._wire import RECORD_SPEND, Malformed, fields

HEADER = b"budgetd journal 1\n"
OWED, DONE = 1, 2
LONGEST_ENTRY = 1 << 20
LONGEST_PATH = 80
REWRITE_BYTES = 16 << 20
_HEAD = struct.Struct(">II")
_SIZE = struct.Struct(">H")

log = logging.getLogger("budgetd")

# A record that is owed: the address that may have it, and its Request.
Entry = Tuple[str, bytes]


def entry(payload: bytes) -> bytes:
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def owed_entry(address: str, body: bytes) -> bytes:
    name = address.encode()
    return entry(bytes((OWED,)) + _SIZE.pack(len(name)) + name + body)


def done_entry(key: str) -> bytes:
    return entry(bytes((DONE,)) + key.encode("utf-8", "surrogatepass"))


def key_of(body: bytes) -> str:
    """The idempotency key of a Request that records."""
    for number, value in fields(body):
        if number == RECORD_SPEND and isinstance(value, bytes):
            for inner, part in fields(value):
                if inner == 6 and isinstance(part, bytes):
                    return part.decode("utf-8", "surrogatepass")
    raise Malformed("a record without a key")


def read(data: bytes) -> Dict[str, Entry]:
    """What a journal owes, by key, in the order in which it was written."""
    owed: Dict[str, Entry] = {}
    if not data.startswith(HEADER):
        return owed
    at = len(HEADER)
    while len(data) - at >= _HEAD.size:
        size, check = _HEAD.unpack_from(data, at)
        payload = data[at + _HEAD.size:at + _HEAD.size + size]
        # The end of a process cuts its last entry short: what stands before it counts.
        if not 1 <= size <= LONGEST_ENTRY or len(payload) < size or zlib.crc32(payload) != check:
            break
        at += _HEAD.size + size
        if payload[0] == DONE:
            owed.pop(payload[1:].decode("utf-8", "surrogatepass"), None)
        elif payload[0] == OWED and size >= 3:
            length = _SIZE.unpack_from(payload, 1)[0]
            name, body = payload[3:3 + length], payload[3 + length:]
            try:
                owed[key_of(body)] = (name.decode("utf-8", "replace"), body)
            except Malformed as error:
                log.error("budgetd: a journal's entry cannot be read: %s", error)
    return owed


def write(file: int, data: bytes) -> None:
    """All of it, or an error."""
    if os.write(file, data) < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def check_folder(folder: str) -> None:
    """Raises Invalid where no journal can be in the folder; makes it."""
    size = len(os.fsencode(folder))
    if size > LONGEST_PATH:
        raise unusable(folder, f"its path has {size} bytes, at most {LONGEST_PATH}")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise unusable(folder, error.strerror or str(error)) from None


def unusable(folder: str, why: str) -> Invalid:
    return Invalid(f"the journal's folder {folder} cannot be used: {why}")


class Journal:
    """This process' file in the folder, and orphans' files. Any thread may write."""

    def __init__(self, folder: str) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._name = secrets.token_hex(8)
        self._owed: Dict[str, Entry] = {}
        # Entries that the disk did not take yet, by key: written before any other.
        self._unwritten: Dict[str, bytes] = {}
        self._owed_bytes = 0
        self._rewrite_above = REWRITE_BYTES
        self._adopted = 0
        # Orphans' files whose records are not all in this process' file yet.
        self._kept: List[str] = []
        self._failing = self._closed = False
        check_folder(folder)
        try:
            self._begin()
        except OSError as error:
            raise unusable(folder, error.strerror or str(error)) from None
        # On a full disk the header is written later, with the first entry.
        self._bytes = 0
        self._append(b"")

    def _begin(self) -> None:
        # The socket first: a journal whose lock nobody answers is an orphan.
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.bind(self._path(".lock"))
            self._socket.listen(128)
            self._file = self._new_file(self._path(".journal"), b"")
        except OSError:
            # Whoever tries again has another name: nothing of this one may stay.
            self._socket.close()
            self._remove(self._path(".lock"))
            raise

    def _path(self, ending: str, name: Optional[str] = None) -> str:
        return os.path.join(self._folder, (name or self._name) + ending)

    @staticmethod
    def _new_file(path: str, data: bytes) -> int:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            write(file, data)
        except OSError:
            os.close(file)
            raise
        return file

    def owe(self, key: str, address: str, body: bytes) -> None:
        with self._lock:
            before = self._owed.pop(key, None)
            if before is not None:
                self._owed_bytes -= len(before[1])
            self._owed[key] = (address, body)
            self._owed_bytes += len(body)
            self._unwritten[key] = owed_entry(address, body)
            self._write_out()

    def done(self, key: str) -> None:
        with self._lock:
            before = self._owed.pop(key, None)
            if before is None or self._closed:
                return
            self._owed_bytes -= len(before[1])
            if not self._owed:
                self._cut()
                return
            self._unwritten.pop(key, None)
            if self._append(done_entry(key)):
                self._write_out()
            if self._bytes > self._rewrite_above and self._owed_bytes < self._bytes // 4:
                self._rewrite()

    def _write_out(self) -> None:
        while self._unwritten:
            key = next(iter(self._unwritten))
            if not self._append(self._unwritten[key]):
                return
            del self._unwritten[key]
        self._forget_kept()

    def _append(self, data: bytes) -> bool:
        if self._closed:
            return False  # its descriptor's number may be another file's by now
        if not self._bytes:
            data = HEADER + data
        try:
            write(self._file, data)
        except OSError as error:
            self._failed(error)
            try:
                # Readers stop at half an entry, and would not see those behind it.
                os.ftruncate(self._file, self._bytes)
            except OSError as other:
                self._failed(other)
            return False
        self._bytes += len(data)
        self._failing = False
        return True

    def _cut(self) -> None:
        self._unwritten.clear()
        self._forget_kept()
        try:
            # Where no header had room there is nothing to cut.
            left = min(self._bytes, len(HEADER))
            os.ftruncate(self._file, left)
            self._bytes, self._rewrite_above = left, REWRITE_BYTES
        except OSError as error:
            self._failed(error)

    def _rewrite(self) -> None:
        """The file without what is done. Its name stays: the socket is the lock, not the file."""
        data = HEADER + b"".join(owed_entry(*one) for one in self._owed.values())
        try:
            file = self._new_file(self._path(".new"), data)
            os.replace(self._path(".new"), self._path(".journal"))
        except OSError as error:
            self._remove(self._path(".new"))
            # Not tried at each record while the disk is full.
            self._rewrite_above = 2 * self._bytes
            self._failed(error)
            return
        os.close(self._file)
        self._file, self._bytes, self._rewrite_above = file, len(data), REWRITE_BYTES
        self._unwritten.clear()
        self._forget_kept()

    def _failed(self, error: OSError) -> None:
        # Records go on: only the end of this process would lose what cannot be written now.
        if not self._failing:
            log.error("budgetd: the journal in %s cannot be written: %s", self._folder, error)
        self._failing = True

    def orphans(self) -> List[Tuple[str, Dict[str, Entry]]]:
        """Takes over the journals that nobody owns: each one's file, and what it owes."""
        found = []
        for name in sorted(os.listdir(self._folder)):
            if not name.endswith(".journal"):
                continue
            base = name[:-len(".journal")]
            owner = base.partition("+")[0]
            if owner == self._name or self._lives(owner):
                continue
            self._adopted += 1
            taken = self._path(f"+{self._adopted}.journal")
            try:
                os.rename(os.path.join(self._folder, name), taken)
                with open(taken, "rb") as file:
                    found.append((taken, read(file.read())))
                self._remove(self._path(".lock", owner))
            except FileNotFoundError:
                continue  # another process was quicker
        return found

    def forget(self, taken: str) -> None:
        """An orphan's file whose records are all owed here. It stays until they are written here:
        the end of this process makes it an orphan again."""
        with self._lock:
            self._kept.append(taken)
            if not self._unwritten:
                self._forget_kept()

    def _forget_kept(self) -> None:
        kept, self._kept = self._kept, []
        for path in kept:
            self._remove(path)

    def _lives(self, owner: str) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            try:
                probe.connect(self._path(".lock", owner))
            except (ConnectionRefusedError, FileNotFoundError):
                return False
            except OSError:
                return True  # its queue is full: it lives
        return True

    @staticmethod
    def _remove(path: str) -> None:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass

    def close(self) -> None:
        """The file stays if it owes something: whoever starts here next sends it."""
        with self._lock:
            self._write_out()
            self._closed = True
            os.close(self._file)
            if not self._owed:
                self._remove(self._path(".journal"))
            self._socket.close()
            self._remove(self._path(".lock"))

    def left_to_parent(self) -> None:
        """In a process that was forked: the files, and the socket that says that their process
        lives, are the parent's alone. Its lock may be held by a thread that is not here."""
        if not self._closed:
            self._closed = True
            os.close(self._file)
            self._socket.close()
