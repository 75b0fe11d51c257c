"""Nodes behind three real sentinels: whatever becomes of the master, the link moves, and every book
says the same in the end."""

import re
import time
from decimal import Decimal

import pytest

from conftest import LONG, config_text, eventually, run
from fleet import FAST, agree, passes, spend_key, store_state
from http_client import scrape
from redis_groups import SentinelService, closing

CONFIG = config_text({"openai": (100.0, "1h"), "azure": (100.0, "1h")})
KEYS = {("providers", name): spend_key("providers", name, "1h") for name in ("openai", "azure")}
COST = Decimal("0.010000000001")


@pytest.fixture
def service():
    with closing(SentinelService()) as service:
        yield service


@pytest.fixture
def password(tmp_path):
    path = tmp_path / "sentinels"
    path.write_text(SentinelService.PASSWORD)
    path.chmod(0o600)
    return path


class Fleet:
    def __init__(self, start, service, password):
        self.service = service
        # One that agrees ten times a second, and one that does as it is installed.
        self.nodes = [start(CONFIG, "--redis", service.url, *pace,
                            "--redis-sentinel-password-file", str(password))
                      for pace in (FAST, ())]
        self.expected = dict.fromkeys(KEYS, Decimal(0))

    def record(self, times=1):
        for _ in range(times):
            for node in self.nodes:
                for _, name in KEYS:
                    node.record(name, float(COST))
                    self.expected["providers", name] += COST

    def agree(self):
        agree(self.service, self.nodes, KEYS, self.expected, adds=1000)

    def connected_to(self, server):
        """Whether both nodes have a link to that server."""
        return server.command("CLIENT", "LIST").count("name=budgetd") == len(self.nodes)

    def switches(self):
        return [scrape(node).get("budgetd_sentinel_switches_total") for node in self.nodes]


@pytest.fixture
def fleet(start, service, password):
    fleet = Fleet(start, service, password)
    fleet.record()
    fleet.agree()
    return fleet


def test_a_master_that_is_killed(fleet):
    old = fleet.service.master
    old.kill()
    fleet.record(5)
    eventually(lambda: fleet.service.named() != old.port, LONG, "another master")
    named = time.monotonic()
    eventually(lambda: fleet.connected_to(fleet.service.master), LONG, "links to it")
    took = time.monotonic() - named
    print(f"the links had moved {took:.2f} s after the sentinels named another master")
    fleet.record()
    fleet.agree()
    for node in fleet.nodes:
        store_state(node, "ok")
        assert "the sentinels name another master: the link has moved" in node.log
    # It comes back as it was, and takes itself for a master: nobody falls for it.
    old.start()
    fleet.record()
    fleet.agree()
    assert fleet.connected_to(fleet.service.master) and fleet.switches() == [1, 1]


def test_a_planned_failover_moves_the_link_within_two_seconds(fleet):
    """The old master goes on answering and taking writes for ten seconds."""
    old = fleet.service.master
    fleet.service.sentinels[1].command("SENTINEL", "FAILOVER", SentinelService.NAME)
    eventually(lambda: fleet.service.named() != old.port, LONG, "+switch-master")
    switched = time.monotonic()
    fleet.record(3)
    new = fleet.service.master
    eventually(lambda: fleet.connected_to(new), LONG, "links to the new master")
    took = time.monotonic() - switched
    print(f"the links had moved {took:.2f} s after +switch-master")
    assert took <= 2.0
    fleet.record()
    fleet.agree()
    assert fleet.switches() == [1, 1]
    for node in fleet.nodes:
        assert "budgetd_partitioned 0" in node_metrics(node)


def node_metrics(node):
    return f"budgetd_partitioned {int(scrape(node).get('budgetd_partitioned'))}"


def test_sentinels_that_are_gone_do_not_end_a_link(fleet):
    for sentinel in fleet.service.sentinels:
        sentinel.kill()
    fleet.record()
    for node in fleet.nodes:
        passes(node, 3)
    with fleet.service.servers[0].client() as client:
        for _, key in KEYS.items():
            assert Decimal(client("GET", key)) > 0
    assert fleet.switches() == [0, 0]
    assert fleet.connected_to(fleet.service.servers[0])


def test_one_sentinel_is_enough(start, service, password):
    for sentinel in service.sentinels[:2]:
        sentinel.pause()
    try:
        node = start(CONFIG, "--redis", service.url, *FAST,
                     "--redis-sentinel-password-file", str(password))
        store_state(node, "ok")
    finally:
        for sentinel in service.sentinels[:2]:
            sentinel.resume()


def test_what_is_wrong_is_said_plainly(start, service, password):
    wrong = password.with_name("wrong")
    wrong.write_text("not-theirs")
    wrong.chmod(0o600)
    cases = [
        (service.url, wrong, r"AUTH was refused: user or password is wrong"),
        (service.url, None, r"a password is needed"),
        (service.url.replace("/fleet", "/elsewhere"), password,
         r"knows no service elsewhere: give the name that its 'sentinel monitor' line has"),
        (f"sentinel://127.0.0.1:{service.servers[0].port}/fleet", None, r"no sentinel says where "
         r"fleet is: SENTINEL at 127.0.0.1:\d+ was refused: ERR unknown command"),
    ]
    for url, file, words in cases:
        more = ["--redis-sentinel-password-file", str(file)] if file else []
        node = start(CONFIG, "--redis", url, *FAST, *more)
        eventually(lambda: re.search(words, node.log), LONG, f"{words} in\n{node.log[-1000:]}")
        assert "not-theirs" not in node.log and SentinelService.PASSWORD not in node.log


def test_litellms_settings_name_sentinels(start, service, budgetctl):
    rows = ", ".join(f"[127.0.0.1, {sentinel.port}]" for sentinel in service.sentinels)
    config = CONFIG + (
        "litellm_settings:\n  cache: true\n  cache_params:\n    type: redis\n"
        f"    service_name: {SentinelService.NAME}\n    sentinel_nodes: [{rows}]\n"
        f"    sentinel_password: {SentinelService.PASSWORD}\n")
    node = start(config, *FAST)
    store_state(node, "ok")
    assert re.search(r"Redis at fleet by sentinels 127.0.0.1:\d+,\S+, sentinels with a password, "
                     r"from litellm_settings.cache_params.sentinel_nodes", node.log), node.log
    assert SentinelService.PASSWORD not in node.log
    checked = run(budgetctl, "check-config", node.config)
    assert "Redis: fleet by sentinels" in checked.stdout, checked
