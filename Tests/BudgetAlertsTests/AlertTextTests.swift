import BudgetModel
import Testing

@testable import BudgetAlerts

@Suite struct AlertTextTests {
  private func text(_ change: (inout BudgetAlert) -> Void = { _ in }) -> String {
    var alert = AlertSamples.alert()
    change(&alert)
    return alert.text
  }

  @Test func alertsSayWhatIsWrongInOneLine() {
    #expect(
      text()
        == "test: provider openai per 1d is at 85 %: $85.00 of $100.00 are spent, it begins again at 2025-11-28 00:00 UTC"
    )
    #expect(
      text {
        $0.kind = .reached(percent: 100)
        $0.budget.spend = PicoUSD(pico: 100_129_999_999_999)
      }
        == "test: provider openai per 1d is spent, requests are denied: $100.12 of $100.00 are spent, it begins again at 2025-11-28 00:00 UTC"
    )
    #expect(
      text {
        $0.kind = .reached(percent: 100)
        $0.budget.mode = .shadow
        $0.budget.spend = PicoUSD(dollars: 150)
      }.contains("is at 150 %, it only watches: "))
    #expect(text { $0.budget.mode = .freeze }.contains("is at 85 %, it is frozen: "))
    #expect(
      text {
        $0.kind = .runsOut
        $0.budget.runsOutAt = AlertSamples.start
        $0.budget.spend = PicoUSD(pico: 1)
      }.contains(
        "will be spent at about 2025-11-27 00:00 UTC at its present rate: $0.000000000001 of"))
    #expect(text { $0.budget.limit = .zero }.contains("is over its limit: $85.00 of $0.00"))
  }

  @Test func programsGetEveryFact() {
    let message = AlertMessage(AlertSamples.alert(), by: "node-1", as: .json)
    #expect(message.id == AlertSamples.alert().id)
    #expect(
      String(decoding: message.body, as: UTF8.self) == """
        {"id":"\(message.id)","event":"budget_threshold","text":"\(text())","fleet":"test",\
        "node":"node-1","scope":"provider","name":"openai","window":"1d","threshold_percent":80,\
        "spend":"85","spend_usd":85.0,"limit":"100","limit_usd":100.0,"remaining":"15",\
        "remaining_usd":15.0,"percent":85,"mode":"enforce",\
        "is_dynamic":false,"window_started_at":"2025-11-27T00:00:00.000Z",\
        "resets_at":"2025-11-28T00:00:00.000Z","runs_out_at":null,\
        "seen_at":"2025-11-27T00:00:00.000Z"}
        """)
  }

  @Test func slackIsGivenNoMarkupThatANameHas() {
    var alert = AlertSamples.alert("<!channel> & co")
    alert.budget.key.name += "\"\n"
    let text = String(decoding: AlertMessage(alert, by: "n", as: .slack).body, as: UTF8.self)
    #expect(
      text.hasPrefix(
        "{\"text\":\"test: provider &lt;!channel&gt; &amp; co\\\"\\n per 1d is at 85 %: "))
  }

  @Test func aTestSaysThatItIsOne() {
    let message = AlertMessage(testOf: "prod", id: "7", by: "budgetctl", as: .json)
    #expect(
      String(decoding: message.body, as: UTF8.self)
        == "{\"id\":\"7\",\"event\":\"test\",\"text\":\"prod: this is a test of budgetd's alerts, no budget has changed\",\"fleet\":\"prod\",\"node\":\"budgetctl\"}"
    )
  }

  @Test func addressesAreHiddenAndJudged() throws {
    let url = try WebhookURL("https://hooks.example.org/T00/B00/secret")
    #expect("\(url)" == "(hidden)" && String(reflecting: url) == "(hidden)")
    var shown = ""
    dump(AlertWebhook(.given(url, variable: "X")), to: &shown)
    #expect(!shown.contains("secret") && !shown.contains("hooks"))
    let plain = try WebhookURL("http://localhost:1")
    #expect(url.isEncrypted && !plain.isEncrypted)
    for bad in [
      "", "hooks.example.org/x", "file:///etc/passwd", "https://", "https:///x", "http://?a",
      "https://a b", "https://a\r\nHost: b", "https://ä.de", "ftp://a",
      "https://" + String(repeating: "a", count: 2_048),
    ] {
      #expect(throws: WebhookURLError.self, "\(bad)") { try WebhookURL(bad) }
    }
  }
}
