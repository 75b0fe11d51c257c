"""`budgetd --trace`: what came by, replayed by `budgetctl simulate`."""

import json
import random
import re
import stat

import pytest

from budget_client import pb
from conftest import LONG, OK, ROOT, code_of, config_text, eventually, run
from test_metrics import scrape

CONFIG = config_text(
    {"openai": (10.0, "3s"), "azure": (5.0, "1h"), "anthropic": (None, "1d")},
    {"team-a": (4.0, "2s"), "tag \"quoted\"\\": (3.0, "1d")},
    [("d-1", "gpt", "openai/gpt-4o", 2.5, "2s"), ("d-2", "gpt", "azure/gpt-4o"),
     ("d-3", "gpt", "nobody-knows-this")])


def replay(budgetctl, trace, *options):
    return run(budgetctl, "simulate", trace, "--check", *options, timeout=60)


def steps(trace):
    return [json.loads(line) for line in trace.read_text().splitlines()]


def traffic(server, seed, count, cost=1.0):
    """One request after the other; returns how many filters were denied."""
    choice = random.Random(seed)
    denied = 0
    with server.client() as client:
        for number in range(count):
            tags = choice.sample(["team-a", 'tag "quoted"\\', "none", "a\x01b", "x" * 300],
                                 choice.randint(0, 3))
            if choice.random() < 0.4:
                key = f"{seed}-{choice.randint(0, count // 3)}"  # many are repeated
                response = client.call(record_spend=dict(
                    provider=choice.choice(["openai", "azure", "", "other"]), deployment_id=choice.choice(["d-1", "d-9"]),
                    tags=tags, idempotency_key=key,
                    cost_usd=cost * choice.choice([0.1, 0.25, 1e-12, 0.123456789012345])))
                assert code_of(response) in (OK, pb.Status.ALREADY_EXISTS), response
                continue
            if choice.random() < 0.3:
                request = dict(model_name="gpt")
            else:
                request = dict(deployments=[
                    dict(id=choice.choice(["d-1", "d-2", "", "new"]), model_name="g",
                         model=choice.choice(["openai/gpt-4o", "azure/x", "gpt-4o"]),
                         provider=choice.choice(["", "", "azure", "anthropic", "unknown"]))
                    for _ in range(choice.randint(0, 3))])
            if choice.random() < 0.3:
                request["estimated_cost_usd"] = 0.75
            response = client.call(filter_deployments=dict(request, tags=tags))
            assert code_of(response) in (OK, pb.Status.RESOURCE_EXHAUSTED), response
            denied += len(response.filter_deployments.denials)
    return denied


def reserving(server, seed, count):
    """Requests that reserve, and what becomes of them; returns how many were denied."""
    choice, open_ones, denied = random.Random(seed), [], 0
    with server.client() as client:
        for _ in range(count):
            tags = choice.sample(["team-a", 'tag "quoted"\\', "none"], choice.randint(0, 2))
            kind = choice.random()
            if open_ones and kind < 0.5:
                reservation = open_ones.pop(choice.randrange(len(open_ones)))
                if kind < 0.1:
                    client.call(release_reservation=dict(reservation_id=reservation))
                elif kind < 0.15:
                    client.call(extend_reservation=dict(reservation_id=reservation, ttl_ms=60_000))
                else:
                    response = client.call(record_spend=dict(
                        deployment_id="d-1", tags=tags, reservation_id=reservation,
                        cost_usd=choice.choice([0.01, 0.1, 0.25])))
                    assert code_of(response) == OK, response
                continue
            if kind < 0.75:
                response = client.call(reserve_spend=dict(
                    deployment_id=choice.choice(["d-1", "d-2"]), tags=tags,
                    amount_usd=choice.choice([0.1, 0.25, 0.75])))
                made = response.reserve_spend.reservation_id
            else:
                response = client.call(filter_deployments=dict(
                    model_name="gpt", tags=tags, reserve=True,
                    reserve_usd=choice.choice([0.1, 0.25, 0.75])))
                made = response.filter_deployments.reservation_id
            if made:
                open_ones.append(made)
            denied += code_of(response) == pb.Status.RESOURCE_EXHAUSTED
    return denied


def test_what_was_reserved_is_reserved_again(start, budgetctl, tmp_path):
    trace = tmp_path / "traffic.jsonl"
    # Windows that last, so that nothing ends by its time while it is replayed.
    server = start(CONFIG.replace("3s", "1h").replace("2s", "1h"), "--trace", trace)
    assert reserving(server, 3, 300) > 20
    server.stop()
    done = {step["op"] for step in steps(trace)[1:]}
    assert done == {"reserve", "release", "extend", "record"}
    result = replay(budgetctl, trace)
    assert result.returncode == 0, result.stderr[-3000:]
    # The same requests, decided by what is spent alone.
    result = run(budgetctl, "simulate", trace, "--overspend", "--nodes", 2, timeout=60)
    assert result.returncode == 0 and "with reservations" in result.stdout, result


@pytest.mark.parametrize("durability", ["commit", "memory"])
def test_what_was_decided_is_decided_again(start, budgetctl, tmp_path, durability):
    trace = tmp_path / "traffic.jsonl"
    server = start(CONFIG, "--trace", trace, "--durability", durability)
    denied = traffic(server, 1, 600)
    assert denied > 50
    server.stop()
    result = replay(budgetctl, trace)
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.splitlines()[-1] == "1 of 1 agree"
    assert stat.S_IMODE(trace.stat().st_mode) == 0o600
    header, *rest = steps(trace)
    filters = [step for step in rest if step["op"] == "filter"]
    assert sum(1 for step in filters if step["want"]["exhausted"]) > 5
    assert len(json.loads(result.stdout.splitlines()[0])["results"]) == len(filters) > 300
    # What the trace adds up to is what the ledger has: exactly, and nothing twice.
    assert not any(step["op"] == "lost" for step in rest)
    for step in filters[:3]:
        bent = trace.with_name("bent.jsonl")
        step["want"]["allowed"].append("nobody")
        bent.write_text("".join(json.dumps(line) + "\n" for line in [header, *rest]))
        assert replay(budgetctl, bent).returncode == 1


def test_amounts_add_up_and_nothing_is_doubled(start, budgetctl, tmp_path):
    trace = tmp_path / "traffic.jsonl"
    config = config_text({"openai": (None, "1d")}, {"t": (None, "1d")})
    server = start(config, "--trace", trace)
    for number in range(20):
        for _ in range(3):
            answer = server.call(record_spend=dict(
                provider="openai", tags=["t", "t"], cost_usd=0.1, idempotency_key=f"k{number}"))
            assert code_of(answer) == OK
        server.call(record_spend=dict(provider="openai", cost_usd=9, idempotency_key=f"k{number}"))
        server.call(record_spend=dict(provider="openai", cost_usd=-1))
    spend = server.spend("openai")
    server.stop()
    records = [step for step in steps(trace) if step.get("op") == "record"]
    assert len(records) == 20 and sum(round(record["cost"] * 10) for record in records) == 20
    assert spend == 2
    # With a budgets step behind it the simulation says the same.
    last = max(record["committed_at"] for record in records)
    with open(trace, "a") as file:
        file.write(json.dumps({"at": last + 1, "op": "budgets"}) + "\n")
    result = run(budgetctl, "simulate", trace)
    assert json.loads(result.stdout)["results"] == [{"openai": {
        "budget_limit": None, "time_period": "1d", "spend": 2.0,
        "budget_reset_at": json.loads(result.stdout)["results"][0]["openai"]["budget_reset_at"]}}]


def test_a_restart_and_a_reload_begin_scenarios_with_what_was_spent(start, budgetctl, tmp_path):
    trace = tmp_path / "traffic.jsonl"
    directory = tmp_path / "node"
    server = start(CONFIG, "--trace", trace, directory=directory)
    traffic(server, 2, 200)
    server.stop()
    assert replay(budgetctl, trace).returncode == 0
    server = start(CONFIG, "--trace", trace, directory=directory)
    assert (tmp_path / "traffic.jsonl.1").exists()
    traffic(server, 3, 150)
    # Half of each limit, another window, one budget less.
    other = config_text(
        {"openai": (5.0, "3s"), "azure": (2.0, "2h")}, {"team-a": (1.0, "2s")},
        [("d-1", "gpt", "openai/gpt-4o", 1.0, "2s")])
    server.reload(other)
    eventually(lambda: "reloaded" in server.log, LONG, "a reload")
    traffic(server, 4, 150)
    # A refused file changes nothing, and begins nothing.
    server.reload("nonsense: [")
    eventually(lambda: "reload refused" in server.log, LONG, "a refusal")
    traffic(server, 5, 50)
    server.stop()
    result = replay(budgetctl, trace)
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.splitlines()[-1] == "2 of 2 agree"
    first, second = [step for step in steps(trace) if "start" in step]
    assert any(float(window["spend"]) > 0 for window in first["windows"])
    assert any(float(window["spend"]) > 0 for window in second["windows"])
    assert "anthropic" not in second["config"]["provider_budget_config"]


@pytest.mark.parametrize("name", ["trace.jsonl", "trace.jsonl.1"])
def test_only_a_trace_is_moved_away(start, budgetd, tmp_path, name):
    trace = tmp_path / "trace.jsonl"
    trace.write_text("")
    other = tmp_path / name
    other.write_text("SQLite format 3")
    (tmp_path / "config.yaml").write_text(CONFIG)
    result = run(budgetd, "--config", tmp_path / "config.yaml", "--listen", "127.0.0.1:0", "--data-dir",
                 tmp_path / "data", "--trace", trace)
    assert result.returncode == 69 and f"{other} is there and is no trace" in result.stderr, result
    assert other.read_text() == "SQLite format 3"
    other.unlink()
    trace.unlink(missing_ok=True)
    for _ in range(3):
        server = start(CONFIG, "--trace", trace)
        server.stop()
    assert trace.read_text().startswith('{"name":"budgetd ')
    assert (tmp_path / "trace.jsonl.1").read_text().startswith('{"name":"budgetd ')


def test_records_under_way_during_a_reload_are_counted_once(start, budgetctl, tmp_path):
    trace = tmp_path / "traffic.jsonl"
    config = config_text({"openai": (None, "1d")})
    server = start(config, "--trace", trace)
    with server.client() as client:
        for number in range(3000):
            client.send(record_spend=dict(provider="openai", cost_usd=0.001))
            if number == 1000:
                server.reload(config)
        for _ in range(3000):
            assert code_of(client.receive()) == OK
    eventually(lambda: "reloaded" in server.log, LONG, "a reload")
    server.stop()
    lines = steps(trace)
    second = max(index for index, line in enumerate(lines) if "start" in line)
    before = sum(round(float(window["spend"]) * 1000) for window in lines[second]["windows"])
    after = sum(1 for line in lines[second:] if line.get("op") == "record")
    assert before + after == 3000


def test_traces_are_bounded(start, budgetctl, tmp_path):
    trace = tmp_path / "traffic.jsonl"
    server = start(CONFIG, "--trace", trace, "--trace-bytes", str(1 << 20))
    older = trace.with_name(trace.name + ".1")
    seed = 10
    while not older.exists() or seed < 14:
        traffic(server, seed, 400)
        seed += 1
        assert seed < 60
        assert trace.stat().st_size <= 1 << 19
        assert not older.exists() or older.stat().st_size <= 1 << 19
    server.stop()
    for file in (older, trace):
        result = replay(budgetctl, file)
        assert result.returncode == 0, result.stderr[-3000:]
    # The second file goes on where the first one ends.
    assert steps(trace)[0]["windows"]


def test_a_trace_that_cannot_be_written_is_in_nobodys_way(start, budgetctl, tmp_path):
    """What is lost is counted, traffic goes on, and SIGHUP tries again."""
    trace = tmp_path / "traffic.jsonl"
    server = start(CONFIG, "--trace", trace, "--trace-bytes", str(1 << 20))
    trace.unlink()
    trace.mkdir()  # where the next file would go

    def goes_wrong():
        traffic(server, 20, 300)
        return "the trace cannot be written" in server.log
    eventually(goes_wrong, LONG, "the log's line")
    traffic(server, 21, 200)
    eventually(lambda: scrape(server)["budgetd_trace_lost_steps_total"] > 100, LONG, "losses")
    assert server.log.count("the trace cannot be written") == 1
    trace.rmdir()
    server.reload(CONFIG)
    eventually(lambda: "reloaded" in server.log, LONG, "a reload")
    traffic(server, 22, 200)
    server.stop()
    assert replay(budgetctl, trace).returncode == 0


def test_what_a_killed_server_leaves_is_readable(start, budgetctl, tmp_path):
    trace = tmp_path / "traffic.jsonl"
    server = start(CONFIG, "--trace", trace)
    traffic(server, 30, 100)
    eventually(lambda: scrape(server)["budgetd_trace_steps_total"] > 60, LONG, "steps")
    server.kill()
    assert replay(budgetctl, trace).returncode == 0
    whole = trace.read_bytes()
    trace.write_bytes(whole[:-20])
    result = replay(budgetctl, trace)
    assert result.returncode == 0 and "cut off" in result.stderr, result
    trace.write_bytes(whole[:len(whole) // 2] + b"{nonsense\n" + whole[len(whole) // 2:])
    assert replay(budgetctl, trace).returncode == 78


def test_lost_steps_are_said(budgetctl, tmp_path):
    trace = tmp_path / "trace.jsonl"
    lines = [{"name": "n", "start": "2026-01-15T00:00:00Z", "stream": True, "config": {}},
             {"at": 1, "op": "lost", "count": 7}]
    trace.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = run(budgetctl, "simulate", trace)
    assert result.returncode == 0 and "missing 7 steps" in result.stderr


@pytest.mark.parametrize("arguments, code, said", [
    (["--trace", "/dev/null"], 69, "not a file"),
    (["--trace", "/nowhere/at/all/trace"], 69, "/nowhere/at/all/trace"),
    (["--trace", "t", "--trace-bytes", "5"], 64, "--trace-bytes 5")], ids=lambda value: str(value))
def test_a_trace_that_cannot_be(budgetd, tmp_path, arguments, code, said):
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    result = run(budgetd, "--config", config, "--listen", "127.0.0.1:0", "--http", "off",
                 "--data-dir", tmp_path / "data", *arguments)
    assert result.returncode == code and said in result.stderr, result
    assert len(result.stderr.strip().splitlines()) == 1


def test_without_a_trace_there_are_no_metrics_of_one(start):
    assert "budgetd_trace" not in scrape(start(CONFIG)).text


# What people mistype


def test_log_levels_are_listed(budgetd):
    result = run(budgetd, "--config", "x", "--log-level", "foo")
    assert result.returncode == 64 and len(result.stderr.splitlines()) == 1
    for level in ("trace", "debug", "info", "notice", "warning", "error", "critical"):
        assert level in result.stderr, result.stderr
    result = run(budgetd, "--config", "x", "--durability", "perhaps")
    assert result.returncode == 64 and "commit" in result.stderr and "memory" in result.stderr


def test_misspelt_variables_are_named(start):
    server = start(CONFIG, environment={
        "BUDGETD_MAX_CONECTIONS": "s3cr3t", "BUDGETD_REDIS_PASSWRD": "s3cr3t",
        "BUDGETD_SERVICE_HOST": "10.0.0.1", "BUDGETD_PORT": "tcp://10.0.0.1:7077"})
    log = server.log
    assert "BUDGETD_MAX_CONECTIONS has no effect: did you mean BUDGETD_MAX_CONNECTIONS?" in log
    assert "did you mean BUDGETD_REDIS_PASSWORD?" in log
    assert "s3cr3t" not in log and "SERVICE_HOST" not in log and "BUDGETD_PORT" not in log


def test_every_option_can_be_a_variable(budgetd):
    """The list of variables is by hand: an option that is missing there would be ignored."""
    source = (ROOT / "Sources" / "budgetd" / "EnvironmentArguments.swift").read_text()
    listed = set(re.findall(r'"([a-z][a-z0-9-]+)"', source))
    options = set(re.findall(r"^  --([a-z0-9-]+)", run(budgetd, "--help").stdout, re.MULTILINE))
    assert options and options - listed - {"version", "help"} == set()


@pytest.mark.parametrize("option", ["--listen", "--http"])
def test_urls_are_not_addresses(budgetd, tmp_path, option):
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    result = run(budgetd, "--config", config, option, "http://127.0.0.1:7077")
    assert result.returncode == 64 and "URL" in result.stderr and "HOST:PORT" in result.stderr


def test_a_servers_url_is_not_an_address(budgetctl):
    result = run(budgetctl, "--server", "http://127.0.0.1:7077", "budgets")
    assert result.returncode == 64 and "URL" in result.stderr and "HOST:PORT" in result.stderr
