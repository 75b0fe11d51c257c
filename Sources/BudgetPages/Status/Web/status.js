"use strict";
const byID = (id) => document.getElementById(id);

function parts(amount) {
  const [, minus, whole, decimals = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(amount);
  return { minus, whole: whole.replace(/\B(?=(\d{3})+$)/g, ","), decimals };
}

// $1,234.50: at least two decimals, at most those that there are.
function exactMoney(amount) {
  const { minus, whole, decimals } = parts(amount);
  return `${minus ? "-" : ""}$${whole}.${decimals.padEnd(2, "0")}`;
}

// Cut to cents, below a dollar to three digits that count: never more than there is, and
// nothing that is not zero looks like it.
function money(amount) {
  const { minus, whole, decimals } = parts(amount);
  let kept = 2;
  if (whole === "0") {
    const first = decimals.search(/[1-9]/);
    if (first >= 0) kept = Math.max(2, first + 3);
  }
  const cut = decimals.slice(0, kept).replace(/0+$/, "").padEnd(2, "0");
  return `${minus ? "-" : ""}$${whole}.${cut}`;
}

function hourly(dollarsPerSecond) {
  const dollars = dollarsPerSecond * 3600;
  if (dollars === 0) return "$0.00/h";
  if (dollars < 1e-12) return "< $0.000000000001/h";
  if (dollars < 1e4) return `${money(dollars.toFixed(12))}/h`;
  return `$${dollars.toLocaleString("en-US", { maximumFractionDigits: 0 })}/h`;
}

const units = [["y", 31557600], ["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

// The two largest units that are not zero.
function duration(milliseconds) {
  const seconds = Math.ceil(milliseconds / 1000);
  const first = units.findIndex(([, length]) => seconds >= length);
  if (first < 0) return "0 s";
  const [name, length] = units[first];
  const text = `${Math.floor(seconds / length)} ${name}`;
  if (first + 1 === units.length) return text;
  const [nextName, nextLength] = units[first + 1];
  const rest = Math.floor((seconds % length) / nextLength);
  return rest > 0 ? `${text} ${rest} ${nextName}` : text;
}

// Rounded down: 100 % means that the limit was reached.
function percent(ratio) {
  const whole = Math.floor(ratio * 100);
  if (whole > 999) return "> 999 %";
  return whole === 0 && ratio > 0 ? "< 1 %" : `${whole} %`;
}

const count = (number) => number.toLocaleString("en-US");
const plural = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;
const clock = (ms) => new Date(ms).toISOString().replace("T", " ").replace(/\..*/, " UTC");

// Characters that turn the direction of what follows are shown as what they are: they could
// make one name look like another.
const turning = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const shownName = (name) => name.replace(turning,
  (one) => `⟨U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);

// Writes only what is new, so that nothing is laid out again for nothing.
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setTitle(element, text) {
  if (element.title !== text) element.title = text;
}

function made(name, text, className) {
  const element = document.createElement(name);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}
const nearRatio = 0.8;
const rows = new Map();

// A name that is frozen and has no budget has no window either.
const isNameAlone = (budget) => budget.window === "";

// The mode comes first: a frozen budget denies whatever it has spent, one that watches never does.
function stateOf(budget) {
  if (budget.mode === "freeze") {
    return [budget.limit === null ? "is-frozen no-limit" : "is-frozen", "frozen"];
  }
  if (budget.pattern) return ["no-limit", patternState(budget)];
  if (budget.limit === null) return ["no-limit", "no limit"];
  if (budget.closed) return ["is-closed", "gives nothing"];
  if (budget.mode === "shadow" && budget.exhausted) return ["is-near", "would deny"];
  if (budget.exhausted) return ["is-out", "exhausted"];
  if (budget.all_reserved) return ["is-near is-held", "all reserved"];
  const isSoon = budget.exhausts_before_reset === true;
  if (budget.used_ratio >= nearRatio) {
    return [isSoon ? "is-near is-soon" : "is-near", "near limit"];
  }
  return isSoon ? ["is-soon", "runs out early"] : ["", ""];
}

// A pattern's names, and how many of them are at their limit.
function patternState({ mode, pattern: { live, exhausted } }) {
  const names = plural(live, "name", "names");
  if (exhausted === 0) return names;
  return `${names}, ${count(exhausted)} ${mode === "shadow" ? "would deny" : "exhausted"}`;
}

// The number that one which only watches would have denied; others have none.
function stateTitle(text, budget) {
  const shadowed = budget.would_have_denied ?? 0;
  if (shadowed === 0) return stateTitles[text] ?? "";
  return `it would have denied ${plural(shadowed, "candidate", "candidates")} since the start`;
}

function makeRow() {
  const row = byID("row").content.firstElementChild.cloneNode(true);
  const cells = { row, values: {} };
  for (const name of ["left", "spend", "rate", "ends", "reset", "percent", "state"]) {
    cells[name] = row.querySelector(`.${name}`);
  }
  cells.name = row.querySelector("bdi");
  cells.kind = row.querySelector("small");
  [cells.fill, cells.held] = row.querySelectorAll("i");
  cells.past = row.querySelector("svg");
  cells.change = row.querySelector("button");
  cells.change.addEventListener("click", () => openChange(cells.budget));
  return cells;
}

function put(cells, name, text, title) {
  const value = `${text}\n${title}`;
  if (cells.values[name] === value) return;
  cells.values[name] = value;
  cells[name].textContent = text;
  cells[name].title = title;
  cells[name].classList.toggle("empty", text === "");
}

const stateTitles = {
  "runs out early": "at the present rate it runs out before its reset",
  "all reserved": "all of it is reserved, not spent: there is room again as reservations end",
  "frozen": "nothing of this name is allowed until the freeze is lifted",
  "would deny": "it only watches: nothing is denied",
};

function putState(cells, budget) {
  const [className, text] = stateOf(budget);
  if (cells.row.className !== className) cells.row.className = className;
  const ratio = budget.closed ? null : budget.used_ratio;
  put(cells, "percent", ratio === null ? "" : percent(ratio), "");
  put(cells, "state", text, stateTitle(text, budget));
  // A budget that was touched shows it; only one at its limit is full.
  const width = ratio > 0 ? Math.min(100, Math.max(1, Math.floor(ratio * 1000) / 10)) : 0;
  if (cells.values.width !== width) cells.fill.style.width = `${width}%`;
  cells.values.width = width;
  const reserved = budget.closed ? 0 : Math.floor((budget.reserved_ratio ?? 0) * 1000) / 10;
  const held = Math.max(0, Math.min(100 - width, reserved));
  if (cells.values.held !== held) cells.held.style.width = `${held}%`;
  cells.values.held = held;
}

function putTimes(cells, budget, now) {
  const leading = budget.forecasts["15m"] ?? budget.forecasts["24h"];
  const isTold = leading !== null && leading.rate_usd_per_second > 0;
  put(cells, "rate", isTold ? hourly(leading.rate_usd_per_second) : "",
    isTold ? `charged over the last ${duration(leading.over_seconds * 1000)}` : "");
  putEnds(cells, budget, now);
  const reset = budget.resets_at_unix_ms;
  if (isNameAlone(budget)) put(cells, "reset", "", "");
  else put(cells, "reset", reset === null ? "not begun" : duration(reset - now),
    reset === null ? "its window opens with the first charge" : clock(reset));
}

const spans = [["15m", "15 min"], ["24h", "24 h"]];

// When it runs out, at the rate of the last 15 minutes and of the last 24 hours: what lasts its
// window, and of what too little is known, is left out.
function putEnds(cells, budget, now) {
  const told = spans.filter(([span]) => budget.forecasts[span] !== null);
  const ending = told.filter(([span]) => budget.forecasts[span].exhausts_at_unix_ms !== null)
    .map(([span, name]) => [name, `in ${duration(budget.forecasts[span].exhausts_at_unix_ms - now)}`]);
  const [first, second] = ending;
  const text = first ? first[1] : "";
  const more = second ? `${second[0]}: ${second[1]}` : first ? `by the last ${first[0]}` : "";
  const title = told.map(([span, name]) => {
    const { rate_usd_per_second: rate, over_seconds: over, exhausts_at_unix_ms: ends } =
      budget.forecasts[span];
    const what = ends === null ? "lasts its window" : `runs out at ${clock(ends)}`;
    return `${name}: ${hourly(rate)}, measured over ${duration(over * 1000)}: ${what}`;
  }).join("\n");
  const value = `${text}\n${more}\n${title}`;
  if (cells.values.ends === value) return;
  cells.values.ends = value;
  const [when, by] = cells.ends.children;
  when.textContent = text;
  by.textContent = more;
  cells.ends.title = budget.limit === null ? "" : title;
  cells.ends.classList.toggle("empty", text === "");
}

function putRow(cells, budget, now) {
  put(cells, "name", shownName(budget.name), shownName(budget.name));
  put(cells, "kind", `${budget.scope} · ${isNameAlone(budget) ? "no budget" : budget.window}`, "");
  putState(cells, budget);
  const limited = budget.limit !== null;
  const { spend, limit, pattern } = budget;
  put(cells, "left",
    limited ? money(budget.remaining) : isNameAlone(budget) ? "" : "no limit",
    limited ? `${exactMoney(budget.remaining)} remaining` : "");
  if (pattern) putPattern(cells, budget);
  else if (isNameAlone(budget)) put(cells, "spend", "", "");
  else put(cells, "spend",
    limited ? `${money(spend)} of\u00a0${money(limit)}` : `${money(spend)} spent`,
    (limited ? `${exactMoney(spend)} of ${exactMoney(limit)}` : `${exactMoney(spend)} spent`)
      + (budget.reserved > 0 ? `, and ${exactMoney(budget.reserved)} reserved` : ""));
  putTimes(cells, budget, now);
  putHistory(cells, budget);
  const isFixed = formToken === null || Boolean(budget.pattern) && budget.mode !== "freeze";
  if (cells.change.hidden !== isFixed) cells.change.hidden = isFixed;
  cells.budget = budget;
}

// A pattern: its names' spend together, and what each may spend. Its own budget counts what names
// spend that found no place.
function putPattern(cells, { pattern, spend }) {
  const each = pattern.limit === null ? "no limit" : `${money(pattern.limit)} each`;
  put(cells, "left", each, "what each name may spend in its window");
  put(cells, "spend", `${money(pattern.spend)} spent`,
    `${exactMoney(pattern.spend)} by names with a budget, `
    + `${exactMoney(spend)} by names that found no place`);
}

function showBudgets(status) {
  const body = byID("budgets");
  const gone = new Set(rows.keys());
  let next = body.firstElementChild;
  for (const budget of status.budgets) {
    const key = keyOf(budget);
    gone.delete(key);
    if (!rows.has(key)) rows.set(key, makeRow());
    const cells = rows.get(key);
    putRow(cells, budget, status.now_unix_ms);
    if (cells.row === next) next = next.nextElementSibling;
    else body.insertBefore(cells.row, next);
  }
  for (const key of gone) {
    rows.get(key).row.remove();
    rows.delete(key);
  }
  showExtent(status);
}

function showExtent(status) {
  const { matched, shown, q, scope } = status.query;
  const isFiltered = q !== "" || scope !== null;
  byID("none").hidden = shown > 0;
  document.querySelector("table").hidden = shown === 0;
  setText(byID("none"), isFiltered
    ? `No ${scope ?? "budget"}${scope ? " budget" : ""} has a name with “${q}”.`
    : "No budgets are configured. Give some in the configuration (provider_budget_config, "
      + "max_budget of a deployment, tag_budget_config) and send budgetd SIGHUP.");
  if (shown === 0 && q === "" && scope) setText(byID("none"), `No ${scope} has a budget.`);
  setText(byID("shown"), shown === 0 ? "" : shown === matched
    ? `${plural(shown, "budget", "budgets")}, nearest to the limit first.`
    : `The ${count(shown)} nearest to their limit, of ${count(matched)}.`
      + (shown >= greatestLimit ? " Search to see others." : ""));
  const more = Math.min(matched, greatestLimit);
  byID("more").hidden = shown === matched || shown >= greatestLimit;
  setText(byID("more"), `Show ${more === matched ? "all " : ""}${count(more)}`);
}
// Past windows, drawn: a bar for each, where it lay in time.
const historyMilliseconds = 60000;
const barsShown = 14;

let histories = new Map();
let historyAskedAt = -Infinity;
let historyKey = "";
let historyAsking = false;

const keyOf = (budget) => JSON.stringify([budget.scope, budget.name, budget.window]);

// Anew each minute, when other budgets are shown, and when a window has ended.
function historyIsDue(status) {
  const key = status.budgets.map((budget) => `${keyOf(budget)}${budget.began_at_unix_ms}`).join();
  const isDue = key !== historyKey || performance.now() - historyAskedAt > historyMilliseconds;
  historyKey = key;
  return isDue;
}

async function refreshHistory(status) {
  if (historyAsking || !historyIsDue(status)) return;
  historyAsking = true;
  historyAskedAt = performance.now();
  try {
    const { scope, q } = status.query;
    const query = new URLSearchParams({ scope: scope ?? "", q });
    const answer = await fetch(`/history.json?${query}`,
      { signal: AbortSignal.timeout(answerMilliseconds) });
    if (!answer.ok) return;
    const { budgets } = await answer.json();
    histories = new Map(budgets.map((budget) => [keyOf(budget), budget.windows]));
    if (lastStatus) showBudgets(lastStatus);
  } catch {
    // The page says itself when the server is gone; the bars stay as they were.
  } finally {
    historyAsking = false;
  }
}

// The windows that ended, the oldest first, and the open one as it stands now.
function windowsOf(budget) {
  const windows = (histories.get(keyOf(budget)) ?? [])
    .filter((window) => window.start_unix_ms !== budget.began_at_unix_ms)
    .map((window) => ({ ...window, isOpen: false }));
  if (budget.began_at_unix_ms !== null) {
    windows.push({
      start_unix_ms: budget.began_at_unix_ms, end_unix_ms: budget.resets_at_unix_ms,
      spend: budget.spend, spend_usd: budget.spend_usd, limit: budget.limit,
      limit_usd: budget.limit_usd, isOpen: true,
    });
  }
  return windows;
}

const drawn = (name) =>
  document.createElementNS(byID("row").content.querySelector("svg").namespaceURI, name);

function bar(window, from, to, top) {
  const { start_unix_ms: start, end_unix_ms: end, spend_usd: spend, limit_usd: limit } = window;
  const whole = to - from;
  const height = spend > 0 ? Math.max(1, 20 * Math.min(1, spend / top)) : 0.5;
  const rect = drawn("rect");
  const left = Math.max(0, (start - from) / whole * 140);
  const right = (Math.min(end, to) - from) / whole * 140;
  rect.setAttribute("x", left.toFixed(2));
  rect.setAttribute("width", Math.max(1, right - left - 1.5).toFixed(2));
  rect.setAttribute("y", (20 - height).toFixed(2));
  rect.setAttribute("height", height.toFixed(2));
  if (limit !== null && spend >= limit && spend > 0) rect.classList.add("over");
  if (window.isOpen) rect.classList.add("open");
  return rect;
}

const spentOf = ({ spend, limit }) =>
  limit === null ? money(spend) : `${money(spend)} of ${money(limit)}`;

// Windows that ended long before are left out: the bars are of the last windows' time.
function putHistory(cells, budget) {
  const windows = windowsOf(budget);
  const ended = windows.filter((window) => !window.isOpen);
  const text = JSON.stringify(windows);
  if (cells.values.past === text) return;
  cells.values.past = text;
  const { past } = cells;
  past.toggleAttribute("hidden", ended.length === 0);
  if (ended.length === 0) return past.replaceChildren();
  const last = windows.at(-1);
  const to = last.end_unix_ms + 1;
  const from = to - barsShown * (to - last.start_unix_ms);
  const shown = windows.filter((window) => window.end_unix_ms > from);
  const top = Math.max(...shown.map((window) => Math.max(window.spend_usd, window.limit_usd ?? 0)));
  const title = drawn("title");
  title.textContent = shown.toReversed().map((window) =>
    `${window.isOpen ? "now" : `from ${clock(window.start_unix_ms)}`}: ${spentOf(window)}`)
    .join("\n");
  past.setAttribute("aria-label", `Last windows, the oldest first: ${
    shown.map((window) => `${window.isOpen ? "now " : ""}${spentOf(window)}`).join(", ")}.`);
  past.replaceChildren(title, ...shown.map((window) => bar(window, from, to, top || 1)));
}
const deniedAtOnce = 5;
let showsAllDenied = false;

function showVerdict(status) {
  const sum = (what) =>
    Object.values(status.counts).reduce((sum, scope) => sum + scope[what], 0);
  const [total, out, closed] = [sum("budgets"), sum("exhausted"), sum("closed")];
  let verdict = `All ${count(total)} budgets are within their limits`;
  if (total === 0) verdict = "No budgets are configured";
  else if (closed === total) {
    verdict = total === 1 ? "The budget has a limit of $0 and gives nothing"
      : `All ${count(total)} budgets have a limit of $0 and give nothing`;
  }
  else if (out === total && total > 1) verdict = `All ${count(total)} budgets are exhausted`;
  else if (total === 1) verdict = `The budget is ${out ? "exhausted" : "within its limit"}`;
  else if (out === 1) verdict = `1 of ${count(total)} budgets is exhausted`;
  else if (out > 0) verdict = `${count(out)} of ${count(total)} budgets are exhausted`;
  const frozen = sum("frozen") + sum("frozen_names");
  if (frozen > 0) {
    const more = out > 0 ? `; ${verdict[0].toLowerCase()}${verdict.slice(1)}` : "";
    verdict = `${frozenText(status, frozen)}${more}`;
  }
  setText(byID("verdict"), verdict);
  const title = `${frozen > 0 ? `${count(frozen)} frozen · ` : ""}`
    + `${out > 0 ? `${count(out)} exhausted · ` : ""}budgetd`;
  if (document.title !== title) document.title = title;
  setText(byID("outlook"),
    outlookOf(status, total - out - closed - sum("frozen"), sum("near"), sum("running_out"),
      sum("rate_unknown"), closed));
}

// A freeze comes before all else: whatever it names is denied.
function frozenText(status, frozen) {
  const { total } = status.counts;
  if (total.frozen + total.frozen_names > 0) return "Everything is frozen";
  return `${plural(frozen, "budget or name is", "budgets or names are")} frozen`;
}

// Of all budgets, also of those that the table does not list. While rates are unknown nothing
// is said to last.
function outlookOf(status, open, near, runningOut, unknown, closed) {
  const says = [];
  if (near > 0) says.push(`${plural(near, "is", "are")} near the limit.`);
  const next = status.next_to_run_out;
  const rate = "At the present rate";
  if (next) {
    const left = duration(next.exhausts_at_unix_ms - status.now_unix_ms);
    const whole = shownName(next.name);
    const name = whole.length > 40 ? `${whole.slice(0, 40)}…` : whole;
    if (runningOut > 1) says.push(`${rate} ${count(runningOut)} run out before their reset.`);
    says.push(`Next to run out: \u2068${name}\u2069 in ${left}.`);
  } else if (open > 0 && unknown === 0) {
    says.push(`${rate} none runs out before its reset.`);
  }
  if (unknown === open && unknown > 0) says.push("Rates are not known yet.");
  else if (unknown === 1) says.push("The rate of 1 budget is not known yet.");
  else if (unknown > 1) says.push(`The rates of ${count(unknown)} budgets are not known yet.`);
  if (closed > 0 && open > 0) {
    const has = plural(closed, "has a limit of $0 and gives", "have a limit of $0 and give");
    says.push(`${has} nothing.`);
  }
  return says.join(" ");
}

function showDenied(status) {
  // What is meant to give nothing is not news.
  const total = status.denials.total - status.denials.closed;
  const denials = status.denials.in_force.filter((denial) => !denial.closed);
  byID("denied").hidden = total === 0;
  setText(byID("denied-title"), "Denied now");
  const texts = denials.slice(0, showsAllDenied ? denials.length : deniedAtOnce)
    .map((denial) => readable(shownName(denial.reason)));
  if (showsAllDenied && total > denials.length) {
    texts.push(`and ${count(total - denials.length)} more: see the table`);
  }
  const list = byID("denied-list");
  while (list.children.length > texts.length) list.lastElementChild.remove();
  texts.forEach((text, index) => setText(
    list.children[index] ?? list.appendChild(document.createElement("li")), text));
  byID("denied-more").hidden = denials.length <= deniedAtOnce;
  byID("denied-more").setAttribute("aria-expanded", String(showsAllDenied));
  setText(byID("denied-more"), showsAllDenied ? "Show fewer"
    : `Show ${total > denials.length ? "" : "all "}${count(denials.length)}`);
}

// 2026-01-16T00:00:00.000Z -> 2026-01-16 00:00 UTC
function readable(reason) {
  return reason.replace(/(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d\.\d+Z$/, "$1 $2 UTC");
}

function noticesOf(status) {
  const { ledger, redis, config } = status;
  const notices = [];
  if (!status.ready) {
    notices.push(["grave", "Not ready", status.not_ready_reasons.join("; ")]);
  }
  if (status.ready && ledger.state !== "ready") {
    notices.push(["grave", "Spend cannot be recorded", ledger.reason ?? ledger.state]);
  }
  if (redis && redis.partitioned) {
    notices.push(
      ["grave", "Cut off from Redis", `the outage policy “${redis.policy}” is in force`]);
  }
  for (const warning of status.warnings) notices.push(["", "Warning", warning]);
  if (redis && redis.eviction_unsafe) {
    notices.push(["", "Redis may evict budgets", "set its maxmemory-policy to noeviction"]);
  }
  if (!config.last_reload_successful) {
    notices.push(["", "The last reload was refused, the configuration before it is in force",
      config.last_reload_error ?? "see the log"]);
  }
  return notices;
}

let noticesShown = "";
function showNotices(status) {
  const notices = noticesOf(status);
  const text = JSON.stringify(notices);
  if (text === noticesShown) return;
  noticesShown = text;
  byID("notices").replaceChildren(...notices.map(([className, what, why]) => {
    const notice = made("p", "", className);
    notice.append(made("b", `${what}: `), made("bdi", why));
    return notice;
  }));
}

function redisFact({ redis, fleet }) {
  if (!redis) return ["Redis", "not used", "", "this node keeps its own budgets"];
  const nodes = plural(fleet ? fleet.nodes : 1, "node", "nodes");
  const lag = redis.lag_seconds === null
    ? "no pass yet" : `last pass ${seconds(redis.lag_seconds)} ago`;
  const late = redis.late_spend_usd > 0 ? ` · ${money(redis.late_spend)} late` : "";
  const failed = redis.passes.failed > 0 ? ` · ${count(redis.passes.failed)} failed` : "";
  const value = redis.partitioned ? "cut off" : redis.up ? `up, ${nodes}` : "no answer";
  const className = redis.partitioned ? "bad" : redis.up ? "" : "warn";
  return ["Redis", value, className, lag + failed + late];
}

const seconds = (number) => number < 10 ? `${number.toFixed(1)} s` : duration(number * 1000);

function factsOf(status) {
  const { ledger, rpc, spend } = status;
  const denied = Object.values(rpc.denials).reduce((sum, number) => sum + number, 0);
  const lost = spend.refused + spend.unknown;
  const perSecond = rpc.requests_per_second;
  return [
    ["Node", status.ready ? "ready" : "not ready", status.ready ? "" : "bad",
      `${status.version} · up ${duration(status.uptime_seconds * 1000)}`],
    ["Ledger", ledger.state === "ready" ? "writing" : ledger.state,
      ledger.state === "ready" ? "" : "bad",
      `reply after ${ledger.durability} · ${count(ledger.waiting)} waiting`
        + (ledger.lag_seconds >= 0.05 ? ` for ${seconds(ledger.lag_seconds)}` : "")
        + (ledger.failures > 0 ? ` · ${plural(ledger.failures, "failure", "failures")}` : "")],
    redisFact(status),
    ["Requests", perSecond === null ? count(rpc.requests)
      : `${count(Number(perSecond.toFixed(perSecond < 10 ? 1 : 0)))} /s`, "",
      `${plural(rpc.connections, "connection", "connections")} · `
        + plural(denied, "denial", "denials")],
    ["Recorded since the start", money(spend.recorded), "",
      `${plural(spend.records, "record", "records")} · `
        + (lost > 0 ? `${count(lost)} not recorded`
          : plural(spend.duplicates, "duplicate", "duplicates"))],
  ];
}

// Of a server that does not answer nothing is known but what it said last.
function lastFactsOf(status) {
  const said = `as of ${clock(status.now_unix_ms).slice(11)}`;
  return factsOf(status).map(([term, value, , note], index) =>
    index === 0 ? [term, "no answer", "bad", `${status.version} · last answer ${said.slice(6)}`]
      : index < 3 ? [term, "unknown", "", `${value} ${said}`]
      : [term, value, "", note]);
}

function showGone() {
  if (lastStatus === null) return;
  const since = clock(lastStatus.now_unix_ms).slice(11);
  setText(byID("verdict"), `budgetd does not answer: all figures are of ${since}`);
  setText(byID("outlook"), "");
  setText(byID("denied-title"), "Denied then");
  document.title = "no answer · budgetd";
  writeFacts(lastFactsOf(lastStatus));
}

function showFacts(status) {
  writeFacts(factsOf(status));
  setTitle(byID("facts").lastElementChild.children[1], exactMoney(status.spend.recorded));
  setText(byID("node-name"), status.node_id ?? "");
  setText(byID("config"),
    `${status.config.path}, accepted ${clock(status.config.accepted_at_unix_ms)}`);
}

function writeFacts(facts) {
  const list = byID("facts");
  facts.forEach(([term, value, className, note], index) => {
    let fact = list.children[index];
    if (!fact) {
      fact = list.appendChild(document.createElement("div"));
      fact.append(made("dt", term), made("dd", "", "value"), made("dd", "", "note"));
    }
    const [, valueCell, noteCell] = fact.children;
    setText(valueCell, value);
    valueCell.className = `value ${className}`;
    setText(noteCell, note);
  });
}
// Changes of operators: what was changed lately, and a form for those who may change.
const changesMilliseconds = 10000;

let formToken = null;
let changesAskedAt = -Infinity;
let changesAsking = false;
let changesShown = "";
let changing = null;

async function refreshChanges(isDue = performance.now() - changesAskedAt > changesMilliseconds) {
  if (changesAsking || !isDue) return;
  changesAsking = true;
  changesAskedAt = performance.now();
  try {
    const answer = await fetch("/changes.json");
    if (!answer.ok) return;
    const changes = await answer.json();
    formToken = changes.token;
    byID("sign-in").hidden = !changes.may_sign_in;
    showChanges(changes);
  } catch {
    // The next one asks again; the page says itself when the server does not answer.
  } finally {
    changesAsking = false;
  }
}

const actions = {
  set_budget: "changed", clear_budget: "cleared", reset_budget: "reset", reload: "reloaded the configuration",
  backup: "copied the ledger",
};

function changeText(line) {
  const target = line.scope === null ? ""
    : ` ${line.scope} \u2068${shownName(line.name)}\u2069${line.window ? ` per ${line.window}` : ""}`;
  const who = `\u2068${shownName(line.author)}\u2069`;
  const why = line.reason ? ` (\u2068${shownName(line.reason)}\u2069)` : "";
  const what = line.refusal ? `was refused ${line.action}` : actions[line.action] ?? line.action;
  const values = line.refusal ? `: ${line.refusal}`
    : line.after ? `: ${line.after}${line.before ? `, was ${line.before}` : ""}` : "";
  return `${clock(line.at_unix_ms).slice(5)} ${who} ${what}${target}${shownName(values)}${why}`;
}

function showChanges({ lines, is_known: isKnown }) {
  const text = JSON.stringify(lines);
  if (text === changesShown) return;
  changesShown = text;
  byID("changes").hidden = !isKnown || lines.length === 0;
  byID("changes-list").replaceChildren(...lines.map((line) =>
    made("li", changeText(line), line.refusal ? "refused" : "")));
}

function openChange(budget) {
  changing = budget;
  setText(byID("change-title"), `${budget.scope} \u2068${shownName(budget.name)}\u2069, ${
    isNameAlone(budget) ? "no budget" : budget.window}`);
  // A name without a budget has no limit to raise and no window to end, nor has a pattern a window.
  const isOnlyLifted = isNameAlone(budget) || Boolean(budget.pattern);
  for (const option of byID("change-action").options) {
    option.disabled = isOnlyLifted && option.value !== "unfreeze";
  }
  byID("change-reason").value = "";
  byID("change-amount").value = "";
  byID("change-action").value = budget.mode === "freeze" ? "unfreeze" : "raise";
  answerChange("", false);
  showAmount();
  byID("change").showModal();
}

function showAmount() {
  const action = byID("change-action").value;
  byID("change-amount-label").hidden = action !== "raise" && action !== "reset";
  setText(byID("change-amount-label").firstElementChild,
    action === "raise" ? "By how many US dollars" : "Spent in the new window, US dollars");
}

function answerChange(text, isBad) {
  setText(byID("change-answer"), text);
  byID("change-answer").classList.toggle("bad", isBad);
}

// The next midnight where the page is looked at.
function nextMidnight() {
  const midnight = new Date(lastStatus.now_unix_ms);
  midnight.setHours(24, 0, 0, 0);
  return midnight.getTime();
}

async function sendChange(event) {
  event.preventDefault();
  const fields = new URLSearchParams({
    token: formToken ?? "", action: byID("change-action").value, scope: changing.scope,
    name: changing.name, window: changing.window, until: nextMidnight(),
    amount: byID("change-amount").value.trim() || "0", reason: byID("change-reason").value.trim(),
  });
  byID("change-send").disabled = true;
  answerChange("asking …", false);
  try {
    const answer = await fetch("/change", { method: "POST", body: fields });
    const text = (await answer.text()).slice(0, 500).trim();
    answerChange(answer.ok ? "" : text, !answer.ok);
    if (answer.ok) {
      byID("change").close();
      changesAskedAt = -Infinity;
      refresh();
    }
  } catch (error) {
    answerChange(`no answer (${error.message}): look whether it was done before you try again`, true);
  } finally {
    byID("change-send").disabled = false;
  }
}

function beginChanges() {
  byID("change-form").addEventListener("submit", sendChange);
  byID("change-action").addEventListener("change", showAmount);
  byID("change-cancel").addEventListener("click", () => byID("change").close());
}
const refreshMilliseconds = 2000;
const answerMilliseconds = 10000;
const staleMilliseconds = 7000;
const typingMilliseconds = 150;
const usualLimit = 100;
const greatestLimit = 1000;
const scopes = [
  ["", "All"], ["provider", "Providers"], ["deployment", "Deployments"], ["tag", "Tags"],
];

let limit = usualLimit;
let lastStatus = null;
let answeredAt = null;
let failure = null;
let asking = null;
let askedAt = 0;
let timer = 0;

const chosenScope = () => document.querySelector("#scopes :checked").value;

function show(status) {
  lastStatus = status;
  showVerdict(status);
  showNotices(status);
  showDenied(status);
  showFacts(status);
  showScopes(status);
  showBudgets(status);
}

async function refresh() {
  clearTimeout(timer);
  if (asking) asking.abort();
  const question = asking = new AbortController();
  askedAt = performance.now();
  const patience = setTimeout(() => question.abort(), answerMilliseconds);
  const query = new URLSearchParams({ scope: chosenScope(), q: byID("search").value, limit });
  try {
    const answer = await fetch(`/status.json?${query}`, { signal: question.signal });
    if (!answer.ok) throw new Error(`${answer.status} ${(await answer.text()).slice(0, 200)}`);
    const status = await answer.json();
    if (question !== asking) return;
    show(status);
    refreshHistory(status);
    refreshChanges();
    failure = null;
    answeredAt = performance.now();
  } catch (error) {
    if (question !== asking) return;
    failure = question.signal.aborted
      ? `no answer within ${answerMilliseconds / 1000} s` : error.message;
  } finally {
    clearTimeout(patience);
    if (question === asking) {
      asking = null;
      if (!document.hidden) timer = setTimeout(refresh, refreshMilliseconds);
      showAge();
    }
  }
}

let wasGone = false;

function showAge() {
  const age = answeredAt === null ? null : performance.now() - answeredAt;
  const isStale = failure !== null || age > staleMilliseconds;
  document.documentElement.classList.toggle("stale", isStale);
  // Nobody asks for a page that is out of sight: its age alone says nothing about the server.
  const isGone = failure !== null
    || asking !== null && performance.now() - askedAt > staleMilliseconds;
  if (isGone && !wasGone) showGone();
  wasGone = isGone;
  let text = "asking …";
  if (isStale && age === null) text = `No answer yet (${failure}), trying again`;
  else if (isStale) {
    text = `Stale, ${duration(age)} old${failure ? ` (${failure})` : ""}, trying again`;
  }
  else if (age !== null) text = `live · ${clock(lastStatus.now_unix_ms).slice(11)}`;
  setText(byID("age"), text);
}

function showScopes(status) {
  for (const label of byID("scopes").querySelectorAll("label")) {
    const scope = label.firstElementChild.value;
    const counts = scope ? [status.counts[scope]] : Object.values(status.counts);
    const sum = (what) => counts.reduce((sum, one) => sum + one[what], 0);
    const [out, frozen] = [sum("exhausted"), sum("frozen") + sum("frozen_names")];
    const said = [[frozen, "frozen"], [out, "exhausted"]].filter(([number]) => number > 0)
      .map(([number, what]) => `${count(number)} ${what}`).join(", ");
    setText(label.children[1], count(sum("budgets")));
    setText(label.children[2], said ? ` (${said})` : "");
  }
}

function makeScopes(chosen) {
  for (const [value, name] of scopes) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    Object.assign(input, { type: "radio", name: "scope", value, checked: value === chosen });
    label.append(input, `${name} `, made("span", ""), made("em", ""));
    byID("scopes").append(label);
  }
}

// The address names what is looked at: it can be sent to someone.
function ask() {
  const query = new URLSearchParams();
  if (chosenScope()) query.set("scope", chosenScope());
  if (byID("search").value) query.set("q", byID("search").value);
  history.replaceState(null, "", query.size > 0 ? `?${query}` : location.pathname);
  refresh();
}

function begin() {
  const query = new URLSearchParams(location.search);
  const scope = query.get("scope");
  makeScopes(scopes.some(([value]) => value === scope) ? scope : "");
  byID("search").value = query.get("q") ?? "";
  let typing = 0;
  byID("filters").addEventListener("submit", (event) => event.preventDefault());
  byID("scopes").addEventListener("change", ask);
  byID("search").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(ask, typingMilliseconds);
  });
  byID("more").addEventListener("click", () => {
    limit = greatestLimit;
    refresh();
  });
  byID("denied-more").addEventListener("click", () => {
    showsAllDenied = !showsAllDenied;
    showDenied(lastStatus);
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target instanceof HTMLInputElement && event.target.type === "search";
    if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    byID("search").focus();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else refresh();
  });
  beginChanges();
  setInterval(showAge, 1000);
  refresh();
}

begin();
