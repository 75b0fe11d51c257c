"""A hundred reloads that add, drop, reorder and relimit budgets while clients record and filter."""

import collections
import os
import random
import threading
from decimal import Decimal

from budget_client import pb
from conftest import OK, code_of, config_text, eventually

RELOADS, WRITERS, READERS, LOOKERS = 100, 4, 3, 1
WINDOW = "30d"
STAY = {scope: [f"stay-{scope[:1]}{i}" for i in range(6)] for scope in ("providers", "tags")}
STAY["deployments"] = [f"stay-d{i}" for i in range(6)]
COME = [f"come-{i}" for i in range(20)]
NEVER = [f"never-{i}" for i in range(10)]


def configuration(number, chance):
    """All that stays, some of what comes and goes, one marker, in random order and new limits."""
    def limit():
        return 1e8 + chance.randrange(10**6)

    def shuffled(names):
        chance.shuffle(names)
        return names

    come = chance.sample(COME, chance.randrange(len(COME)))
    providers = shuffled([*STAY["providers"], *come, "flip", "deny", f"marker-{number}"])
    limits = {n: (limit(), WINDOW) for n in providers}
    limits["flip"] = (number % 2 * 1e8, WINDOW)
    limits["deny"] = (0, WINDOW)
    tags = {n: (limit(), WINDOW) for n in shuffled([*STAY["tags"], *come])}
    models = [(n, "group", f"openai/{n}", limit(), WINDOW)
              for n in shuffled([*STAY["deployments"], *come])]
    return config_text(limits, tags, models)


class Load:
    """Threads that record, filter and look until `stopped`; what they saw."""

    def __init__(self, server, seed):
        self.server = server
        self.seed = seed
        self.stopped = threading.Event()
        self.lock = threading.Lock()
        self.accepted = collections.defaultdict(Decimal)
        self.records = self.filters = self.looks = 0
        self.shown = collections.defaultdict(float)
        self.problems = []
        self.threads = [threading.Thread(target=self.run, args=(work, number), daemon=True)
                        for work, count in ((self.record, WRITERS), (self.filter, READERS),
                                            (self.look, LOOKERS))
                        for number in range(count)]

    def run(self, work, number):
        chance = random.Random(f"{self.seed} {work.__name__} {number}")
        try:
            with self.server.client() as client:
                while not self.stopped.is_set():
                    work(client, chance)
        except Exception as error:  # shown by the test, which asserts that there is none
            self.problems.append(repr(error))

    def record(self, client, chance):
        """A pipelined batch of records; only what was answered OK counts."""
        batch = {}
        for _ in range(20):
            names = {
                "providers": [chance.choice(STAY["providers"] + COME + NEVER)],
                "deployments": [chance.choice(STAY["deployments"] + COME + NEVER)],
                "tags": chance.sample(STAY["tags"] + COME + NEVER, chance.randrange(4)),
            }
            cost = Decimal(chance.randrange(10**6)) / 10**chance.randrange(3, 12)
            cost = round(cost, 12)
            call_id = client.send(record_spend=dict(
                provider=names["providers"][0], deployment_id=names["deployments"][0],
                tags=names["tags"], cost_usd=float(cost)))
            batch[call_id] = (names, cost)
        for _ in range(len(batch)):
            response = client.receive()
            names, cost = batch.pop(response.call_id)
            if code_of(response) != OK:
                self.problems.append(str(response))
                continue
            flat = [(scope, n) for scope, found in names.items() for n in found]
            least = sum(n.startswith("stay") for _, n in flat)
            most = sum(not n.startswith("never") for _, n in flat)
            charged = response.record_spend.budgets_charged
            if not least <= charged <= most:
                self.problems.append(f"{names} charged {charged} budgets")
            with self.lock:
                self.records += 1
                for name in flat:
                    self.accepted[name] += cost

    def filter(self, client, chance):
        """Answers speak of the names that were asked for, at their positions."""
        names = [chance.choice(STAY["providers"] + COME + NEVER + ["flip", "deny"])
                 for _ in range(30)]
        response = client.call(filter_deployments=dict(
            deployments=[dict(id=f"x-{n}", model="m", provider=n) for n in names],
            tags=chance.sample(STAY["tags"] + COME, 2)))
        result = response.filter_deployments
        denied = {d.deployment: d for d in result.denials}
        for position, name in enumerate(names):
            denial = denied.get(position)
            if (position in result.allowed) == (denial is not None):
                self.problems.append(f"{name} is both or neither: {result}")
            if denial and (denial.name, denial.scope, denial.limit_usd, denial.spend_usd) != (
                    name, pb.SCOPE_PROVIDER, 0.0, 0.0):
                self.problems.append(f"position {position} is {name}: {denial}")
            if (name == "deny" and not denial) or (denial and name not in ("deny", "flip")):
                self.problems.append(f"{name}: {denial}")
        response = client.call(filter_deployments=dict(model_name="group"))
        result = response.filter_deployments
        found = {c.id for c in result.candidates}
        if list(result.allowed) != list(range(len(found))) or result.denials or not (
                set(STAY["deployments"]) <= found <= set(STAY["deployments"] + COME)):
            self.problems.append(f"model group: {response}")
        with self.lock:
            self.filters += 1

    def look(self, client, chance):
        """Each answer shows one configuration, whole; what was spent never gets less."""
        result = client.call(get_provider_budgets=dict(
            include_deployments=True, include_tags=True)).get_provider_budgets
        providers = [b.name for b in result.providers]
        if sum(n.startswith("marker-") for n in providers) != 1:
            self.problems.append(f"not one configuration: {providers}")
        for scope, names in STAY.items():
            spends = {b.name: b.spend_usd for b in getattr(result, scope)}
            if len(spends) != len(getattr(result, scope)) or not set(names) <= set(spends):
                self.problems.append(f"{scope}: {sorted(spends)}")
            for name in names:
                if spends[name] < self.shown[scope, name]:
                    self.problems.append(f"{name} went from {self.shown[scope, name]} down")
                self.shown[scope, name] = spends[name]
        self.looks += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive(), "a client got no answer"


def test_hundred_reloads_under_load(start):
    seed = os.environ.get("SEED", "20261122")
    print("SEED", seed)
    chance = random.Random(seed)
    server = start(configuration(0, chance))
    first = server.budgets()
    with Load(server, seed) as load:
        eventually(lambda: load.records > 200 and load.filters > 20)
        for number in range(1, RELOADS + 1):
            server.reload(configuration(number, chance))
            marker = f"marker-{number}"
            eventually(lambda: server.budgets(providers=[marker])["providers"],
                       what=f"reload {number}")
            before = load.records, load.filters, len(load.problems)
            eventually(lambda: load.problems
                       or (load.records > before[0] and load.filters > before[1]))
            assert not load.problems, load.problems[:5]
            gone = server.budgets(providers=[f"marker-{number - 1}"])["providers"]
            assert not gone, "a dropped budget is still shown"
    assert not load.problems, load.problems[:5]
    assert load.records > 2000 and load.filters > 200 and load.looks > 100

    last = server.budgets()
    for scope, names in STAY.items():
        for name in names:
            budget = last[scope][name]
            assert load.accepted[scope, name] > 0
            assert budget.spend_usd == float(load.accepted[scope, name]), (scope, name)
            assert budget.time_period == first[scope][name].time_period == WINDOW
            if scope == "providers":  # their windows opened when the server started
                assert budget.resets_at_unix_ms == first[scope][name].resets_at_unix_ms
    for scope, budgets in last.items():
        for name, budget in budgets.items():
            assert not name.startswith("never")
            assert budget.spend_usd <= float(load.accepted[scope, name]), (scope, name)
    assert last["providers"]["flip"].spend_usd == last["providers"]["deny"].spend_usd == 0
    assert last["providers"][f"marker-{RELOADS}"].spend_usd == 0
