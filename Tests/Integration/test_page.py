"""The status page as a person sees it: headless Chromium, a real budgetd, spend over RPC."""

import pytest

from browser import Browser
from conftest import OK, code_of, config_text
from shifted_clock import ShiftedClock

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
    browser.visit("http://%s/" % server.ready_line["http"])
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


def test_what_is_reserved_is_the_lighter_part_of_the_bar(page):
    server, browser = page

    def bar(place):
        return (f"[...{ROWS}.find(r => r.innerText.includes('team:search'))"
                f".querySelectorAll('.bar i')][{place}].style.width")

    def reserve(amount):
        response = server.call(reserve_spend=dict(
            provider="openai", tags=["team:search"], amount_usd=amount))
        assert code_of(response) == OK, response
        return response.reserve_spend.reservation_id

    browser.until(f"{bar(1)} === '0%'")
    reserve(0.5)
    browser.until(f"{bar(1)} === '25%'")
    last = reserve(1.5)
    browser.until(f"{bar(1)} === '100%' && {row('team:search')}.includes('all reserved')")
    assert browser.value(bar(0)) == "0%" and "$0.00" in browser.value(row("team:search"))
    server.call(release_reservation=dict(reservation_id=last))
    browser.until(f"!{row('team:search')}.includes('all reserved')")
    assert browser.complaints() == []


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


TILES = "[...document.querySelectorAll('.facts div')].map(d => d.innerText)"


def test_a_server_that_is_gone_leaves_stale_figures_that_say_so(page):
    server, browser = page
    browser.until(f"{TILES}[0].includes('ready') && {TILES}[1].includes('writing')")
    server.stop()
    browser.until("document.getElementById('age').innerText.startsWith('Stale, ')")
    assert browser.value(f"{ROWS}.length") == 8 and "$10.00" in browser.value(row("openai"))
    tiles = browser.value(TILES)
    assert not [tile for tile in tiles if "ready" in tile], tiles
    assert [tile.split("\n")[1] for tile in tiles[:3]] == ["no answer", "unknown", "unknown"]
    assert "writing as of " in tiles[1]
    assert browser.value("document.getElementById('denied-title').textContent") == "Denied then"
    headline = browser.value("document.querySelector('h1').innerText")
    assert headline.startswith("budgetd does not answer: all figures are of "), headline
    assert browser.value("document.title") == "no answer · budgetd"


def test_a_page_that_nobody_looks_at_does_not_say_that_the_server_is_gone(page):
    """Out of sight the page does not ask; its age alone is no news of the server."""
    _, browser = page
    said = browser.value("""(() => {
      clearTimeout(timer);
      if (asking) asking.abort();
      [asking, failure, answeredAt] = [null, null, performance.now() - 60000];
      showAge();
      return [document.querySelector('h1').innerText, document.title];
    })()""")
    assert "within their limits" in said[0] and said[1] == "budgetd"
    browser.value("refresh()")
    browser.until("document.getElementById('age').innerText.startsWith('live')")


def test_money_in_sentences_is_cut_as_in_the_table(page):
    server, browser = page
    server.record("none", 8.001942039866, tags=["team:chat"])
    browser.until(f"{row('team:chat')}.includes('exhausted')")
    assert "$8.00 of\u00a0$4.00" in browser.value(row("team:chat"))
    denied = browser.value("document.getElementById('denied').innerText")
    assert "tag team:chat: $8.00 of $4.00 are spent; every request with it is denied" in denied
    assert "8.0019" not in browser.text()
    assert browser.value(f"{ROWS}[0].querySelector('.spend').title") == "$8.001942039866 of $4.00"


RED = """(() => {
  const out = getComputedStyle(document.documentElement).getPropertyValue('--out').trim();
  const probe = document.body.appendChild(document.createElement('p'));
  probe.style.color = out;
  const red = getComputedStyle(probe).color;
  probe.remove();
  return [...document.querySelectorAll('body *')].filter((e) => e.checkVisibility()
    && !e.matches('.unseen') && e.innerText && getComputedStyle(e).color === red).map((e) => e.innerText);
})()"""


def test_a_limit_of_zero_is_not_an_alarm(start, browser):
    """It denies, and is meant to: nothing is red until money is spent on it all the same."""
    server = start(config_text({"openai": (10.0, "1d"), "mistral": (0.0, "1d")},
                               {"banned": (0.0, "1h")}))
    browser.visit("http://%s/" % server.ready_line["http"])
    browser.until(f"{ROWS}.length === 3")
    headline = "document.querySelector('h1').innerText"
    assert browser.value(headline) == "All 3 budgets are within their limits"
    assert browser.value("document.title") == "budgetd"
    browser.until(f"{OUTLOOK}.endsWith('2 have a limit of $0 and give nothing.')")
    assert not browser.value("document.getElementById('denied').checkVisibility()")
    assert "gives nothing" in browser.value(row("mistral"))
    assert browser.value(RED) == []
    assert browser.value(f"{ROWS}[0].querySelector('bdi').innerText") == "openai"
    server.record("mistral", 3.0)
    browser.until(f"{headline} === '1 of 3 budgets is exhausted'")
    assert "mistral: $3.00 of $0.00 are spent" in browser.value(
        "document.getElementById('denied').innerText")
    assert browser.value(RED) != []


def test_what_is_frozen_and_what_only_watches_is_not_exhausted(start, browser):
    """The table says of each what it does; the line above agrees with it."""
    server = start(config_text({"openai": (10.0, "1d")}) + """
budgetd:
  budgets:
    - {provider: azure, limit: 25, window: day, mode: freeze}
    - {provider: groq, limit: null, window: day, mode: freeze}
    - {tag: solo, limit: 5, window: day, mode: shadow}
    - {tag: "user:*", limit: 5, window: day, mode: shadow}
""")
    server.record("openai", 7.0, tags=["solo", "user:a"])
    for _ in range(3):
        assert server.call(filter_deployments=dict(
            deployments=[dict(id="d", provider="openai")],
            tags=["solo", "user:a"])).status.code == OK
    browser.visit("http://%s/" % server.ready_line["http"])
    browser.until(f"{row('solo')}.includes('would deny')")
    assert "140 %" in browser.value(row("solo"))
    for name in ("azure", "groq"):
        assert "frozen" in browser.value(row(name)) and "exhausted" not in browser.value(row(name))
    assert "1 name, 1 would deny" in browser.value(row("user:*"))
    title = f"{ROWS}.find(r => r.querySelector('bdi').textContent === %r).querySelector('.state').title"
    for name in ("solo", "user:*"):
        assert browser.value(title % name) == "it would have denied 3 candidates since the start"
    assert browser.value("document.querySelector('h1').innerText") == "2 budgets or names are frozen"
    assert "azure is frozen" in browser.value("document.getElementById('denied').innerText")


@pytest.mark.parametrize("count, headline", [
    (1, "The budget has a limit of $0 and gives nothing"),
    (2, "All 2 budgets have a limit of $0 and give nothing"),
])
def test_nothing_but_limits_of_zero(start, browser, count, headline):
    server = start(config_text(None, {f"t{i}": (0.0, "1d") for i in range(count)}))
    browser.visit("http://%s/" % server.ready_line["http"])
    browser.until(f"document.querySelector('h1').innerText === '{headline}'")
    assert browser.value(OUTLOOK) == ""


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_can_be_read(page, width, scheme):
    """No scrolling sideways; every text has a contrast of 4.5 or more, as WCAG measures it."""
    _, browser = page
    browser.resize(width, 800)
    browser.prefer(scheme)
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.value(WEAK) == []


def test_no_number_is_broken_in_two(start, browser):
    tags = {"large": (123456789012.0, "30d"), "small": (0.000000000123, "1d"),
            "team:" + "with-a-long-name" * 4: (98765432.1, "1mo"), "usual": (250.0, "1d")}
    server = start(config_text(None, tags))
    server.record("none", 98765432.123456789012, tags=["large"])
    server.record("none", 0.000000000456, tags=["small"])
    server.record("none", 123456789.123456, tags=list(tags)[2:3])
    browser.visit("http://%s/" % server.ready_line["http"])
    for width in (320, 375, 700, 840, 1024, 1280):
        browser.resize(width, 800)
        browser.until(f"{ROWS}.length === 4 && {row('large')}.includes('of\\u00a0$123,456,789,012')")
        assert browser.value("document.documentElement.scrollWidth") <= width
        assert browser.value(BROKEN) == [], width
        assert browser.value(OVERLAPPING) == [], width


# The numbers, with their units, that stand on more than one line.
BROKEN = r"""[...document.querySelectorAll("tbody td, .facts dd, #outlook")].flatMap((cell) => {
  const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  const broken = [];
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    for (const number of text.data.matchAll(/-?\$?\d[\d,.]*( %|\/h)?/g)) {
      const range = document.createRange();
      range.setStart(text, number.index);
      range.setEnd(text, number.index + number[0].length);
      const lines = new Set([...range.getClientRects()].map((r) => Math.round(r.top)));
      if (lines.size > 1) broken.push(`${cell.className}: ${number[0]}`);
    }
  }
  return broken;
})"""

# The cells whose text reaches out of the cell: over its neighbour's, or out of sight.
OVERLAPPING = r"""[...document.querySelectorAll("tbody td, tbody th")].filter((cell) =>
  cell.scrollWidth > cell.clientWidth + 1).map((cell) => `${cell.className}: ${cell.innerText}`)"""

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
    browser.visit("http://%s/" % server.ready_line["http"])
    browser.until("document.querySelector('h1').innerText === 'No budgets are configured'")
    assert "provider_budget_config" in browser.text()


OUTLOOK = "document.getElementById('outlook').innerText"


def test_the_outlook_is_of_all_budgets_also_of_those_not_shown(start, browser, tmp_path):
    """What is said of near limits and of what runs out counts those that are not shown."""
    tags = {f"team:{number:03}": (1.0, "1d") for number in range(120)} | {"hidden": (100.0, "1d")}
    server = start(config_text(None, tags), directory=tmp_path / "server")
    server.record("none", 0.9, tags=[name for name in tags if name != "hidden"])
    server.stop()
    server = start(config_text(None, tags), directory=tmp_path / "server")
    browser.visit("http://%s/" % server.ready_line["http"])
    browser.until(f"{ROWS}.length === 100")
    server.record("none", 10.0, tags=["hidden"])
    browser.until(f"{OUTLOOK}.includes('120 are near the limit.')")
    assert not browser.value(row("hidden")), "it is among the hundred shown"
    # One record is no rate: nothing is said of when anything runs out.
    outlook = browser.value(OUTLOOK)
    assert outlook.endswith(" not known yet.") and "run out" not in outlook, outlook
    # Of a search it says the same: what is said is of all.
    browser.press("/")
    browser.type("119")
    browser.until(f"{ROWS}.length === 1")
    assert "120 are near the limit." in browser.value(OUTLOOK)
    assert browser.complaints() == []


def test_nothing_is_said_to_last_while_rates_are_unknown(page):
    _, browser = page

    def outlook(near, running_out, rate_unknown, exhausted=0, redis="null", ends="null",
                closed=0):
        return browser.value(f"""(() => {{
          const none = {{ budgets: 0, exhausted: 0, closed: 0, near: 0, running_out: 0,
            rate_unknown: 0, frozen: 0, frozen_names: 0 }};
          const tag = {{ budgets: 200, exhausted: {exhausted}, near: {near}, closed: {closed},
            running_out: {running_out}, rate_unknown: {rate_unknown}, frozen: 0,
            frozen_names: 0 }};
          show({{ ...lastStatus, counts: {{ provider: none, deployment: none, tag }},
            redis: {redis}, next_to_run_out: {ends} }});
          return {OUTLOOK}.replace(/[\u2068\u2069]/g, "");
        }})()""")

    lasts = "none runs out before its reset."
    assert outlook(0, 0, 0) == "At the present rate " + lasts
    assert outlook(3, 0, 0) == "3 are near the limit. At the present rate " + lasts
    assert outlook(0, 0, 200) == "Rates are not known yet."
    assert outlook(1, 0, 200) == "1 is near the limit. Rates are not known yet."
    assert outlook(0, 0, 1) == "The rate of 1 budget is not known yet."
    ends = "{ name: 'x', exhausts_at_unix_ms: lastStatus.now_unix_ms + 60000 }"
    assert outlook(0, 1, 5, ends=ends) \
        == "Next to run out: x in 1 min. The rates of 5 budgets are not known yet."
    assert outlook(0, 2, 0, ends=ends) \
        == "At the present rate 2 run out before their reset. Next to run out: x in 1 min."
    assert outlook(0, 0, 0, exhausted=200) == ""
    assert outlook(0, 0, 0, closed=1) \
        == "At the present rate " + lasts + " 1 has a limit of $0 and gives nothing."
    others = """{ up: true, partitioned: false, policy: 'share', lag_seconds: 0.1,
      eviction_unsafe: false, passes: { ok: 1, failed: 0 }, late_spend: '0', late_spend_usd: 0 }"""
    assert outlook(0, 0, 0, redis=others) == "At the present rate " + lasts, "the fleet's"


def test_the_denied_beyond_those_listed_are_counted_in_place(page):
    """Showing an unchanged answer again writes nothing, the line that counts the rest included."""
    _, browser = page
    assert browser.value("""(() => {
      const reason = (number) => ({ reason: `tag ${number}: $1 of $1 are spent` });
      const denials = { total: 250, closed: 0, in_force: Array.from({ length: 100 }, (_, n) => reason(n)) };
      show({ ...lastStatus, denials });
      const button = document.getElementById('denied-more');
      const folded = button.innerText;
      button.click();
      const list = document.getElementById('denied-list');
      const seen = new MutationObserver(() => {});
      seen.observe(list, { subtree: true, childList: true, characterData: true });
      show(lastStatus);
      const writes = seen.takeRecords().length;
      seen.disconnect();
      return [folded, list.children.length, list.lastElementChild.innerText, writes];
    })()""") == ["Show 100", 101, "and 150 more: see the table", 0]


def test_a_thousand_budgets(start, browser):
    tags = {f"team:{number:04}": (1.0 + number, "1d") for number in range(1000)}
    server = start(config_text(None, tags))
    browser.visit("http://%s/" % server.ready_line["http"])
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


BARS = "[...document.querySelectorAll('tbody tr .past rect')]"


def test_past_windows_are_drawn(start, browser, tmp_path):
    """A bar a window, where it lay in time; the same as text for who does not see it."""
    clock = ShiftedClock(tmp_path / "clock")
    server = start(config_text({"openai": (10.0, "1d")}), environment=clock.environment)
    label = "document.querySelector('tbody .past').getAttribute('aria-label')"
    for cost in (4, 12, 1):
        server.record("openai", cost)
        clock.advance(86_400 + 60)
    browser.visit("http://%s/" % server.ready_line["http"])
    browser.until(f"{BARS}.length === 3")
    assert browser.value("document.querySelectorAll('.past .open').length") == 0, "none is open"
    server.record("openai", 2)
    browser.until(f"{BARS}.length === 4")
    assert browser.value(label) == (
        "Last windows, the oldest first: $4.00 of $10.00, $12.00 of $10.00, $1.00 of $10.00, "
        "now $2.00 of $10.00.")
    heights = browser.value(f"{BARS}.map((bar) => Number(bar.getAttribute('height')))")
    assert heights == [6.67, 20, 1.67, 3.33]
    lefts = browser.value(f"{BARS}.map((bar) => Number(bar.getAttribute('x')))")
    assert lefts == sorted(lefts) and lefts[0] > 90 and lefts[3] < 140
    assert browser.value(f"{BARS}.map((bar) => bar.classList.value)") == ["", "over", "", "open"]
    for width in (320, 375, 1280):
        browser.resize(width, 800)
        assert browser.value("document.documentElement.scrollWidth") <= width
        assert browser.value(OVERLAPPING) == [], width
    # A window that ends has its bar without a reload of the page.
    clock.advance(86_400 + 60)
    server.record("openai", 0.5)
    browser.until(f"{BARS}.length === 5")
    assert browser.value(label).endswith("$2.00 of $10.00, now $0.50 of $10.00.")
    assert browser.complaints() == []
    clock.close()


def test_a_forecast_says_over_what_time_it_is(page):
    _, browser = page
    shown = browser.value("""(() => {
      clearTimeout(timer);
      if (asking) asking.abort();
      const at = (minutes) => lastStatus.now_unix_ms + minutes * 60000;
      const forecast = (rate, over, ends) => ({ rate_usd_per_second: rate, over_seconds: over,
        exhausts_at: null, exhausts_at_unix_ms: ends });
      const rows = [
        [forecast(0.01, 900, at(125)), forecast(0.001, 86400, at(600))],
        [forecast(0, 900, null), forecast(0.001, 86400, at(600))],
        [forecast(0.01, 900, null), null], [null, null],
      ];
      const budgets = rows.map(([recent, day], index) => ({ ...lastStatus.budgets[index],
        forecasts: { "15m": recent, "24h": day } }));
      show({ ...lastStatus, budgets });
      return [...document.querySelectorAll("tbody tr")].map((row) => {
        const ends = row.querySelector(".ends");
        return [...ends.children].map((child) => child.textContent)
          .concat(ends.title.split("\\n"), row.querySelector(".rate").textContent);
      });
    })()""")
    assert shown[0][:2] == ["in 2 h 5 min", "24 h: in 10 h"]
    assert shown[0][2].startswith("15 min: $36.00/h, measured over 15 min: runs out at ")
    assert shown[0][3].startswith("24 h: $3.60/h, measured over 1 d: runs out at ")
    assert shown[0][-1] == "$36.00/h"
    assert shown[1][:2] == ["in 10 h", "by the last 24 h"] and shown[1][-1] == ""
    assert shown[2][:3] == ["", "", "15 min: $36.00/h, measured over 15 min: lasts its window"]
    assert shown[3] == ["", "", "", ""]
