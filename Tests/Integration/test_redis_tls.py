"""budgetd and a Redis that speaks TLS: each way to verify it, and LiteLLM beside it on the same one."""

import re
import time
from decimal import Decimal

import pytest

from conftest import LONG, config_text, eventually, run
from fleet import FAST, marker_total, passes, spend_key, store_state
from http_client import scrape
from redis_certificates import Certificates
from redis_groups import ClusterService, Process, SentinelService, closing, free_ports

CONFIG = config_text({"openai": (1.0, "1h"), "azure": (100.0, "1h")})
KEY = spend_key("providers", "openai", "1h")


@pytest.fixture
def certificates(tmp_path):
    return Certificates(tmp_path / "certificates")


@pytest.fixture
def redis(certificates):
    """Encrypted on `tls`, and in the clear beside it for those who look."""
    plain, tls = free_ports(2)
    options = certificates.server_options()
    with closing(Process(plain, "--tls-port", tls, *options)) as server:
        server.tls = tls
        yield server


def works(node, server, cost=0.5):
    store_state(node, "ok")
    with server.client() as client:
        before = marker_total(client, KEY)
        node.record("openai", cost)
        eventually(lambda: marker_total(client, KEY) == before + Decimal(str(cost)), LONG, "told")


def refused(node, words):
    eventually(lambda: re.search(words, node.log), LONG, f"{words} in\n{node.log[-1500:]}")
    assert scrape(node).get("budgetd_redis_up") == 0


def test_each_way_to_verify(start, redis, certificates):
    root = ["--redis-ca", str(certificates.root)]
    other = Certificates(certificates.directory / "other")
    for host in ("127.0.0.1", "localhost"):
        works(start(CONFIG, "--redis", f"rediss://{host}:{redis.tls}", *root, *FAST), redis, 0.1)
    url = f"rediss://127.0.0.1:{redis.tls}"
    refused(start(CONFIG, "--redis", url, *FAST), "does not lead to a trusted root")
    refused(start(CONFIG, "--redis", url, "--redis-ca", str(other.root), *FAST),
            "does not lead to a trusted root")
    refused(start(CONFIG, "--redis", url, *root, "--redis-server-name", "elsewhere", *FAST),
            "is for another name")
    works(start(CONFIG, "--redis", url, *root, "--redis-server-name", "localhost", *FAST), redis,
          0.1)
    works(start(CONFIG, "--redis", url, *root, "--redis-server-name", "elsewhere",
                "--redis-verify", "chain", *FAST), redis, 0.1)
    node = start(CONFIG, "--redis", url, "--redis-verify", "none", *FAST)
    works(node, redis, 0.1)
    assert "Redis' certificates are not verified" in node.log


def test_a_server_that_asks_for_certificates(start, certificates, tmp_path):
    plain, tls = free_ports(2)
    options = certificates.server_options(clients="yes")
    certificate, key = certificates.leaf("node")
    with closing(Process(plain, "--tls-port", tls, *options)) as server:
        url, root = f"rediss://127.0.0.1:{tls}", ["--redis-ca", str(certificates.root)]
        node = start(CONFIG, "--redis", url, *root, "--redis-cert", str(certificate),
                     "--redis-key", str(key), *FAST)
        works(node, server)
        end = scrape(node).get("budgetd_tls_certificate_expiry_timestamp_seconds",
                               use="redis_client")
        assert 80_000 < float(end) - time.time() <= 86_400
        refused(start(CONFIG, "--redis", url, *root, *FAST), "the server refused the connection")


def test_a_port_in_the_clear(start, redis, certificates):
    refused(start(CONFIG, "--redis", f"rediss://127.0.0.1:{redis.port}", "--redis-ca",
                  str(certificates.root), *FAST), "no encrypted connection to|closed the conn")
    refused(start(CONFIG, "--redis", f"redis://127.0.0.1:{redis.tls}", *FAST), "no pass with Redis")


def test_files_that_cannot_be_read(budgetd, tmp_path, redis):
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    result = run(budgetd, "--config", path, "--listen", "127.0.0.1:0", "--data-dir",
                 tmp_path / "data", "--redis", f"rediss://127.0.0.1:{redis.tls}", "--redis-ca",
                 tmp_path / "nowhere.pem")
    assert result.returncode == 64 and "the certificates for Redis, from --redis" in result.stderr
    result = run(budgetd, "--config", path, "--redis", "redis://h", "--redis-verify", "none")
    assert result.returncode == 64 and "it is not encrypted" in result.stderr
    result = run(budgetd, "--config", path, "--redis", "rediss://h", "--redis-key", "k")
    assert result.returncode == 64 and "without --redis-cert" in result.stderr


def test_litellms_settings(start, redis, certificates):
    settings = {
        "host": f"host: localhost, port: {redis.tls}, ssl: true, ssl_ca_certs: {certificates.root}",
        "url": f"url: 'rediss://localhost:{redis.tls}/0?ssl_ca_certs={certificates.root}'",
        "no name": f"host: 127.0.0.1, port: {redis.tls}, ssl: 'true', ssl_check_hostname: false, "
                   f"ssl_ca_certs: {certificates.root}",
        "none": f"host: 127.0.0.1, port: {redis.tls}, ssl: 1, ssl_cert_reqs: none",
    }
    for name, text in settings.items():
        node = start(CONFIG + "general_settings:\n  coordination_redis: {" + text + "}\n", *FAST)
        works(node, redis, 0.1)
        assert ("not verified: whoever" in node.log) == (name == "none")
    environment = {"REDIS_HOST": "localhost", "REDIS_PORT": str(redis.tls), "REDIS_SSL": "True",
                   "REDIS_SSL_CA_CERTS": str(certificates.root)}
    works(start(CONFIG, *FAST, environment=environment), redis, 0.1)


def test_a_certificate_is_replaced(start, certificates):
    """A server with another certificate of the same authority: the next link takes it."""
    plain, tls = free_ports(2)
    root = ["--redis-ca", str(certificates.root)]
    with closing(Process(plain, "--tls-port", tls, *certificates.server_options())) as server:
        node = start(CONFIG, "--redis", f"rediss://localhost:{tls}", *root, *FAST)
        works(node, server)
        certificate, key = certificates.leaf("second", "DNS:localhost")
        server.command("CONFIG", "SET", "tls-cert-file", certificate, "tls-key-file", key)
        server.command("CLIENT", "KILL", "TYPE", "normal")
        works(node, server)


def test_a_cluster_that_speaks_tls(start, certificates):
    with closing(ClusterService(replicas=False, certificates=certificates)) as service:
        hosts = ",".join(f"127.0.0.1:{port}" for port in service.tls_ports[:2])
        node = start(CONFIG, "--redis", f"clusters://{hosts}", "--redis-ca",
                     str(certificates.root), *FAST)
        store_state(node, "ok")
        for name in ("openai", "azure"):
            node.record(name, 0.25)
        passes(node, 2)
        with service.client() as client:
            for name in ("openai", "azure"):
                key = spend_key("providers", name, "1h")
                assert marker_total(client, key) == Decimal("0.25")
        assert scrape(node).get("budgetd_redis_nodes", state="up") == 3
        refused(start(CONFIG, "--redis", f"clusters://{hosts}", *FAST),
                "does not lead to a trusted root")


def test_sentinels_that_speak_tls(start, certificates, tmp_path):
    password = tmp_path / "sentinels"
    password.write_text(SentinelService.PASSWORD)
    password.chmod(0o600)
    with closing(SentinelService(certificates=certificates)) as service:
        node = start(CONFIG, "--redis", service.url.replace("sentinel://", "sentinels://"),
                     "--redis-ca", str(certificates.root), "--redis-sentinel-password-file",
                     str(password), *FAST)
        works(node, service.servers[0])
