"""Alerts to a webhook: once each, whatever becomes of nodes, receivers and Redis.

`BUDGETD_ALERT_RUNS`: so many times four nodes cross a threshold together while nodes are killed (2 if not
given, 50 for the long run).
"""

import json
import os
import random
import statistics
import threading
import time

import pytest
import yaml

from certificates import Certificates
from conftest import LONG, OK, code_of, eventually, run
from fleet import FAST, passes
from http_client import page, scrape
from redis_servers import redis_service
from webhook_receiver import SECRET, Receiver

RUNS = int(os.environ.get("BUDGETD_ALERT_RUNS", "2"))


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


def config(url="os.environ/ALERTS_URL", budgets=None, webhook=None, **alerts):
    budgets = budgets or [{"provider": "openai", "limit": 100, "window": "1d"}]
    where = {} if url is None else {"url": url}
    return yaml.safe_dump({"budgetd": {
        "budgets": budgets,
        "alerts": {**alerts, "webhook": {**where, "timeout": "1s", **(webhook or {})}}}})


def told(receiver, count, timeout=LONG):
    """The alerts, once there are `count`; a look later there are no more."""
    eventually(lambda: len(receiver.alerts) >= count, timeout, f"{count} alerts")
    return receiver.alerts


def passes_made(node):
    return scrape(node).get("budgetd_reconcile_passes_total", outcome="ok")


def quiet(node, seconds=2.2):
    """Two looks at budgets have gone by."""
    time.sleep(seconds)
    assert scrape(node).get("budgetd_alerts_waiting") == 0


def test_each_threshold_once_and_not_again_after_a_restart(start, tmp_path, receiver):
    options = dict(directory=tmp_path / "node", environment={"ALERTS_URL": receiver.url})
    node = start(config(name="prod"), "--node-id", "n1", **options)
    node.record("openai", 81.25)
    (alert,) = told(receiver, 1)
    assert alert["event"] == "budget_threshold" and alert["threshold_percent"] == 80
    assert (alert["fleet"], alert["node"], alert["scope"], alert["name"], alert["window"]) == (
        "prod", "n1", "provider", "openai", "1d")
    assert (alert["spend"], alert["limit_usd"], alert["percent"]) == ("81.25", 100, 81)
    assert "prod: provider openai per 1d is at 81 %: $81.25 of $100.00 are spent" in alert["text"]
    _, path, headers, _ = receiver.received[0]
    assert path == f"/{SECRET}" and headers["Idempotency-Key"] == alert["id"]
    assert headers["Content-Type"] == "application/json" and headers["User-Agent"].startswith("budgetd/")
    node.record("openai", 30)
    assert [found["threshold_percent"] for found in told(receiver, 2)] == [80, 100]
    eventually(lambda: scrape(node).get("budgetd_alerts_sent_total") == 2)
    metrics = scrape(node)
    assert metrics.get("budgetd_alerts_sent_total") == 2
    assert metrics.get("budgetd_alerts_failed_total") == 0
    assert f"alert {alert['id']} was sent: prod: provider openai per 1d" in node.log
    log = node.log
    node.kill()
    node = start(config(name="prod"), "--node-id", "n1", **options)
    quiet(node)
    assert len(receiver.alerts) == 2
    # The address is nowhere.
    for text in (log, node.log, metrics.text, page(node, "/status.json"), page(node, "/metrics")):
        assert SECRET not in text and "127.0.0.1:%d" % receiver.server.server_port not in text


def test_slack_over_https_from_a_file(start, tmp_path):
    certificates = Certificates(tmp_path / "tls")
    receiver = Receiver(certificates.server())
    try:
        secret = tmp_path / "url"
        secret.write_text(receiver.url + "\n")
        secret.chmod(0o600)
        webhook = {"url_file": str(secret), "form": "slack"}
        budgets = [{"tag": "user:*", "limit": 1, "window": "1d", "mode": "shadow"}]
        trusting = {**webhook, "ca_file": str(certificates.root)}
        node = start(config(None, budgets, trusting))
        node.record("openai", 2, tags=["user:<!here>&co"])
        (alert,) = told(receiver, 1)
        assert alert == {"text": alert["text"]}
        assert alert["text"].startswith(
            "budgetd: tag user:&lt;!here&gt;&amp;co per 1d is at 200 %, it only watches: $2.00 of $1.00")
        # Nobody whom the system trusts has signed for it.
        node = start(config(None, budgets, webhook))
        node.record("openai", 2, tags=["user:x"])
        eventually(lambda: "could not be sent: the webhook did not answer: " in node.log, LONG)
        assert "certificate" in node.log and SECRET not in node.log
        assert len(receiver.alerts) == 1 and scrape(node).get("budgetd_alerts_failed_total") >= 1
    finally:
        receiver.close()


def filters(node, count=500):
    """How long filters take now, the shortest first."""
    times = []
    with node.client() as client:
        for _ in range(count):
            began = time.perf_counter()
            answer = client.call(filter_deployments=dict(
                deployments=[dict(id="d", model="gpt-4o", provider="p1")]))
            times.append(time.perf_counter() - began)
            assert code_of(answer) == OK
    return sorted(times)


def test_a_bad_receiver_holds_up_nothing_and_what_waits_comes_later(start, receiver):
    budgets = [{"provider": f"p{number}", "limit": 100, "window": "1d"} for number in range(12)]
    receiver.hangs = True
    node = start(config(receiver.url, budgets))
    for number in range(12):
        node.record(f"p{number}", 85)
    failed = "budgetd_alerts_failed_total"
    for fault in ("hangs", "refuses", "slow"):
        receiver.hangs, receiver.delay = fault == "hangs", 0.5 if fault == "slow" else 0
        receiver.status = 503 if fault == "refuses" else 200
        asked, before = receiver.asked, scrape(node).get(failed)
        eventually(lambda: receiver.asked > asked, LONG, "the receiver is asked")
        times = filters(node)
        print(f"{fault}: filter median {statistics.median(times) * 1e6:.0f} us, "
              f"p99 {times[-5] * 1e3:.2f} ms, worst {times[-1] * 1e3:.1f} ms")
        assert times[-5] < 0.1
        if fault != "slow":
            eventually(lambda: scrape(node).get(failed) > before, LONG, "an attempt that failed")
            assert receiver.alerts == [] and scrape(node).get("budgetd_alerts_waiting") == 12
    assert node.call(ping={}).ping.ready
    receiver.delay = 0
    assert len({alert["id"] for alert in told(receiver, 12)}) == 12
    eventually(lambda: "the webhook takes alerts again" in node.log)
    assert node.log.count("could not be sent") == 1
    # Nor is the end held up.
    receiver.hangs = True
    node.record("p0", 11)
    asked = receiver.asked
    eventually(lambda: receiver.asked > asked, LONG)
    began = time.monotonic()
    node.stop()
    assert time.monotonic() - began < 5


def test_a_reload_takes_other_alerts(start, receiver):
    node = start(config(receiver.url))
    node.record("openai", 60)
    node.reload(config(receiver.url, thresholds=[50]))
    assert told(receiver, 1)[0]["threshold_percent"] == 50
    refused = config("nowhere", thresholds=[50, 0])
    node.reload(refused)
    eventually(lambda: "reload refused" in node.log)
    assert "budgetd.alerts.thresholds[1]: this is the number 0" in node.log
    assert "it begins with neither https:// nor http://" in node.log and "nowhere" not in node.log
    # The old ones hold.
    node.call(set_budget=dict(scope=1, name="openai", limit_usd=1000))
    node.call(set_budget=dict(scope=1, name="openai", limit_usd=110))
    node.reload(yaml.safe_dump({"budgetd": {"budgets": [
        {"provider": "openai", "limit": 100, "window": "1d"}]}}))
    eventually(lambda: node.log.count("reloaded") >= 2)
    node.record("openai", 90)
    quiet(node)
    assert len(receiver.alerts) <= 2, "nobody is told any more"


def test_the_tool_shows_and_tries_them(budgetctl, tmp_path, receiver):
    path = tmp_path / "config.yaml"
    path.write_text(config(name="prod"))
    environment = {**os.environ, "ALERTS_URL": receiver.url}
    shown = run(budgetctl, "check-config", path, env=environment)
    assert shown.returncode == 0, shown.stdout
    assert "Alerts of 'prod': at 80 %, 95 %, 100 %; 2 h before the money is gone" in shown.stdout
    assert "address hidden, from the variable ALERTS_URL" in shown.stdout
    assert "warning: " in shown.stdout and "http://" in shown.stdout and SECRET not in shown.stdout
    told_json = json.loads(run(budgetctl, "check-config", path, "--output", "json", env=environment).stdout)
    assert told_json["alerts"]["thresholds_percent"] == [80, 95, 100]
    assert SECRET not in json.dumps(told_json)
    done = run(budgetctl, "alerts", "test", path, env=environment)
    assert done.returncode == 0 and "the webhook answered 200" in done.stdout, done.stderr
    (alert,) = receiver.alerts
    assert alert["event"] == "test" and alert["fleet"] == "prod" and alert["id"] in done.stdout
    receiver.status = 404
    done = run(budgetctl, "alerts", "test", path, env=environment)
    assert done.returncode == 69 and "not sent: the webhook answered 404" in done.stderr
    receiver.status = 302
    assert "it leads elsewhere" in run(budgetctl, "alerts", "test", path, env=environment).stderr
    # Without the variable the file is refused, as it would be by the server.
    environment.pop("ALERTS_URL")
    done = run(budgetctl, "alerts", "test", path, env=environment)
    assert done.returncode == 78 and "ALERTS_URL is not set" in done.stdout


def test_a_key_that_cannot_be_used_stops_only_alerts(start, receiver):
    with redis_service() as redis:
        redis.command("SET", "budgetd:alerts", "x")
        nodes = [start(config(receiver.url), "--redis", redis.url, *FAST) for _ in range(2)]
        nodes[0].record("openai", 85)
        eventually(lambda: nodes[1].spend("openai") == 85)
        eventually(lambda: "budgetd:alerts in Redis cannot be used" in nodes[0].log, LONG)
        assert receiver.alerts == [] and nodes[0].call(ping={}).ping.ready
        redis.command("DEL", "budgetd:alerts")
        told(receiver, 1)
        eventually(lambda: "alerts are sent again" in nodes[0].log)
        quiet(nodes[0], 1.2)
        quiet(nodes[1], 0)
        assert len(receiver.alerts) == 1


def test_four_nodes_cross_a_threshold_together_and_one_alert_comes(start, tmp_path, receiver):
    seed = os.environ.get("BUDGETD_SEED") or str(random.randrange(1 << 32))
    print("seed", seed)
    chance = random.Random(seed)
    budgets = [{"provider": f"p{number}", "limit": 100, "window": "1d"} for number in range(RUNS)]
    again = 0
    with redis_service() as redis:
        arguments = ("--redis", redis.url, *FAST)

        def one(number):
            return start(config(receiver.url, budgets, {"timeout": "1s"}), *arguments,
                         "--node-id", f"n{number}", directory=tmp_path / f"n{number}")

        nodes = {f"n{number}": one(number) for number in range(4)}
        for node in nodes.values():
            passes(node, 1)
        killed, lock = {}, threading.Lock()

        def kill(name):
            with lock:
                if name not in killed:
                    nodes[name].kill()
                    killed[name] = time.monotonic()

        for number in range(RUNS):
            killed.clear()
            # Every other time the one that delivers dies before it hears of it.
            dies = number % 2 == 0
            first = threading.Event()

            def on_alert(alert):
                if dies and not first.is_set():
                    first.set()
                    kill(alert["node"])

            receiver.on_alert = on_alert
            threads = [threading.Thread(target=node.record, args=(f"p{number}", 21.25))
                       for node in nodes.values()]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if not dies:
                # What a node has not told yet goes with it, and the threshold is not crossed.
                eventually(lambda: any(node.spend(f"p{number}") == 85 for node in nodes.values()))
                time.sleep(chance.random() * 2.5)
                for name in chance.sample(sorted(nodes), chance.choice((1, 2, 3))):
                    kill(name)
            mine = [f"p{number}"]
            eventually(lambda: any(alert["name"] in mine for alert in receiver.alerts), LONG,
                       f"the alert of run {number}")
            eventually(lambda: killed or not dies)
            alive = [node for name, node in nodes.items() if name not in killed]
            eventually(lambda: all(scrape(node).get("budgetd_alerts_waiting") == 0 for node in alive),
                       LONG, "no node has anything to do")
            for name in list(killed):
                nodes[name] = one(int(name[1:]))
            deliveries = [(when, alert) for when, _, _, alert in receiver.received
                          if alert["name"] in mine]
            assert len({alert["id"] for _, alert in deliveries}) == 1, deliveries
            for (when, alert), _ in zip(deliveries, deliveries[1:]):
                # Only of one who died, and soon enough to have told nobody.
                assert when - 0.5 <= killed.get(alert["node"], 0) <= when + 2, (alert, killed)
            assert len(deliveries) <= 1 + len(killed)
            again += len(deliveries) > 1
            if dies:
                assert len(deliveries) == 2, "it was not confirmed, so another one has sent it again"
        # Those that were started again have looked, each second, and heard what the others know.
        for node in nodes.values():
            made = passes_made(node)
            eventually(lambda: passes_made(node) >= made + 25, LONG)
        for node in nodes.values():
            eventually(lambda: scrape(node).get("budgetd_alerts_waiting") == 0)
        print(f"{RUNS} runs, {len(receiver.received)} deliveries, {again} alerts came twice")
        # Each once more nobody hears of it, though nodes were killed and started all along.
        assert {alert["name"] for alert in receiver.alerts} == {f"p{n}" for n in range(RUNS)}
