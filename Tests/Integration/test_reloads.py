"""Reloads: what stays in memory, and what a record that came before them is charged to."""

import os

from conftest import LONG, OK, code_of, config_text, eventually

# Enough to tell 2 MiB a reload from none; BUDGETD_RELOADS=100 measures for longer.
RELOADS = int(os.environ.get("BUDGETD_RELOADS", 15))
TAGS = 10_000
# Settled after the first ones: what a reload needs for a moment is given back, or used again.
WARM = 5
GROWTH_KIB = 12 * 1024


def tags(number):
    return config_text({"openai": (1, "1d")}, {f"team-{number}-{i}": (5, "1d") for i in range(TAGS)})


def in_force(server, number):
    return server.call(get_provider_budgets=dict(
        tags=[f"team-{number}-{TAGS - 1}"], include_tags=True, providers=["-"]
    )).get_provider_budgets.tags


def test_reloads_that_replace_every_tag_keep_nothing(start):
    server = start(tags(0))
    sizes = []
    for number in range(1, RELOADS + 1):
        server.reload(tags(number))
        eventually(lambda: in_force(server, number), LONG, f"reload {number}")
        sizes.append(server.rss_kib())
    print("VmRSS after each reload, MiB:", [size // 1024 for size in sizes])
    grown = max(sizes[WARM:]) - max(sizes[:WARM])
    assert grown <= GROWTH_KIB, f"{grown} KiB more after {RELOADS - WARM} reloads of {TAGS} tags"


def test_the_spend_of_a_dropped_tag_is_there_when_it_comes_back(start):
    server = start(config_text({}, {"red": (5, "1d")}))
    server.record(tags=["red"], cost=3)
    for number in range(4):
        server.reload(config_text({}, {f"other-{number}-{i}": (1, "1d") for i in range(20)}))
        eventually(lambda: f"other-{number}-0" in server.budgets()["tags"])
        server.record(tags=[f"other-{number}-{i}" for i in range(20)], cost=0)
    server.reload(config_text({}, {"red": (5, "1d")}))
    red = eventually(lambda: server.budgets()["tags"].get("red"))
    assert red.spend_usd == 3
    server.record(tags=["red"], cost=2)
    with server.client() as client:
        denied = client.call(filter_deployments=dict(
            deployments=[dict(id="d", provider="p")], tags=["red"]))
    assert [d.name for d in denied.filter_deployments.denials] == ["red"]


def test_a_reload_moves_a_deployment_to_another_provider(start):
    """The configuration in force when a request arrives says which provider counts."""
    def config(model):
        return config_text({"openai": (1, "1d"), "azure": (1, "1d")}, {},
                           [("d4", "group", model, None, None)])

    server = start(config("openai/gpt-4o"))
    with server.client() as client:
        def record(key, **fields):
            response = client.call(record_spend=dict(
                deployment_id="d4", cost_usd=5, idempotency_key=key, **fields))
            assert code_of(response) == OK, response
            return response.record_spend

        def deniers():
            response = client.call(filter_deployments=dict(deployments=[dict(id="d4")]))
            return [d.name for d in response.filter_deployments.denials]

        assert record("a").budgets_charged == 1
        assert server.spend("openai") == 5 and server.spend("azure") == 0
        assert deniers() == ["openai"]
        server.reload(config("azure/gpt-4o-eu"))
        eventually(lambda: not deniers(), what="the other provider")
        # A retry is the same record, wherever its deployment is now.
        assert record("a").duplicate
        assert record("b", model="gpt-4o-2024-11-20").budgets_charged == 1
        assert server.spend("openai") == 5 and server.spend("azure") == 5
        assert deniers() == ["azure"]
        assert record("c", provider="openai").budgets_charged == 1
        assert server.spend("openai") == 10
        eventually(lambda: "names the provider 'openai' for the deployment 'd4'" in server.log)


def test_one_of_a_kind_is_counted_as_one(start):
    """The lines that a reload leaves in the log, of one budget and of two."""
    server = start(config_text({"openai": (1, "1d")}))
    included = server.directory / "more.yaml"
    included.write_text(config_text({}, {"red": (1, "1d")}))
    server.reload("include: [more.yaml]\n" + config_text({"openai": (2, "1d")}))
    eventually(lambda: "added 1 budget: tag red per 1d" in server.log)
    assert "config.yaml and 1 included file: " in server.log
    assert "changed the limit of 1 budget: provider openai per 1d" in server.log
    server.reload(config_text({"azure": (2, "1d"), "cohere": (2, "1d")}))
    eventually(lambda: "added 2 budgets: provider azure per 1d, " in server.log)
    assert "removed 2 budgets: " in server.log
