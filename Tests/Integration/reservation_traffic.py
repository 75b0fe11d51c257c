"""Traffic that goes on until the money is out: requests at random, some seconds on the way, with
costs that are known afterwards. Clients of budgetd's nodes, with reservations or without, and of
LiteLLM's own workers."""

import asyncio
import collections
import dataclasses
import itertools
import math
import random
import struct
import time

from budget_client import pb
from conftest import LONG, OK, code_of

EXHAUSTED, UNAVAILABLE = 8, 14
MEAN, SIGMA = 0.01, 0.5  # dollars a request, and how far the logarithms of costs lie apart
CANDIDATE = ("d", "groq/llama-3.3-70b-versatile")


@dataclasses.dataclass
class Request:
    """One that was let through: what was held, what it cost, and the loop's times of both."""

    cost: float
    held: float = 0.0
    reservation: str = ""
    admitted_at: float = math.inf
    recorded_at: float = math.inf
    # What the answer said, the node that holds, and whether the record went to another one.
    words: str = ""
    node: object = None
    elsewhere: bool = False


class Connection:
    """Many calls at a time on one connection; whatever ends it fails all of them."""

    tasks = set()  # of all connections: `play` ends those that are left

    def __init__(self, node):
        self.node, self.last, self.waiting, self.writer = node, 0, {}, None

    async def open(self):
        reader, self.writer = await asyncio.open_connection(*self.node.rpc)
        self.task = asyncio.create_task(self.receive(reader))
        self.tasks.add(self.task)
        self.task.add_done_callback(self.tasks.discard)
        return self

    async def receive(self, reader):
        error = None
        try:
            while True:
                (length,) = struct.unpack(">I", await reader.readexactly(4))
                response = pb.Response.FromString(await reader.readexactly(length))
                self.waiting.pop(response.call_id).set_result(response)
        except (OSError, EOFError) as ended:
            error = ended
        finally:
            self.writer.close()
            for future in self.waiting.values():
                if not future.done():
                    future.set_exception(ConnectionError(str(error)))
            self.waiting.clear()

    async def call(self, **request):
        if self.task.done():
            raise ConnectionError("the connection has ended")
        self.last += 1
        future = self.waiting[self.last] = asyncio.get_running_loop().create_future()
        message = pb.Request(call_id=self.last, **request).SerializeToString()
        self.writer.write(struct.pack(">I", len(message)) + message)
        return await asyncio.wait_for(future, LONG)


class NodeClient:
    """A router that asks one node, and the next one where that is gone."""

    def __init__(self, nodes, place, tag, reserving=True, greatest=False, ttl=0):
        self.nodes, self.place, self.connections = nodes, place, {}
        self.reserving, self.greatest, self.ttl = reserving, greatest, ttl
        # Its own provider: what requests cost on an average is learned in each run anew.
        self.names = dict(provider=f"p-{tag}", tags=[tag])

    async def connection(self, place):
        node = self.nodes[place % len(self.nodes)]
        held = self.connections.get(node)
        if held is None or held.task.done():
            held = self.connections[node] = await Connection(node).open()
        return held

    async def admit(self, request):
        try:
            connection = await self.connection(self.place)
            if not self.reserving:
                return code_of(await connection.call(filter_deployments=dict(
                    deployments=[dict(id="d", provider=self.names["provider"])],
                    tags=self.names["tags"])))
            # A caller who knows what it costs at most says so; else it is estimated.
            amount = {"amount_usd": request.cost} if self.greatest else {}
            response = await connection.call(reserve_spend=self.names | amount | dict(
                ttl_ms=self.ttl))
        except OSError:
            self.place += 1
            return None
        request.reservation = response.reserve_spend.reservation_id
        request.held = response.reserve_spend.reserved_usd
        request.node, request.words = connection.node, response.status.message
        return code_of(response)

    async def record(self, request, key):
        """Told until somebody has taken it; another node only where this one is gone, since each knows the
        keys of its own records alone."""
        place = self.place
        for _ in range(500):
            try:
                connection = await self.connection(place)
                response = await connection.call(record_spend=self.names | dict(
                    cost_usd=request.cost, idempotency_key=key,
                    reservation_id=request.reservation))
            except OSError:
                place += is_gone(self.nodes[place % len(self.nodes)])
                await asyncio.sleep(0.02)
                continue
            assert code_of(response) == OK, response
            request.elsewhere = self.reserving and connection.node is not request.node
            return
        raise AssertionError("nobody took the record")


def is_gone(node):
    return getattr(node, "server", node).process.poll() is not None


class WorkerClient:
    """A client of one of LiteLLM's workers, as its own router calls its limiter."""

    def __init__(self, worker, tag):
        self.worker, self.tag, self.turn = worker, tag, asyncio.Lock()

    async def admit(self, request):
        async with self.turn:
            allowed = await asyncio.to_thread(self.worker.filter, [CANDIDATE], [self.tag])
        return OK if allowed else EXHAUSTED

    async def record(self, request, key):
        async with self.turn:
            await asyncio.to_thread(self.worker.record, request.cost, tags=[self.tag])


class Traffic:
    """What so many clients ask of one budget."""

    def __init__(self, limit, rate, latency):
        self.limit, self.rate, self.latency = limit, rate, latency
        self.answers, self.requests, self.waits = collections.Counter(), [], []
        self.last_words = {}

    async def client(self, client, seconds, seed):
        chance, loop = random.Random(seed), asyncio.get_running_loop()
        at = loop.time()
        end, under_way = at + seconds, []
        for number in itertools.count():
            at += chance.expovariate(self.rate)
            if at >= end:
                break
            await asyncio.sleep(at - loop.time())
            request = Request(MEAN * math.exp(chance.gauss(0, SIGMA) - SIGMA ** 2 / 2))
            under_way.append(asyncio.create_task(self.one(client, request, f"{seed} {number}")))
        await asyncio.gather(*under_way)

    async def one(self, client, request, key):
        clock = asyncio.get_running_loop().time
        asked = clock()
        code = await client.admit(request)
        self.waits.append(clock() - asked)
        self.answers[code] += 1
        self.last_words[code] = request.words
        if code != OK:
            return
        request.admitted_at = clock()
        self.requests.append(request)
        await asyncio.sleep(self.latency)
        await client.record(request, key)
        request.recorded_at = clock()

    @property
    def spent(self):
        return math.fsum(request.cost for request in self.requests)

    @property
    def over(self):
        """The part of the limit that was spent beyond it; below 0: what was left."""
        return self.spent / self.limit - 1

    @property
    def left(self):
        """What is neither spent nor held, as the clients know it."""
        return self.limit - math.fsum(
            one.held if one.recorded_at == math.inf else one.cost for one in list(self.requests))

    def under_way(self, node, at):
        """The costs of what is let through on a node from then on, or was under way."""
        return math.fsum(
            one.cost for one in self.requests if one.node is node and one.recorded_at >= at)

    def settled_late(self, ttl):
        """The costs of what was recorded after its hold had ended by its time, in seconds."""
        return math.fsum(one.cost for one in self.requests
                         if one.recorded_at - one.admitted_at > ttl - 0.2)

    def wait(self, part=0.99):
        """How long so large a part of the answers took at most, in seconds."""
        return sorted(self.waits)[int(len(self.waits) * part)]

    def beyond_holds(self):
        """The costs beyond what was held of all that is open, or is let through, once spend and holds
        are above the limit for good; and what was spent without a hold on its own node since then."""
        changes = [(one.admitted_at, one.held) for one in self.requests] + [
            (one.recorded_at, one.cost - one.held) for one in self.requests]
        total, last = 0.0, 0.0
        for at, change in sorted(changes):
            total += change
            if total <= self.limit:
                last = at
        # Answers are seen a little after what they tell of.
        late = [one for one in self.requests if one.recorded_at >= last - 0.1]
        return (math.fsum(max(0.0, one.cost - one.held) for one in late),
                math.fsum(one.cost for one in late if one.elsewhere))


class Watch:
    """What the machine did meanwhile: how long this process stood still at most, and how old the nodes'
    last agreement with Redis was, now and at most. In seconds."""

    def __init__(self, nodes):
        self.nodes, self.stall, self.oldest, self.ages = nodes, 0.0, 0.0, {}

    async def tick(self, pause=0.01):
        clock = asyncio.get_running_loop().time
        while True:
            before = clock()
            await asyncio.sleep(pause)
            self.stall = max(self.stall, clock() - before - pause)

    async def look(self, node):
        connection = await Connection(node).open()
        while not connection.task.done():
            response = await connection.call(get_provider_budgets=dict(page_size=1))
            agreed = response.get_provider_budgets.reconciled_at_unix_ms
            self.ages[node] = time.time() - agreed / 1000
            self.oldest = max(self.oldest, self.ages[node])
            await asyncio.sleep(0.05)
        self.ages[node] = 0.0

    async def all(self):
        await asyncio.gather(self.tick(), *map(self.look, self.nodes), return_exceptions=True)

    @property
    def age(self):
        return max(self.ages.values(), default=0.0)


def play(streams, seconds, watch, meanwhile=None):
    """Plays streams, [(traffic, [client], seed)], at the same time; `meanwhile` is called in a thread of
    its own."""
    async def all_of_them():
        watching = asyncio.create_task(watch.all())
        parts = [traffic.client(client, seconds, f"{seed} {place}")
                 for traffic, clients, seed in streams for place, client in enumerate(clients)]
        if meanwhile:
            parts.append(asyncio.to_thread(meanwhile))
        await asyncio.gather(*parts)
        left = [watching, *Connection.tasks]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    asyncio.run(all_of_them())
    for traffic, _, _ in streams:
        assert set(traffic.answers) <= {OK, EXHAUSTED, UNAVAILABLE, None}, traffic.answers
