"""deploy/prometheus, deploy/grafana and deploy/RUNBOOK.md: that they agree with each other and with
metrics.md, and that a real Prometheus sees in a real budgetd what RPCs did."""

import json
import math
import os
import re
from decimal import Decimal

import pytest
import yaml

from budget_client import pb
from conftest import LONG, OK, ROOT, code_of, config_text, eventually, run
from fleet import FAST
from http_client import scrape
from prometheus_server import FILES, prometheus_on
from redis_servers import redis_service

RUNBOOK = (ROOT / "deploy" / "RUNBOOK.md").read_text()
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "budgetd.json").read_text())
RULES = [rule for group in yaml.safe_load((FILES / "rules.yml").read_text())["groups"]
         for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDS = {rule["record"] for rule in RULES if "record" in rule}
DOCUMENTED = dict(re.findall(r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \|",
                             (ROOT / "deploy" / "metrics.md").read_text(), re.MULTILINE))
NAME = re.compile(r"(?<![\w:])(?:[a-z0-9]+:)?(?:budgetd|process|litellm)_[a-z0-9_]+(?::\w+)?")
FLEET = re.compile(r"budgetd_(redis|sentinel|reconcile|late|fleet|partitioned|claim"
                   r"|reservation_wait|reservations_waiting)")
# Of a Redis that is several servers.
SERVERS = re.compile(r"budgetd_(redis_(nodes|redirects|clock_difference)|sentinel)")
HOSTILE = 'x"} 1\\ \u00e9{,='


def panels():
    """Those of the dashboard that show something."""
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions():
    """{panel's title and query: expression}, as Grafana sends it if all is chosen."""
    variables = {"$__rate_interval": "5m", **{
        f"${variable['name']}": variable["allValue"] for variable in DASHBOARD["templating"]["list"]
        if variable["type"] == "query"}}
    found = {}
    for panel in panels():
        for target in panel["targets"]:
            expression = target["expr"]
            for variable, value in variables.items():
                expression = expression.replace(variable, value)
            assert "$" not in expression, f"{panel['title']}: {expression}"
            found[f"{panel['title']} {target['refId']}"] = expression
    return found


def unknown_names(text):
    """Names of metrics in a text that neither metrics.md nor a recording rule has."""
    wrong = set()
    for name in NAME.findall(text):
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        is_part = base != name and DOCUMENTED.get(base) == "histogram"
        if name not in DOCUMENTED and name not in RECORDS and not is_part:
            wrong.add(name)
    return wrong


def promtool(*arguments, timeout=LONG, **options):
    try:
        result = run("promtool", *arguments, timeout=timeout, **options)
    except FileNotFoundError:
        pytest.fail("these tests need promtool (apt-get install prometheus)")
    assert result.returncode == 0, result.stdout + result.stderr
    return result


def test_promtool_accepts_the_configuration_and_the_rules():
    promtool("check", "config", FILES / "prometheus.yml")
    promtool("check", "rules", FILES / "rules.yml")


def test_the_rules_pass_their_unit_tests():
    # Each case has a database of its own, here in memory: two thirds of the time went to the disk.
    promtool("test", "rules", FILES / "rules_test.yml", timeout=10 * LONG,
             env={**os.environ, "TMPDIR": "/dev/shm"})


def test_each_alert_has_a_unit_test_where_it_fires_and_one_where_it_does_not():
    tests = yaml.safe_load((FILES / "rules_test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases} == set(ALERTS)
    for alert in ALERTS:
        fires = [bool(case["exp_alerts"]) for case in cases if case["alertname"] == alert]
        assert True in fires and False in fires, f"{alert}: {fires}"


def test_each_alert_has_its_paragraph_and_each_paragraph_its_alert():
    paragraphs = dict(re.findall(r"^### (\w+)\n((?:.+\n)+)", RUNBOOK, re.MULTILINE))
    assert set(paragraphs) == set(ALERTS)
    assert len(re.findall(r"^### ", RUNBOOK, re.MULTILINE)) == len(ALERTS), "one each"
    for alert, paragraph in paragraphs.items():
        assert len(paragraph) > 200, f"{alert}: {paragraph}"
        for other in re.findall(r"`(Budgetd\w+)`", paragraph):
            assert other in ALERTS, f"{alert} names {other}"


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_says_how_bad_it_is_and_what_to_read(name):
    rule = ALERTS[name]
    annotations = rule["annotations"]
    severities = set(re.findall(r"critical|warning|info", rule["labels"]["severity"]))
    assert severities and severities <= {"critical", "warning", "info"}
    assert set(annotations) == {"summary", "description", "runbook_url"}
    assert annotations["runbook_url"] == (
        "{{ with $externalLabels.runbooks }}{{ . }}{{ else }}deploy/RUNBOOK.md{{ end }}"
        f"#{name.lower()}")
    assert annotations["description"].endswith(".") and not annotations["summary"].endswith(".")


def test_every_metric_that_is_named_exists():
    for where, text in {"rules": (FILES / "rules.yml").read_text(), "runbook": RUNBOOK,
                        "dashboard": json.dumps(DASHBOARD)}.items():
        assert unknown_names(text) == set(), where
        assert len(NAME.findall(text)) > 10, where
    assert unknown_names("rate(budgetd_no_such_total[5m])") == {"budgetd_no_such_total"}
    assert unknown_names("budget:budgetd_x:y") == {"budget:budgetd_x:y"}


def test_every_metric_is_in_the_dashboard():
    shown = json.dumps(DASHBOARD)
    # LiteLLM's name is for others' dashboards.
    left_out = {"litellm_provider_remaining_budget_metric", "process_virtual_memory_bytes"}
    assert {name for name in DOCUMENTED if name not in shown} == left_out


def test_every_query_of_the_dashboard_parses(tmp_path):
    rules = [{"record": f"query:{number}", "expr": expression}
             for number, expression in enumerate(expressions().values())]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", path).stdout


def test_the_dashboard_is_whole():
    assert DASHBOARD["schemaVersion"] >= 42 and DASHBOARD["uid"] == "budgetd"
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert rows == ["Budgets", "Requests", "Ledger", "Fleet (with Redis)", "Process"]
    identifiers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(identifiers)) == len(identifiers)
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    for panel in panels():
        source = {"type": "prometheus", "uid": "${datasource}"}
        assert all(part["datasource"] == source for part in [panel, *panel["targets"]])
        assert "thresholds" in panel["fieldConfig"]["defaults"], panel["title"]
        assert panel["type"] == "table" or panel["fieldConfig"]["defaults"]["unit"], panel["title"]


def quantile(metrics, q, method):
    """As histogram_quantile does it: linear within the bucket that has the rank."""
    buckets = sorted((Decimal(dict(labels)["le"]), count) for labels, count in
                     metrics.family("budgetd_rpc_duration_seconds_bucket").items()
                     if dict(labels)["method"] == method)
    rank = q * float(buckets[-1][1])
    lower, below = 0.0, 0.0
    for bound, count in buckets:
        if float(count) >= rank:
            assert math.isfinite(bound), "slower than the last bucket"
            return lower + (float(bound) - lower) * (rank - below) / (float(count) - below)
        lower, below = float(bound), float(count)
    raise AssertionError("no bucket has the rank")


@pytest.fixture
def watched(start, tmp_path):
    """(budgetd, a Prometheus that has scraped it once)"""
    providers = {"openai": (10, "1d"), "azure": (5, "1d"), "closed": (0, "1d")}
    models = [("d-1", "g", "openai/gpt-4o", 3, "1d"), ("d-2", "g", "azure/gpt-4o", 100, "30d")]
    server = start(config_text(providers, {"team:a": (1, "1h"), HOSTILE: (100, "1h")}, models),
                   "--trace", str(tmp_path / "trace.jsonl"))
    with prometheus_on(tmp_path / "prometheus", server) as prometheus:
        prometheus.scraped()
        yield server, prometheus


def test_prometheus_sees_what_the_rpcs_did(watched):
    server, prometheus = watched
    with server.client() as client:
        for number in range(200):
            response = client.call(record_spend=dict(
                provider="openai", deployment_id="d-2", tags=[HOSTILE], cost_usd=0.041,
                idempotency_key=f"k-{number}"))
            assert code_of(response) == OK
            response = client.call(filter_deployments=dict(
                deployments=[dict(id="d-1", model="openai/gpt-4o")]))
            assert code_of(response) == OK
        client.call(record_spend=dict(provider="azure", cost_usd=5.000000000001))
        client.call(record_spend=dict(tags=["team:a"], cost_usd=1.25))
        client.call(record_spend=dict(provider="stranger", cost_usd=0.5))
        response = client.call(filter_deployments=dict(
            deployments=[dict(id="d-2", model="azure/gpt-4o")]))
        assert code_of(response) == pb.Status.RESOURCE_EXHAUSTED
    prometheus.scraped()

    # Money: to the last digit of a double, for every budget.
    found = {(labels["scope"], labels["name"]): (labels, value) for labels, value in
             prometheus.query("budgetd_budget_remaining_dollars")}
    budgets = server.budgets()
    assert len(found) == sum(map(len, budgets.values())) == 7
    for scope in budgets:
        for name, budget in budgets[scope].items():
            labels, value = found[scope[:-1], name]
            assert float(value) == budget.remaining_usd, name
            assert (labels["window"], labels["job"]) == (budget.time_period, "budgetd")
            assert labels["instance"] == server.ready_line["http"]
    assert float(found["provider", "openai"][1]) == 1.8
    assert float(found["provider", "azure"][1]) == -0.000000000001
    assert float(found["tag", "team:a"][1]) == -0.25
    assert float(found["tag", HOSTILE][1]) == 91.8
    assert prometheus.value("budgetd_spend_recorded_dollars_total") == "14.950000000001"
    charged = 'sum(budgetd_budget_charged_dollars_total{scope="_unknown"})'
    assert prometheus.value(charged) == "0.5"
    assert prometheus.value('budgetd_denials_total{scope="provider"}') == "1"

    # Latencies: the quantile of the histogram that the page shows now; nothing came since.
    metrics = scrape(server)
    for method, count in (("FilterDeployments", 201), ("RecordSpend", 203)):
        assert metrics.get("budgetd_rpc_duration_seconds_count", method=method) == count
        for q in (0.5, 0.99):
            bucket = f'budgetd_rpc_duration_seconds_bucket{{method="{method}"}}'
            value = float(prometheus.value(f"histogram_quantile({q}, {bucket})"))
            assert 0 < value <= 10
            assert value == pytest.approx(quantile(metrics, q, method), rel=1e-9)
        # All requests came after the first scrape: their rates have the same quantile.
        recorded = f'method:budgetd_rpc_duration_seconds:p99_5m{{method="{method}"}}'
        eventually(
            lambda: [float(value) for _, value in prometheus.query(recorded)]
            == [pytest.approx(quantile(metrics, 0.99, method), rel=1e-6)],
            LONG, recorded)


def test_alerts_fire_and_end_as_the_rpcs_and_reloads_make_them(watched):
    server, prometheus = watched
    assert "BudgetdBudgetExhausted" not in prometheus.firing(), "a limit of 0 is meant"
    server.record("openai", 8)
    server.record("azure", 5)
    server.record(cost=1.25, tags=["team:a"])

    def firing():
        return {alert: sorted((labels["name"], labels["severity"]) for labels in found)
                for alert, found in prometheus.firing().items() if "Budget" in alert}

    expected = {
        "BudgetdBudgetNearLimit": [("openai", "warning")],
        "BudgetdBudgetExhausted": [("azure", "critical"), ("team:a", "warning")],
        "BudgetdBudgetOvershoot": [("team:a", "critical")],
    }
    eventually(lambda: firing() == expected, LONG, f"firing: {expected}")
    (alert,) = [alert for alert in prometheus.get("alerts")["alerts"]
                if alert["labels"]["alertname"] == "BudgetdBudgetNearLimit"]
    assert alert["annotations"]["summary"] == (
        "provider openai has spent 80% of its limit per 1d")
    # Its series is written a moment after the alert is listed.
    overshoot = 'ALERTS{alertname="BudgetdBudgetOvershoot",alertstate="firing"}'
    eventually(lambda: prometheus.query(overshoot), LONG, "the series is there")
    assert prometheus.value(overshoot) == "1"
    server.reload(config_text({"openai": (20, "1d"), "azure": (50, "1d")}, {"team:a": (9, "1h")}))
    eventually(lambda: firing() == {}, LONG, "raised limits end the alerts")


def test_every_rule_and_every_query_of_the_dashboard_works_on_a_real_node(watched):
    server, prometheus = watched
    with server.client() as client:
        client.call(record_spend=dict(provider="openai", cost_usd=1, idempotency_key="k"))
        client.call(filter_deployments=dict(deployments=[dict(id="d-1", model="openai/gpt-4o")]))
    prometheus.scraped()
    groups = eventually(
        lambda: [groups for groups in [prometheus.get("rules")["groups"]] if all(
            rule["health"] != "unknown" for group in groups for rule in group["rules"])],
        LONG, "every rule was evaluated")[0]
    for group in groups:
        for rule in group["rules"]:
            assert rule["health"] == "ok", rule
    assert sum(len(group["rules"]) for group in groups) == len(RULES)
    for where, expression in expressions().items():
        found = prometheus.query(expression)
        # A node that is alone has no fleet, one in the clear no certificate; and what only shows what
        # happens may show nothing.
        if FLEET.search(expression) or "_tls_" in expression:
            assert found == [], f"{where}: {found}"
        elif not expression.endswith("> 0"):
            assert found, f"{where}: {expression} finds nothing"


@pytest.fixture
def redis():
    with redis_service() as service:
        yield service


def test_what_a_fleet_spent_counts_once(redis, start, tmp_path):
    config = config_text({"openai": (10, "1d")})
    nodes = [start(config, "--redis", redis.url, *FAST) for _ in range(2)]
    with prometheus_on(tmp_path / "prometheus", *nodes) as prometheus:
        prometheus.scraped()
        nodes[0].record("openai", 5)
        nodes[1].record("openai", 4)
        for node in nodes:
            eventually(lambda: node.spend("openai") == 9, LONG, "each shows the fleet's spend")
        prometheus.scraped()
        spends = [value for _, value in prometheus.query("budgetd_budget_spend_dollars")]
        assert spends == ["9", "9"]
        charged = prometheus.query('budgetd_budget_charged_dollars_total{name="openai"}')
        assert sorted(value for _, value in charged) == ["4", "5"], "each its own"
        budget = {"job": "budgetd", "scope": "provider", "name": "openai", "window": "1d"}
        eventually(
            lambda: prometheus.firing() == {
                "BudgetdBudgetNearLimit": [{**budget, "severity": "warning"}]},
            LONG, "one alert for both nodes")
        assert prometheus.value("budget:budgetd_budget_used:ratio") == "0.9"
        assert prometheus.value("budget:budgetd_budget_remaining_dollars:min") == "1"
        for where, expression in expressions().items():
            if FLEET.search(expression) and not SERVERS.search(expression):
                assert prometheus.query(expression), f"{where}: {expression} finds nothing"
        assert prometheus.value("max(budgetd_fleet_nodes)") == "2"
