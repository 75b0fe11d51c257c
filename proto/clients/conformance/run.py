#!/usr/bin/env python3
"""Runs the cases of this folder against one client. README.md says what a case and a driver are."""

import argparse
import asyncio
import json
import pathlib
import re
import resource
import shlex
import signal
import socket
import struct
import sys
import tempfile
import time
import zlib

from messages import Messages, NoField
from servers import SECONDS, Relayed, Scripted, framed

HERE = pathlib.Path(__file__).resolve().parent
PROTO = HERE.parent.parent / "budget" / "v1" / "budget.proto"
UUID7 = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
JOURNAL = b"budgetd journal 1\n"


class Failed(Exception):
    """A step that did not go as it is written."""


class Skipped(Exception):
    """A case that the budgetd at hand cannot run."""


def need(condition, words):
    if not condition:
        raise Failed(words)


def fits(expected, found):
    """Whether everything that is expected is there; a text's `*` stands for any end."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(
            name in found and fits(value, found[name]) for name, value in expected.items())
    if isinstance(expected, list):
        return (isinstance(found, list) and len(found) == len(expected)
                and all(map(fits, expected, found)))
    if isinstance(expected, str) and expected.endswith("*"):
        return isinstance(found, str) and found.startswith(expected[:-1])
    if isinstance(expected, float) and isinstance(found, (int, float)):
        return abs(expected - found) < 1e-9
    return expected == found


class Driver:
    """The client under test, in a process of its own."""

    def __init__(self, command):
        self.command, self.process, self.waiting, self.last = command, None, {}, 0

    async def start(self):
        if self.process is not None:
            return
        self.process = await asyncio.create_subprocess_exec(
            *self.command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            # Python ignores SIGXFSZ, and so may the driver: a write past `disk` fails, and is no end.
            restore_signals=False)
        self.reading = asyncio.ensure_future(self.read())

    async def read(self):
        while line := await self.process.stdout.readline():
            answer = json.loads(line)
            future = self.waiting.pop(answer["id"])
            if not future.done():
                future.set_result(answer)
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(Failed("the driver has ended"))

    def begin(self, op, args):
        self.last += 1
        future = asyncio.get_running_loop().create_future()
        self.waiting[self.last] = future
        line = json.dumps({"id": self.last, "op": op, "args": args})
        self.process.stdin.write(line.encode() + b"\n")
        return future

    async def end(self, kill=False):
        if self.process is None:
            return
        process, self.process = self.process, None
        if kill:
            process.kill()
        else:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), SECONDS)
        except asyncio.TimeoutError:
            process.kill()
            raise Failed("the driver does not end with its stdin") from None
        finally:
            await self.reading
            for future in self.waiting.values():
                future.cancel()
            self.waiting.clear()


class Case:
    def __init__(self, case, options, folder):
        self.case, self.folder = case, pathlib.Path(folder)
        self.budgetd, self.messages = options.budgetd, options.messages
        self.driver = Driver(shlex.split(options.driver))
        self.servers, self.calls, self.names, self.locks = {}, {}, {}, []

    async def run(self):
        try:
            for name, given in self.case["servers"].items():
                self.servers[name] = self.made(name, given)
                await self.servers[name].listen()
            await self.look_for_methods()
            for number, step in enumerate(self.case["steps"]):
                try:
                    await self.step(step)
                except asyncio.TimeoutError:
                    raise Failed(f"step {number} {json.dumps(step)}: not within {SECONDS} s"
                                 ) from None
                except (Failed, AssertionError, NoField) as error:
                    raise Failed(f"step {number} {json.dumps(step)}: {error}") from None
        finally:
            await self.driver.end(kill=True)
            for server in self.servers.values():
                await server.end()
            for lock in self.locks:
                lock.close()

    def made(self, name, given):
        if "budgetd" not in given:
            return Scripted()
        if self.budgetd is None:
            raise Skipped("needs --budgetd")
        return Relayed(self.budgetd, self.folder / name, given["budgetd"],
                       given.get("arguments", []))

    async def look_for_methods(self):
        needed = self.case.get("needs")
        if needed is None:
            return
        real = next(one for one in self.servers.values() if isinstance(one, Relayed))
        reply = await real.call(self.messages.encode("Request", {"call_id": 1, "ping": {}}))
        if needed not in self.messages.decode("Response", reply)["ping"]["methods"]:
            raise Skipped(f"this budgetd has no {needed}")

    async def step(self, step):
        for name in STEPS:
            if name in step:
                await getattr(self, f"do_{name}")(step)
                return
        raise Failed("no such step")

    def filled(self, value):
        """Servers' addresses and the journal's folder in the place of their names."""
        if isinstance(value, str):
            for name, server in self.servers.items():
                value = value.replace("{" + name + "}", server.address)
            return value.replace("{folder}", str(self.folder))
        if isinstance(value, dict) and value.keys() == {"repeat", "times"}:
            return value["repeat"] * value["times"]
        if isinstance(value, dict):
            return {key: self.filled(one) for key, one in value.items()}
        return [self.filled(one) for one in value] if isinstance(value, list) else value

    async def do_open(self, step):
        given = step["open"]
        options = self.filled(given.get("options", {}))
        if "journal" in options:
            options["journal"] = str(self.folder / options["journal"])
        places = [self.servers[name].address if name in self.servers else name
                  for name in given["servers"]]
        await self.driver.start()
        answer = await self.within(
            self.driver.begin("open", {"addresses": places, "options": options}))
        wanted = self.filled(step.get("error"))
        if wanted is None:
            need("error" not in answer, f"it failed: {answer}")
        else:
            need(fits(wanted, answer.get("error")), f"got {answer}")

    async def within(self, future):
        return await asyncio.wait_for(asyncio.shield(future), SECONDS)

    async def do_call(self, step):
        self.calls[step["call"]] = self.driver.begin(
            step["op"], self.filled(step.get("args", {})))

    async def do_result(self, step):
        answer = await self.within(self.calls[step["result"]])
        wanted = self.filled(step.get("is", {}))
        need("result" in answer and fits(self.bound(wanted, answer["result"]), answer["result"]),
             f"got {answer}")

    async def do_fails(self, step):
        answer = await self.within(self.calls[step["fails"]])
        need(fits(self.filled(step["is"]), answer.get("error")), f"got {answer}")

    async def do_pending(self, step):
        await asyncio.sleep(0.02)
        need(not self.calls[step["pending"]].done(), "it has ended")

    def bound(self, expected, found):
        """`expected` with what names stand for; a name that is new stands for what is found."""
        if isinstance(expected, dict):
            other = found if isinstance(found, dict) else {}
            return {key: self.bound(one, other.get(key)) for key, one in expected.items()}
        if isinstance(expected, list):
            other = found if isinstance(found, list) else []
            padded = other + [None] * len(expected)
            return [self.bound(one, padded[n]) for n, one in enumerate(expected)]
        if not isinstance(expected, str) or not expected.startswith("$"):
            return expected
        name = expected[1:]
        if name.startswith("uuid7:"):
            name = name[len("uuid7:"):]
            need(isinstance(found, str) and UUID7.match(found), f"{found!r} is no UUIDv7")
        if found is not None:
            return self.names.setdefault(name, found)
        return self.names.get(name)

    def same(self, expected, frame):
        found = self.messages.decode("Request", frame)
        wanted = self.messages.encode("Request", self.bound(expected, found))
        need(frame == wanted, f"got {json.dumps(found)} {frame.hex()}, not {wanted.hex()}")

    async def do_receive(self, step):
        server = self.servers[step["on"]]
        frame, writer = await server.receive()
        if "new" in step:
            need((writer is not server.last) == step["new"], "not on the connection that it should")
        server.last = writer
        self.same(step["receive"], frame)

    async def do_receive_any(self, step):
        server, wanted = self.servers[step["on"]], list(step["receive_any"])
        while wanted:
            frame, server.last = await server.receive()
            for place, one in enumerate(wanted):
                names = dict(self.names)
                try:
                    self.same(one, frame)
                except Failed:
                    self.names = names
                    continue
                del wanted[place]
                break
            else:
                raise Failed(f"nobody expects {self.messages.decode('Request', frame)}")

    async def do_reply(self, step):
        server, message = self.servers[step["on"]], self.known(step["reply"])
        if "bytes" in message:
            server.send(bytes.fromhex(message["bytes"]))
        else:
            server.send(framed(self.messages.encode("Response", message)))

    def known(self, value):
        if isinstance(value, dict):
            return {key: self.known(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.known(one) for one in value]
        if isinstance(value, str) and value.startswith("$"):
            return self.names[value[1:]]
        return value

    async def do_quiet_ms(self, step):
        server = self.servers[step["on"]]
        await asyncio.sleep(step["quiet_ms"] / 1000)
        need(server.frames.empty(), "it got a frame")

    async def do_cut(self, step):
        server = self.servers[step["cut"]]
        await (server.cut_all() if isinstance(server, Relayed) else server.cut())

    async def do_away(self, step):
        await self.servers[step["away"]].away()

    async def do_back(self, step):
        await Scripted.listen(self.servers[step["back"]])

    async def do_wait_ms(self, step):
        await asyncio.sleep(step["wait_ms"] / 1000)

    async def do_kill(self, step):
        if step["kill"] == "client":
            await self.driver.end(kill=True)
        else:
            await self.servers[step["kill"]].kill()

    async def do_disk(self, step):
        await self.driver.start()
        process, most = self.driver.process.pid, step["disk"]
        _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
        soft = hard if most is None else most
        resource.prlimit(process, resource.RLIMIT_FSIZE, (soft, hard))

    async def do_start(self, step):
        await self.servers[step["start"]].start()

    async def do_stop(self, step):
        server = self.servers[step["stop"]]
        server.signal(signal.SIGSTOP)
        stat = pathlib.Path(f"/proc/{server.process.pid}/stat")
        # Its threads may run on for a moment.
        while stat.read_text().rpartition(")")[2].split()[0] != "T":
            await asyncio.sleep(0.001)

    async def do_continue(self, step):
        self.servers[step["continue"]].signal(signal.SIGCONT)

    async def do_hold_replies(self, step):
        self.servers[step["hold_replies"]].letting.clear()

    async def do_let_replies(self, step):
        self.servers[step["let_replies"]].letting.set()

    async def until(self, look, wanted):
        """Until what `look` gives fits."""
        deadline = time.monotonic() + SECONDS
        while True:
            found = await look()
            if fits(wanted, found):
                return
            need(time.monotonic() < deadline, f"last {found}")
            await asyncio.sleep(0.02)

    async def do_until(self, step):
        async def look():
            return (await self.within(self.driver.begin("stats", {})))["result"]

        await self.until(look, step["until"]["stats"])

    async def do_spend(self, step):
        server, scope = self.servers[step["spend"]], step["scope"]
        request = {"call_id": 1, "get_provider_budgets": {
            "include_deployments": True, "include_tags": True}}

        async def look():
            reply = await server.call(self.messages.encode("Request", request))
            page = self.messages.decode("Response", reply)["get_provider_budgets"]
            row = next(row for row in page[scope] if row["name"] == step["name"])
            return {"is": row.get("spend_usd", 0.0), "reserved": row.get("reserved_usd", 0.0)}

        await self.until(look, {name: float(step[name]) for name in ("is", "reserved")
                                if name in step})

    async def do_journal(self, step):
        folder = self.folder / step["journal"]
        if "write" in step:
            folder.mkdir(exist_ok=True)
            data = JOURNAL + b"".join(map(self.entry, step["entries"]))
            data += bytes.fromhex(step.get("garbage", ""))
            if step.get("lives"):
                lock = socket.socket(socket.AF_UNIX)
                lock.bind(str(folder / f"{step['write']}.lock"))
                lock.listen()
                self.locks.append(lock)
            path = folder / f"{step['write']}.journal"
            path.write_bytes(data)
            path.chmod(0o600)  # a token may stand in it
        elif "files" in step:
            async def count():
                return len(list(folder.glob("*.journal")))

            await self.until(count, step["files"])
        elif "owed" in step:
            async def owed():
                return sorted(key for path in folder.glob("*.journal") for key in self.owed(path))

            await self.until(owed, sorted(self.known(step["owed"])))
        else:
            (path,) = folder.glob("*.journal")
            wanted = JOURNAL + b"".join(map(self.entry, step["entries"]))
            need(path.read_bytes() == wanted, f"{path.read_bytes().hex()}, not {wanted.hex()}")

    def entry(self, given):
        given = self.known(given)
        if "done" in given:
            payload = b"\x02" + given["done"].encode()
        else:
            address = given.get("address", "")
            address = self.servers[address].address if address in self.servers else address
            payload = b"\x01" + struct.pack(">H", len(address)) + address.encode()
            payload += self.messages.encode("Request", given["owed"])
        return struct.pack(">II", len(payload), zlib.crc32(payload)) + payload

    def owed(self, path):
        data, at, keys = path.read_bytes(), len(JOURNAL), []
        while len(data) - at >= 8:
            size, check = struct.unpack_from(">II", data, at)
            payload = data[at + 8:at + 8 + size]
            if len(payload) < size or zlib.crc32(payload) != check:
                break
            at += 8 + size
            if payload[0] == 2:
                keys.remove(payload[1:].decode())
                continue
            (length,) = struct.unpack_from(">H", payload, 1)
            request = self.messages.decode("Request", payload[3 + length:])
            key = request["record_spend"]["idempotency_key"]
            if key not in keys:
                keys.append(key)
        return keys


STEPS = [name[len("do_"):] for name in vars(Case) if name.startswith("do_")]


async def run(options):
    cases = [case for path in options.files or sorted(HERE.glob("*.json"))
             for case in json.loads(pathlib.Path(path).read_text())
             if not options.case or options.case in case["name"]]
    counts, turns = {"ok": 0, "FAILED": 0, "SKIPPED": 0}, asyncio.Semaphore(options.jobs)

    async def one(case):
        async with turns:
            if options.first and counts["FAILED"]:
                return
            begun = time.monotonic()
            try:
                with tempfile.TemporaryDirectory(prefix="bd", dir="/tmp") as folder:
                    await Case(case, options, folder).run()
                verdict, why = "ok", ""
            except Skipped as error:
                verdict, why = "SKIPPED", f": {error}"
            except Failed as error:
                verdict, why = "FAILED", f": {error}"
            counts[verdict] += 1
            if verdict != "ok" or not options.quiet:
                took = time.monotonic() - begun
                print(f"{case['name']} ({took:.2f} s): {verdict}{why}", flush=True)

    await asyncio.gather(*map(one, cases))
    print(f"{counts['ok']} ok, {counts['FAILED']} failed, {counts['SKIPPED']} skipped")
    return 1 if counts["FAILED"] or not counts["ok"] else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=pathlib.Path, help="all of this folder if none")
    parser.add_argument("--driver", required=True, help="the driver's command")
    parser.add_argument("--budgetd", help="a budgetd, for the cases that want a real one")
    parser.add_argument("--case", help="only cases whose name has this text")
    parser.add_argument("--jobs", type=int, default=4, help="cases side by side (4)")
    parser.add_argument("--first", action="store_true", help="end at the first that fails")
    parser.add_argument("--quiet", action="store_true", help="say only what fails")
    options = parser.parse_args()
    options.messages = Messages(PROTO)
    sys.exit(asyncio.run(run(options)))


if __name__ == "__main__":
    main()
