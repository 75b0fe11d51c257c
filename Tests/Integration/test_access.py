"""Who may do what: every method and page, every role, every way in; and what a file's change does."""

import base64
import hashlib
import http.client
import os
import re
import signal
import socket
import struct
import threading
import time

import pytest
import yaml

from budget_client import Client, pb
from certificates import Certificates
from conftest import LONG, OK, code_of, config_text, eventually, name_of, run
from http_client import Metrics, ask, http_address
from test_tls import SecureClient, context_of

ROLES = ("check", "read", "spend", "admin")
CONFIG = config_text({"openai": (1000, "1d")}, {"team": (1000, "1d")})
# The least role of each method; None: whoever has not said who they are may, too. A method of the
# schema that is not here fails.
LEAST = {
    "filter_deployments": "check",
    "get_provider_budgets": "read", "get_spend_history": "read", "explain_request": "read",
    "record_spend": "spend", "reserve_spend": "spend", "release_reservation": "spend",
    "extend_reservation": "spend",
    "list_changes": "read",
    "backup_ledger": "admin", "set_budget": "admin", "clear_budget": "admin",
    "reset_budget": "admin", "reload_config": "admin",
    "authenticate": None, "ping": None,
}
METHODS = [field.name for field in pb.Request.DESCRIPTOR.oneofs_by_name["method"].fields]
PAGES = ("/", "/status.json", "/history.json", "/changes.json", "/provider/budgets", "/metrics",
         "/nowhere")


def token(name):
    return f"bd_token-of-{name}"


def digest(text):
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def clients(*names, **more):
    """An entry for each name, whose role is the name's first word."""
    return [{"name": name, "role": name.split("-")[0], "tokens": [digest(token(name))],
             **more.get(name, {})} for name in names]


def write(path, entries, mode=0o600):
    new = path.with_suffix(".new")
    new.write_text(yaml.safe_dump({"clients": entries}))
    new.chmod(mode)
    new.replace(path)
    return path


@pytest.fixture
def guarded(start, tmp_path):
    """guarded(entries, *arguments): a server with an access file."""
    def start_one(entries=None, *arguments, **options):
        path = write(tmp_path / "access.yaml", entries or clients(*ROLES))
        server = start(CONFIG, "--access-file", path, *arguments, **options)
        server.access = path
        return server

    return start_one


def known(server, name):
    """A connection that has said who it is."""
    client = server.client()
    response = client.call(authenticate=dict(token=token(name)))
    assert code_of(response) == OK and response.authenticate.role == name.split("-")[0], response
    return client


def reload(server, entries, marker):
    write(server.access, entries)
    before = server.log.count(marker)
    server.process.send_signal(signal.SIGHUP)
    eventually(lambda: server.log.count(marker) > before, LONG, marker)


def is_refused(response):
    return name_of(response) in ("UNAUTHENTICATED", "PERMISSION_DENIED")


def test_each_method_each_role_each_way(guarded, tmp_path):
    server = guarded()
    assert set(METHODS) == set(LEAST), "a method has no rule here, or a rule no method"
    for method in METHODS:
        least = LEAST[method]
        with server.client() as stranger:
            response = stranger.call(**{method: {}})
            if least is None:
                assert not is_refused(response), (method, response)
            else:
                assert name_of(response) == "UNAUTHENTICATED", (method, response)
                assert response.WhichOneof("result") is None
        for role in ROLES:
            with known(server, role) as client:
                response = client.call(**{method: {}})
                allowed = least is None or ROLES.index(role) >= ROLES.index(least)
                assert (name_of(response) == "PERMISSION_DENIED") == (not allowed), (method, role)
                assert name_of(response) != "UNAUTHENTICATED", (method, role)
                assert code_of(client.call(ping={})) == OK


def test_every_action_is_in_the_audit_done_or_refused(guarded):
    server = guarded()
    openai = dict(scope=pb.SCOPE_PROVIDER, name="openai", reason="why")
    calls = {
        "set_budget": dict(openai, limit_usd=3), "clear_budget": openai, "reset_budget": openai,
        "reload_config": {}, "backup_ledger": dict(path="copy")}
    assert set(calls) == {method for method, least in LEAST.items() if least == "admin"}
    below = ROLES[:-1]
    for method, call in calls.items():
        with server.client() as stranger:
            assert name_of(stranger.call(**{method: call})) == "UNAUTHENTICATED"
        for role in below:
            with known(server, role) as client:
                assert name_of(client.call(**{method: call})) == "PERMISSION_DENIED"
    with known(server, "admin") as client:
        def lines():
            return list(client.call(list_changes=dict(page_size=1000)).list_changes.lines)
        refused = {(method, who) for method in calls for who in ("nobody", *below)}
        found = eventually(lambda: lines() if len(lines()) == len(refused) else None, LONG)
        assert {(line.action, line.author) for line in found if line.refusal} == refused
        assert all(line.place.startswith("127.0.0.1") for line in found), found
        for method, call in calls.items():
            assert code_of(client.call(**{method: call})) == OK, method
        done = {"set_budget", "clear_budget", "reset_budget", "reload", "backup"}
        eventually(lambda: {line.action for line in lines() if not line.refusal} == done, LONG)
        assert all(line.author == "admin" for line in lines() if not line.refusal)
    metrics = read_metrics(server)
    assert metrics.get("budgetd_audit_total", action="refused") == len(refused)
    for action in done:
        assert metrics.get("budgetd_audit_total", action=action) == 1, action


def test_each_method_each_role_by_a_certificate(guarded, tmp_path):
    made = Certificates(tmp_path / "certificates")
    certificate, key = made.server()
    entries = [{"name": role, "role": role, "certificates": [f"dns:{role}.example.org"]}
               for role in ROLES] + clients("read-too")
    server = guarded(entries, "--tls-cert", certificate, "--tls-key", key,
                     "--tls-client-ca", made.root)
    for role in (None, *ROLES):
        name = role or "stranger"
        identity = made.leaf(name, names=f"DNS:{name}.example.org", use="clientAuth")
        context = context_of(made, identity)
        for method in METHODS:
            least = LEAST[method]
            with SecureClient(server.rpc, context) as client:
                code = name_of(client.call(**{method: {}}))
            if role is None:
                assert (code == "UNAUTHENTICATED") == (least is not None), (method, role, code)
            else:
                allowed = least is None or ROLES.index(role) >= ROLES.index(least)
                assert (code == "PERMISSION_DENIED") == (not allowed), (method, role, code)
                assert code != "UNAUTHENTICATED", (method, role)
        connection = http.client.HTTPSConnection(*http_address(server), context=context, timeout=20)
        connection.request("GET", "/metrics")
        status = connection.getresponse().status
        connection.close()
        assert status == {None: 401, "check": 403}.get(role, 200), role
    with SecureClient(server.rpc, context) as client:
        # A token changes to another client.
        assert client.call(authenticate=dict(token=token("read-too"))).authenticate.role == "read"
        assert name_of(client.call(record_spend={})) == "PERMISSION_DENIED"
        # Taken out of the file, the certificate lets nobody in.
    reload(server, clients("read-too"), "reloaded the access file")
    with SecureClient(server.rpc, context) as client:
        assert name_of(client.call(filter_deployments={})) == "UNAUTHENTICATED"


def test_each_method_each_role_by_the_user_of_a_unix_socket(guarded, tmp_path):
    path = f"{tmp_path}/rpc.sock"
    server = guarded(clients("read"), listen=["127.0.0.1:0", f"unix:{path}"])
    assert server.ready_line["more"].endswith(f" also=unix:{path}")
    assert os.stat(path).st_mode & 0o777 == 0o666
    user = os.getuid()
    for role in (None, *ROLES):
        entries = clients("read")
        if role:
            entries.append({"name": "local", "role": role, "users": [user]})
        reload(server, entries, "reloaded the access file")
        for method in METHODS:
            least = LEAST[method]
            with Client(path) as client:
                response = client.call(**{method: {}})
                code = name_of(response)
                if role is None:
                    assert (code == "UNAUTHENTICATED") == (least is not None), (method, role, code)
                else:
                    allowed = least is None or ROLES.index(role) >= ROLES.index(least)
                    assert (code == "PERMISSION_DENIED") == (not allowed), (method, role, code)
                    assert code != "UNAUTHENTICATED", (method, role)
    with Client(path) as client:
        assert client.call(ping={}).ping.role == "admin"
        # A token changes to another client.
        assert client.call(authenticate=dict(token=token("read"))).authenticate.role == "read"
        assert name_of(client.call(record_spend={})) == "PERMISSION_DENIED"
    with Client(path) as client:
        assert code_of(client.call(backup_ledger=dict(path="copy"))) == OK
    eventually(lambda: f"audit: backup by local at uid {user}" in server.log)
    server.stop()
    assert not os.path.exists(path)


def test_a_unix_socket_alone(start, budgetctl, budgetd, tmp_path):
    path = f"{tmp_path}/rpc.sock"
    server = start(CONFIG, listen=f"unix:{path}")
    assert server.rpc == path and os.stat(path).st_mode & 0o777 == 0o660
    ping = run(budgetctl, "--server", f"unix:{path}", "ping")
    assert ping.returncode == 0 and "role        admin" in ping.stdout
    assert server.record("openai", 1).budgets_charged == 1
    # Somebody answers there: the second one does not take it.
    command = [budgetd, "--config", server.config, "--listen", f"unix:{path}", "--http", "off",
               "--data-dir", tmp_path / "other"]
    second = run(*command)
    assert second.returncode == 69 and "in use" in second.stderr, second
    assert server.record("openai", 1).budgets_charged == 1
    server.kill()
    assert os.path.exists(path)
    # Nobody does any more: the next one does.
    next_one = start(CONFIG, listen=f"unix:{path}")
    assert next_one.record("openai", 1).budgets_charged == 1
    next_one.stop()
    assert not os.path.exists(path)
    file = tmp_path / "rpc.sock"
    file.write_text("not a socket")
    third = run(*command)
    assert third.returncode == 69 and "not a socket" in third.stderr, third
    assert file.read_text() == "not a socket"


@pytest.mark.parametrize("listen", ["unix:", f"unix:/{'x' * 200}", "unix:/a\x01/b"], ids=len)
def test_paths_that_cannot_be(budgetd, tmp_path, listen):
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    result = run(budgetd, "--config", config, "--listen", listen, "--http", "off",
                 "--data-dir", tmp_path / "data")
    assert result.returncode in (64, 69), result


def test_several_addresses_and_the_variable(start, tmp_path):
    server = start(CONFIG, listen=["127.0.0.1:0", "[::1]:0"],
                   environment={"BUDGETD_LISTEN": f"unix:{tmp_path}/none.sock"})
    also = server.ready_line["more"].split(" also=")[1]
    with Client(("::1", int(also.rsplit(":", 1)[1]))) as client:
        assert client.call(ping={}).ping.ready
    assert server.call(ping={}).ping.ready
    assert not os.path.exists(f"{tmp_path}/none.sock")


def test_without_an_access_file_everybody_is_admin(start):
    server = start(CONFIG)
    with server.client() as client:
        for method in METHODS:
            assert not is_refused(client.call(**{method: {}})), method
        for text in ("x", "x" * 256):
            response = client.call(authenticate=dict(token=text))
            assert code_of(response) == OK and response.authenticate.role == "admin"
        ping = client.call(ping={}).ping
        assert ping.role == "admin" and not ping.insecure_network
        assert "authenticate" in ping.methods
    assert Metrics(ask(server, "/metrics")[2]).get("budgetd_access_entries") == 0


def test_a_stranger_hears_ready_and_nothing_else(guarded):
    server = guarded()
    with server.client() as client:
        assert client.call(ping={}).ping == pb.PingResponse(ready=True)
        for unknown in (9, 15, 22, 31):
            body = b"\x08\x09" + bytes([unknown << 3 & 0x7F | 2] if unknown < 16 else
                                       [unknown << 3 & 0x7F | 0x82, unknown >> 4]) + b"\x00"
            client.send_frame(body)
            assert name_of(client.receive()) == "UNAUTHENTICATED"


def test_a_wrong_token_ends_the_connection_and_is_told_in_the_log(guarded):
    server = guarded()
    with known(server, "admin") as client:
        response = client.call(authenticate=dict(token="bd_wrong"))
        assert name_of(response) == "UNAUTHENTICATED" and response.WhichOneof("result") is None
        with pytest.raises((EOFError, OSError)):
            client.call(ping={})
    eventually(lambda: "127.0.0.1 showed a token" in server.log)
    assert "bd_wrong" not in server.log
    for size in (0, 257):
        with server.client() as client:
            assert name_of(client.call(authenticate=dict(token="x" * size))) == "INVALID_ARGUMENT"
            assert code_of(client.call(authenticate=dict(token=token("read")))) == OK


def test_whoever_does_not_say_who_it_is_has_five_seconds(guarded):
    server = guarded()
    with server.client() as stranger, known(server, "check") as client:
        began = time.monotonic()
        response = stranger.receive()
        assert response.call_id == 0 and name_of(response) == "UNAUTHENTICATED"
        assert 4 < time.monotonic() - began < 10
        with pytest.raises(EOFError):
            stranger.receive()
        assert code_of(client.call(filter_deployments={})) == OK


def test_strangers_make_room_for_each_other(guarded):
    server = guarded()
    strangers = []
    try:
        for _ in range(300):
            strangers.append(server.client())
            if len(strangers) == 256:
                # All have arrived before one too many comes.
                eventually(lambda: read_metrics(server).get("budgetd_connections") == 256)
        with known(server, "spend") as client:
            assert code_of(client.call(record_spend=dict(provider="openai", cost_usd=1))) == OK
        eventually(lambda: read_metrics(server).get(
            "budgetd_access_refused_total", reason="displaced") >= 44)
        response = strangers[0].receive()
        assert response.call_id == 0 and name_of(response) == "UNAVAILABLE"
    finally:
        for stranger in strangers:
            stranger.close()


def bearer(name):
    return {"Authorization": f"Bearer {token(name)}"}


def basic(name, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def read_metrics(server, name="read"):
    status, _, text = ask(server, "/metrics", headers=bearer(name))
    assert status == 200
    return Metrics(text)


@pytest.mark.parametrize("arguments, open_pages", [
    ([], ()), (["--metrics-open"], ("/metrics",)),
    (["--page-open"], ("/", "/status.json", "/history.json", "/changes.json",
                       "/provider/budgets"))],
    ids=["guarded", "metrics-open", "page-open"])
def test_each_page_each_role_each_way(guarded, arguments, open_pages):
    server = guarded(None, *arguments)
    for page in PAGES:
        fine = 404 if page == "/nowhere" else 200
        for headers in ({}, {"Authorization": "Digest x"}, {"Authorization": "Bearer bd_wrong"},
                        basic("read", token("spend"))):
            status, answered, text = ask(server, page, headers=headers)
            assert status == (fine if page in open_pages else 401), (page, headers)
            if status == 401:
                assert "Basic realm" in ", ".join(answered.get_all("WWW-Authenticate"))
                assert answered["Cache-Control"] == "no-store"
                assert "/metrics" not in text
        for role in ROLES:
            for headers in (bearer(role), basic(role, token(role))):
                status, *_ = ask(server, page, headers=headers)
                allowed = role != "check" or page in open_pages
                assert status == (fine if allowed else 403), (page, role)
    for page, word in (("/healthz", "ok"), ("/readyz", "ready")):
        for headers in ({}, bearer("check"), bearer("admin"), {"Authorization": "Bearer bd_wrong"}):
            status, _, text = ask(server, page, headers=headers)
            assert status == 200 and text.split("\n")[0] == word


def test_what_is_turned_away_is_counted(guarded):
    server = guarded()
    with server.client() as stranger:
        stranger.call(record_spend={})
        stranger.call(get_provider_budgets={})
    with known(server, "check") as client:
        client.call(record_spend={})
    with server.client() as client:
        client.call(authenticate=dict(token="bd_wrong"))
    metrics = read_metrics(server)

    def refused(reason):
        return metrics.get("budgetd_access_refused_total", reason=reason)

    assert metrics.get("budgetd_access_entries") == len(ROLES)
    assert (refused("unauthenticated"), refused("permission"), refused("wrong_token")) == (2, 1, 1)
    assert refused("timeout") == refused("displaced") == refused("revoked") == 0
    assert metrics.get("budgetd_audit_total", action="backup") == 0


def test_a_backup_is_written_down_with_who_did_it(guarded):
    server = guarded()
    with known(server, "admin") as client:
        assert code_of(client.call(backup_ledger=dict(path="copy"))) == OK
    eventually(lambda: re.search(r"audit: backup by admin at 127\.0\.0\.1", server.log))
    assert read_metrics(server).get("budgetd_audit_total", action="backup") == 1
    # The name is taken, or none: refused is not done.
    refused = read_metrics(server).get("budgetd_audit_total", action="refused")
    with known(server, "admin") as client:
        for name in ("copy", "a\nb"):
            assert code_of(client.call(backup_ledger=dict(path=name))) != OK
    eventually(lambda: len(re.findall(r"audit: backup by admin at 127\.0\.0\.1 refused: ", server.log)) == 2)
    assert read_metrics(server).get("budgetd_audit_total", action="backup") == 1
    assert read_metrics(server).get("budgetd_audit_total", action="refused") == refused + 2


def test_a_changed_file_holds_at_once(guarded):
    server = guarded(clients("admin", "spend-a", "read-b"))
    with known(server, "admin") as admin, known(server, "spend-a") as a, known(server, "read-b") as b:
        changed = clients("admin", "spend-a")
        changed[1]["role"] = "check"
        reload(server, changed, "reloaded the access file")
        response = b.receive()
        assert response.call_id == 0 and name_of(response) == "UNAUTHENTICATED"
        with pytest.raises(EOFError):
            b.receive()
        eventually(lambda: name_of(a.call(record_spend={})) == "PERMISSION_DENIED")
        assert code_of(a.call(filter_deployments={})) == OK
        # A second token, then the first is taken out: rotation.
        rotated = clients("admin")
        rotated[0]["tokens"].append(digest("bd_new"))
        reload(server, rotated, "reloaded the access file")
        assert code_of(admin.call(get_provider_budgets={})) == OK
        with server.client() as new:
            assert code_of(new.call(authenticate=dict(token="bd_new"))) == OK
            rotated[0]["tokens"] = [digest("bd_new")]
            reload(server, rotated, "reloaded the access file")
            assert name_of(admin.receive()) == "UNAUTHENTICATED"
            assert code_of(new.call(get_provider_budgets={})) == OK


def test_a_file_that_is_refused_leaves_the_one_before(guarded):
    server = guarded()
    with known(server, "admin") as client:
        broken = clients("admin")
        broken[0]["role"] = "root"
        reload(server, broken, "reload of the access file refused")
        assert re.search(r"access\.yaml:\d+: clients\[0\]\.role: the role is 'root'", server.log)
        assert code_of(client.call(get_provider_budgets={})) == OK
        eventually(
            lambda: read_metrics(server).get("budgetd_config_last_reload_successful") == 0)
        assert read_metrics(server).get("budgetd_access_entries") == len(ROLES)
        # Whoever asks for the reload hears of it, as of nothing that is done.
        refused = client.call(reload_config={})
        assert name_of(refused) == "FAILED_PRECONDITION", refused
        assert "the access file is refused, the one in force stays" in refused.status.message
        server.access.chmod(0o604)
        before = server.log.count("refused")
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: server.log.count("refused") > before)
        assert "chmod 600" in server.log
        reload(server, clients(*ROLES), "reloaded the access file")
        eventually(
            lambda: read_metrics(server).get("budgetd_config_last_reload_successful") == 1)
        write(server.access, clients("admin", "read"))
        told = list(client.call(reload_config={}).reload_config.changes)
        assert [line for line in told if "client" in line] == [
            "client %s is gone" % role for role in sorted(set(ROLES) - {"admin", "read"})]


@pytest.mark.parametrize("text, mode, complaint", [
    ("clients: [{name: a, role: root, users: [1]}]", 0o600, "access.yaml:1: clients[0].role"),
    ("clients: [{name: a, role: read, users: [1]}]", 0o644, "chmod 600"),
    ("clients: []", 0o600, "list the clients"), ("- : [", 0o600, "access.yaml:1")])
def test_a_start_with_a_file_that_is_refused(budgetd, tmp_path, text, mode, complaint):
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    access = tmp_path / "access.yaml"
    access.write_text(text)
    access.chmod(mode)
    result = run(budgetd, "--config", config, "--access-file", access, "--listen", "127.0.0.1:0",
                 "--http", "off", "--data-dir", tmp_path / "data")
    assert result.returncode == 78 and complaint in result.stderr, result


class Load:
    """Threads that keep requests under way on connections that stay, until `stopped`."""

    def __init__(self, server, names, depth=16):
        self.server, self.depth = server, depth
        self.stopped = threading.Event()
        self.answered, self.problems, self.times = 0, [], []
        self.threads = [threading.Thread(target=self.run, args=(name,), daemon=True)
                        for name in names]

    def run(self, name):
        try:
            with known(self.server, name) as client:
                while not self.stopped.is_set():
                    began = time.perf_counter()
                    asked = [client.send(record_spend=dict(provider="openai", cost_usd=0.001))
                             for _ in range(self.depth)]
                    answers = {}
                    for _ in asked:
                        response = client.receive()
                        answers[response.call_id] = code_of(response)
                    self.times.append(time.perf_counter() - began)
                    if answers != {call: OK for call in asked}:
                        self.problems.append(answers)
                    self.answered += len(asked)
        except Exception as error:  # shown by the test, which asserts that there is none
            self.problems.append(f"{name}: {error!r}")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive(), "a client got no answer"


def test_hundred_reloads_lose_no_reply_of_those_who_may_stay(guarded):
    stay = ["spend-a", "spend-b", "admin-c"]
    server = guarded(clients("read", *stay, "spend-comes"))
    with Load(server, stay) as load:
        eventually(lambda: load.answered > 200 or load.problems, LONG)
        for number in range(100):
            comes = [] if number % 2 == 0 else ["spend-comes"]
            if not comes:
                leaving = known(server, "spend-comes")
            reload(server, clients("read", *stay, *comes), "reloaded the access file")
            if not comes:
                response = leaving.receive()
                assert response.call_id == 0 and name_of(response) == "UNAUTHENTICATED"
                leaving.close()
            before = load.answered
            eventually(lambda: load.answered > before or load.problems, LONG)
            assert not load.problems, load.problems[:3]
    assert not load.problems, load.problems[:3]
    spend = server_spend(server)
    assert spend == pytest.approx(load.answered * 0.001)


def server_spend(server):
    with known(server, "read") as client:
        page = client.call(get_provider_budgets={}).get_provider_budgets
        return {budget.name: budget.spend_usd for budget in page.providers}["openai"]


class WrongTokens(threading.Thread):
    """Shows wrong tokens, `rate` a second as far as the machine has the time, without waiting."""

    def __init__(self, server, rate):
        super().__init__(daemon=True)
        self.address, self.rate = server.rpc, rate
        self.stopped, self.shown = threading.Event(), 0
        message = pb.Request(call_id=1, authenticate=dict(token="bd_wrong")).SerializeToString()
        self.frame = struct.pack(">I", len(message)) + message

    def run(self):
        sockets, began = [], time.monotonic()
        while not self.stopped.is_set():
            if self.shown > (time.monotonic() - began) * self.rate:
                self.stopped.wait(0.001)
                continue
            peer = socket.create_connection(self.address, 5)
            peer.sendall(self.frame)
            sockets.append(peer)
            self.shown += 1
            if len(sockets) > 200:
                sockets.pop(0).close()
        for peer in sockets:
            peer.close()


def percentile(times, part):
    return sorted(times)[int(len(times) * part)]


@pytest.mark.alone
def test_a_flood_of_wrong_tokens_keeps_nobody_out(guarded):
    server = guarded(clients("read", "spend-a"))
    with Load(server, ["spend-a"], depth=1) as load:
        eventually(lambda: load.answered > 1000 or load.problems, LONG)
        quiet = list(load.times)
        flood = WrongTokens(server, 1000)
        flood.start()
        eventually(lambda: flood.shown > 3000, 60)
        del load.times[:]
        began, shown = time.monotonic(), flood.shown
        eventually(lambda: load.answered and len(load.times) > 1000 or load.problems, 60)
        rate = (flood.shown - shown) / (time.monotonic() - began)
        busy = list(load.times)
        # Whoever has the right token gets in, from the same address.
        for _ in range(20):
            known(server, "spend-a").close()
        flood.stopped.set()
        flood.join(30)
    assert not load.problems, load.problems[:3]
    print(f"{rate:.0f} wrong tokens a second: p50 {percentile(quiet, .5) * 1e6:.0f} to "
          f"{percentile(busy, .5) * 1e6:.0f} us, p99 {percentile(quiet, .99) * 1e6:.0f} to "
          f"{percentile(busy, .99) * 1e6:.0f} us")
    lines = [line for line in server.log.splitlines() if "showed a token" in line]
    assert 1 <= len(lines) <= 6, lines
    assert read_metrics(server).get("budgetd_access_refused_total", reason="wrong_token") > 3000
    # As many wait for their refusals as may not have said who they are.
    assert server.descriptors() < 600


def test_budgetctl_says_who_it_is(guarded, budgetctl, tmp_path):
    made = run(budgetctl, "access", "new", "ops", "--role", "read")
    assert made.returncode == 0
    secret = re.search(r"^bd_[A-Za-z0-9_-]{43}$", made.stdout, re.MULTILINE)[0]
    entry = yaml.safe_load(made.stdout.split("access file:\n")[1])
    assert secret not in str(entry)
    server = guarded(entry)
    checked = run(budgetctl, "access", "check", server.access)
    assert checked.returncode == 0 and "1 client" in checked.stdout
    file = tmp_path / "token"
    file.write_text(secret + "\n")
    file.chmod(0o600)
    name = f"{server.rpc[0]}:{server.rpc[1]}"

    def ctl(*arguments, **environment):
        return run(budgetctl, "--server", name, *arguments, env={**os.environ, **environment})

    assert "role        read" in ctl("ping", "--token-file", file).stdout
    assert "openai" in ctl("budgets", BUDGETD_TOKEN_FILE=str(file)).stdout
    nobody = ctl("budgets")
    assert nobody.returncode == 1 and "UNAUTHENTICATED" in nobody.stderr
    assert "--token-file" in nobody.stderr
    assert "say who you are" in ctl("ping").stdout
    denied = ctl("record", "--provider", "openai", "--cost", "1", "--token-file", file)
    assert denied.returncode == 1 and "PERMISSION_DENIED" in denied.stderr
    file.write_text("bd_wrong\n")
    wrong = ctl("budgets", "--token-file", file)
    assert wrong.returncode == 1 and "UNAUTHENTICATED" in wrong.stderr
    file.chmod(0o644)
    assert ctl("budgets", "--token-file", file).returncode == 64
    write(server.access, [{"name": "a"}])
    broken = run(budgetctl, "access", "check", server.access)
    assert broken.returncode == 78 and "'role' is missing" in broken.stdout


def test_a_load_test_says_who_it_is(guarded, budgetctl, tmp_path):
    server = guarded()
    file = tmp_path / "token"
    file.write_text(token("spend"))
    file.chmod(0o600)
    result = run(budgetctl, "--server", f"{server.rpc[0]}:{server.rpc[1]}", "--token-file", file,
                 "bench", "--seconds", "0.3", "--warm-up", "0.1", "--connections", "4", timeout=LONG)
    assert result.returncode == 0, result


def test_a_client_has_its_bounds_and_others_have_theirs(guarded):
    server = guarded(
        clients("read", "spend-a", "spend-b"), "--max-connections-per-client", "4",
        "--max-requests-under-way-per-client", "8", "--records-per-second", "100")
    # Those that have not said who they are count for nobody, though they share the address.
    strangers = [server.client() for _ in range(6)]
    greedy = [known(server, "spend-a") for _ in range(4)]
    for stranger in strangers:
        stranger.close()
    with server.client() as fifth:
        fifth.send(authenticate=dict(token=token("spend-a")))
        told = fifth.receive()
        while told.call_id:
            told = fifth.receive()
        assert name_of(told) == "UNAVAILABLE" and "4 connections" in told.status.message
    began = time.monotonic()
    for client in greedy:
        for _ in range(100):
            client.send(record_spend=dict(provider="openai", cost_usd=0.001))
    # While those wait for their turn, another client is answered at once.
    with known(server, "spend-b") as other:
        for _ in range(20):
            assert code_of(other.call(record_spend=dict(provider="openai", cost_usd=1))) == OK
        assert time.monotonic() - began < 2.5
    for client in greedy:
        for _ in range(100):
            assert code_of(client.receive()) == OK
        client.close()
    # 400, of which the first 100 are free.
    assert time.monotonic() - began > 2.5
    metrics = read_metrics(server)
    assert metrics.get("budgetd_bounds_hit_total", bound="client_connections") == 1
    assert metrics.get("budgetd_connections_stopped_total", bound="client_rate") > 0
    assert server_spend(server) == pytest.approx(20.4)
