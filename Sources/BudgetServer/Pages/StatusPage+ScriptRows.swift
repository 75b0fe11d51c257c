extension StatusPage {
  /// The table. A row is made once for a budget and then only its changed texts are written.
  static let scriptRows = #"""
    const nearRatio = \#(StatusBudget.nearRatio);
    const rows = new Map();

    function stateOf(budget) {
      if (budget.limit === null) return ["no-limit", "no limit"];
      if (budget.closed) return ["is-closed", "gives nothing"];
      if (budget.exhausted) return ["is-out", "exhausted"];
      const isSoon = budget.exhausts_before_reset === true;
      if (budget.used_ratio >= nearRatio) {
        return [isSoon ? "is-near is-soon" : "is-near", "near limit"];
      }
      return isSoon ? ["is-soon", "runs out early"] : ["", ""];
    }

    function makeRow() {
      const row = byID("row").content.firstElementChild.cloneNode(true);
      const cells = { row, values: {} };
      for (const name of ["left", "spend", "rate", "ends", "reset", "percent", "state"]) {
        cells[name] = row.querySelector(`.${name}`);
      }
      cells.name = row.querySelector("bdi");
      cells.kind = row.querySelector("small");
      cells.fill = row.querySelector("i");
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

    function putState(cells, budget) {
      const [className, text] = stateOf(budget);
      if (cells.row.className !== className) cells.row.className = className;
      const ratio = budget.closed ? null : budget.used_ratio;
      put(cells, "percent", ratio === null ? "" : percent(ratio), "");
      put(cells, "state", text,
        text === "runs out early" ? "at the present rate it runs out before its reset" : "");
      // A budget that was touched shows it; only one at its limit is full.
      const width = ratio > 0 ? Math.min(100, Math.max(1, Math.floor(ratio * 1000) / 10)) : 0;
      if (cells.values.width !== width) cells.fill.style.width = `${width}%`;
      cells.values.width = width;
    }

    function putTimes(cells, budget, now) {
      const rate = budget.rate_usd_per_second;
      const over = budget.rate_over_seconds;
      const isTold = rate && budget.rate_is_steady;
      put(cells, "rate", isTold ? hourly(rate) : "",
        isTold ? `charged over the last ${duration(over * 1000)}` : "");
      const ends = budget.exhausts_at_unix_ms;
      let text = "";
      if (ends !== null) {
        text = budget.exhausts_before_reset ? `in ${duration(ends - now)}` : "after reset";
      }
      put(cells, "ends", text, ends === null ? "" : `at this rate: ${clock(ends)}`);
      const reset = budget.resets_at_unix_ms;
      put(cells, "reset", reset === null ? "not begun" : duration(reset - now),
        reset === null ? "its window opens with the first charge" : clock(reset));
    }

    function putRow(cells, budget, now) {
      put(cells, "name", shownName(budget.name), shownName(budget.name));
      put(cells, "kind", `${budget.scope} · ${budget.window}`, "");
      putState(cells, budget);
      const limited = budget.limit !== null;
      put(cells, "left", limited ? money(budget.remaining) : "no limit",
        limited ? `${exactMoney(budget.remaining)} remaining` : "");
      const { spend, limit } = budget;
      put(cells, "spend",
        limited ? `${money(spend)} of\u00a0${money(limit)}` : `${money(spend)} spent`,
        limited ? `${exactMoney(spend)} of ${exactMoney(limit)}` : `${exactMoney(spend)} spent`);
      putTimes(cells, budget, now);
    }

    function showBudgets(status) {
      const body = byID("budgets");
      const gone = new Set(rows.keys());
      let next = body.firstElementChild;
      for (const budget of status.budgets) {
        const key = JSON.stringify([budget.scope, budget.name, budget.window]);
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

    """#
}
