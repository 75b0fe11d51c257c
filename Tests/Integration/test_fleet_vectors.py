"""What LiteLLM leaves in Redis, budgetd leaves there too, and where LiteLLM's answer is a fault,
several nodes on one Redis give the right one. Real processes; hours pass by a shifted clock."""

import contextlib
import json
from datetime import datetime, timezone
from decimal import Decimal

import pytest
import yaml

from conftest import LONG, OK, VECTORS, code_of, eventually
from fleet import ours, passes, reconciled_at
from redis_servers import redis_service
from shifted_clock import ShiftedClock

PLACES = Decimal("1e-12")
TOLERANCE = 1.0  # seconds, beyond the time that a step came late
EXHAUSTED = 8
# Those of quirks.jsonl that one process without Redis cannot show.
FLEET_QUIRKS = (
    "other_instance_blocks_after_window_end", "reset_race_overwrites_other_instance",
    "changed_window_length_after_restart", "poison_value_repeats_other_increments",
    "nan_cost_repeats_other_increments", "unparsable_redis_value_stops_all_syncing",
    "lost_start_key_extends_window",
    # And those that one can show, and that are about Redis.
    "last_second_of_window_deletes_redis_key", "late_flush_carries_spend_into_next_window",
    "single_instance_sync_at_window_end_revives_spend",
)


def scenarios(name):
    return [json.loads(line) for line in (VECTORS / name).read_text().splitlines()]


def litellm_yaml(config, namespace, port):
    document = {}
    if "model_list" in config:
        document["model_list"] = config["model_list"]
    if "provider_budget_config" in config:
        document["router_settings"] = {"provider_budget_config": config["provider_budget_config"]}
    if "tag_budget_config" in config:
        document["litellm_settings"] = {"tag_budget_config": config["tag_budget_config"]}
    if namespace:
        # LiteLLM heeds a namespace only beside the Redis that it is for.
        document.setdefault("router_settings", {}).update(
            redis_host="127.0.0.1", redis_port=port, cache_kwargs={"namespace": namespace})
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=10_000)


def seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Stage:
    """A Redis and nodes on one clock, a whole number of years after the scenario's."""

    def __init__(self, scenario, start, directory):
        self.start_node, self.directory = start, directory
        self.scenario, self.namespace = scenario, scenario.get("namespace")
        began = datetime.fromtimestamp(seconds(scenario["start"]), timezone.utc)
        later = began
        self.clock = ShiftedClock(directory)
        # Calendar months are as long as in the scenario in any year that is no leap year.
        while later.timestamp() < self.clock.now() + 60 or later.year % 4 == 0:
            later = later.replace(year=later.year + 1)
        self.clock.reach(later.timestamp())
        self.nodes = {}
        self.redis = self.zero = None

    @contextlib.contextmanager
    def open(self):
        try:
            with redis_service(environment=self.clock.environment) as self.redis:
                self.zero = self.clock.now()
                for name in self.scenario.get("instances", ["a"]):
                    self.boot(name)
                self.find_zero()
                yield self
        finally:
            self.clock.close()

    def boot(self, name, config=None):
        text = litellm_yaml(
            config or self.scenario["config"], self.namespace, self.redis.proxy.port)
        redis = [] if self.namespace else ["--redis", self.redis.url]
        self.nodes[name] = self.start_node(
            text, *redis, "--reconcile-interval-ms", "50",
            environment=self.clock.environment, directory=self.directory / name)
        self.settle(name)

    def find_zero(self):
        """The scenario's zero is when the first windows opened, not when a process was forked."""
        with self.redis.client() as client:
            starts = [float(client("GET", key)) for key in client.keys() if "start_time" in key]
        self.zero = min(starts, default=self.clock.now())

    def settle(self, *names):
        for name in names or self.nodes:
            passes(self.nodes[name])

    def late(self, at):
        """How much later than the scenario says it is."""
        return max(0.0, self.clock.now() - self.zero - at)

    def reach(self, at):
        self.clock.reach(self.zero + at)

    def node(self, step):
        return self.nodes[step.get("instance", "a")]


def try_record(node, step):
    fields = dict(provider=step.get("provider") or "", tags=step["tags"],
                  deployment_id=step["model_id"] or "", cost_usd=float(step["cost"]))
    return node.call(record_spend=fields)


def check_state(stage, expected, at, what):
    """Keys, values and times to live."""
    shift = stage.zero - seconds(stage.scenario["start"])
    with stage.redis.client() as client:
        slack = stage.late(at) + TOLERANCE
        keys = {key for key in client.keys() if not ours(key)}
        assert keys == set(expected), what
        for key, (value, lives) in expected.items():
            found = client("GET", key)
            if "start_time" in key:
                assert abs(float(found) - float(value) - shift) <= slack, (what, key, found, value)
            else:
                assert Decimal(found).quantize(PLACES) == Decimal(value).quantize(PLACES), (
                    what, key, found, value)
            left = client("PTTL", key)
            slack = stage.late(at) + TOLERANCE
            assert abs(left - lives) <= slack * 1000, (what, key, left, lives, slack)


@pytest.mark.parametrize(
    "scenario", scenarios("redis_state.jsonl"),
    ids=lambda s: s["name"] + ("-" + s["namespace"] if s["namespace"] else ""))
def test_the_same_keys_values_and_expiries(start, tmp_path, scenario):
    with Stage(scenario, start, tmp_path).open() as stage:
        check_state(stage, scenario["after_boot"], 0, "after the start")
        for number, step in enumerate(scenario["steps"], 1):
            stage.reach(step["at"])
            if step["op"] == "record":
                assert code_of(try_record(stage.node(step), step)) == OK
            stage.settle()
            check_state(stage, step["redis"], step["at"], f"step {number}: {step['op']}")


def check_filter(stage, step, wanted, what):
    deployments = [dict(id=d["id"], model_name=d["model_name"], model=d["model"],
                        provider=d.get("provider") or "") for d in step["deployments"]]
    response = stage.node(step).call(
        filter_deployments=dict(deployments=deployments, tags=step["tags"]))
    found = [deployments[n]["id"] for n in response.filter_deployments.allowed]
    assert found == wanted["allowed"], what
    assert (code_of(response) == EXHAUSTED) == wanted["exhausted"], (what, response.status)
    if wanted["message"] not in (None, "*"):
        assert response.status.message == wanted["message"], what


def check_budgets(stage, step, wanted, what):
    shift = stage.zero - seconds(stage.scenario["start"])
    found = stage.node(step).budgets()["providers"]
    for name, budget in wanted.items():
        assert found[name].spend_usd == pytest.approx(budget["spend"], rel=1e-12), (what, name)
        assert found[name].time_period == budget["time_period"], (what, name)
        resets = budget["budget_reset_at"]
        if resets is None:
            assert not found[name].HasField("resets_at_unix_ms"), (what, name)
        else:
            off = found[name].resets_at_unix_ms / 1000 - seconds(resets) - shift
            assert abs(off) <= stage.late(step["at"]) + 2 * TOLERANCE, (what, name, off)


def check_reply(stage, step, wanted, what):
    found = stage.redis.command(*step["command"])
    reply = wanted["reply"]
    if reply is True:
        assert found == "OK", what
    elif isinstance(reply, str):
        assert Decimal(found).quantize(PLACES) == Decimal(reply).quantize(PLACES), (what, found)
    else:
        assert found == reply, what


@pytest.mark.parametrize("name", FLEET_QUIRKS)
def test_where_litellm_is_wrong_the_fleet_is_right(start, tmp_path, name):
    (scenario,) = [s for s in scenarios("quirks.jsonl") if s["name"] == name]
    with Stage(scenario, start, tmp_path).open() as stage:
        for number, step in enumerate(scenario["steps"], 1):
            what = f"step {number} at {step['at']}: {step['op']}"
            wanted = step.get("want", step.get("expect"))
            stage.reach(step["at"])
            if step["op"] == "start":
                stage.boot(step["instance"], step.get("config"))
            elif step["op"] == "record":
                refused = wanted is not None and "error" in wanted
                response = try_record(stage.node(step), step)
                assert (code_of(response) != OK) == refused, (what, response.status)
                # What a node was told of has to be in Redis before the next step looks.
                stage.settle(step.get("instance", "a"))
            elif step["op"] == "sync":
                stage.settle(step.get("instance", "a"))
            elif step["op"] == "filter":
                stage.settle(step.get("instance", "a"))
                check_filter(stage, step, wanted, what)
            elif step["op"] == "budgets":
                check_budgets(stage, step, wanted, what)
            else:
                check_reply(stage, step, wanted, what)


def test_the_shifted_clock_is_the_fleets(start, tmp_path):
    """The passes that the scenarios wait for really follow the clock they move."""
    (scenario,) = scenarios("redis_state.jsonl")[:1]
    with Stage(scenario, start, tmp_path).open() as stage:
        stage.reach(3600)
        stage.settle()
        behind = stage.clock.now() - reconciled_at(stage.nodes["a"]) / 1000
        assert 0 <= behind < LONG
        eventually(lambda: stage.clock.now() - reconciled_at(stage.nodes["a"]) / 1000 < 1)
