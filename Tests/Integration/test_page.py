"""The status page as a person sees it: headless Chromium, a real budgetd, spend over RPC."""

import pytest

from browser import Browser
from conftest import config_text

HOSTILE = "<img src=x onerror=document.title='broken'></script><b>bold</b>"
TURNED = "abc\u202efdp.exe"
CONFIG = config_text(
    {"openai": (10.0, "1d"), "tiny": (0.000000000001, "1d"), HOSTILE: (5.0, "1d")},
    {"team:search": (2.0, "1h"), "team:chat": (4.0, "1h"), TURNED: (1.0, "1h"),
     "x" * 256: (1.0, "1h")},
    [("d-1", "gpt", "openai/gpt-4o", 3.0, "1d")])
ROWS = "[...document.querySelectorAll('tbody tr')]"


def row(name):
    """The text of the row of a budget, cells apart by bars; empty while there is none."""
    return (f"(({ROWS}.find(r => r.querySelector('bdi').textContent === {name!r})"
            "|| {children: []}).children.length ? "
            f"[...{ROWS}.find(r => r.querySelector('bdi').textContent === {name!r}).children]"
            ".map(c => c.innerText.trim()).join(' | ') : '')")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def page(start, browser):
    """A server, and the browser at its page with all budgets shown."""
    server = start(CONFIG)
    browser.events.clear()
    browser.open("http://%s/" % server.ready_line["http"])
    browser.until(f"{ROWS}.length === 8")
    return server, browser


def test_a_budget_is_found_and_turns_exhausted(page):
    server, browser = page
    assert "within their limits" in browser.value("document.querySelector('h1').innerText")
    browser.press("/")
    browser.until("document.activeElement.id === 'search'")
    browser.type("SEARCH")
    browser.until(f"{ROWS}.length === 1")
    assert "$2.00" in browser.value(row("team:search"))
    server.record("openai", 1.75, tags=["team:search"])
    browser.until(f"{row('team:search')}.includes('near limit')")
    assert "87 %" in browser.value(row("team:search"))
    server.record("openai", 0.5, tags=["team:search"])
    browser.until(f"{row('team:search')}.includes('exhausted')")
    assert "-$0.25" in browser.value(row("team:search"))
    browser.until("document.querySelector('h1').innerText === '1 of 8 budgets is exhausted'")
    assert "every request with it is denied" in browser.value(
        "document.getElementById('denied').innerText")
    assert browser.value("document.title").startswith("1 exhausted")


def test_names_are_text_and_money_is_exact(page):
    server, browser = page
    assert browser.value(row(HOSTILE)), "a name of markup is shown as it is"
    assert browser.value("document.querySelectorAll('tbody img, tbody b').length") == 0
    assert browser.value(row("abc⟨U+202E⟩fdp.exe")), "a turn of direction is shown as its code"
    assert "$0.000000000001" in browser.value(row("tiny"))
    server.record("openai", 1.123456789012)
    title = f"{ROWS}.map(r => r.querySelector('.left').title).join('\\n')"
    browser.until(f"{title}.includes('$8.876543210988 remaining')")
    assert "$8.87" in browser.value(row("openai"))
    assert browser.complaints() == []


def test_nothing_comes_from_elsewhere(page):
    server, browser = page
    own = "http://%s/" % server.ready_line["http"]
    asked = [url for url in browser.requested() if not url.startswith("data:")]
    assert asked and all(url.startswith(own) for url in asked), asked


def test_scopes_are_chosen_and_stay_in_the_address(page):
    _, browser = page
    browser.value("document.querySelector('#scopes [value=deployment]').click()")
    browser.until(f"{ROWS}.length === 1 && {row('d-1')}")
    assert browser.value("location.search") == "?scope=deployment"
    browser.send("Page.reload")
    browser.until(f"document.readyState === 'complete' && {ROWS}.length === 1")


def test_a_server_that_is_gone_leaves_stale_figures_that_say_so(page):
    server, browser = page
    server.stop()
    browser.until("document.getElementById('age').innerText.startsWith('Stale, ')")
    assert browser.value(f"{ROWS}.length") == 8 and "$10.00" in browser.value(row("openai"))


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_can_be_read(page, width, scheme):
    """No scrolling sideways; every text has a contrast of 4.5 or more, as WCAG measures it."""
    _, browser = page
    browser.resize(width, 800)
    browser.prefer(scheme)
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.value(WEAK) == []


WEAK = r"""(() => {
  const channels = (text) => text.match(/[\d.]+/g).map(Number);
  const light = (c) => c.slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = channels(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility()
    && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())
    && !["SCRIPT", "STYLE"].includes(e.tagName)).flatMap((e) => {
      const [a, b] = [light(channels(getComputedStyle(e).color)), light(ground(e))];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      return contrast < 4.5 ? [`${e.className} ${e.textContent} ${contrast.toFixed(2)}`] : [];
    });
})()"""


def test_no_budgets(start, browser):
    server = start("{}\n")
    browser.open("http://%s/" % server.ready_line["http"])
    browser.until("document.querySelector('h1').innerText === 'No budgets are configured'")
    assert "provider_budget_config" in browser.text()


def test_a_thousand_budgets(start, browser):
    tags = {f"team:{number:04}": (1.0 + number, "1d") for number in range(1000)}
    server = start(config_text(None, tags))
    browser.events.clear()
    browser.open("http://%s/" % server.ready_line["http"])
    browser.until(f"{ROWS}.length === 100")
    browser.value("document.getElementById('more').click()")
    browser.until(f"{ROWS}.length === 1000")
    server.record("none", 0.9, tags=["team:0000"])
    browser.until(f"{ROWS}[0].innerText.includes('near limit')")
    # Showing an unchanged answer again writes nothing: no row is laid out anew.
    writes = """(() => {
      const seen = new MutationObserver(() => {});
      const parts = { subtree: true, childList: true, characterData: true, attributes: true };
      seen.observe(document.getElementById('budgets'), parts);
      show(lastStatus);
      const count = seen.takeRecords().length;
      seen.disconnect();
      return count;
    })()"""
    assert browser.value(writes) == 0
    assert browser.complaints() == []
