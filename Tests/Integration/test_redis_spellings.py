"""Each spelling of a Redis, as LiteLLM's own code reads it and as budgetd does."""

import json
import os
import re
import subprocess

import pytest
import yaml

from conftest import LONG, config_text
from litellm_peer import HERE, litellm_python

BUDGETS = config_text({"openai": (10.0, "1d")})
NODES = [{"host": "a", "port": 1}, {"host": "b", "port": 2}]
SENTINELS = [["a", 1], ["b", 2]]
CASES = [  # settings of one place, and the environment
    ({"host": "h", "port": 7}, {}),
    ({"host": "h", "port": "7", "db": 3, "password": "p", "username": "u"}, {}),
    ({"host": "h"}, {"REDIS_PORT": "9", "REDIS_PASSWORD": "p", "REDIS_SSL": "true"}),
    ({"host": "h"}, {"REDIS_URL": "rediss://u:9"}),
    ({"url": "redis://u:9/4"}, {"REDIS_HOST": "h", "REDIS_PASSWORD": "p"}),
    ({"url": "rediss://u:9"}, {}),
    ({"url": "rediss://me:pw@u:9/2?ssl_cert_reqs=none"}, {}),
    ({"url": "rediss://u:9?ssl_check_hostname=false"}, {}),
    ({"url": "redis://u:9", "ssl": True, "host": "h"}, {}),
    ({"url": "redis://u:9"}, {"REDIS_SSL": "True"}),
    ({"url": "unix:///run/r.sock?db=2"}, {}),
    ({}, {"REDIS_URL": "redis://u:9/3", "REDIS_HOST": "h"}),
    ({}, {"REDIS_HOST": "h", "REDIS_PORT": "1", "REDIS_SSL": "1", "REDIS_SSL_CERT_REQS": "none"}),
    ({"host": "h", "ssl": True}, {}),
    ({"host": "h", "ssl": "yes"}, {}),
    ({"host": "h", "ssl": "no"}, {}),
    ({"host": "h", "ssl": True, "ssl_cert_reqs": "none"}, {}),
    ({"host": "h", "ssl": True, "ssl_cert_reqs": "optional"}, {}),
    ({"host": "h", "ssl": True, "ssl_check_hostname": False}, {}),
    ({"host": "h", "ssl": True, "ssl_check_hostname": "false"}, {}),
    ({"host": "h", "ssl": True}, {"REDIS_SSL_CHECK_HOSTNAME": "False"}),
    ({"startup_nodes": NODES, "password": "p"}, {}),
    ({"startup_nodes": NODES, "url": "redis://u:9", "host": "h"}, {}),
    ({"startup_nodes": NODES, "ssl": True, "username": "u", "password": "p"}, {}),
    ({"startup_nodes": NODES, "ssl": True, "ssl_cert_reqs": "none"}, {}),
    ({"startup_nodes": NODES}, {"REDIS_SSL": "true", "REDIS_PASSWORD": "p"}),
    ({"host": "h"}, {"REDIS_CLUSTER_NODES": json.dumps(NODES)}),
    ({}, {"REDIS_CLUSTER_NODES": json.dumps(NODES), "REDIS_HOST": "h"}),
    ({"sentinel_nodes": SENTINELS, "service_name": "main"}, {}),
    ({"sentinel_nodes": SENTINELS, "service_name": "main", "password": "p", "db": 2,
      "sentinel_password": "s"}, {}),
    ({"sentinel_nodes": SENTINELS, "service_name": "main", "ssl": True}, {}),
    ({"sentinel_nodes": SENTINELS, "service_name": "main", "url": "redis://u:9"}, {}),
    ({}, {"REDIS_SENTINEL_NODES": json.dumps(SENTINELS), "REDIS_SERVICE_NAME": "main",
          "REDIS_SENTINEL_PASSWORD": "s"}),
]


@pytest.fixture(scope="module")
def theirs():
    """LiteLLM's reading of each case."""
    lines = "".join(json.dumps({"settings": settings, "environment": environment}) + "\n"
                    for settings, environment in CASES)
    result = subprocess.run([litellm_python(), str(HERE / "litellm_redis.py")], input=lines,
                            capture_output=True, text=True, timeout=4 * LONG,
                            env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"})
    assert result.returncode == 0, result.stderr[-2000:]
    return [json.loads(line) for line in result.stdout.splitlines()]


def address_of(found):
    """As budgetd writes it."""
    hosts = ",".join(f"{host}:{port}" for host, port in found["hosts"])
    return {"one": hosts, "cluster": f"cluster {hosts}",
            "unix": f"unix:{found['hosts'][0][0]}",
            "sentinel": f"{found.get('service')} by sentinels {hosts}"}[found["kind"]]


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: json.dumps(CASES[n])[:90])
def test_is_read_as_litellm_reads_it(budgetctl, tmp_path, theirs, number):
    settings, variables = CASES[number]
    found = theirs[number]
    assert "error" not in found, found
    text = BUDGETS
    if settings:
        text += yaml.dump({"general_settings": {"coordination_redis": settings}})
    path = tmp_path / "config.yaml"
    path.write_text(text)
    environment = {k: v for k, v in os.environ.items() if not re.match("(BUDGETD_|REDIS_)", k)}
    result = subprocess.run([budgetctl, "check-config", path, "--output", "json"],
                            env=environment | variables, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    ours = json.loads(result.stdout)["redis"]
    assert ours["address"] == address_of(found)
    assert ours["verification"] == found["verification"]
    assert ours["database"] == found["database"]
    assert ours["username"] == found["username"]
    assert ours["has_password"] == bool(found["password"])
