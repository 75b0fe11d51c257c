extension StatusPage {
  /// What stands above the table: the verdict, what is denied, notices, facts on the node.
  static let scriptNode = #"""
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
      setText(byID("verdict"), verdict);
      const title = `${out > 0 ? `${count(out)} exhausted · ` : ""}budgetd`;
      if (document.title !== title) document.title = title;
      setText(byID("outlook"),
        outlookOf(status, total - out - closed, sum("near"), sum("running_out"),
          sum("rate_unknown"), closed));
    }

    // Of all budgets, also of those that the table does not list. While rates are unknown nothing
    // is said to last.
    function outlookOf(status, open, near, runningOut, unknown, closed) {
      const says = [];
      if (near > 0) says.push(`${plural(near, "is", "are")} near the limit.`);
      const next = status.next_to_run_out;
      // With others in the fleet this node knows how fast it spends itself, not how fast all do.
      const rate = status.redis ? "At this node’s own rate" : "At the present rate";
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

    """#
}
