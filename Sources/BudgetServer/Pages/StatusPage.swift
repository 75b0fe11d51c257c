import HTTPPort

/// The page at `/`.
enum StatusPage {
  static let response = HTTPResponse(
    contentType: "text/html; charset=utf-8",
    headers: [
      (
        "Content-Security-Policy",
        "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; "
          + "form-action 'self'; frame-ancestors 'none'"
      ), ("Referrer-Policy", "no-referrer"),
    ], body: HTTPBody(Array(html.utf8)))

  private static let html = """
    <!doctype html><html lang="en"><meta charset="utf-8"><title>budgetd</title>
    <p>budgetd: <a href="status.json">status.json</a>, <a href="metrics">metrics</a>,
    <a href="provider/budgets">provider/budgets</a>, <a href="readyz">readyz</a>
    """
}
