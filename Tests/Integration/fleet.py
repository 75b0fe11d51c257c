"""Several budgetd nodes on one Redis: starting and losing them, and what must agree in the end.

Three books are compared, all in exact decimals: what the clients were told is recorded, what the
nodes' ledgers hold, and what the nodes' markers in Redis sum up to.
"""

import collections
import sqlite3
import struct
import time
from decimal import Decimal

from budget_client import Client, pb
from conftest import LONG, OK, code_of, eventually
from ledger_clients import PICO, dollars, in_threads, ping
from redis_client import RedisError

FAST = ("--reconcile-interval-ms", "100")
SCOPES = {
    1: "providers", 2: "deployments", 3: "tags", 4: "models", 5: "pools", 6: "total"}
PREFIXES = {"providers": "provider", "deployments": "deployment", "tags": "tag"}


def spend_key(scope, name, window, namespace=None):
    """Where LiteLLM keeps a budget's spend."""
    return (f"{namespace}:" if namespace else "") + f"{PREFIXES[scope]}_spend:{name}:{window}"


def start_key(scope, name, namespace=None):
    """Where LiteLLM keeps the start of a budget's window."""
    return (f"{namespace}:" if namespace else "") + f"{PREFIXES[scope]}_budget_start_time:{name}"


def marker_key(spend):
    """Where the nodes' shares of a spend key are: in its cluster slot."""
    opened = spend.find("{")
    tagged = opened >= 0 and spend.find("}", opened) > opened + 1
    return f"{spend}:bd" if tagged else "{" + spend + "}:bd"


# `replaced`: the open window that this one took the place of, as where LiteLLM set a new start.
Marker = collections.namedtuple("Marker", "window end total origins replaced")


def marker(client, spend):
    """The marker of a spend key; None if there is none. Its parts must make up its sum."""
    fields = client.hash(marker_key(spend))
    if not fields:
        return None
    origins = {name[2:]: Decimal(value) for name, value in fields.items() if name[:2] == "c:"}
    total = Decimal(fields["sum"])
    assert total == sum(origins.values(), Decimal(0)), f"{spend}: {fields}"
    for amount in [fields["sum"], *(v for k, v in fields.items() if k[:2] == "c:")]:
        assert len(amount.split(".")[1]) == 12, f"{spend}: {amount} has not twelve decimals"
    return Marker(fields["w"], int(fields["fin"]), total, origins, fields.get("prev", ""))


def marker_total(client, spend):
    """What the nodes have of a spend key; 0 without a marker."""
    mark = marker(client, spend)
    return mark.total if mark else Decimal(0)


def ours(key):
    """Whether a key is budgetd's own and not LiteLLM's."""
    return key.endswith((":bd", ":bdh")) or "budgetd:" in key


def reconciled_at(node):
    response = node.call(get_provider_budgets={"page_size": 1})
    assert code_of(response) == OK, response.status
    return response.get_provider_budgets.reconciled_at_unix_ms


def passes(node, count=2, timeout=LONG):
    """Waits until `count` passes ended; the last of two began after this call."""
    for _ in range(count):
        before = reconciled_at(node)
        eventually(lambda: reconciled_at(node) > before, timeout, f"a pass after {before}")


def store_state(node, state, timeout=LONG):
    """Waits until Ping says so."""
    return eventually(lambda: ping(node).store_state == state, timeout,
                      f"store_state {state}, is {ping(node).store_state}")


def allowed(node, deployments=(("d-0", "openai/gpt-4o"),), tags=()):
    """ids within budget; the status too where the answer is neither yes nor no."""
    response = node.call(filter_deployments=dict(
        deployments=[dict(id=i, model_name="group", model=m) for i, m in deployments],
        tags=list(tags)))
    if response.status.code not in (OK, 8):
        return response.status
    return [deployments[n][0] for n in response.filter_deployments.allowed]


def ledger_windows(directory):
    """{(scope, name): {end ms: exact spend}} from the database of a node that was stopped."""
    (path,) = [path for path in (directory / "data").rglob("*")
               if path.is_file() and path.read_bytes()[:16] == b"SQLite format 3\0"]
    base = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        rows = base.execute(
            "SELECT scope, name, end_ms, dollars, pico FROM window_spend"
            " JOIN budget ON budget.id = window_spend.budget").fetchall()
    finally:
        base.close()
    found = collections.defaultdict(lambda: collections.defaultdict(Decimal))
    for scope, name, end, whole, pico in rows:
        found[SCOPES[scope], name][end] += whole + pico * PICO
    return {budget: dict(windows) for budget, windows in found.items()}


def ledger_totals(directories):
    """{(scope, name): exact spend} over all windows of all nodes."""
    total = collections.Counter()
    for directory in directories:
        for budget, windows in ledger_windows(directory).items():
            total[budget] += sum(windows.values(), Decimal(0))
    return total


def shown(node):
    """{(scope, name): spend} as a node shows it."""
    return {(scope, name): dollars(budget.spend_usd)
            for scope, budgets in node.budgets().items() for name, budget in budgets.items()}


def spends_in_redis(service, keys):
    """{budget: (spend key's value, marker's sum)}; 0 where a key is missing."""
    found = {}
    with service.client() as client:
        for budget, key in keys.items():
            found[budget] = (Decimal(client("GET", key) or 0), marker_total(client, key))
    return found


def side_by_side(function, cases):
    """Runs function(case) for all cases at once, since each mostly waits; all failures are told."""
    failures = []

    def one(case):
        try:
            function(case)
        except BaseException as error:
            failures.append(f"{getattr(case, '__name__', case)}: {type(error).__name__}: {error}")

    in_threads([(one, case) for case in cases])
    assert not failures, "\n\n".join(failures)


def differences(service, nodes, keys, expected, adds=0):
    """Every figure that is not what was accepted, in words. Markers and ledgers must be exact; a
    spend key is a sum of long doubles, off by 2^-63 of itself an addition; a node shows the spend
    key's rounding at most. Both may then differ in the last of twelve decimals."""
    wrong = []
    views = [(node.directory.name, shown(node)) for node in nodes]
    for budget, (spend, total) in spends_in_redis(service, keys).items():
        exact = expected.get(budget, Decimal(0))
        slack = adds * spend * Decimal(2) ** -63 + PICO / 10**5
        if total != exact:
            wrong.append(f"{budget}: the markers sum up to {total}, {exact} was accepted")
        if abs(spend - exact) > slack:
            wrong.append(f"{budget}: the spend key is {spend}, {exact} was accepted")
        for name, view in views:
            if abs(view[budget] - exact) > slack + PICO:
                wrong.append(f"{budget}: {name} shows {view[budget]}, {exact} was accepted")
    return wrong


def agree(service, nodes, keys, expected, adds=0, timeout=LONG):
    """Waits until Redis and all nodes show exactly what was accepted."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            wrong = differences(service, nodes, keys, expected, adds)
        except RedisError as error:
            wrong = [str(error)]
        if not wrong:
            return
        if time.monotonic() > deadline:
            logs = "\n".join(f"{node.directory.name}:\n{node.log[-1500:]}" for node in nodes)
            raise AssertionError("\n".join(wrong[:20]) + f"\n(after {timeout} s)\n{logs}")
        time.sleep(0.02)


def calls(stats, command):
    row = stats.get(f"cmdstat_{command}", "calls=0,usec=0")
    return int(dict(part.split("=") for part in row.split(","))["calls"])


def pipelined(address, requests, depth=256):
    """Sends (method, fields) requests many at a time; returns the responses, in no order."""
    responses = []
    with Client(address) as client:
        for first in range(0, len(requests), depth):
            chunk = requests[first:first + depth]
            frames = []
            for number, (method, fields) in enumerate(chunk, first + 1):
                message = pb.Request(call_id=number, **{method: fields}).SerializeToString()
                frames.append(struct.pack(">I", len(message)) + message)
            client.socket.sendall(b"".join(frames))
            responses += [client.receive() for _ in chunk]
    return responses
