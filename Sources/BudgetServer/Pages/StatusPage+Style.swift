extension StatusPage {
  static let style = styleColours + styleNode + styleBudgets + stylePhone

  /// Every text has a contrast of 4.5 or more on its ground, in both schemes.
  private static let styleColours = #"""
    :root {
      --ground: #fafaf8; --raised: #fff; --ink: #1b1e23; --soft: #5b616b; --line: #e3e3de;
      --track: #e8e8e3; --accent: #12685f; --near: #8a5200; --near-bar: #d28a13;
      --out: #b0261c; --out-bar: #c8372c; --out-ground: #fcefed; --near-ground: #fdf5e4;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --ground: #14161a; --raised: #1b1e23; --ink: #e8e9ea; --soft: #9ba2ac; --line: #2b3037;
        --track: #2e333b; --accent: #5cc4b5; --near: #eab04a; --near-bar: #d99a2b;
        --out: #ff8a7d; --out-bar: #e5584a; --out-ground: #2c1a1a; --near-ground: #2a2214;
      }
    }
    * { box-sizing: border-box; }
    [hidden] { display: none !important; }
    html { -webkit-text-size-adjust: 100%; }
    body {
      margin: 0 auto; max-width: 76rem; padding: 0 1.5rem; background: var(--ground);
      color: var(--ink); font: 0.9375rem/1.45 system-ui, -apple-system, "Segoe UI", sans-serif;
      font-variant-numeric: tabular-nums;
    }
    a { color: var(--accent); }
    :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
    .unseen {
      position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
      white-space: nowrap;
    }
    header, footer {
      display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0.25rem 1.5rem;
      color: var(--soft); font-size: 0.8125rem;
    }
    header { padding: 1.1rem 0 0; }
    header p, footer p { margin: 0; overflow-wrap: anywhere; }
    footer { margin-top: 1.75rem; padding: 0.9rem 0 1.75rem; border-top: 1px solid var(--line); }
    footer a { margin-left: 0.8rem; white-space: nowrap; }
    footer a:first-child { margin-left: 0; }
    .brand { font-weight: 600; color: var(--ink); }
    .brand bdi { font-weight: 400; color: var(--soft); margin-left: 0.35rem; }
    .age::before {
      content: ""; display: inline-block; width: 0.5rem; height: 0.5rem; margin-right: 0.45rem;
      border-radius: 50%; background: var(--accent);
    }
    .stale .age { color: var(--out); font-weight: 600; }
    .stale .age::before { background: none; box-shadow: inset 0 0 0 2px var(--out-bar); }

    """#

  private static let styleNode = #"""
    h1 { margin: 1.4rem 0 0; font-size: 1.625rem; line-height: 1.2; font-weight: 650;
      letter-spacing: -0.015em; text-wrap: balance; }
    .outlook { margin: 0.3rem 0 1.25rem; color: var(--soft); min-height: 1.45em; }
    h2 { margin: 0 0 0.35rem; font-size: 0.8125rem; font-weight: 600; color: var(--out); }
    .notice, #notices p {
      margin: 0 0 0.5rem; padding: 0.5rem 0.85rem; border-left: 3px solid var(--near-bar);
      background: var(--near-ground); overflow-wrap: anywhere;
    }
    #notices p.grave { border-color: var(--out-bar); background: var(--out-ground); }
    #notices b { font-weight: 600; }
    #denied {
      margin: 0 0 1rem; padding: 0.7rem 0.85rem 0.75rem; background: var(--out-ground);
      border-left: 3px solid var(--out-bar);
    }
    #denied ul { margin: 0; padding: 0; list-style: none; }
    #denied li { padding: 0.1rem 0; overflow-wrap: anywhere; unicode-bidi: isolate; }
    .more {
      font: inherit; color: var(--accent); background: none; border: 0; padding: 0.2rem 0;
      text-decoration: underline; text-underline-offset: 2px; cursor: pointer;
    }
    .facts {
      display: grid; grid-template-columns: repeat(auto-fit, minmax(12.5rem, 1fr));
      margin: 0 0 1.6rem; background: var(--raised); border: 1px solid var(--line);
      border-radius: 6px; overflow: hidden;
    }
    .facts div { padding: 0.65rem 0.85rem 0.7rem; min-width: 0; margin: -1px 0 0 -1px;
      border: solid var(--line); border-width: 1px 0 0 1px; }
    .facts dt { font-size: 0.75rem; color: var(--soft); }
    .facts dd { margin: 0; overflow-wrap: anywhere; }
    .facts .value { font-size: 1.0625rem; font-weight: 600; }
    .facts .value.bad { color: var(--out); }
    .facts .value.warn { color: var(--near); }
    .facts .note { font-size: 0.75rem; color: var(--soft); }

    """#

  private static let styleBudgets = #"""
    .filters { display: flex; flex-wrap: wrap; gap: 0.6rem 1rem; align-items: center;
      justify-content: space-between; margin: 0 0 0.5rem; }
    fieldset { display: flex; flex-wrap: wrap; gap: 0.25rem 1.15rem; margin: 0; padding: 0;
      border: 0; }
    fieldset label { position: relative; cursor: pointer; color: var(--soft);
      padding: 0.3rem 0; border-bottom: 2px solid transparent; white-space: nowrap;
      font-size: 0.875rem; }
    fieldset input { position: absolute; inset: 0; opacity: 0; margin: 0; cursor: pointer; }
    fieldset label:has(:checked) { color: var(--ink); border-color: var(--accent); }
    fieldset label:has(:focus-visible) { outline: 2px solid var(--accent); outline-offset: 2px; }
    fieldset em { font-style: normal; color: var(--out); }
    .search { flex: 0 1 14rem; }
    .search input {
      width: 100%; font: inherit; color: inherit; background: var(--raised);
      border: 1px solid var(--soft); border-radius: 6px; padding: 0.36rem 0.65rem;
    }
    .search input::placeholder { color: var(--soft); opacity: 1; }
    table { width: 100%; border-collapse: collapse; }
    th, td { padding: 0.55rem 0 0.5rem 1.25rem; text-align: right; vertical-align: top;
      font-weight: 400; border-top: 1px solid var(--line); }
    thead th { font-size: 0.75rem; color: var(--soft); border: 0; padding-bottom: 0.3rem; }
    .name { padding-left: 0; }
    .name, .used { text-align: left; }
    thead .name { width: 22%; }
    thead .used { width: 18%; }
    thead .left { width: 15%; }
    thead .spend { width: 16%; }
    thead .rate { width: 10%; }
    thead .ends { width: 10%; }
    thead .reset { width: 9%; }
    tbody .name bdi {
      display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden;
      overflow-wrap: anywhere; white-space: pre-wrap; font-weight: 550; text-align: left;
    }
    tbody small { display: block; font-size: 0.75rem; color: var(--soft);
      overflow-wrap: anywhere; }
    tbody td, .facts .value { white-space: nowrap; }
    tbody .spend { white-space: normal; overflow-wrap: normal; }
    tbody .left { font-weight: 600; }
    tbody .spend, tbody .rate, tbody .ends, tbody .reset { color: var(--soft);
      font-size: 0.875rem; padding-top: 0.6rem; }
    .bar { display: block; height: 6px; margin: 0.5em 0 0.25em; border-radius: 3px;
      background: var(--track); overflow: hidden; }
    .bar i { display: block; height: 100%; width: 0; background: var(--accent);
      border-radius: 3px; }
    .percent { font-size: 0.8125rem; color: var(--soft); }
    .state { font-size: 0.8125rem; font-weight: 600; }
    .is-near .state, .is-soon .state { color: var(--near); }
    .is-near .bar i { background: var(--near-bar); }
    .is-soon .ends { font-weight: 600; }
    tbody .is-soon .ends { color: var(--near); }
    .is-out .state, tbody .is-out .left { color: var(--out); }
    .is-out .bar i { background: var(--out-bar); }
    .no-limit .bar, .is-closed .bar { visibility: hidden; }
    .is-closed .state { color: var(--soft); }
    .none { margin: 0; padding: 2.25rem 0; text-align: center; color: var(--soft);
      border-top: 1px solid var(--line); text-wrap: balance; overflow-wrap: anywhere; }
    .shown { margin: 0.65rem 0 0; font-size: 0.8125rem; color: var(--soft); }
    .stale table, .stale .facts { filter: grayscale(1); }

    """#

  /// Rows become blocks of four lines. The roles in the markup keep them a table to a reader.
  private static let stylePhone = #"""
    @media (max-width: 52rem) {
      body { padding: 0 1rem; }
      h1 { font-size: 1.375rem; }
      .facts { grid-template-columns: 1fr 1fr; }
      .facts div:nth-child(odd):last-child { grid-column: 1 / -1; }
      .search { flex: 1 1 100%; }
      .search input { font-size: 1rem; }
      thead { position: absolute; width: 1px; height: 1px; overflow: hidden;
        clip-path: inset(50%); }
      table, tbody { display: block; }
      tbody tr { display: flex; flex-wrap: wrap;
        padding: 0.7rem 0 0.75rem; border-top: 1px solid var(--line); gap: 0 1rem; }
      tbody th, tbody td { border: 0; padding: 0; width: auto; text-align: left; }
      tbody .name { flex: 1 1 0; min-width: 40%; }
      tbody .left { order: 1; font-size: 1.0625rem; text-align: right; margin-left: auto; }
      tbody .used { order: 2; flex: 1 1 100%; }
      tbody .spend, tbody .rate, tbody .ends, tbody .reset { padding: 0; font-size: 0.8125rem; }
      tbody .spend { order: 3; }
      tbody .ends { order: 4; }
      tbody .rate { order: 5; }
      tbody .reset { order: 6; }
      tbody td[data-label]::before { content: attr(data-label); }
      tbody td.empty { display: none; }
      footer nav { display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; }
      footer a { margin: 0; }
    }
    @media (forced-colors: active) {
      .bar { border: 1px solid CanvasText; }
      .bar i { background: CanvasText; forced-color-adjust: none; }
    }
    """#
}
