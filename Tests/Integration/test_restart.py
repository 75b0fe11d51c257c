"""Restarts: windows, keys and sums as they were, soon; drains; twins of a directory."""

import os
import shutil
import time
from decimal import Decimal

import pytest

from conftest import OK, SHORT, code_of, config_text, eventually
from faults import inject
from ledger_clients import CONFIG, Books, Load, ping, spends

SEED = int(os.environ.get("BUDGETD_SEED", time.time_ns() % 10**6))


def resets(server):
    """{(scope, name): when the window ends; None where none is open}."""
    return {(scope, name): budget.resets_at_unix_ms or None
            for scope, budgets in server.budgets().items() for name, budget in budgets.items()}


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_windows_are_as_they_were(start, tmp_path, end):
    """Open windows keep their end, to the millisecond; those never opened stay so."""
    server = start(CONFIG, directory=tmp_path / "node")
    server.record("openai", 0.5, tags=["red"], deployment_id="d-1")
    before, spent = resets(server), spends(server)
    assert before["tags", "red"] and before["deployments", "d-1"] and before["providers", "azure"]
    assert before["tags", "green"] is None
    for _ in range(3):
        getattr(server, end)()
        server = start(CONFIG, directory=tmp_path / "node")
        assert spends(server) == spent
        assert resets(server) == before


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_windows_that_ended_meanwhile_are_over(start, tmp_path, end):
    """Their spend is gone, their keys are not, and what filled them denies no more."""
    config = config_text({"openai": (1.0, "2s"), "azure": (9.0, "30d")}, {"red": (1.0, "2s")})
    server = start(config, directory=tmp_path / "node")
    fields = dict(provider="openai", tags=["red"], cost_usd=2.0, idempotency_key="k")
    assert not server.call(record_spend=fields).record_spend.duplicate
    server.record("azure", 0.25)
    # The provider's window may have opened before; the tag's opened with the record.
    ends = resets(server)["tags", "red"]
    getattr(server, end)()
    eventually(lambda: time.time() * 1000 > ends + 50, SHORT, "the window's end")
    server = start(config, directory=tmp_path / "node")
    assert spends(server)["tags", "red"] == spends(server)["providers", "openai"] == 0
    assert spends(server)["providers", "azure"] == Decimal("0.25")
    again = server.call(record_spend=fields)
    assert code_of(again) == OK and again.record_spend.duplicate
    asked = server.call(filter_deployments=dict(
        tags=["red"], deployments=[dict(id="a", model="gpt-4o", provider="openai")]))
    assert code_of(asked) == OK and list(asked.filter_deployments.allowed) == [0]


def test_the_node_keeps_its_name(start, tmp_path):
    """Retries go to the same node: a client can tell that it is the same."""
    names = set()
    for end in ("kill", "stop", "kill"):
        server = start(CONFIG, directory=tmp_path / "node")
        names.add(ping(server).node_id)
        getattr(server, end)()
    assert len(names) == 1 and names.pop()


def test_terminated_under_load(start, tmp_path):
    """SIGTERM: what is under way is answered, or refused and not applied."""
    books = Books(SEED)
    for _ in range(5):
        server = start(CONFIG, directory=tmp_path / "node")
        books.audit(server, sample=500)
        with Load(server.rpc, books, connections=4, depth=16):
            books.wait_for(100)
            server.stop()
    books.audit(start(CONFIG, directory=tmp_path / "node"))


def test_terminated_on_a_slow_disk(start, tmp_path):
    books = Books(SEED)
    server = start(CONFIG, directory=tmp_path / "node")
    with inject(server, tmp_path / "trace", "fdatasync", "delay_enter=400000"):
        with Load(server.rpc, books, connections=4, depth=16):
            books.wait_for(10)
            server.stop()
    books.audit(start(CONFIG, directory=tmp_path / "node"))


def test_a_copy_of_a_running_directory_goes_on_by_itself(start, tmp_path):
    """A cloned disk: both know the keys from before, and then go their own ways."""
    books = Books(SEED)
    server = start(CONFIG, directory=tmp_path / "node")
    with Load(server.rpc, books):
        books.wait_for(100)
    server.kill()
    shutil.copytree(tmp_path / "node" / "data", tmp_path / "twin" / "data")
    server, twin = (start(CONFIG, directory=tmp_path / name) for name in ("node", "twin"))
    books.audit(server)
    books.audit(twin)


@pytest.mark.alone
def test_restart_with_many_keys_and_budgets(start, tmp_path):
    """20,000 keys and 10,000 budgets with open windows cost a restart less than a second."""
    names = [f"team-{n}" for n in range(10_000)]
    config = config_text(tags={name: (1e6, "30d") for name in names})
    server = start(config, directory=tmp_path / "node")
    fields = [dict(tags=names[n:n + 200], cost_usd=0.001, idempotency_key=f"open-{n}")
              for n in range(0, len(names), 200)]
    fields += [dict(tags=[names[n % 10_000]], cost_usd=1e-12,
                    idempotency_key=f"{n:06d}-" + "k" * 29) for n in range(20_000)]
    with server.client() as client:
        for start_at in range(0, len(fields), 500):
            calls = [client.send(record_spend=one) for one in fields[start_at:start_at + 500]]
            assert not any(client.receive().record_spend.duplicate for _ in calls)

    def seconds(directory):
        began = time.monotonic()
        one = start(config, directory=directory)
        return one, time.monotonic() - began

    for end in (server.kill, None):
        (end or server.stop)()
        fresh, without = seconds(tmp_path / f"fresh{end is None}")
        fresh.stop()
        server, took = seconds(tmp_path / "node")
        print(f"ready after {took:.2f} s, without a ledger after {without:.2f} s")
        assert took - without < 1.0, (took, without)
        budgets = server.budgets()["tags"]
        expected = Decimal("0.001") + 2 * Decimal("1e-12")
        assert {Decimal(repr(budgets[name].spend_usd)) for name in names} == {expected}
        with server.client() as client:
            calls = [client.send(record_spend=one) for one in fields[:3000]]
            assert all(client.receive().record_spend.duplicate for _ in calls)


