"""/metrics: what Prometheus reads is what the RPCs did, to the last digit."""

import random
import re
from decimal import Decimal
from pathlib import Path

import pytest

from budget_client import pb
from conftest import LONG, OK, ROOT, code_of, config_text, eventually, name_of
from http_client import ask, promtool_check, scrape

PROVIDERS = {"openai": (10, "1d"), "azure": (0.000000000001, "1h"), "free": (0, "7d")}
TAGS = {"team:a": (5, "1h"), "team:b": (1000, "30d")}
MODELS = [("d-1", "g", "openai/gpt-4o", 3, "1d"), ("d-2", "g", "azure/gpt-4o", 4, "2d"),
          ("d-3", "g", "openai/gpt-4o")]
HOSTILE = ['a"b', "back\\slash", "\\n", "\\", '"', 'x"} 1', "}{", "a,b=\"c\"", "é日本", "#", " ",
           "\u202eright", "'", "$(x)", "%s", "_unknown", "name", "\\\"", "a" * 256]


def exact(value):
    return Decimal(repr(value))


def budgets_of(server):
    """{(scope, name): Budget}"""
    found = server.budgets()
    return {(scope[:-1], name): budget for scope in found for name, budget in found[scope].items()}


def assert_budgets_agree(server):
    """Every budget's samples are what GetProviderBudgets says; nothing between may be recorded."""
    metrics = scrape(server)
    budgets = budgets_of(server)
    for (scope, name), budget in budgets.items():
        labels = dict(scope=scope, name=name, window=budget.time_period)

        def value(family):
            return metrics.get(f"budgetd_budget_{family}", **labels)

        assert float(value("spend_dollars")) == budget.spend_usd, labels
        assert float(value("reserved_dollars")) == budget.reserved_usd
        assert value("exhausted") == int(budget.exhausted), labels
        if budget.HasField("limit_usd"):
            assert float(value("limit_dollars")) == budget.limit_usd
            assert float(value("remaining_dollars")) == budget.remaining_usd
            assert (value("limit_dollars") - value("spend_dollars") - value("reserved_dollars")
                    == value("remaining_dollars"))
        else:
            assert value("limit_dollars") is None and value("remaining_dollars") is None
        if budget.HasField("resets_at_unix_ms"):
            reset = value("reset_timestamp_seconds")
            assert reset * 1000 == budget.resets_at_unix_ms
        else:
            assert value("reset_timestamp_seconds") is None
        if scope == "provider":
            assert (metrics.get("litellm_provider_remaining_budget_metric", api_provider=name)
                    == value("remaining_dollars"))
    assert len(metrics.family("budgetd_budget_spend_dollars")) == len(budgets)
    return metrics


def documented_names():
    rows = re.findall(r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \|",
                      (ROOT / "deploy" / "metrics.md").read_text(), re.MULTILINE)
    return dict(rows)


def test_every_metric_is_there_from_the_start_and_documented(start, tmp_path):
    server = start(config_text(PROVIDERS, TAGS, MODELS), "--trace", tmp_path / "trace.jsonl")
    metrics = assert_budgets_agree(server)
    promtool_check(metrics.text)
    families = dict(re.findall(r"^# TYPE (\S+) (\S+)$", metrics.text, re.MULTILINE))
    documented = documented_names()
    fleet = {name for name in documented
             if re.match(r"budgetd_(redis|sentinel|reconcile|late|fleet|partitioned|claim"
                         r"|reservation_wait|reservations_waiting)", name)}
    assert len(fleet) == 21
    # test_tls.py looks at these.
    tls = {name for name in documented if "_tls_" in name}
    assert families == {
        name: kind for name, kind in documented.items() if name not in fleet | tls}
    _, headers, _ = ask(server, "/metrics")
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("durability", ["commit", "memory"])
def test_metrics_are_the_state_exactly_after_a_random_run(start, durability):
    server = start(config_text(PROVIDERS, TAGS, MODELS), "--durability", durability)
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    total = unbudgeted = Decimal(0)
    stored = 0
    counts = {"recorded": 0, "duplicate": 0, "mismatch": 0, "invalid": 0}
    keys, filters, denied, charged = [], {}, 0, {}
    budgeted = {("provider", n) for n in PROVIDERS} | {("tag", n) for n in TAGS} | {
        ("deployment", m[0]) for m in MODELS if len(m) > 3}
    with server.client() as client:
        for number in range(600):
            fields = dict(
                provider=chance.choice([*PROVIDERS, "stranger"]),
                deployment_id=chance.choice(["", "d-1", "d-2", "d-3", "d-9"]),
                tags=chance.sample([*TAGS, "unknown"], chance.randrange(3)))
            cost = chance.choice([0.0, 0.1, 0.2, 1e-12, 0.000123456789, chance.random()])
            kind = chance.random()
            if kind < 0.5:
                key = f"k-{number}" if chance.random() < 0.7 else ""
                response = client.call(
                    record_spend=dict(cost_usd=cost, idempotency_key=key, **fields))
                assert code_of(response) == OK and not response.record_spend.duplicate
                amount = Decimal(repr(cost)).quantize(Decimal("1e-12"))
                total += amount
                counts["recorded"] += 1
                if key:
                    keys.append((key, cost, fields))
                hit = {("provider", fields["provider"]), ("deployment", fields["deployment_id"]),
                       *(("tag", tag) for tag in fields["tags"])} & budgeted
                for budget in hit:
                    charged[budget] = charged.get(budget, 0) + amount
                assert response.record_spend.budgets_charged == len(hit)
                if not hit:
                    unbudgeted += amount
                stored += bool(key or hit)
            elif kind < 0.6 and keys:
                key, cost, fields = chance.choice(keys)
                same = chance.random() < 0.5
                response = client.call(record_spend=dict(
                    cost_usd=cost if same else cost + 1, idempotency_key=key, **fields))
                counts["duplicate" if same else "mismatch"] += 1
                assert code_of(response) == (OK if same else pb.Status.ALREADY_EXISTS)
            elif kind < 0.65:
                client.call(record_spend=dict(cost_usd=-1, provider="openai"))
                counts["invalid"] += 1
            else:
                response = client.call(filter_deployments=dict(
                    deployments=[dict(id=i, model="openai/gpt-4o") for i in ("d-1", "d-3")],
                    tags=fields["tags"]))
                filters[name_of(response)] = filters.get(name_of(response), 0) + 1
                denied += len(response.filter_deployments.denials)

    def records(outcome):
        return scrape(server).get("budgetd_records_total", outcome=outcome)

    eventually(lambda: records("recorded") == counts["recorded"], LONG, "all is on disk")
    metrics = assert_budgets_agree(server)
    promtool_check(metrics.text)
    assert metrics["budgetd_spend_recorded_dollars_total"] == total
    for (scope, name), amount in charged.items():
        window = budgets_of(server)[(scope, name)].time_period
        labels = dict(scope=scope, name=name, window=window)
        assert metrics.get("budgetd_budget_charged_dollars_total", **labels) == amount
        assert metrics.get("budgetd_budget_spend_dollars", **labels) == amount
    unknown = dict(scope="_unknown", name="_unknown", window="")
    assert metrics.get("budgetd_budget_charged_dollars_total", **unknown) == unbudgeted
    for outcome in ("duplicate", "mismatch"):
        assert records(outcome) == counts[outcome]
    for outcome in ("refused", "unknown", "out_of_range"):
        assert records(outcome) == 0

    def answered(method, status):
        return metrics.get("budgetd_rpc_requests_total", method=method, status=status) or 0

    assert answered("RecordSpend", "OK") == counts["recorded"] + counts["duplicate"]
    assert answered("RecordSpend", "ALREADY_EXISTS") == counts["mismatch"]
    assert answered("RecordSpend", "INVALID_ARGUMENT") == counts["invalid"]
    for status, count in filters.items():
        assert answered("FilterDeployments", status) == count
    assert sum(metrics.family("budgetd_denials_total").values()) == denied
    assert metrics["budgetd_denials_omitted_total"] == 0
    for method in ("RecordSpend", "FilterDeployments"):
        requests = sum(value for labels, value in
                       metrics.family("budgetd_rpc_requests_total").items()
                       if ("method", method) in labels)
        assert metrics.get("budgetd_rpc_duration_seconds_count", method=method) == requests
        assert 0 < metrics.get("budgetd_rpc_duration_seconds_sum", method=method) < 600
    # A record without key and budgets leaves nothing to store; alone it needs no commit.
    assert stored <= metrics["budgetd_ledger_batch_records_sum"] <= counts["recorded"]
    assert metrics["budgetd_ledger_batch_records_count"] == metrics.get(
        "budgetd_ledger_commits_total", outcome="committed")
    assert metrics["budgetd_received_bytes_total"] > 0 and metrics["budgetd_sent_bytes_total"] > 0


def test_hostile_names_and_unknown_tags_leave_the_series_as_they_are(start):
    server = start(config_text(
        {name: (1, "1d") for name in HOSTILE}, {name: (2, "1h") for name in HOSTILE},
        [(name, "g", "openai/gpt-4o", 3, "1d") for name in HOSTILE]))
    metrics = assert_budgets_agree(server)
    promtool_check(metrics.text)
    assert len(metrics.family("budgetd_budget_spend_dollars")) == 3 * len(HOSTILE)
    before = metrics.series()
    window = 1_000
    with server.client() as client:
        for number in range(100_000):
            tags = [f'tag-{number}"\\', "x\n", f"{number}"]
            client.send(record_spend=dict(cost_usd=0.001, provider="stranger", tags=tags))
            if number >= window:
                assert code_of(client.receive()) == OK
        for _ in range(window):
            assert code_of(client.receive()) == OK
    metrics = scrape(server)
    promtool_check(metrics.text)
    assert metrics.series() == before
    assert metrics.get("budgetd_budget_charged_dollars_total", scope="_unknown", name="_unknown",
                       window="") == 100
    assert metrics.get("budgetd_unusable_names_total", field="tag",
                       reason="control_character") == 100_000
    assert metrics["budgetd_unbudgeted_records_total"] == 100_000


def test_more_budgets_than_are_shown_are_counted(start):
    models = [(f"d-{n}", "g", "openai/gpt-4o", 0 if n < 3 else 5, "1d") for n in range(11)]
    config = config_text({"openai": (1, "1d")}, {f"t-{n}": (1, "1d") for n in range(6)}, models)
    server = start(config, "--metrics-deployments", "10", "--metrics-tags", "5")
    metrics = scrape(server)
    promtool_check(metrics.text)
    shown = metrics.family("budgetd_budget_limit_dollars")
    assert [dict(labels)["scope"] for labels in shown] == ["provider"]
    for scope, budgets, hidden in (("provider", 1, 0), ("deployment", 11, 11), ("tag", 6, 6)):
        assert metrics.get("budgetd_budgets", scope=scope) == budgets
        assert metrics.get("budgetd_budgets_not_exported", scope=scope) == hidden
    assert metrics.get("budgetd_budgets_exhausted", scope="deployment") == 3
    # A reload that leaves fewer brings them back.
    server.reload(config_text({"openai": (1, "1d")}, None, models[:10]))
    eventually(lambda: scrape(server).get("budgetd_budgets_not_exported", scope="tag") == 0)
    metrics = assert_budgets_agree(server)
    assert len(metrics.family("budgetd_budget_limit_dollars")) == 11


def test_reloads_are_told_of(start):
    server = start(config_text(PROVIDERS))
    first = scrape(server)
    assert first["budgetd_config_last_reload_successful"] == 1
    accepted = first["budgetd_config_last_reload_success_timestamp_seconds"]
    server.reload("router_settings: {provider_budget_config: {openai: {budget_limit: -1}}}")
    eventually(lambda: scrape(server)["budgetd_config_last_reload_successful"] == 0)
    assert scrape(server)["budgetd_config_last_reload_success_timestamp_seconds"] == accepted
    assert ask(server, "/readyz")[0] == 200, "the configuration before is in force"
    server.reload(config_text({"openai": (20, "1d")}))
    eventually(lambda: scrape(server)["budgetd_config_last_reload_successful"] == 1)
    assert scrape(server)["budgetd_config_last_reload_success_timestamp_seconds"] > accepted


def test_the_process_is_as_proc_says(start):
    server = start(config_text(PROVIDERS))
    metrics = scrape(server)
    assert abs(int(metrics["process_resident_memory_bytes"]) - server.rss_kib() * 1024) < 1 << 24
    assert abs(int(metrics["process_open_fds"]) - server.descriptors()) <= 3
    assert float(metrics["process_cpu_seconds_total"]) <= server.cpu_seconds() + 0.02
    limits = Path(f"/proc/{server.pid}/limits").read_text()
    assert f"{int(metrics['process_max_fds'])} " in re.search(r"Max open files.*", limits)[0]
    started = float(metrics["process_start_time_seconds"])
    assert abs(started - Path(f"/proc/{server.pid}").stat().st_ctime) < 5
    assert metrics["budgetd_insecure_listener"] == 0
    version = re.search(r" version=(\S+)", server.ready_line["more"])[1]
    assert metrics.get("budgetd_build_info", version=version) == 1
