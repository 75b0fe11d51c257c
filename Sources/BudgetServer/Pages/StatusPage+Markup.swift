extension StatusPage {
  static let markupToStyle = #"""
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>budgetd</title>
    <link rel="icon" href="data:,">

    """#

  static let markupToScript = #"""

    </head>
    <body>
    <header>
      <p class="brand">budgetd <bdi id="node-name"></bdi></p>
      <p id="age" class="age"></p>
    </header>
    <main>
      <h1 id="verdict" aria-live="polite">Where the budgets stand</h1>
      <p id="outlook" class="outlook"></p>
      <noscript><p class="notice">This page needs its own script to show the budgets, and scripts
        are off. The same facts as text: <a href="/status.json">/status.json</a> (everything),
        <a href="/provider/budgets">/provider/budgets</a> (providers, as LiteLLM shows them),
        <a href="/readyz">/readyz</a> (whether this node is well).</p></noscript>
      <div id="notices" role="status"></div>

      <section id="denied" aria-labelledby="denied-title" hidden>
        <h2 id="denied-title">Denied now</h2>
        <ul id="denied-list"></ul>
        <button id="denied-more" type="button" class="more" aria-expanded="false"
          aria-controls="denied-list" hidden></button>
      </section>

      <section aria-labelledby="node-title">
        <h2 id="node-title" class="unseen">This node</h2>
        <dl id="facts" class="facts"></dl>
      </section>

      <section aria-labelledby="budgets-title">
        <h2 id="budgets-title" class="unseen">Budgets</h2>
        <form id="filters" class="filters" role="search">
          <fieldset id="scopes"><legend class="unseen">Scope</legend></fieldset>
          <label class="search"><span class="unseen">Search names</span>
            <input id="search" type="search" placeholder="Search names" maxlength="80"
              autocomplete="off" spellcheck="false" aria-keyshortcuts="/"></label>
        </form>
        <table role="table" aria-labelledby="budgets-title" aria-describedby="shown">
          <thead role="rowgroup"><tr role="row">
            <th role="columnheader" scope="col" class="name">Budget</th>
            <th role="columnheader" scope="col" class="used">Used</th>
            <th role="columnheader" scope="col" class="left">Remaining</th>
            <th role="columnheader" scope="col" class="spend">Spent of limit</th>
            <th role="columnheader" scope="col" class="rate">Rate</th>
            <th role="columnheader" scope="col" class="ends">Runs out</th>
            <th role="columnheader" scope="col" class="reset">Resets in</th>
          </tr></thead>
          <tbody id="budgets" role="rowgroup"></tbody>
        </table>
        <p id="none" class="none" hidden></p>
        <p class="shown"><span id="shown"></span>
          <button id="more" type="button" class="more" hidden></button></p>
      </section>
    </main>
    <footer>
      <p id="config"></p>
      <nav aria-label="Other pages"><a href="/status.json">status.json</a>
        <a href="/metrics">metrics</a> <a href="/provider/budgets">provider/budgets</a>
        <a href="/readyz">readyz</a></nav>
    </footer>
    <template id="row"><tr role="row">
      <th role="rowheader" scope="row" class="name"><bdi dir="auto"></bdi><small></small></th>
      <td role="cell" class="used"><span class="bar" aria-hidden="true"><i></i></span>
        <span class="percent"></span> <span class="state"></span></td>
      <td role="cell" class="left"></td>
      <td role="cell" class="spend"></td>
      <td role="cell" class="rate" data-label="rate "></td>
      <td role="cell" class="ends" data-label="runs out "></td>
      <td role="cell" class="reset" data-label="resets in "></td>
    </tr></template>

    """#

  static let markupToEnd = #"""

    </body>
    </html>

    """#
}
