extension StatusPage {
  /// Asks, again and again while someone looks; what is shown stays until something newer is there.
  static let scriptRefresh = #"""
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
        const out = counts.reduce((sum, one) => sum + one.exhausted, 0);
        setText(label.children[1], count(counts.reduce((sum, one) => sum + one.budgets, 0)));
        setText(label.children[2], out > 0 ? ` (${count(out)} exhausted)` : "");
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
      setInterval(showAge, 1000);
      refresh();
    }

    begin();
    """#
}
