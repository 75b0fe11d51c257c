"""LiteLLM beside budgetd on the same cluster and on the same Redis that speaks TLS, and what LiteLLM's
own code does there while a master is away."""

import time
from decimal import Decimal

import pytest

from conftest import LONG, config_text, eventually
from fleet import FAST, allowed, marker_total, spend_key, start_key, store_state
from litellm_peer import litellm_peers
from redis_certificates import Certificates
from redis_groups import HOST, ClusterService, Process, closing, free_ports, slot_of

LIMITS = {name: (1.0, "1h") for name in ("openai", "anthropic", "mistral", "groq", "cohere")}
MODELS = {"openai": "openai/gpt-4o", "anthropic": "anthropic/claude-3-5-sonnet-20240620",
          "mistral": "mistral/mistral-large-latest", "groq": "groq/llama-3.3-70b-versatile",
          "cohere": "cohere/command-r"}
SETUP = {name: list(row) for name, row in LIMITS.items()}
SOON = 3.0


def each_blocks_on_what_the_other_spent(node, peer):
    for place, (name, model) in enumerate(MODELS.items()):
        candidate = ["x", model]
        assert allowed(node, [tuple(candidate)]) and peer.filter([candidate]), name
        if place % 2:
            node.record(name, 1.0)
            def denies(): return not peer.filter([candidate])
        else:
            peer.record(1.0, name)
            def denies(): return not allowed(node, [tuple(candidate)])
        spent = time.monotonic()
        eventually(denies, LONG, f"{name} is denied by the other side")
        took = time.monotonic() - spent
        print(f"{name}: denied after {took:.2f} s")
        assert took <= SOON


def test_on_one_cluster(start, tmp_path):
    with closing(ClusterService()) as service:
        nodes = [{"host": HOST, "port": node.port} for node in service.nodes[:2]]
        with litellm_peers(None, tmp_path, providers=SETUP, startup_nodes=nodes,
                           address=(HOST, service.nodes[0].port)) as (peer,):
            node = start(config_text(LIMITS), "--redis", service.url)
            store_state(node, "ok")
            each_blocks_on_what_the_other_spent(node, peer)
            eventually(peer.flushed, LONG, "LiteLLM has sent all")
            for name in LIMITS:
                key = spend_key("providers", name, "1h")
                eventually(lambda: abs(Decimal(service.command("GET", key)) - 1)
                           < Decimal("1e-9"), LONG, f"{name} is one dollar, whoever spent it")
                assert 0 < service.command("TTL", key) <= 3600
            print("LiteLLM said on the cluster:", peer.log())


def test_on_one_redis_that_speaks_tls(start, tmp_path):
    certificates = Certificates(tmp_path / "certificates")
    plain, tls = free_ports(2)
    with closing(Process(plain, "--tls-port", tls, *certificates.server_options())) as server:
        redis = {"ssl": True, "ssl_ca_certs": str(certificates.root)}
        with litellm_peers(None, tmp_path, providers=SETUP, redis=redis,
                           address=("localhost", tls)) as (peer,):
            node = start(config_text(LIMITS), "--redis", f"rediss://localhost:{tls}",
                         "--redis-ca", str(certificates.root))
            store_state(node, "ok")
            each_blocks_on_what_the_other_spent(node, peer)
            assert peer.log() == []


def test_a_master_that_is_away_and_litellms_own_counts(start, tmp_path):
    """LiteLLM sends again all of what it had to send, also what masters that are there have taken: its
    own part is counted twice, as the map of differences says. budgetd's is not."""
    names = [f"p{number}" for number in range(12)]
    limits = {name: (1000.0, "1h") for name in names}
    with closing(ClusterService(replicas=False, full_coverage=False)) as service:
        nodes = [{"host": HOST, "port": node.port} for node in service.nodes]
        keys = {name: spend_key("providers", name, "1h") for name in names}
        clock = service.owner(slot_of("budgetd:nodes"))
        gone = next(node for node in service.masters() if node is not clock)

        def stays(name):
            return all(service.owner(slot_of(key)) is not gone
                       for key in (keys[name], start_key("providers", name)))

        kept = next(name for name in names if stays(name))
        lost = next(name for name in names if service.owner(slot_of(keys[name])) is gone)
        setup = {name: list(limits[name]) for name in (kept, lost)}
        with litellm_peers(None, tmp_path, providers=setup, startup_nodes=nodes,
                           address=(HOST, service.nodes[0].port)) as (peer,):
            node = start(config_text({name: limits[name] for name in (kept, lost)}), "--redis",
                         service.url, *FAST)
            store_state(node, "ok")
            for name in (kept, lost):
                peer.record(0.25, name)
                node.record(name, 0.5)
            with service.client() as client:
                eventually(lambda: abs(Decimal(client("GET", keys[kept]) or 0)
                                       - Decimal("0.75")) < Decimal("1e-9"), LONG, "both")
            gone.kill()
            for name in (kept, lost):
                peer.record(0.25, name)
                node.record(name, 0.5)
            with service.client() as client:
                eventually(lambda: marker_total(client, keys[kept]) == 1, LONG, "budgetd's part")
                spend = eventually(lambda: (Decimal(client("GET", keys[kept]))
                                            > Decimal("1.75")) and client("GET", keys[kept]),
                                   LONG, "LiteLLM's part is there more than once")
                print(f"of 1.5 $ the spend key has {spend}; budgetd's part is 1 $")
                assert marker_total(client, keys[kept]) == 1
