"""budgetd in the place of LiteLLM's budget limiter, in the real proxy: every way a request can go,
and every pitfall of LiteLLM's hooks. Two proxies serve nearly all tests, since one takes long to start: one
fails open and holds what was learned, one fails closed and holds the greatest cost.

BUDGETD_LITELLM_REQUESTS=2000: so many mixed requests in place of 60, with budgetd killed five times
and the proxy stopped once, and tests that need proxies of their own."""

import concurrent.futures
import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter

import pytest
import yaml

from conftest import LONG, Server, eventually, running
from litellm_provider import Provider
from litellm_proxy import COST, SOURCES, Proxy, deployment, differences, proxy_program
from redis_servers import redis_service

REQUESTS = int(os.environ.get("BUDGETD_LITELLM_REQUESTS", "60"))
LONG_RUN = REQUESTS > 60
LIMITS = {"openai": {"budget_limit": 1000.0, "time_period": "1d"},
          "anthropic": {"budget_limit": 1000.0, "time_period": "1d"}}
TAGS = {name: (1000.0, "1d") for name in ("team-a", "team-b", "team-spent", "team-closed")}


def model_list(provider):
    def budgeted(identifier, group, limit, **more):
        return deployment(provider, identifier, group, max_budget=limit, budget_duration="1d",
                          **more)

    return [
        budgeted("d1", "gpt", 1000.0), budgeted("d2", "gpt", 1000.0),
        budgeted("spent", "small", 0.5), budgeted("spare", "fallback", 1000.0),
        budgeted("first", "ordered", 1000.0), budgeted("emb", "embed", 1000.0,
                                                      model="openai/text-embedding-3-small"),
        budgeted("image", "image", 1000.0, model="openai/dall-e-3",
                 input_cost_per_image=0.25, input_cost_per_pixel=0.0),
        budgeted("free", "unpriced", 1000.0, model="openai/nobody-knows-this",
                 input_cost_per_token=None, output_cost_per_token=None),
        budgeted("tight", "tight", 10.0), budgeted("capped", "capped", 10.0),
        # Of one group: what costs a dollar at most has no room in the first.
        budgeted("narrow", "pair", 0.5), budgeted("wide", "pair", 1000.0),
        budgeted("live", "live", 1000.0, model="openai/gpt-4o-realtime-preview"),
        budgeted("silent", "silent", 0.5, model="openai/gpt-4o-realtime-preview"),
    ]


def proxy_config(provider, **settings):
    models = model_list(provider)
    for one in models:
        one["litellm_params"] = {name: value for name, value in one["litellm_params"].items()
                                 if value is not None}
    return {
        "model_list": models,
        "router_settings": {"provider_budget_config": LIMITS, "num_retries": 2,
                            "fallbacks": [{"small": ["fallback"]}, {"ordered": ["fallback"]}],
                            "disable_cooldowns": False},
        "litellm_settings": {
            "callbacks": ["budgetd.litellm.budgets", "litellm_witness.witness", "prometheus"],
            "cache": True, "cache_params": {
                "type": "local", "supported_call_types": ["acompletion"], "mode": "default_off"},
            **settings}}


def node_config(provider):
    """budgetd reads the proxy's own config; tags' budgets, which an unlicensed proxy does not start
    with, stand in budgetd's file."""
    config = proxy_config(provider)
    config["litellm_settings"] = {"tag_budget_config": {
        name: {"max_budget": limit, "budget_duration": window}
        for name, (limit, window) in TAGS.items()}}
    return yaml.safe_dump(config)


class World:
    """Provider, budgetd, a proxy that fails open and one that fails closed."""

    def __init__(self, program, directory):
        self.provider = Provider()
        self.config = node_config(self.provider)
        self.program, self.directory = program, directory
        self.server = Server(program, directory / "node", self.config)
        self.address = "127.0.0.1:%d" % self.server.rpc[1]
        self.proxies, self.started = [], 0
        self.open = self.proxy("open", OPENAI_API_KEY="x",
                               OPENAI_API_BASE=self.provider.base("through").removesuffix("/v1"))
        self.closed = self.proxy("closed", BUDGETD_ESTIMATE="greatest", BUDGETD_UNPRICED="estimate")

    def proxy(self, choice, *arguments, **options):
        """One more, on this budgetd unless it is told another; not ready yet."""
        config = options.pop("config", None) or proxy_config(self.provider)
        self.started += 1
        folder = self.directory / f"proxy{self.started}"
        address = options.pop("address", self.address)
        self.proxies.append(Proxy(folder, config, address, choice, *arguments, **options))
        return self.proxies[-1]

    def restart(self):
        """The same budgetd at the same address."""
        self.server = Server(self.program, self.directory / "node", self.config,
                             listen=self.address)

    def agrees(self, is_held=False, within=LONG):
        """LiteLLM's own log and budgetd agree on every budget, and nothing is held; `is_held`: what is
        held is not looked at."""
        def found():
            return {key: amount for key, amount in differences(self.server, *self.proxies).items()
                    if not (is_held and "reserved" in key)}
        try:
            eventually(lambda: not found(), within)
        except AssertionError:
            raise AssertionError(found()) from None

    def spend(self, cost, provider="", deployment="", tag=""):
        """Spent by somebody else."""
        self.server.record(provider, cost, deployment_id=deployment, tags=[tag] if tag else [])
        self.note(cost, provider, deployment, tag)

    def note(self, cost, provider="", deployment="", tag=""):
        """Written down beside what LiteLLM's log says."""
        if deployment:
            provider = "openai"  # as the model list has it
        with open(self.open.witness_path, "a") as file:
            file.write(json.dumps({"cost": cost, "provider": provider, "deployment": deployment,
                                   "tags": [tag] if tag else []}) + "\n")

    def close(self):
        for one in (*self.proxies, self.provider):
            one.close()
        self.server.kill()


@pytest.fixture(scope="module")
def world(budgetd, tmp_path_factory):
    proxy_program()
    made = World(budgetd, tmp_path_factory.mktemp("litellm"))
    try:
        made.open.wait()
        made.closed.wait()
        yield made
    finally:
        made.close()


def spent(world, name, scope="deployments"):
    return world.server.spend(name, scope)


@contextlib.contextmanager
def adding(world, cost, name="team-a", scope=None):
    """What the block asks for is recorded with this cost, once."""
    scope = scope or ("tags" if name in TAGS else "deployments")
    before = spent(world, name, scope)
    yield
    eventually(lambda: abs(spent(world, name, scope) - before - cost) < 1e-9, LONG,
               f"{name} has {cost} more than {before}")


def until(request, most=60):
    """Of two deployments LiteLLM takes either: asked until it took the one that this is about."""
    assert any(request() for _ in range(most)), f"not in {most} requests"


def tagged(*tags):
    return {"metadata": {"tags": list(tags)}}


def test_chat_is_recorded_for_provider_deployment_and_tags(world):
    with adding(world, COST), adding(world, COST, "team-b"), adding(world, COST, "openai",
                                                                    "providers"):
        status, answer = world.open.chat("gpt", **tagged("team-a", "team-b"))
        assert status == 200, answer
    world.agrees()


def test_a_stream_is_recorded_at_its_end(world):
    with adding(world, COST + 0.02):
        status, lines = world.open.stream("gpt", "tokens=15", **tagged("team-a"))
        assert status == 200 and lines[-1] == "data: [DONE]"


def test_embeddings(world):
    with adding(world, 0.01):
        status, answer = world.open.ask("/v1/embeddings", {
            "model": "embed", "input": "hello", **tagged("team-a")})
        assert status == 200, answer


def test_responses(world):
    with adding(world, COST):
        status, answer = world.open.ask("/v1/responses", {
            "model": "gpt", "input": "hello", "litellm_metadata": {"tags": ["team-a"]}})
        assert status == 200, answer


def test_messages(world):
    with adding(world, COST):
        status, answer = world.open.ask("/v1/messages", {
            "model": "gpt", "max_tokens": 100, "messages": [{"role": "user", "content": "hello"}],
            "litellm_metadata": {"tags": ["team-a"]}})
        assert status == 200, answer


def test_images(world):
    before = len(world.open.events())
    status, answer = world.open.ask("/v1/images/generations", {
        "model": "image", "prompt": "a house", **tagged("team-a")})
    assert status == 200, answer
    eventually(lambda: len(world.open.events()) > before, LONG, "LiteLLM's event")
    world.agrees()


def test_a_realtime_session(world):
    """Two turns; LiteLLM has one event of their cost, at the end."""
    before, spend = len(world.open.events()), spent(world, "live")
    came = world.open.session("live", 2)
    assert [one["type"] for one in came] == ["session.created", *["response.done"] * 2], came
    events = eventually(lambda: [one for one in world.open.events()[before:] if one["cost"]], LONG,
                        "LiteLLM's event")
    assert len(events) == 1 and events[0]["deployment"] == "live", events
    eventually(lambda: spent(world, "live") > spend, LONG, "it is recorded")
    world.agrees()


def test_a_realtime_session_is_refused_too(world):
    world.spend(0.5, deployment="silent")
    came = world.open.session("silent", 1)
    assert "session.created" not in str(came), came
    assert ("silent", "v1/realtime") not in world.provider.asked
    world.agrees()


def test_a_retry_costs_once(world):
    """The first deployment fails, the second serves: one cost, for the second."""
    before, served = {name: spent(world, name) for name in ("d1", "d2")}, 0

    def retried():
        """LiteLLM takes either at each try; the one that fails may be taken every time."""
        nonlocal served
        asked = len(world.provider.asked)
        status, answer = world.open.chat("gpt", "fail=d1", **tagged("team-a"))
        assert status in (200, 500), answer
        served += status == 200
        return status == 200 and ("d1", "v1/chat/completions") in world.provider.asked[asked:]

    until(retried)
    eventually(lambda: spent(world, "d2") == pytest.approx(before["d2"] + served * COST, abs=1e-9),
               LONG, "each cost once")
    assert spent(world, "d1") == before["d1"]
    world.agrees()


def test_a_fallback_is_charged_to_who_served(world):
    with adding(world, COST, "spare"):
        status, answer = world.open.chat("ordered", "fail=first", **tagged("team-a"))
        assert status == 200, answer
    world.agrees()


def test_a_request_that_fails_costs_nothing(world):
    before = spent(world, "openai", "providers")
    status, _ = world.open.chat("gpt", "fail=d1 fail=d2", **tagged("team-a"))
    assert status == 500
    assert spent(world, "openai", "providers") == before
    world.agrees()


def test_a_client_that_leaves_its_stream_is_charged_as_litellm_says(world):
    before = len(world.open.events())
    world.open.stream("gpt", "linger", leave_after=1, **tagged("team-a"))
    eventually(lambda: len(world.open.events()) > before, LONG, "LiteLLM's event")
    world.agrees()


def test_a_stream_that_its_provider_cuts_is_charged_as_litellm_says(world):
    before = len(world.open.events())
    world.open.stream("gpt", "cut", **tagged("team-a"))
    eventually(lambda: len(world.open.events()) > before, LONG, "LiteLLM's event")
    world.agrees()


def test_a_cached_answer_costs_nothing_again(world):
    cached = {"cache": {"use-cache": True}, **tagged("team-a")}
    with adding(world, COST):
        assert world.open.chat("gpt", "a question", **cached)[0] == 200
    before, asked = len(world.open.events()), len(world.provider.asked)

    def again():
        assert world.open.chat("gpt", "a question", **cached)[0] == 200
        return len(world.provider.asked) == asked

    assert again(), "the answer came from the cache"
    eventually(lambda: len(world.open.events()) > before, LONG, "LiteLLM's event")
    world.agrees()


def test_a_client_cannot_silence_the_record(world):
    with adding(world, COST):
        assert world.open.chat("gpt", **{"no-log": True}, **tagged("team-a"))[0] == 200


def test_a_client_cannot_choose_the_key(world):
    """Two requests with one call id are two costs."""
    with adding(world, 2 * COST):
        for _ in range(2):
            status, answer = world.open.ask(
                "/v1/chat/completions",
                {"model": "gpt", "messages": [{"role": "user", "content": "x"}],
                 **tagged("team-a")}, **{"x-litellm-call-id": "the-same", "x-request-id": "same"})
            assert status == 200, answer


def test_a_model_without_a_price_is_said_once(world):
    for _ in range(2):
        assert world.open.chat("unpriced", **tagged("team-a"))[0] == 200
    eventually(lambda: "no price for" in world.open.log, LONG, "the warning")
    assert world.open.log.count("LiteLLM has no price for") == 1
    world.agrees()


def test_a_spent_deployment_is_left_to_its_fallback(world):
    world.spend(0.5, deployment="spent")
    with adding(world, COST, "spare"):
        assert world.open.chat("small", **tagged("team-a"))[0] == 200
    assert ("spent", "v1/chat/completions") not in world.provider.asked


def test_a_spent_budget_answers_429_at_once_with_litellms_words(world):
    world.spend(1000.0, tag="team-spent")
    asked, begun = len(world.provider.asked), time.monotonic()
    status, answer = world.open.chat("gpt", **tagged("team-spent"))
    took = time.monotonic() - begun
    assert status == 429, answer
    assert "No deployments available - crossed budget" in str(answer)
    assert took < 3, f"{took:.2f} s: it was retried"
    assert len(world.provider.asked) == asked
    # No deployment is cooled down by it.
    assert world.open.chat("gpt", **tagged("team-a"))[0] == 200
    world.agrees()


@pytest.mark.parametrize("tags", [["x" * 300_000], ["y" * 1100 + str(n) for n in range(255)]],
                         ids=["one", "many"])
def test_tags_that_are_too_long_hide_no_request(world, tags):
    """They are no budget's, and must not keep the request's other tag from its own: nor its cost."""
    status, answer = world.open.chat("gpt", **tagged("team-spent", *tags))
    assert status == 429, answer
    asked = len(world.provider.asked)
    status, answer = world.open.ask("/openai/v1/chat/completions", {
        "model": "x" * 300_000, "messages": [], "litellm_metadata": {"tags": ["team-spent", *tags]}})
    assert status == 429 and len(world.provider.asked) == asked, str(answer)[:1000]
    with adding(world, COST):
        assert world.open.chat("gpt", **tagged("team-a", *tags))[0] == 200
    assert world.open.metric("lost_total") == 0
    status, answer = world.closed.chat("gpt", **tagged("team-closed", *tags))
    assert status == 200, answer
    world.agrees()


def test_a_request_that_names_a_deployment_by_its_id_is_refused_too(world):
    asked = len(world.provider.asked)
    status, answer = world.open.chat("d1", **tagged("team-spent"))
    assert status == 429, answer
    assert len(world.provider.asked) == asked
    with adding(world, COST):
        assert world.open.chat("d1", **tagged("team-a"))[0] == 200


def test_a_pass_through_endpoint_is_refused_too(world):
    """LiteLLM asks no filter about it."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
    asked, before = len(world.provider.asked), len(world.open.events())
    status, answer = world.open.ask("/openai/v1/chat/completions", {
        **body, "litellm_metadata": {"tags": ["team-spent"]}})
    assert status == 429 and "crossed budget" in str(answer), answer
    assert len(world.provider.asked) == asked
    status, answer = world.open.ask("/openai/v1/chat/completions", body)
    assert status == 200 and world.provider.asked[-1][0] == "through", answer
    eventually(lambda: len(world.open.events()) > before, LONG, "LiteLLM's event")
    world.agrees()


def test_a_batch_that_is_polled_five_times_is_charged_once(world):
    before, spend = len(world.open.events()), spent(world, "openai", "providers")
    for _ in range(5):
        status, answer = world.open.get("/v1/batches/batch_1?provider=openai")
        assert status == 200 and answer["status"] == "completed", answer

    def polls():
        return [one["cost"] for one in world.open.events()[before:] if one.get("batch")]

    eventually(lambda: len(polls()) == 5, LONG, "LiteLLM's events")
    costs = polls()
    assert costs[0] > 0 and costs == costs[:1] * 5, costs
    world.agrees()
    assert spent(world, "openai", "providers") == pytest.approx(spend + costs[0], abs=1e-12)


def test_the_proxys_page_is_budgetds(world):
    """LiteLLM's limiter does nothing: the page shows what others have spent too."""
    world.spend(2.5, "anthropic")

    def shown():
        status, page = world.open.get("/provider/budgets")
        assert status == 200, page
        return page["providers"]

    eventually(lambda: shown()["anthropic"]["spend"] == 2.5, LONG, "the page has it")
    rows = shown()
    assert rows["openai"]["spend"] == pytest.approx(spent(world, "openai", "providers"))
    assert rows["openai"]["budget_limit"] == 1000.0 and rows["openai"]["budget_reset_at"]


def test_metrics_stand_beside_litellms(world):
    status, data = world.open.get("/metrics/")
    assert status == 200, data
    text = data.decode()
    recorded = re.search(r"^budgetd_litellm_recorded_total (\S+)$", text, re.MULTILINE)
    assert float(recorded[1]) > 5
    assert re.search(r"^budgetd_litellm_denied_total [1-9]", text, re.MULTILINE)
    assert re.search(r"^budgetd_litellm_owed 0", text, re.MULTILINE)
    assert re.search(r"^budgetd_litellm_lost_total 0", text, re.MULTILINE)
    # Of the page that the test before this one has read.
    assert 'litellm_provider_remaining_budget_metric{api_provider="anthropic"}' in text


def test_many_at_once(world):
    with adding(world, 40 * COST), concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: (world.open.stream if n % 2 else world.open.chat)(
            "gpt", "wait=0.05", **tagged("team-a"))[0], range(40)))
        assert answers == [200] * 40
    world.agrees()


def fifty_at_once(world, proxy, name="tight"):
    """Each of up to 495 tokens, a dollar, against ten dollars: how many the provider was asked."""
    if "reserve_spend" not in world.server.call(ping={}).ping.methods:
        pytest.skip("this budgetd has no reserve_spend")
    before = world.provider.asked.count((name, "v1/chat/completions"))
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: proxy.chat(
            name, "wait=0.3 tokens=495", max_tokens=495, timeout=4 * LONG)[0], range(50)))
    assert set(answers) <= {200, 429}
    world.agrees()
    return world.provider.asked.count((name, "v1/chat/completions")) - before


def test_holds_are_all_closed(world):
    assert fifty_at_once(world, world.open) >= 1


def test_the_greatest_cost_is_held(world):
    """Ten dollars, a dollar each: at most ten reach the provider."""
    assert 1 <= fifty_at_once(world, world.closed, "capped") <= 10
    assert spent(world, "capped") <= 10.0


def test_a_hold_that_is_refused_sends_the_request_elsewhere(world):
    """The deployment without room is left out of the retry, and is not cooled down for others."""
    proxy, before = world.closed, world.closed.metric("no_room_total")

    def served(tokens):
        status, answer = proxy.chat("pair", max_tokens=tokens, **tagged("team-a"))
        assert status == 200, answer

    def refused():
        served(495)
        return proxy.metric("no_room_total") > before

    until(refused)
    narrow = ("narrow", "v1/chat/completions")
    assert narrow not in world.provider.asked
    # Named by its id it has no other.
    status, answer = proxy.chat("narrow", max_tokens=495)
    assert status == 429 and "crossed budget" in str(answer), answer
    assert narrow not in world.provider.asked
    # What fits in is let in at once.
    until(lambda: served(5) or narrow in world.provider.asked)
    world.agrees()


def test_other_ways_in_which_a_request_ends_close_its_hold(world):
    """Nobody is there to take the answer, time is over, another was faster, LiteLLM refuses it."""
    proxy, ends = world.closed, len(world.closed.events()) + 3
    for path, body in (("chat/completions", {}), ("chat/completions", {"stream": True}),
                       ("messages", {})):
        with contextlib.suppress(TimeoutError):
            proxy.ask(f"/v1/{path}", {
                "model": "gpt", "max_tokens": 50, **body,
                "messages": [{"role": "user", "content": "wait=1"}]}, timeout=0.3)
    assert proxy.chat("gpt", "wait=1", max_tokens=50, request_timeout=0.3)[0] in (200, 408)
    assert proxy.chat("gpt", "wait=1", max_tokens=50, timeout=4 * LONG, n=3)[0] == 200
    status, answer = proxy.ask("/v1/chat/completions", {
        "model": "gpt,ordered", "fastest_response": True, "max_tokens": 50,
        "messages": [{"role": "user", "content": "wait=0.2"}]})
    assert status == 200, answer
    assert proxy.chat("gpt", max_tokens=50, fallbacks=["ordered"],
                      mock_testing_fallbacks=True)[0] in (200, 400)
    assert proxy.ask("/v1/completions", {"model": "gpt", "prompt": "hello", "max_tokens": 50})[0] == 200
    eventually(lambda: len(proxy.events()) >= ends, LONG, "LiteLLM's events")
    world.agrees()


def test_a_model_without_a_price_is_charged_what_was_held(world):
    """BUDGETD_UNPRICED=estimate."""
    before = spent(world, "free")
    assert world.closed.chat("unpriced")[0] == 200
    eventually(lambda: spent(world, "free") > before, LONG, "it is charged")
    world.note(spent(world, "free") - before, deployment="free")
    world.agrees()


def test_a_budgetd_that_hangs_keeps_nobody_waiting(world):
    """Stopped by a signal: it takes connections and bytes, and answers nothing."""
    world.server.process.send_signal(signal.SIGSTOP)
    try:
        begun = time.monotonic()
        status, answer = world.open.chat("gpt", **tagged("team-a"))
        assert status == 200, answer
        status, answer = world.closed.chat("gpt", **tagged("team-closed"))
        assert status == 503 and "budgetd does not answer" in str(answer), answer
        assert time.monotonic() - begun < LONG
    finally:
        world.server.process.send_signal(signal.SIGCONT)
    eventually(lambda: world.closed.chat("gpt", **tagged("team-closed"))[0] == 200, LONG,
               "served again")
    # A hold that nobody heard of ends by its time.
    world.agrees(is_held=True)


def test_a_proxy_that_fails_closed_answers_503(world):
    closed = world.closed
    world.server.kill()
    for name in ("gpt", "d1"):
        status, answer = closed.chat(name, **tagged("team-closed"))
        assert status == 503 and "budgetd does not answer" in str(answer), answer
    world.restart()
    eventually(lambda: closed.chat("gpt", **tagged("team-closed"))[0] == 200, LONG,
               "served again")
    world.agrees(is_held=True)


def one_of_a_mix(world, number, chance):
    """One request of a kind; the status is not looked at, the sums are."""
    tags = tagged(*chance.sample(("team-a", "team-b", "other"), chance.randrange(3)))
    words = f"{number} tokens={chance.randrange(1, 50)} wait={chance.choice((0, 0, 0.05))}"
    kind = chance.randrange(12)
    proxy = world.open
    if kind < 3:
        proxy.chat(chance.choice(("gpt", "d1", "ordered")), words, **tags)
    elif kind < 5:
        proxy.stream("gpt", words, **tags)
    elif kind == 5:
        proxy.ask("/v1/embeddings", {"model": "embed", "input": words, **tags})
    elif kind == 6:
        proxy.chat("gpt", f"{words} fail={chance.choice(('d1', 'd2', 'd1 fail=d2'))}", **tags)
    elif kind == 7:
        proxy.chat("ordered", f"{words} fail=first", **tags)
    elif kind == 8:
        proxy.stream("gpt", words + " cut", **tags)
    elif kind == 9:
        proxy.stream("gpt", words + " linger", leave_after=chance.randrange(1, 4), **tags)
    elif kind == 10:
        proxy.chat("gpt", "a question of the mix", cache={"use-cache": True}, **tags)
    else:
        proxy.chat("gpt", words, **tagged("team-spent"))


def test_a_mix_with_budgetd_killed_adds_up(world):
    """LiteLLM's own log beside budgetd: no difference on any budget, each cost once."""
    seed = int(os.environ.get("BUDGETD_SEED", "0")) or time.time_ns() % 10**6
    print(f"BUDGETD_SEED={seed}")
    chance, kills = random.Random(seed), 5 if LONG_RUN else 1
    part = REQUESTS // (kills + 1)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        for turn in range(kills + 1):
            futures = [pool.submit(one_of_a_mix, world, part * turn + n,
                                   random.Random(chance.random())) for n in range(part)]
            if turn < kills:
                eventually(lambda: sum(one.done() for one in futures) >= part // 3, 8 * LONG,
                           "some are done")
                world.server.kill()
                eventually(lambda: sum(one.done() for one in futures) >= part // 2, 8 * LONG,
                           "more are done")
                world.restart()
            for one in futures:
                one.result()
    # What was given back while nobody listened ends by its time, two minutes.
    world.agrees(is_held=not LONG_RUN, within=150 if LONG_RUN else LONG)
    events = world.open.events()
    keys = [one["key"] for one in events if one.get("cost") and one.get("key")]
    print(f"{len(events)} events of LiteLLM's, {len(keys)} with a cost and an attempt")
    assert len(set(keys)) == len(keys)


def test_without_its_settings_the_plug_in_does_not_load():
    """The proxy loads it when it starts, and ends with these words."""
    for variable, value, words in (
            ("BUDGETD_ON_UNAVAILABLE", None, "BUDGETD_ON_UNAVAILABLE is not set: give open"),
            ("BUDGETD_ON_UNAVAILABLE", "maybe", "BUDGETD_ON_UNAVAILABLE is 'maybe': give open"),
            ("BUDGETD_ADDRESS", None, "BUDGETD_ADDRESS is not set"),
            ("BUDGETD_ADDRESS", "localhost", "'localhost' is not an address"),
            ("BUDGETD_ESTIMATE", "most", "BUDGETD_ESTIMATE is 'most': give learned or greatest"),
            ("BUDGETD_JOURNAL", "/dev/null/x", "the journal's folder /dev/null/x cannot be used"),
            ("BUDGETD_JOURNAL", "/tmp/" + 85 * "x", "its path has 90 bytes, at most 80"),
            ("BUDGETD_JOURNAL", "", "BUDGETD_JOURNAL is set and empty: give it a value, or do not"),
            ("BUDGETD_TLS_CA", "", "BUDGETD_TLS_CA is set and empty: give it a value, or do not"),
            ("BUDGETD_SERVER_NAME", "b", "server_name need tls_ca")):
        environment = {"PYTHONPATH": str(SOURCES), "BUDGETD_ADDRESS": "127.0.0.1:1",
                       "BUDGETD_ON_UNAVAILABLE": "open", variable: value}
        done = subprocess.run(
            [sys.executable, "-c", "import budgetd.litellm"], capture_output=True, text=True,
            env={name: one for name, one in environment.items() if one is not None}, timeout=LONG)
        assert done.returncode == 1 and words in done.stderr, done.stderr


OWN_LIMITER = """
import asyncio, litellm
from litellm.caching.caching import DualCache
from litellm.integrations.custom_logger import CustomLogger
from litellm.router_strategy.budget_limiter import RouterBudgetLimiting
from budgetd import Invalid
from budgetd.litellm import _litellm, budgets

class Other(RouterBudgetLimiting):
    pass

async def main():
    own, other = (kind(DualCache(), provider_budget_config={}) for kind in (RouterBudgetLimiting, Other))
    litellm.callbacks = [other, own, budgets]
    budgets._take_over()
    assert litellm.callbacks == [other, own, budgets]
    same = vars(other).keys() - {"dual_cache"}
    changed = [name for name in ("async_filter_deployments", "async_log_success_event",
                                 "_get_current_provider_spend") if name in vars(own)]
    assert len(changed) == 3 and not same & set(changed), (changed, same)
    assert await own.async_filter_deployments(model="m", healthy_deployments=[1], messages=[]) == [1]

asyncio.run(main())

class Old(CustomLogger):
    async def async_filter_deployments(self, model, healthy_deployments):
        pass

try:
    _litellm.same_hooks(Old, ("async_filter_deployments",))
except Invalid as error:
    assert "calls async_filter_deployments with messages" in str(error), error
else:
    raise AssertionError("a hook that takes too little is not seen")
"""


def test_only_litellms_own_limiter_is_replaced():
    """A subclass of it counts something else. A hook with other arguments than LiteLLM gives would be
    logged at each request, and its spend lost: that is said at the start."""
    done = subprocess.run(
        [proxy_program()[0], "-c", OWN_LIMITER], capture_output=True, text=True, timeout=4 * LONG,
        env={"PYTHONPATH": str(SOURCES), "LITELLM_LOCAL_MODEL_COST_MAP": "True",
             "BUDGETD_ADDRESS": "127.0.0.1:1", "BUDGETD_ON_UNAVAILABLE": "open"})
    assert done.returncode == 0, done.stderr[-3000:]


FIRST_HOLD = """
import asyncio
from types import SimpleNamespace
from budgetd import Client, Denied, Refused
from budgetd.litellm import budgets

async def never(self):
    await asyncio.sleep(3600)

def older(self, *_, **__):
    async def refuse():
        raise Refused(12, "")
    return refuse()

async def attempt():
    details = {}
    await budgets.async_pre_call_deployment_hook({
        "litellm_logging_obj": SimpleNamespace(model_call_details=details), "metadata": {},
        "model_info": {"id": "first-hold"}, "model": "gpt-4o", "custom_llm_provider": "openai",
    }, "acompletion")
    return budgets._attempts.end(details["budgetd_key"]).hold

async def main():
    Client.ping = never
    hold = await asyncio.wait_for(attempt(), 20)
    assert hold is not None and hold.id, "the first request holds nothing"
    hold.release()
    assert await budgets.client.flush(10) == 0
    Client.reserve = older
    assert await attempt() is None and not budgets._holds
    await budgets.client.close()

asyncio.run(main())
"""


def test_the_first_request_holds_whatever_is_known_of_budgetd(world):
    """A budgetd that is slow to its first answer must not let everybody pass; one from before there were
    holds is asked about spend alone."""
    done = subprocess.run(
        [proxy_program()[0], "-c", FIRST_HOLD], capture_output=True, text=True, timeout=4 * LONG,
        env={"PYTHONPATH": str(SOURCES), "LITELLM_LOCAL_MODEL_COST_MAP": "True",
             "BUDGETD_ADDRESS": world.address, "BUDGETD_ON_UNAVAILABLE": "closed"})
    assert done.returncode == 0, done.stderr[-3000:]
    # The mix before may have left holds that end by their time.
    world.agrees(is_held=True)


def pushes(service, count):
    """Returns when LiteLLM's limiter has looked into Redis so often: what it had to add is there."""
    with socket.create_connection(service.proxy.address, LONG) as monitor:
        monitor.sendall(b"MONITOR\r\n")
        for line in monitor.makefile("rb"):
            count -= b'"MGET"' in line.upper() and b"_spend:" in line and b" lua]" not in line
            if count == 0:
                return


if LONG_RUN:
    def test_on_one_redis_nothing_counts_twice(world, tmp_path):
        """The proxy's config gives LiteLLM's own limiter the Redis that budgetd has too."""
        config = proxy_config(world.provider)
        with redis_service() as service, running(
                world.program, tmp_path, node_config(world.provider), "--redis", service.url) as node:
            host, port = service.proxy.address
            config["router_settings"] |= {"redis_host": host, "redis_port": port}
            proxy = world.proxy("open", config=config, address="127.0.0.1:%d" % node.rpc[1])
            world.proxies.remove(proxy)
            try:
                proxy.wait()
                for _ in range(3):
                    assert proxy.chat("gpt", **tagged("team-a"))[0] == 200

                def stored():
                    found = service.command("GET", "provider_spend:openai:1d")
                    return float(found or 0) == pytest.approx(3 * COST, abs=1e-9)

                eventually(stored, LONG, "budgetd's total is in Redis")
                pushes(service, 3)
                assert stored(), service.command("GET", "provider_spend:openai:1d")
                assert differences(node, proxy) == {}
            finally:
                proxy.close()

    def test_a_proxy_that_is_stopped_leaves_its_records_to_the_next(world):
        world.server.kill()
        before = len(world.open.events())
        for _ in range(5):
            assert world.open.chat("gpt", **tagged("team-a"))[0] == 200
        eventually(lambda: len(world.open.events()) >= before + 5, LONG, "LiteLLM's events")
        world.open.end()
        folder = f"/tmp/bdj{world.open.port}"
        assert any(os.path.getsize(f"{folder}/{name}") > 300 for name in os.listdir(folder)
                   if name.endswith(".journal")), "nothing is in the journal"
        world.restart()
        world.open.start()
        world.open.wait()
        assert world.open.chat("gpt", **tagged("team-a"))[0] == 200
        world.agrees()

    def test_two_workers(world):
        # A worker that is starting answers nobody for a while on a busy machine.
        proxy = world.proxy("open", "--num_workers", "2",
                            "--timeout_worker_healthcheck", str(4 * LONG)).wait()
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda _: proxy.chat("gpt", **tagged("team-a"))[0], range(60)))
        assert answers == [200] * 60
        world.agrees()

    def test_without_its_choice_the_proxy_does_not_start(world):
        proxy = world.proxy(None)
        eventually(lambda: proxy.process.poll() is not None, 10 * LONG, "it ends")
        assert proxy.process.returncode != 0
        assert "BUDGETD_ON_UNAVAILABLE is not set" in proxy.log

    def test_two_nodes_of_which_one_dies(world):
        """Nodes without a Redis: what each was told adds up to what LiteLLM says."""
        other = Server(world.program, world.directory / "other", world.config)
        try:
            addresses = f"127.0.0.1:{other.rpc[1]},{world.address}"
            proxy = world.proxy("closed", address=addresses).wait()
            first = proxy.chat("gpt", **tagged("team-b"))[0]
            eventually(lambda: other.spend("team-b", "tags") > 0, LONG, "told to the first")
            other.kill()
            with concurrent.futures.ThreadPoolExecutor(10) as pool:
                answers = list(pool.map(lambda _: proxy.chat("gpt", **tagged("team-b"))[0],
                                        range(30)))
            assert [first, *answers] == [200] * 31
            other = Server(world.program, world.directory / "other", world.config,
                           listen="127.0.0.1:%d" % other.rpc[1])

            def together():
                return {name: world.server.spend(name, "tags") + other.spend(name, "tags")
                        for name in TAGS}

            sums = Counter()
            for one in world.proxies:
                sums.update(one.costs())
            eventually(lambda: all(abs(sums["tags", name] - spend) < 1e-9
                                   for name, spend in together().items()), LONG, "both together")
        finally:
            other.kill()
