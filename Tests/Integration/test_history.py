"""The history of budgets, in real processes: windows that ended, restarts and kills, limits as they
were, a fleet's totals, what an earlier release left, the command line."""

import json
import subprocess
import tarfile
from decimal import Decimal
from pathlib import Path

import pytest

from budget_client import pb
from conftest import LONG, OK, SHORT, code_of, eventually, name_of
from fleet import FAST, passes
from ledger_clients import dollars
from redis_servers import redis_service
from shifted_clock import ShiftedClock

LEDGERS = Path(__file__).resolve().parent / "ledgers"
DAY = 86_400
CONFIG = """
router_settings:
  provider_budget_config:
    openai: {{budget_limit: {limit}, time_period: 1d}}
budgetd:
  budgets:
  - {{provider: openai, limit: 1000, window: month}}
  - {{total: true, window: day}}
  - {{tag: "user:*", limit: 5, window: day}}
"""
PROVIDER = dict(scope=pb.SCOPE_PROVIDER, name="openai", window="1d")
TOTAL = dict(scope=pb.SCOPE_TOTAL)


def ask(server, **request):
    return server.call(get_spend_history=request)


def history(server, **request):
    """All windows, over all pages."""
    windows = []
    while True:
        response = ask(server, **request)
        assert code_of(response) == OK, response.status
        page = response.get_spend_history
        windows += page.windows
        if not page.next_page_token:
            return windows
        request["page_token"] = page.next_page_token


def limits(server):
    """The limits of openai's budgets."""
    page = server.call(get_provider_budgets=dict(providers=["openai"])).get_provider_budgets
    return [budget.limit_usd for budget in page.providers]


def ended(windows):
    return [window for window in windows if not window.open]


def spends(windows):
    return [dollars(window.spend_usd) for window in windows]


@pytest.fixture
def clock(tmp_path):
    """Some minutes after midnight: no day ends by itself while a test runs."""
    clock = ShiftedClock(tmp_path / "clock")
    clock.advance(DAY - clock.now() % DAY + 600)
    yield clock
    clock.close()


def test_a_history_outlives_kills_and_reloads(start, clock, tmp_path):
    def launch():
        return start(CONFIG.format(limit=limit), directory=tmp_path / "node",
                     environment=clock.environment)

    limit = 100
    server = launch()
    books = []
    for day in range(12):
        if day == 5:
            limit = 50
            server.reload(CONFIG.format(limit=limit))
            eventually(lambda: limits(server) == [limit, 1000])
        parts = [Decimal(day + 1), Decimal("0.25")]
        for part in parts:
            server.record("openai", float(part), tags=["user:ann"])
            if day % 4 == 1:
                server.kill()
                server = launch()
        books.insert(0, (sum(parts), limit))
        # The rolling window ends a day after its first charge, the calendar's at midnight.
        clock.advance(DAY + 60)
    assert history(server, **PROVIDER)[0].open is False, "a rolling window begins with a charge"
    server.record("openai", 0.5)
    books.insert(0, (Decimal("0.5"), limit))
    for paged in ({}, {"page_size": 1}, {"page_size": 5}):
        windows = history(server, **PROVIDER, **paged)
        assert list(zip(spends(windows), (window.limit_usd for window in windows))) == books
        assert [window.open for window in windows] == [True] + [False] * 12
    assert not any(window.fleet or window.limit_unknown or window.reset for window in windows)
    assert all(dollars(window.own_usd) == dollars(window.spend_usd) for window in windows)
    for newer, older in zip(windows, windows[1:]):
        assert older.start_unix_ms < older.end_unix_ms < newer.start_unix_ms
    # The calendar's days have the same sums, and no limit.
    days = history(server, **TOTAL)
    assert spends(days) == [spend for spend, _ in books]
    assert not any(window.HasField("limit_usd") or window.limit_unknown for window in days)
    assert all(window.start_unix_ms % (DAY * 1000) == 0 for window in days)
    # Everything in the month's windows is what was recorded.
    months = history(server, scope=pb.SCOPE_PROVIDER, name="openai", window="month")
    assert sum(spends(months)) == sum(spend for spend, _ in books) and len(months) in (1, 2)
    # A name's budget by a pattern, whose budget has gone by now.
    names = ended(history(server, scope=pb.SCOPE_TAG, name="user:ann"))
    assert spends(names) == [spend for spend, _ in books[1:]]
    assert {window.limit_usd for window in names} == {5}
    server.kill()
    server = launch()
    assert history(server, **PROVIDER) == windows and history(server, **TOTAL) == days


def test_budgets_that_are_not_there(start, clock, tmp_path):
    server = start(CONFIG.format(limit=100), directory=tmp_path / "node",
                   environment=clock.environment)
    server.record("openai", 1.5)
    for request, code, words in [
        ({}, "INVALID_ARGUMENT", "scope: give"),
        (dict(scope=pb.SCOPE_PROVIDER), "INVALID_ARGUMENT", "name: give"),
        (dict(scope=pb.SCOPE_PROVIDER, name="openai"), "INVALID_ARGUMENT", "1d, month"),
        (dict(scope=pb.SCOPE_PROVIDER, name="groq"), "NOT_FOUND", "provider 'groq' has no budget"),
        (dict(scope=pb.SCOPE_PROVIDER, name="groq", window="1d"), "NOT_FOUND", "no history"),
        (dict(scope=pb.SCOPE_TAG, name="user:bob"), "NOT_FOUND", "'user:*' gives it one"),
        (dict(PROVIDER, page_token="x"), "INVALID_ARGUMENT", "page_token"),
    ]:
        response = ask(server, **request)
        assert name_of(response) == code and words in response.status.message, response.status
        assert not response.HasField("get_spend_history")
    # One that left the file is still told of.
    server.reload("budgetd: {budgets: [{total: true, window: day}]}")
    eventually(lambda: not limits(server), what="the reload")
    clock.advance(2 * DAY)
    (window,) = history(server, **PROVIDER)
    assert dollars(window.spend_usd) == Decimal("1.5") and window.limit_usd == 100


def test_a_fleets_total_is_the_fleets(start, clock, tmp_path):
    with redis_service(environment=clock.environment) as redis:
        def launch(number):
            return start(CONFIG.format(limit=100), "--redis", redis.url, *FAST,
                         directory=tmp_path / f"node{number}", environment=clock.environment)

        nodes = [launch(number) for number in range(2)]
        for day in range(3):
            for number, node in enumerate(nodes):
                node.record("openai", float(number + 1 + day))
            for node in nodes:
                passes(node)
            clock.advance(DAY + 60)
            for node in nodes:
                passes(node)
        wanted = [Decimal(7), Decimal(5), Decimal(3)]
        for request in (PROVIDER, TOTAL):
            for number, node in enumerate(nodes):
                windows = ended(history(node, **request))
                assert spends(windows) == wanted, request
                assert all(window.fleet for window in windows)
                assert [dollars(window.own_usd) for window in windows] == [
                    Decimal(number + 1 + day) for day in (2, 1, 0)]
        # Killed, and without Redis: what it had heard of windows that ended stays true.
        nodes[0].kill()
        alone = start(CONFIG.format(limit=100), directory=tmp_path / "node0",
                      environment=clock.environment)
        windows = ended(history(alone, **TOTAL))
        assert spends(windows) == wanted and all(window.fleet for window in windows)


OLD = """
router_settings:
  provider_budget_config:
    openai: {budget_limit: 100, time_period: 3650d}
    azure: {budget_limit: 7, time_period: 120mo}
"""


def test_a_directory_of_the_release_before(start, tmp_path):
    """Its windows are told with this release's limits, from now on."""
    data = tmp_path / "node" / "data"
    data.mkdir(parents=True, mode=0o700)
    with tarfile.open(LEDGERS / "0.4.0.tar.gz") as archive:
        archive.extractall(data, filter="data")
    node = start(OLD, directory=tmp_path / "node")
    for _ in range(2):
        (window,) = history(node, scope=pb.SCOPE_PROVIDER, name="openai")
        assert dollars(window.spend_usd) == Decimal("4.25") and window.limit_usd == 100
        assert window.open and not window.limit_unknown
        node.kill()
        node = start(OLD, directory=tmp_path / "node")


def test_the_command_line(start, budgetctl, clock, tmp_path):
    server = start(CONFIG.format(limit=10), environment=clock.environment)
    for cost in (4, 12):
        server.record("openai", cost)
        clock.advance(DAY + 60)
    server.record("openai", 1)

    def run(*arguments, status=0):
        result = subprocess.run(
            [budgetctl, "--server", "%s:%d" % server.rpc, "history", *arguments],
            capture_output=True, text=True, timeout=SHORT)
        assert result.returncode == status, result
        return result

    lines = run("provider", "openai", "--window", "1d").stdout.splitlines()
    assert lines[0] == "provider openai per 1d" and len(lines) == 6
    assert [line.split()[2] for line in lines[3:]] == ["$1.00", "$12.00", "$4.00"]
    assert "open, ends in" in lines[3] and "120 %" in lines[4] and "40 %" in lines[5]
    rows = json.loads(run("provider", "openai", "--window", "1d", "--json", "--limit", "2").stdout)
    assert [row["spend_usd"] for row in rows] == [1, 12]
    assert [row["open"] for row in rows] == [True, False]
    assert rows[1]["limit_usd"] == 10 and rows[1]["fleet"] is False
    assert json.loads(run("total", "--output", "json").stdout)[0]["limit_usd"] is None
    assert "There are more" in run("total", "--limit", "1").stdout
    assert "has budgets per 1d, month" in run("provider", "openai", status=1).stderr
    assert "no budget" in run("tag", "x", status=1).stderr
