"""Says which Redis LiteLLM's own code makes of settings: a JSON line of {"settings", "environment"} in, one of
{"kind", "hosts", "service", "database", "username", "password", "verification"} out. Nothing is
connected to. Run by the Python that has LiteLLM."""

import json
import os
import sys

import redis
from litellm import _redis


class Cluster:
    """In place of redis-py's, which connects when it is made."""

    def __init__(self, startup_nodes, **more):
        self.nodes, self.more = startup_nodes, more


def verification(options):
    """What the connection class makes of them: redis-py's defaults are its own."""
    settings = redis.SSLConnection(**{
        name: value for name, value in options.items() if name.startswith("ssl_")})
    if settings.cert_reqs.name == "CERT_NONE":
        return "none"
    return "full" if settings.check_hostname else "chain"


def read(settings, environment):
    for name in [name for name in os.environ if name.startswith("REDIS_")]:
        del os.environ[name]
    os.environ.update(environment)
    client = _redis.get_redis_client(**settings)
    if isinstance(client, Cluster):
        found = {"kind": "cluster", "hosts": [[n.host, int(n.port)] for n in client.nodes]}
        options, encrypted = client.more, bool(client.more.get("ssl"))
    else:
        pool = client.connection_pool
        options = dict(pool.connection_kwargs)
        encrypted = issubclass(pool.connection_class, redis.SSLConnection)
        if hasattr(pool, "service_name"):
            sentinels = [s.connection_pool.connection_kwargs for s in pool.sentinel_manager.sentinels]
            found = {"kind": "sentinel", "service": pool.service_name,
                     "hosts": [[s["host"], int(s["port"])] for s in sentinels]}
        elif "path" in options:
            found = {"kind": "unix", "hosts": [[options["path"], 0]]}
        else:
            found = {"kind": "one", "hosts": [[options.get("host", "localhost"),
                                               int(options.get("port", 6379))]]}
    return found | {
        "database": int(options.get("db") or 0), "username": options.get("username"),
        "password": options.get("password"),
        "verification": verification(options) if encrypted else None}


redis.RedisCluster = Cluster
for line in sys.stdin:
    case = json.loads(line)
    try:
        answer = read(case["settings"], case["environment"])
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
