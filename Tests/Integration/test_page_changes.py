"""The page acts for those who may: forms with their token, forged ones, lesser roles, hostile texts."""

import base64
import json
import re
import time
import urllib.parse

import pytest

from browser import Browser
from budget_client import pb
from conftest import OK, config_text, eventually
from http_client import ask
from test_access import clients, read_metrics, token, write

HOSTILE = "<img src=x onerror=document.title='broken'></script><b>bold</b>"
CONFIG = config_text({"openai": (10.0, "1d"), HOSTILE: (5.0, "1d")}, {"team": (2.0, "1h")})
PATTERN = """
budgetd:
  budgets:
    - {tag: "user:*", limit: 5, window: day}
"""
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def server(start, tmp_path):
    path = write(tmp_path / "access.yaml", clients("check", "read", "spend", "admin", "admin-two"))
    return start(CONFIG, "--access-file", path)


def headers(name):
    secret = base64.b64encode(f"{name}:{token(name)}".encode()).decode()
    return {"Authorization": f"Basic {secret}"} if name else {}


def changes(server, name):
    status, _, text = ask(server, "/changes.json", headers=headers(name))
    assert status == 200, text
    return json.loads(text)


def post(server, name, fields, **more):
    """(status, text) of a posted form."""
    head = {"Content-Type": FORM, **headers(name), **more}
    status, _, text = ask(server, "/change", "POST", head, urllib.parse.urlencode(fields))
    return status, text.strip()


def fields(server, **more):
    midnight = int(time.time() * 1000) + 60_000
    return dict({"token": changes(server, "admin")["token"], "action": "raise", "scope": "provider",
                 "name": "openai", "window": "1d", "amount": "2.5", "until": midnight,
                 "reason": "launch"}, **more)


def budget(server, name="openai"):
    with server.client() as client:
        client.call(authenticate=dict(token=token("admin")))
        page = client.call(get_provider_budgets=dict(providers=[name])).get_provider_budgets
    return page.providers[0]


def test_each_action_is_done_and_audited(server):
    status, text = post(server, "admin", fields(server))
    assert status == 200, text
    assert re.fullmatch(r"provider 'openai': limit 12\.5 until \S+Z; it was limit 10", text), text
    found = budget(server)
    assert found.limit_usd == 12.5 and found.override_reason == "launch"
    assert found.override_until_unix_ms > time.time() * 1000
    assert post(server, "admin", fields(server, action="freeze"))[0] == 200
    assert budget(server).mode == pb.MODE_FREEZE
    assert post(server, "admin", fields(server, action="unfreeze"))[0] == 200
    assert budget(server).mode == pb.MODE_ENFORCE and budget(server).limit_usd == 12.5
    status, text = post(server, "admin", fields(server, action="unfreeze"))
    assert status == 400 and "is not frozen" in text
    assert post(server, "admin", fields(server, action="reset", amount="4.25"))[0] == 200
    assert budget(server).spend_usd == 4.25
    lines = changes(server, "read")["lines"]
    assert [(line["action"], line["author"], line["reason"]) for line in lines
            if not line["refusal"]] == [
        ("reset_budget", "admin", "launch"), ("clear_budget", "admin", "launch"),
        ("set_budget", "admin", "launch"), ("set_budget", "admin", "launch")]
    assert lines[0]["place"].startswith("127.0.0.1"), lines[0]


@pytest.mark.parametrize("name", ["read", "spend"])
def test_lesser_roles_only_look(server, name):
    assert changes(server, name)["token"] is None
    assert post(server, name, fields(server)) == (403, "changing budgets needs the role admin")
    eventually(lambda: [line["author"] for line in changes(server, name)["lines"]
                        if "needs the role admin" in line["refusal"]] == [name])
    assert budget(server).limit_usd == 10


def test_who_may_not_see_the_page_posts_nothing(server):
    good = fields(server)
    assert post(server, "check", good)[0] == 403
    assert post(server, None, good)[0] == 401
    assert ask(server, "/change", headers=headers("admin"))[0] == 303
    assert ask(server, "/change")[0] == 401
    assert ask(server, "/status.json", "POST", dict(headers("admin"), **{"Content-Type": FORM}),
               "a=b")[0] == 413
    refused = eventually(lambda: [line for line in changes(server, "read")["lines"]
                                  if line["refusal"]][1:] and changes(server, "read")["lines"])
    assert {line["author"] for line in refused} == {"check", "nobody"}


def test_forged_forms_are_refused_and_audited(server):
    good = fields(server)
    mine = "http://%s" % server.ready_line["http"]
    for case, (form, more) in enumerate([
            (dict(good, token=""), {}),
            ({key: value for key, value in good.items() if key != "token"}, {}),
            (dict(good, token=good["token"][:-1] + "0" * (good["token"][-1] != "0")
                  + "1" * (good["token"][-1] == "0")), {}),
            # Another administrator's token is of no use.
            (dict(good, token=changes(server, "admin-two")["token"]), {}),
            (good, {"Origin": "https://evil.example"}), (good, {"Origin": "null"}),
            (good, {"Origin": mine + ".evil.example"})]):
        status, text = post(server, "admin", form, **more)
        assert status == 403, (case, status, text)
    assert budget(server).limit_usd == 10
    eventually(lambda: len([line for line in changes(server, "admin")["lines"]
                            if line["refusal"]]) == 7)
    assert post(server, "admin", good, Origin=mine)[0] == 200
    # A form as a page of elsewhere can send it without asking first.
    head = {**headers("admin"), "Content-Type": "text/plain"}
    assert ask(server, "/change", "POST", head, urllib.parse.urlencode(good))[0] == 413


@pytest.mark.parametrize("wrong", [
    {"scope": "planet"}, {"action": "delete"}, {"reason": "  "}, {"amount": "-1"}, {"amount": "1e3"},
    {"amount": "nan"}, {"until": "soon"}, {"until": "1"}, {"name": "nobody"}, {"name": ""},
    {"window": "2d"}, {"reason": "x" * 257}, {"reason": "a\nb"}, {"name": "x" * 300}], ids=str)
def test_what_is_no_order_is_refused(server, wrong):
    status, text = post(server, "admin", fields(server, **wrong))
    assert status == 400 and text, (status, text)
    assert budget(server).limit_usd == 10
    eventually(lambda: any(line["refusal"] for line in changes(server, "admin")["lines"]))


def test_without_an_access_file_the_page_only_shows(start):
    server = start(CONFIG)
    server.call(set_budget=dict(scope=pb.SCOPE_PROVIDER, name="openai", limit_usd=3, reason="why"))
    found = changes(server, None)
    assert found["token"] is None and found["lines"][0]["after"] == "limit 3"
    status, text = post(server, None, {"action": "freeze"})
    assert status == 403 and "--access-file" in text


def test_an_open_page_asks_administrators_who_they_are(start, tmp_path):
    path = write(tmp_path / "access.yaml", clients("check", "read", "admin"))
    server = start(CONFIG, "--access-file", path, "--page-open")
    found = changes(server, None)
    assert found["token"] is None and found["may_sign_in"]
    status, head, _ = ask(server, "/change")
    assert status == 401 and "Basic realm" in ", ".join(head.get_all("WWW-Authenticate"))
    status, head, _ = ask(server, "/change", headers=headers("admin"))
    assert (status, head["Location"]) == (303, "/")
    assert ask(server, "/change", headers=headers("check"))[0] == 403
    for name in ("read", "admin"):
        assert not changes(server, name)["may_sign_in"]
    assert changes(server, "read")["token"] is None
    assert post(server, "admin", fields(server, action="freeze"))[0] == 200
    assert post(server, None, fields(server, action="unfreeze"))[0] == 401
    assert budget(server).mode == pb.MODE_FREEZE
    with Browser(tmp_path) as browser:
        browser.visit("http://%s/" % server.ready_line["http"])
        browser.until("!document.querySelector('#sign-in').hidden")
        browser.send("Network.setExtraHTTPHeaders", headers=headers("admin"))
        browser.visit("http://%s/change" % server.ready_line["http"])
        browser.until("location.pathname === '/' && document.querySelector('#sign-in').hidden"
                      " && document.querySelectorAll('button.change:not([hidden])').length === 3")


def test_tokens_are_not_tried_at_an_open_page(start, tmp_path):
    """Who may look need not show a token; one that is wrong is counted, and the next are passed over."""
    path = write(tmp_path / "access.yaml", clients("read", "admin"))
    server = start(CONFIG, "--access-file", path, "--page-open")
    assert changes(server, "admin")["token"]
    # The ninth would wait for 400 ms, were it refused.
    for _ in range(9):
        status, _, text = ask(server, "/changes.json", headers={"Authorization": "Bearer bd_wrong"})
        assert status == 200 and json.loads(text)["token"] is None
    tried = read_metrics(server).get("budgetd_access_refused_total", reason="wrong_token")
    assert 6 <= tried <= 9
    # Not where a page asks for a token: there a right one is answered at once.
    assert ask(server, "/change", headers=headers("admin"))[0] == 303
    eventually(lambda: changes(server, "admin")["token"] is not None, what="the token counts again")


def test_a_freeze_of_what_has_no_budget_is_seen_and_lifted(start, tmp_path):
    """At three in the morning the page says that everything is denied, and can end it."""
    path = write(tmp_path / "access.yaml", clients("check", "read", "spend", "admin"))
    server = start(config_text({"openai": (10.0, "1d")}) + PATTERN, "--access-file", path)
    with server.client() as client:
        client.call(authenticate=dict(token=token("admin")))
        for scope, name in ((pb.SCOPE_PROVIDER, "mistral"), (pb.SCOPE_TAG, "user:*"),
                            (pb.SCOPE_TOTAL, "total")):
            assert client.call(set_budget=dict(
                scope=scope, name=name, mode=pb.MODE_FREEZE, reason="stop")).status.code == OK
    headline = "document.querySelector('h1').innerText"
    with Browser(tmp_path) as browser:
        browser.send("Network.setExtraHTTPHeaders", headers=headers("admin"))
        browser.visit("http://%s/" % server.ready_line["http"])
        browser.until("document.querySelectorAll('tbody tr').length === 4")
        assert browser.value(headline) == "Everything is frozen"
        assert browser.value("document.title") == "3 frozen · budgetd"
        assert "everything is frozen" in browser.value("document.querySelector('#denied').innerText")
        for name, left in (("total", "2 budgets or names are frozen"),
                           ("mistral", "1 budget or name is frozen"),
                           ("user:*", "All 2 budgets are within their limits")):
            row = ("[...document.querySelectorAll('tbody tr')].find(r => r.querySelector('bdi')"
                   ".textContent === %s)" % json.dumps(name))
            browser.until(f"{row} && !{row}.querySelector('button').hidden")
            assert "frozen" in browser.value(f"{row}.innerText"), name
            browser.value(f"{row}.querySelector('button').click()")
            browser.until("document.querySelector('dialog').open")
            # Nothing else can be done to it.
            assert browser.value("[...document.querySelectorAll('#change-action option')]"
                                 ".filter(o => !o.disabled).map(o => o.value)") == ["unfreeze"]
            assert browser.value("document.querySelector('#change-action').value") == "unfreeze"
            browser.value("document.querySelector('#change-reason').value = 'well again'")
            browser.value("document.querySelector('#change-send').click()")
            browser.until(f"{headline} === {json.dumps(left)}")
        browser.until("document.querySelectorAll('tbody tr').length === 2")
        assert not browser.value("document.getElementById('denied').checkVisibility()")
        # A budget's own actions are back.
        browser.value("[...document.querySelectorAll('tbody tr')].find(r => r.querySelector('bdi')"
                      ".textContent === 'openai').querySelector('button').click()")
        browser.until("document.querySelector('dialog').open")
        assert browser.value("[...document.querySelectorAll('#change-action option')]"
                             ".every(o => !o.disabled)")


def test_a_person_raises_freezes_and_resets(server, tmp_path):
    with server.client() as client:
        client.call(authenticate=dict(token=token("admin")))
        assert client.call(set_budget=dict(
            scope=pb.SCOPE_PROVIDER, name=HOSTILE, limit_usd=6, reason=HOSTILE)).status.code == OK
    with Browser(tmp_path) as browser:
        browser.send("Network.setExtraHTTPHeaders", headers=headers("admin"))
        browser.visit("http://%s/" % server.ready_line["http"])
        browser.until("document.querySelectorAll('tbody tr').length === 3")
        button = ("[...document.querySelectorAll('tbody tr')].find(r => r.querySelector('bdi')"
                  ".textContent === %s).querySelector('button')")
        for name, action, amount in (("openai", "raise", "2"), (HOSTILE, "freeze", ""),
                                     ("openai", "reset", "1.5")):
            chosen = button % json.dumps(name)
            browser.until(f"{chosen} && !{chosen}.hidden")
            browser.value(f"{chosen}.click()")
            browser.until("document.querySelector('dialog').open")
            browser.value(f"document.querySelector('#change-action').value = '{action}'")
            browser.value(f"document.querySelector('#change-amount').value = '{amount}'")
            browser.value(f"document.querySelector('#change-reason').value = {json.dumps(HOSTILE)}")
            browser.value("document.querySelector('#change-send').click()")
            browser.until("!document.querySelector('dialog').open")
        assert budget(server).limit_usd == 12 and budget(server).spend_usd == 1.5
        assert budget(server, HOSTILE).mode == pb.MODE_FREEZE
        browser.until("document.querySelectorAll('#changes-list li').length === 4")
        # Names and reasons are texts, whatever they look like.
        assert browser.value("document.querySelectorAll('#changes img, #changes b').length") == 0
        assert HOSTILE in browser.value("document.querySelector('#changes-list').innerText")
        assert "broken" not in browser.value("document.title")
        # Who only reads has no buttons, and sees what was done.
        browser.send("Network.setExtraHTTPHeaders", headers=headers("read"))
        browser.visit("http://%s/" % server.ready_line["http"])
        browser.until("document.querySelectorAll('#changes-list li').length === 4")
        assert browser.value("document.querySelectorAll('button.change:not([hidden])').length") == 0
