"""A small node that shares its spend through Redis, to try the fleet's tests on: they must pass on
it as it is, and fail on it with one of these mistakes in the variable STAND_IN_MISTAKE.

    delta      sends what is new since the last push, and forgets it once it is sent
    this-life  sends what it spent since its start, and relies on Redis for the lives before

It knows long windows only, and nothing of outage policies. Takes budgetd's command line.
"""

import argparse
import os
import queue
import secrets
import signal
import socketserver
import sqlite3
import struct
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path

import yaml

from budget_client import pb
from redis_client import RedisClient, RedisError

MISTAKE = os.environ.get("STAND_IN_MISTAKE", "")
PICO = Decimal("1e-12")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SCRIPT = """
local K, M, w, fin = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local function pico(s)
  local d, f = string.match(s, '^(%d+)%.(%d+)$')
  return d * 1e12 + f
end
local function text(p)
  return string.format('%.0f.%012.0f', math.floor(p / 1e12), p % 1e12)
end
local sum, news = pico(redis.call('HGET', M, 'sum') or '0.0'), 0
local old = sum
local set = {}
for i = 4, #ARGV, 2 do
  local have = pico(redis.call('HGET', M, 'c:' .. ARGV[i]) or '0.0')
  local cum = pico(ARGV[i + 1])
  if ARGV[3] == 'delta' then cum = have + cum end
  if cum > have then
    news = news + cum - have
    set[#set + 1] = 'c:' .. ARGV[i]; set[#set + 1] = text(cum)
  end
end
sum = sum + news
local k = redis.call('GET', K)
local grow = news
if not k or tonumber(k) < old / 1e12 - 1e-9 then grow = sum end
if grow > 0 then redis.call('INCRBYFLOAT', K, text(grow)) end
redis.call('PEXPIREAT', K, fin)
if #set > 0 then
  redis.call('HSET', M, 'v', '1', 'w', w, 'fin', fin, 'sum', text(sum), 't', redis.call('GET', K),
             'e', 'x', unpack(set))
  redis.call('PEXPIREAT', M, fin + 600000)
end
return {redis.call('GET', K) or '0', text(sum)}
"""


def read_config(path):
    """{(scope, name): (limit, window text)}."""
    document = yaml.safe_load(Path(path).read_text())
    rows = {}
    for name, row in document.get("router_settings", {}).get("provider_budget_config", {}).items():
        rows["providers", name] = row["budget_limit"], row["time_period"]
    for name, row in document.get("litellm_settings", {}).get("tag_budget_config", {}).items():
        rows["tags", name] = row["max_budget"], row["budget_duration"]
    for row in document.get("model_list", []):
        params = row["litellm_params"]
        if "max_budget" in params:
            key = "deployments", row["model_info"]["id"]
            rows[key] = params["max_budget"], params["budget_duration"]
    return rows


class Node:
    def __init__(self, options):
        self.budgets = read_config(options.config)
        self.interval = options.reconcile_interval_ms / 1000
        host, port = options.redis.removeprefix("redis://").split(":")
        self.redis_address = host, int(port)
        directory = Path(options.data_dir)
        directory.mkdir(parents=True, exist_ok=True)
        self.base = sqlite3.connect(
            directory / "ledger.db", isolation_level=None, check_same_thread=False)
        self.base.executescript("""
            PRAGMA journal_mode=WAL;
            CREATE TABLE IF NOT EXISTS record(key TEXT PRIMARY KEY);
            CREATE TABLE IF NOT EXISTS node(id TEXT);
            CREATE TABLE IF NOT EXISTS budget(id INTEGER PRIMARY KEY, scope INT, name TEXT);
            CREATE TABLE IF NOT EXISTS window_spend(budget INT, origin TEXT, end_ms INT,
              dollars INT, pico INT, PRIMARY KEY(budget, origin));
        """)
        row = self.base.execute("SELECT id FROM node").fetchone()
        self.name = row[0] if row else secrets.token_hex(4)
        if not row:
            self.base.execute("INSERT INTO node VALUES(?)", (self.name,))
        self.origin = f"{self.name}.{secrets.token_hex(4)}"
        self.ids = {}
        for number, (scope, name) in enumerate(self.budgets):
            code = {"providers": 1, "deployments": 2, "tags": 3}[scope]
            self.base.execute("REPLACE INTO budget VALUES(?,?,?)", (number, code, name))
            self.ids[scope, name] = number
        self.keys = {key for key, in self.base.execute("SELECT key FROM record")}
        self.spent = {}  # (budget, origin): committed
        for number, origin, whole, pico in self.base.execute(
                "SELECT budget, origin, dollars, pico FROM window_spend"):
            self.spent[number, origin] = whole + pico * PICO
        self.sent = dict(self.spent)
        self.others = dict.fromkeys(self.ids.values(), Decimal(0))
        self.at, self.state = 0, "partitioned"
        self.link = None
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.arrivals = queue.Queue()

    def commits(self):
        while True:
            batch = [self.arrivals.get()]
            while not self.arrivals.empty():
                batch.append(self.arrivals.get())
            with self.lock:
                answers = []
                self.base.execute("BEGIN")
                for key, budgets, cost, reply in batch:
                    duplicate = bool(key) and key in self.keys
                    if not duplicate:
                        for budget in budgets:
                            self.add(budget, cost)
                        if key:
                            self.keys.add(key)
                            self.base.execute("INSERT INTO record VALUES(?)", (key,))
                    answers.append((reply, duplicate, 0 if duplicate else len(budgets)))
                self.base.execute("COMMIT")
            for reply, duplicate, count in answers:
                reply(pb.RecordSpendResponse(duplicate=duplicate, budgets_charged=count))

    def add(self, budget, cost):
        at = self.ids[budget], self.origin
        total = self.spent[at] = self.spent.get(at, Decimal(0)) + cost
        self.base.execute(
            "REPLACE INTO window_spend VALUES(?,?,0,?,?)",
            (*at, int(total), int((total - int(total)) / PICO)))

    def mine(self, number):
        return sum((amount for (n, _), amount in self.spent.items() if n == number), Decimal(0))

    def passes(self):
        while not self.stopping.wait(self.interval):
            self.try_pass()

    def try_pass(self):
        try:
            if not self.link:
                self.link = RedisClient(self.redis_address, timeout=0.5)
            self.one_pass()
            self.state = "ok"
        except (OSError, EOFError, RedisError) as error:
            if self.state == "ok":
                print(f"warning: redis {self.redis_address}: {error}", file=sys.stderr, flush=True)
            self.state = "partitioned"
            if self.link:
                self.link.close()
            self.link = None

    def one_pass(self):
        now = int(self.link("TIME")[0])
        for (scope, name), number in self.ids.items():
            window = self.budgets[scope, name][1]
            length = int(window[:-1]) * UNITS[window[-1]]
            kind = scope[:-1]
            with self.lock:
                origins = {o: a for (n, o), a in self.spent.items() if n == number}
            held = sum(origins.values(), Decimal(0))
            if not origins:
                value = Decimal(self.link("GET", f"{kind}_spend:{name}:{window}") or 0)
                self.others[number] = value
                continue
            start = f"{kind}_budget_start_time:{name}"
            self.link("SET", start, f"{now}.0", "NX", "EX", length)
            begun = self.link("GET", start)
            if begun is None:
                continue  # Redis was emptied in between: the next pass begins the window again.
            end = int(float(begun) * 1000) + length * 1000
            pairs = []
            for origin, amount in origins.items():
                if MISTAKE == "this-life" and origin != self.origin:
                    continue
                if MISTAKE == "delta":
                    new = amount - self.sent.get((number, origin), Decimal(0))
                    self.sent[number, origin] = amount
                    amount = new
                pairs += [origin, f"{amount:.12f}"]
            key = f"{kind}_spend:{name}:{window}"
            value, _ = self.link("EVAL", SCRIPT, 2, key, "{" + key + "}:bd", end - length * 1000,
                                 end, MISTAKE, *pairs)
            self.others[number] = Decimal(value).quantize(PICO) - held
        self.at = max(self.at + 1, int(time.time() * 1000))

    def reply(self, method, request, send):
        if method == "ping":
            send(pb.PingResponse(version="stand-in", ready=True, durability="commit",
                                 store_state=self.state))
        elif method == "filter_deployments":
            count = len(request.filter_deployments.deployments)
            send(pb.FilterDeploymentsResponse(allowed=range(count)))
        elif method == "get_provider_budgets":
            found = pb.GetProviderBudgetsResponse(reconciled_at_unix_ms=self.at)
            with self.lock:
                for (scope, name), number in self.ids.items():
                    getattr(found, scope).add(
                        name=name, limit_usd=self.budgets[scope, name][0],
                        spend_usd=float(self.mine(number) + self.others[number]))
            send(found)
        else:
            record = request.record_spend
            budgets = [b for b in [("providers", record.provider),
                                   *(("tags", tag) for tag in sorted(set(record.tags))),
                                   ("deployments", record.deployment_id)] if b in self.ids]
            cost = Decimal(repr(record.cost_usd)).quantize(PICO)
            self.arrivals.put((record.idempotency_key, budgets, cost, send))


class Connection(socketserver.BaseRequestHandler):
    def handle(self):
        reader = self.request.makefile("rb")
        writing = threading.Lock()
        while len(header := reader.read(4)) == 4:
            request = pb.Request.FromString(reader.read(*struct.unpack(">I", header)))
            method = request.WhichOneof("method")

            def send(answer, method=method, call=request.call_id):
                response = pb.Response(call_id=call)
                getattr(response, method).CopyFrom(answer)
                message = response.SerializeToString()
                try:
                    with writing:
                        self.request.sendall(struct.pack(">I", len(message)) + message)
                except OSError:
                    pass

            self.server.node.reply(method, request, send)


class Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 256


def main():
    parser = argparse.ArgumentParser()
    for option in ("--config", "--listen", "--http", "--data-dir", "--redis"):
        parser.add_argument(option)
    parser.add_argument("--reconcile-interval-ms", type=int, default=1000)
    options = parser.parse_args()
    node = Node(options)
    node.try_pass()
    listener = Listener(("127.0.0.1", 0), Connection)
    listener.node = node

    # Held back in every thread and waited for: a handler would run between any two steps, and one
    # that ran just before pause() would be followed by no other signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    passing = threading.Thread(target=node.passes, daemon=True)
    for thread in (passing, threading.Thread(target=node.commits, daemon=True),
                   threading.Thread(target=listener.serve_forever, daemon=True)):
        thread.start()
    print(f"budgetd ready rpc=127.0.0.1:{listener.server_address[1]} http=off"
          f" durability=commit", flush=True)
    signal.sigwait({signal.SIGTERM})
    # The pass under way is given up: the last one has a link of its own.
    node.stopping.set()
    passing.join()
    node.try_pass()
    node.base.close()
    os._exit(0)


main()
