"""Every method as wire.md states it, one server for all tests; each test has budgets of its own."""

import hashlib
import math
import time
from decimal import Decimal

import pytest

from budget_client import pb
from conftest import OK, code_of, config_text, name_of, running
from wire_bytes import CALL_ID, PING, field, uint

DAY_MS = 86_400_000
PROVIDERS = {
    # test_filter
    "full": (1.0, "1d"), "half": (1.0, "1d"), "other": (2.0, "7d"),
    "zero": (0, "1d"), "unlimited": (None, "1d"), "estimate": (1.0, "1d"),
    # test_money
    "tiny": (1e-12, "1d"), "dust": (1.0, "1d"), "big": (200_000.0, "30d"),
    "huge": (9e9, "30d"), "small": (1e-6, "1d"), "rounding": (1.0, "1d"), "sum": (None, "1d"),
    "bounds": (5.0, "1d"), "overshoot": (1.0, "1d"), "edge": (1.0, "1d"),
    # test_record, test_budgets
    "recorded": (10.0, "1d"), "openai": (10.0, "1d"), "anthropic": (10.0, "1h"),
    "fresh": (3.0, "12h"),
    "with blank:and colon": (1.0, "1d"), "größe-💶": (1.0, "1d"), "x" * 256: (1.0, "1d"),
}
TAGS = {
    "red": (1.0, "1d"), "blue": (2.0, "1d"), "empty": (0, "1d"), "twice": (10.0, "1d"),
    "unopened": (4.0, "1w"), "free": (4.0, "1w"),
}
MODELS = [
    ("d-1", "group", "full/one", None, None),
    ("d-2", "group", "half/two", 0.5, "1d"),
    ("d-3", "group", "nobody/three", None, None),
    ("d-4", "spent", "half/four", 0.25, "1d"),
    ("d-5", "other-group", "half/five", 7.0, "2d"),
    ("d-6", "other-group", "half/six", 8.0, "1w"),
]
MAIN = config_text(PROVIDERS, TAGS, MODELS)


@pytest.fixture(scope="module")
def server(budgetd, tmp_path_factory):
    with running(budgetd, tmp_path_factory.mktemp("rpc"), MAIN) as server:
        server.record("full", 1.25)
        server.record("half", 0.25)
        server.record(deployment_id="d-4", cost=0.5)
        server.record(tags=["red"], cost=1.5)
        yield server


@pytest.fixture
def client(server):
    with server.client() as client:
        yield client


def candidate(identifier="", model="", provider="", group="group"):
    return dict(id=identifier, model_name=group, model=model, provider=provider)


def provider_candidates(*names):
    return [candidate(f"id-{n}", f"{n}/m", n) for n in names]


def filtered(client, *deployments, **fields):
    response = client.call(filter_deployments=dict(deployments=deployments, **fields))
    assert code_of(response) in (OK, pb.Status.RESOURCE_EXHAUSTED), response.status
    assert response.WhichOneof("result") == "filter_deployments"
    return response


# FilterDeployments


def test_filter_keeps_positions_in_order(client):
    response = filtered(client, *provider_candidates("half", "full", "other", "half"))
    result = response.filter_deployments
    assert code_of(response) == OK and response.status.message == ""
    assert list(result.allowed) == [0, 2, 3]
    assert [d.deployment for d in result.denials] == [1]
    assert not result.candidates and result.denials_omitted == 0


def test_denial_fields_of_a_provider(client):
    denial, = filtered(client, *provider_candidates("full", "half")).filter_deployments.denials
    assert (denial.deployment, denial.scope, denial.name) == (0, pb.SCOPE_PROVIDER, "full")
    assert (denial.spend_usd, denial.limit_usd) == (1.25, 1.0)
    now = time.time() * 1000
    assert now < denial.resets_at_unix_ms <= now + DAY_MS + 1000


def test_all_over_budget_is_resource_exhausted_with_litellms_text(client):
    response = filtered(
        client, candidate("d-1", "full/one", "full"), candidate("d-4", "half/four", "half", "g4"))
    assert code_of(response) == pb.Status.RESOURCE_EXHAUSTED
    assert response.status.message == (
        "No deployments available - crossed budget: "
        "Exceeded budget for provider full: 1.25 >= 1.0\n"
        "Exceeded budget for deployment model_name: g4, litellm_params.model: half/four, "
        "model_id: d-4: 0.5 >= 0.25\n"
    )
    result = response.filter_deployments
    assert not result.allowed
    assert [(d.deployment, d.scope, d.name, d.spend_usd, d.limit_usd) for d in result.denials] == [
        (0, pb.SCOPE_PROVIDER, "full", 1.25, 1.0), (1, pb.SCOPE_DEPLOYMENT, "d-4", 0.5, 0.25)]


def test_tags_deny_every_candidate_that_got_that_far(client):
    response = filtered(
        client, *provider_candidates("full", "half", "other"),
        tags=["red", "unknown", "empty", "red", "blue"])
    assert code_of(response) == pb.Status.RESOURCE_EXHAUSTED
    assert response.status.message == (
        "No deployments available - crossed budget: "
        "Exceeded budget for provider full: 1.25 >= 1.0\n"
        + "Exceeded budget for tag='red', tag_spend=1.5, tag_budget_limit=1.0\n"
          "Exceeded budget for tag='empty', tag_spend=0.0, tag_budget_limit=0.0\n" * 2
    )
    tag = pb.SCOPE_TAG
    denials = [(d.deployment, d.scope, d.name) for d in response.filter_deployments.denials]
    assert denials == [
        (0, pb.SCOPE_PROVIDER, "full"),
        (1, tag, "red"), (1, tag, "empty"), (2, tag, "red"), (2, tag, "empty")]


def test_provider_is_derived_from_the_model_unless_given(client):
    response = filtered(
        client, candidate("a", "openai/gpt-4o"), candidate("b", "gpt-4o", "full"),
        candidate("c", "full/x", "other"), candidate("d", "no-such-model-anywhere"))
    assert list(response.filter_deployments.allowed) == [0, 2, 3]


def test_limit_zero_denies_and_no_limit_never_does(client):
    response = filtered(client, *provider_candidates("zero", "unlimited"))
    assert list(response.filter_deployments.allowed) == [1]
    denial, = response.filter_deployments.denials
    assert (denial.name, denial.spend_usd, denial.limit_usd) == ("zero", 0.0, 0.0)


def test_empty_list_and_no_model_name(client):
    response = client.call(filter_deployments={})
    assert code_of(response) == OK
    assert not response.filter_deployments.allowed and not response.filter_deployments.denials
    assert response.WhichOneof("result") == "filter_deployments"


def test_empty_list_stays_ok_with_an_exhausted_tag(client):
    response = client.call(filter_deployments=dict(tags=["red"]))
    assert code_of(response) == OK and not response.filter_deployments.allowed


def test_model_name_gives_the_configured_candidates(client):
    response = filtered(client, model_name="group")
    result = response.filter_deployments
    assert [(c.id, c.model_name, c.model) for c in result.candidates] == [
        ("d-1", "group", "full/one"), ("d-2", "group", "half/two"),
        ("d-3", "group", "nobody/three")]
    # "full/one" and "half/two" have no provider that LiteLLM would derive, so only ids count.
    assert list(result.allowed) == [0, 1, 2]


def test_model_name_whose_candidates_are_all_over_budget(client):
    response = filtered(client, model_name="spent")
    assert code_of(response) == pb.Status.RESOURCE_EXHAUSTED
    assert "model_name: spent, litellm_params.model: half/four, model_id: d-4: 0.5 >= 0.25" in (
        response.status.message)
    assert [c.id for c in response.filter_deployments.candidates] == ["d-4"]
    assert [d.name for d in response.filter_deployments.denials] == ["d-4"]


def test_given_deployments_win_over_model_name(client):
    result = filtered(client, candidate("mine", "x/y"), model_name="group").filter_deployments
    assert list(result.allowed) == [0] and not result.candidates
    result = filtered(client, candidate("mine", "x/y"), model_name="unknown").filter_deployments
    assert list(result.allowed) == [0]


def test_unknown_model_name_is_not_found(client):
    response = client.call(filter_deployments=dict(model_name="Group"))
    assert name_of(response) == "NOT_FOUND" and response.status.message
    assert response.WhichOneof("result") is None


def test_too_many_configured_candidates(start):
    def entries(count):
        return [(f"c-{i}", "many", "openai/gpt-4o") for i in range(count)]

    server = start(config_text(models=entries(1024)))
    response = server.call(filter_deployments=dict(model_name="many"))
    assert code_of(response) == OK and len(response.filter_deployments.allowed) == 1024
    server = start(config_text(models=entries(1025)))
    response = server.call(filter_deployments=dict(model_name="many"))
    assert name_of(response) == "FAILED_PRECONDITION"
    assert "1024" in response.status.message.replace(",", "")


def test_entry_without_an_id_gets_litellms(start):
    text = (
        "model_list:\n- model_name: g\n  litellm_params: {model: openai/gpt-4o, api_key: k}\n"
        "router_settings:\n  provider_budget_config:\n"
        "    openai: {budget_limit: 1, time_period: 1d}\n")
    found = start(text).call(filter_deployments=dict(model_name="g")).filter_deployments.candidates
    assert [c.id for c in found] == [
        hashlib.sha256(b"g" b"model" b"openai/gpt-4o" b"api_key" b"k").hexdigest()]


def test_estimated_cost(server, client):
    server.record("estimate", 0.75)
    ask = provider_candidates("estimate")
    assert code_of(filtered(client, *ask, estimated_cost_usd=0.25)) == OK  # 1.0 is not > 1.0
    response = filtered(client, *ask, estimated_cost_usd=0.250000000001)
    assert code_of(response) == pb.Status.RESOURCE_EXHAUSTED
    assert response.status.message == (
        "No deployments available - crossed budget: "
        "Would exceed budget for provider estimate: 0.75 + 0.250000000001 > 1.0\n")
    denial, = response.filter_deployments.denials
    assert (denial.spend_usd, denial.limit_usd) == (0.75, 1.0)
    assert code_of(filtered(client, *ask, estimated_cost_usd=0)) == OK
    assert code_of(filtered(client, *ask)) == OK
    # It applies to deployments and tags, too, and never to what has no limit.
    assert code_of(filtered(client, candidate("d-2"), estimated_cost_usd=0.6)) == 8
    assert code_of(filtered(client, candidate("x"), tags=["blue"], estimated_cost_usd=2.5)) == 8
    unlimited = provider_candidates("unlimited")
    assert code_of(filtered(client, *unlimited, estimated_cost_usd=9e9)) == OK


def test_filtering_reserves_nothing(server, client):
    before = server.spend("estimate")
    for _ in range(20):
        filtered(client, *provider_candidates("estimate"), estimated_cost_usd=0.1)
    budget = server.budgets()["providers"]["estimate"]
    assert (budget.spend_usd, budget.reserved_usd) == (before, 0.0)


# RecordSpend


def test_record_charges_provider_deployment_and_tags(server):
    before = server.budgets()
    result = server.record("recorded", 0.125, deployment_id="d-5", tags=["blue", "free", "none"])
    assert result.budgets_charged == 4 and not result.duplicate
    after = server.budgets()
    for scope, name in (("providers", "recorded"), ("deployments", "d-5"), ("tags", "blue"),
                        ("tags", "free")):
        grown = after[scope][name].spend_usd - before[scope][name].spend_usd
        assert grown == 0.125, (scope, name)


def test_repeated_tag_is_charged_once(server):
    assert server.record(tags=["twice", "twice", "twice"], cost=0.5).budgets_charged == 1
    assert server.spend("twice", "tags") == 0.5


def test_record_derives_the_provider_from_the_model(server):
    before = server.spend("openai")
    assert server.record(model="openai/gpt-4o", cost=0.5).budgets_charged == 1
    assert server.record("anthropic", 0.5, model="openai/gpt-4o").budgets_charged == 1
    assert server.spend("openai") == before + 0.5


def test_record_of_names_without_budgets_is_ok(server):
    result = server.record("nobody", 5, deployment_id="nothing", tags=["none"])
    assert result.budgets_charged == 0 and not result.duplicate
    assert server.record("Openai", 1).budgets_charged == 0  # exact and case sensitive


@pytest.mark.parametrize("fields", [
    {}, dict(tags=[""]), dict(tags=["", ""], provider="")],
    ids=["nothing", "empty tag", "empty tags"])
def test_record_that_names_nothing(client, fields):
    response = client.call(record_spend=dict(cost_usd=1, **fields))
    assert name_of(response) == "INVALID_ARGUMENT" and response.status.message
    assert response.WhichOneof("result") is None


@pytest.mark.parametrize("fields", [
    dict(model="no-such-model-anywhere"), dict(model_name="chat")], ids=["model", "model_name"])
def test_record_of_a_model_alone(client, fields):
    """Budgets of models and of everything count it, where there are any."""
    response = client.call(record_spend=dict(cost_usd=1, **fields))
    assert name_of(response) == "OK" and response.record_spend.budgets_charged == 0


def test_record_without_a_cost(server, client):
    before = server.spend("recorded")
    response = client.call(record_spend=dict(provider="recorded"))
    assert name_of(response) == "INVALID_ARGUMENT"
    assert "send 0 for a free request" in response.status.message
    assert server.spend("recorded") == before


def test_free_record_opens_a_window(server):
    assert not server.budgets()["deployments"]["d-6"].HasField("resets_at_unix_ms")
    before = time.time() * 1000
    assert server.record(deployment_id="d-6", cost=0).budgets_charged == 1
    budget = server.budgets()["deployments"]["d-6"]
    assert budget.spend_usd == 0.0
    assert abs(budget.resets_at_unix_ms - before - 7 * DAY_MS) < 2000


@pytest.mark.parametrize("name", ["with blank:and colon", "größe-💶", "x" * 256],
                         ids=["colon", "unicode", "256 bytes"])
def test_unusual_names_that_are_within_bounds(server, client, name):
    assert server.record(name, 1.0).budgets_charged == 1
    assert server.spend(name) == 1.0
    response = filtered(client, candidate("i", "m", name))
    assert response.filter_deployments.denials[0].name == name


# Money


def test_ten_times_a_tenth_is_one(server, client):
    for _ in range(9):
        server.record("dust", 0.1)
    assert code_of(filtered(client, *provider_candidates("dust"))) == OK
    assert server.spend("dust") == 0.9
    server.record("dust", 0.1)
    response = filtered(client, *provider_candidates("dust"))
    assert "provider dust: 1.0 >= 1.0\n" in response.status.message


def test_a_picodollar_decides(server, client):
    assert code_of(filtered(client, *provider_candidates("tiny"))) == OK
    server.record("tiny", 1e-12)
    response = filtered(client, *provider_candidates("tiny"))
    assert "provider tiny: 1e-12 >= 1e-12\n" in response.status.message
    server.record("edge", 0.999999999999)
    assert code_of(filtered(client, *provider_candidates("edge"))) == OK
    assert not server.budgets()["providers"]["edge"].exhausted
    server.record("edge", 1e-12)
    assert code_of(filtered(client, *provider_candidates("edge"))) == 8
    budget = server.budgets()["providers"]["edge"]
    assert (budget.exhausted, budget.spend_usd, budget.remaining_usd) == (True, 1.0, 0.0)


@pytest.mark.parametrize("cost, value", [
    (1e-13, "1e-12"), (5e-324, "1e-12"), (0.5e-12, "1e-12"), (1.5e-12, "2e-12"),
    (2.5e-12, "2e-12"), (3.5e-12, "4e-12"), (2.51e-12, "3e-12"),
    (0.1234567890125, "0.123456789012"), (0.1234567890135, "0.123456789014"),
    (0.0, "0"), (3.0517578125e-05, "0.000030517578"), (900.999999999999, "900.999999999999")])
def test_rounding_half_to_even_at_twelve_places(server, cost, value):
    """Each cost is added to a running sum; what it adds is the difference of exact decimals."""
    before = Decimal(repr(server.spend("rounding")))
    server.record("rounding", cost)
    after = Decimal(repr(server.spend("rounding")))
    if before + Decimal(value) < 1000:  # beyond, a double no longer names twelve places
        assert after - before == Decimal(value)
    else:
        assert float(before + Decimal(value)) == float(after)


def test_large_sums_are_exact_as_far_as_a_double_shows(server, client):
    server.record("big", 100_001)
    assert server.spend("big") == 100_001.0
    for _ in range(40):
        server.record("big", 1e-12)  # each alone would vanish in a sum of doubles
    assert server.spend("big") == float(Decimal("100001") + 40 * Decimal("1e-12")) != 100_001.0
    server.record("big", 99_998.99999999996)
    exact = Decimal("100001") + 40 * Decimal("1e-12") + Decimal("99998.99999999996")
    assert exact == 200_000 and server.spend("big") == 200_000.0
    assert code_of(filtered(client, *provider_candidates("big"))) == 8


def test_nine_billion_is_the_most(server, client):
    server.record("huge", 9e9)
    assert server.spend("huge") == 9e9
    for _ in range(3):
        server.record("huge", 9e9)
    budget = server.budgets()["providers"]["huge"]
    assert (budget.spend_usd, budget.remaining_usd) == (36e9, -27e9)


BAD_MONEY = [-1.0, -1e-12, -5e-324, math.nan, math.inf, -math.inf,
             math.nextafter(9e9, math.inf), 9_000_000_001.0, 1e300]


@pytest.mark.parametrize("amount", BAD_MONEY)
def test_amounts_out_of_bounds(server, client, amount):
    before = server.spend("bounds")
    response = client.call(record_spend=dict(provider="bounds", cost_usd=amount))
    assert name_of(response) == "INVALID_ARGUMENT" and response.status.message
    response = client.call(filter_deployments=dict(
        deployments=provider_candidates("bounds"), estimated_cost_usd=amount))
    assert name_of(response) == "INVALID_ARGUMENT"
    assert response.WhichOneof("result") is None
    assert server.spend("bounds") == before


def test_spend_over_the_limit_is_recorded(server):
    for cost in (0.75, 0.75, 2.0):
        server.record("overshoot", cost)
    budget = server.budgets()["providers"]["overshoot"]
    assert (budget.spend_usd, budget.remaining_usd, budget.exhausted) == (3.5, -2.5, True)


def test_random_decimal_costs_add_up_exactly(server, client):
    costs = [Decimal(i * 7919 % 999_983) / Decimal(10**12) + Decimal(i % 13) / 10
             for i in range(1, 500)]
    for cost in costs:
        client.send(record_spend=dict(provider="sum", cost_usd=float(cost)))
    assert {code_of(client.receive()) for _ in costs} == {OK}
    assert server.spend("sum") == float(sum(costs))


# GetProviderBudgets


def test_budget_fields(server):
    budget = server.budgets()["providers"]["fresh"]
    assert (budget.name, budget.time_period) == ("fresh", "12h")
    assert (budget.limit_usd, budget.remaining_usd) == (3.0, 3.0)
    assert (budget.spend_usd, budget.reserved_usd, budget.exhausted) == (0.0, 0.0, False)
    # A provider's first window opens when the server starts.
    assert abs(budget.resets_at_unix_ms - time.time() * 1000 - DAY_MS / 2) < 120_000


def test_absent_is_absent(server):
    providers, tags = server.budgets()["providers"], server.budgets()["tags"]
    assert not providers["unlimited"].HasField("limit_usd")
    assert not providers["unlimited"].HasField("remaining_usd")
    assert not providers["unlimited"].exhausted
    assert providers["zero"].HasField("limit_usd") and providers["zero"].limit_usd == 0.0
    assert providers["zero"].exhausted
    # A tag's first window opens with its first charge.
    assert not tags["unopened"].HasField("resets_at_unix_ms")
    assert tags["red"].HasField("resets_at_unix_ms")


def test_only_providers_unless_asked(client):
    result = client.call(get_provider_budgets={}).get_provider_budgets
    assert {b.name for b in result.providers} == set(PROVIDERS)
    assert not result.deployments and not result.tags
    assert result.next_page_token == "" and result.reconciled_at_unix_ms == 0
    result = client.call(get_provider_budgets=dict(include_tags=True)).get_provider_budgets
    assert {b.name for b in result.tags} == set(TAGS) and not result.deployments
    result = client.call(get_provider_budgets=dict(include_deployments=True)).get_provider_budgets
    assert {b.name for b in result.deployments} == {"d-2", "d-4", "d-5", "d-6"}
    assert {b.name: b.time_period for b in result.deployments} == {
        "d-2": "1d", "d-4": "1d", "d-5": "2d", "d-6": "1w"}


def test_named_budgets_only(client):
    result = client.call(get_provider_budgets=dict(
        providers=["fresh", "nobody", "zero", "fresh"], include_deployments=True,
        include_tags=True, deployment_ids=["d-5"], tags=["blue", "BLUE"])).get_provider_budgets
    assert sorted(b.name for b in result.providers) == ["fresh", "zero"]
    assert [b.name for b in result.deployments] == ["d-5"]
    assert [b.name for b in result.tags] == ["blue"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_pages_hold_each_budget_once(server, size):
    with server.client() as client:
        seen, token, pages = [], "", 0
        while True:
            result = client.call(get_provider_budgets=dict(
                include_deployments=True, include_tags=True, page_size=size, page_token=token,
            )).get_provider_budgets
            page = [(scope, b.name) for scope in ("providers", "deployments", "tags")
                    for b in getattr(result, scope)]
            assert len(page) <= size
            seen += page
            pages += 1
            assert pages <= 100
            token = result.next_page_token
            if not token:
                break
    assert len(seen) == len(set(seen)) == len(PROVIDERS) + len(TAGS) + 4
    if size == 1000:
        assert pages == 1


def test_a_page_never_holds_more_than_a_thousand(start):
    server = start(config_text({f"{'p' * 240}-{i}": (1.0, "1d") for i in range(2500)}))
    with server.client() as client:
        for size in (0, 1000, 1001, 2**32 - 1):
            response = client.call(get_provider_budgets=dict(page_size=size))
            if size > 1000 and code_of(response) == pb.Status.INVALID_ARGUMENT:
                continue  # "the most" may be refused or lowered to, never exceeded
            assert len(response.get_provider_budgets.providers) == 1000
            assert response.get_provider_budgets.next_page_token
    assert len(server.budgets()["providers"]) == 2500


@pytest.mark.parametrize("token", [
    "nonsense", "0", "-1", "1", "999999999999999999999999", "AAAA", "\t", "a\0b", "x" * 257,
    "x" * 100_000, "../../etc/passwd", "💶"], ids=lambda t: repr(t[:12]) + str(len(t)))
def test_page_token_of_ones_own_making(server, client, token):
    response = client.call(get_provider_budgets=dict(page_token=token))
    assert name_of(response) == "INVALID_ARGUMENT", response.get_provider_budgets
    assert code_of(client.call(ping={})) == OK


def test_page_token_bent_or_of_another_question(client):
    ask = dict(include_tags=True, page_size=2)
    token = client.call(get_provider_budgets=ask).get_provider_budgets.next_page_token
    assert token
    bent = [token[:-1], token + "A", token[::-1], token.swapcase(), token * 2]
    for other in bent:
        response = client.call(get_provider_budgets=dict(ask, page_token=other))
        assert name_of(response) in ("OK", "INVALID_ARGUMENT")
    for other in (dict(providers=["fresh"]), dict(include_deployments=True), dict(page_size=1)):
        response = client.call(get_provider_budgets=dict(other, page_token=token))
        assert name_of(response) in ("OK", "INVALID_ARGUMENT")
    # The untouched token still works, twice.
    pages = [client.call(get_provider_budgets=dict(ask, page_token=token)).get_provider_budgets
             for _ in range(2)]
    assert [b.name for b in pages[0].providers] == [b.name for b in pages[1].providers]
    assert len(pages[0].providers) == 2


# Ping, and what comes later


def test_ping(server, client):
    response = client.call(ping={})
    assert code_of(response) == OK
    ping = response.ping
    assert ping.version and ping.node_id and ping.ready and ping.not_ready_reason == ""
    assert ping.durability == server.durability
    assert ping.store_state == "none"
    again = client.call(ping={}).ping
    # The one thing that moves: with the time.
    assert again.idempotency_horizon_unix_ms >= ping.idempotency_horizon_unix_ms
    again.idempotency_horizon_unix_ms = ping.idempotency_horizon_unix_ms
    assert again == ping


@pytest.mark.parametrize("body", [b"", *(field(n, b"") for n in (9, 26, 500, 501))])
def test_no_method_and_unknown_methods(client, body):
    client.send_frame(uint(CALL_ID, 77) + body)
    response = client.receive()
    assert (name_of(response), response.call_id) == ("UNIMPLEMENTED", 77)
    assert code_of(client.call(ping={})) == OK


def test_frame_of_length_zero(client):
    client.send_frame(b"")
    response = client.receive()
    assert (name_of(response), response.call_id) == ("UNIMPLEMENTED", 0)
    assert code_of(client.call(ping={})) == OK


def test_call_id_zero_is_judged_before_the_method(client):
    for body in (field(PING, b""), b"\x10\x05", field(500, b""), field(13, b"")):
        client.send_frame(body)
        response = client.receive()
        assert (name_of(response), response.call_id) == ("INVALID_ARGUMENT", 0)
    assert code_of(client.call(ping={})) == OK


def test_any_other_call_id_is_echoed(client):
    for call_id in (1, 127, 128, 2**31, 2**32, 2**63, 2**64 - 1):
        client.send_frame(uint(CALL_ID, call_id) + field(PING, b""))
        assert client.receive().call_id == call_id


def test_a_call_id_is_free_again_after_its_answer(client):
    for _ in range(3):
        client.send_frame(uint(CALL_ID, 5) + field(PING, b""))
        assert name_of(client.receive()) == "OK"


def test_pipelined_calls_are_all_answered(client):
    ids = {client.send(ping={}) for _ in range(500)}
    assert {client.receive().call_id for _ in range(500)} == ids
