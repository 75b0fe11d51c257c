import BudgetClient
import BudgetModel
import Testing

@testable import budgetctl

@Suite struct BudgetsTableTests {
  private func row(
    _ name: String, spend: Double, limit: Double?, resetsAt: Int64? = nil, exhausted: Bool = false,
    reserved: Double = 0, scope: BudgetScope = .provider
  ) -> BudgetRow {
    var budget = Budget(name: name, timePeriod: "1d")
    budget.spendUSD = spend
    budget.limitUSD = limit
    budget.reservedUSD = reserved
    budget.remainingUSD = limit.map { $0 - spend - reserved }
    budget.isExhausted = exhausted
    budget.resetsAtUnixMilliseconds = resetsAt
    return BudgetRow(scope: scope, budget: budget)
  }

  private func lines(_ rows: [BudgetRow], columns: Int? = nil, colour: Bool = false) -> [String] {
    BudgetsTable(isColoured: colour, columns: columns, nowUnixMilliseconds: 0)
      .lines(title: "provider", rows: rows)
  }

  @Test func columnsAreAligned() {
    #expect(
      lines([
        row("openai", spend: 12.5, limit: 100, resetsAt: 3_600_000),
        row("东京", spend: 1_000, limit: nil),
        row("azure", spend: 4, limit: 2, resetsAt: 90_000, exhausted: true),
      ])
        == [
          "PROVIDER      SPEND           LIMIT  REMAINING  USED                         RESETS IN",
          "openai       $12.50    $100.00 / 1d     $87.50  ██░░░░░░░░░░░░░░░░░░   12 %  1 h",
          "东京      $1,000.00  unlimited / 1d          -                               not begun",
          "azure         $4.00      $2.00 / 1d     -$2.00  EXHAUSTED             200 %  1 min 30 s",
        ])
  }

  @Test(arguments: [80, 100, 120])
  func tablesFitTheirTerminal(_ columns: Int) {
    let id = String(repeating: "0123456789abcdef", count: 4)
    let all = lines(
      [
        row(id, spend: 1.5, limit: 10, resetsAt: 86_000_000),
        row("b", spend: 123.4567, limit: 1_000, resetsAt: 5_000, exhausted: true),
      ], columns: columns)
    for line in all { #expect(line.displayWidth <= columns, "\(line)") }
    #expect(all[1].contains("0123") && all[1].contains("…"))
  }

  @Test func withoutTerminalNamesAreWhole() {
    let id = String(repeating: "x", count: 200)
    #expect(lines([row(id, spend: 1, limit: 2)])[1].hasPrefix(id + "  "))
  }

  @Test func coloursMarkFullAndNearlyFullBudgets() {
    let all = lines(
      [
        row("a", spend: 1, limit: 10), row("b", spend: 8, limit: 10),
        row("c", spend: 10, limit: 10, exhausted: true),
      ], colour: true)
    #expect(!all[1].contains("\u{1B}"))
    #expect(all[2].hasPrefix("\u{1B}[33m") && all[2].hasSuffix("\u{1B}[0m"))
    #expect(all[3].hasPrefix("\u{1B}[31m"))
  }

  /// A freeze denies: it is seen on a pattern's row, and on that of a name that has no budget.
  @Test func aFreezeIsSeenWhateverItIsOf() {
    var pattern = row("user:*", spend: 0, limit: nil)
    (pattern.budget.pattern, pattern.budget.mode) = (PatternNames(limitUSD: 5, live: 3), .freeze)
    var name = BudgetRow(scope: .provider, budget: Budget(name: "mistral", timePeriod: ""))
    name.budget.mode = .freeze
    let all = lines([pattern, name], colour: true)
    #expect(all[1].contains("$5.00 each / 1d") && all[1].contains("FROZEN"))
    #expect(all[2].contains("FROZEN") && !all[2].contains("unlimited"))
    #expect(!all[2].contains("not begun"))
    #expect(all.dropFirst().allSatisfy { $0.hasPrefix("\u{1B}[31m") })
  }

  /// A pattern's row says what each name may spend, not what it may itself.
  @Test func aPatternSaysWhatItGivesEachName() {
    var many = row("user:*", spend: 0, limit: nil, scope: .tag)
    many.budget.pattern = PatternNames(limitUSD: 5, live: 1_234)
    var one = row("team:*", spend: 0, limit: nil, scope: .tag)
    one.budget.pattern = PatternNames(limitUSD: nil, live: 1)
    let all = lines([many, one])
    #expect(all[1].contains("$5.00 each / 1d") && all[1].contains("1234 names"))
    #expect(all[2].contains("unlimited each / 1d") && all[2].contains("1 name "))
    #expect(many.json.text.hasSuffix(#""pattern":{"limit_usd":5,"live":1234}}"#))
  }

  @Test func reservationsShowWhereThereAreAny() {
    let all = lines([row("a", spend: 1, limit: 10, reserved: 4)])
    #expect(all[0].contains("RESERVED"))
    #expect(all[1].contains("$4.00") && all[1].contains("50 %"))
  }

  @Test func namesCannotSteerTheTerminal() {
    let all = lines([row("\u{1B}]0;pwned\u{07}", spend: 0, limit: 1)])
    #expect(all[1].hasPrefix("\\u{1b}]0;pwned\\u{7}"))
  }

  @Test func jsonHasTheFieldsThatProgramsRelyOn() {
    #expect(
      row("a", spend: 0.5, limit: 2, resetsAt: 1_000).json.text
        == #"{"scope":"provider","name":"a","limit_usd":2,"time_period":"1d","spend_usd":0.5,"#
        + #""remaining_usd":1.5,"reserved_usd":0,"exhausted":false,"#
        + #""resets_at":"1970-01-01T00:00:01.000Z","#
        + #""mode":"enforce","time_zone":null,"would_have_denied":0,"#
        + #""forecast_15m":null,"forecast_24h":null,"pattern":null}"#)
    #expect(
      row("a", spend: 0, limit: nil, scope: .tag).json.text
        == #"{"scope":"tag","name":"a","limit_usd":null,"time_period":"1d","spend_usd":0,"#
        + #""remaining_usd":null,"reserved_usd":0,"exhausted":false,"resets_at":null,"#
        + #""mode":"enforce","time_zone":null,"would_have_denied":0,"#
        + #""forecast_15m":null,"forecast_24h":null,"pattern":null}"#)
  }

  @Test func nothingConfiguredIsSaid() {
    #expect(lines([]) == ["provider: no budgets"])
  }

  @Test func watchingSaysWhenTheServerGoesAndComes() {
    var state = WatchState()
    let report = BudgetsReport(rows: [], scopes: [.provider])
    #expect(state.answered(report, at: 0) == nil)
    #expect(state.failed("gone", at: 1_000) == "gone")
    #expect(state.failed("gone", at: 2_000) == nil)
    #expect(
      state.notice(at: 3_000)
        == ["NO ANSWER: gone", "Trying again. What follows was seen 3 s ago."])
    #expect(state.answered(report, at: 4_000) == "the server answers again, after 3 s")
    #expect(state.notice(at: 4_000) == ["the server answers again, after 3 s"])
    #expect(state.notice(at: 20_000).isEmpty)
  }

  @Test func aForecastSaysOverWhatTimeItIs() throws {
    var soon = row("soon", spend: 5, limit: 10, resetsAt: 86_400_000)
    soon.budget.quarterHourForecast = BudgetForecast(
      usdPerSecond: 0.001, overSeconds: 900, exhaustsAtUnixMilliseconds: 7_500_000)
    var lasts = row("lasts", spend: 5, limit: 10, resetsAt: 86_400_000)
    lasts.budget.quarterHourForecast = BudgetForecast(usdPerSecond: 0, overSeconds: 900)
    lasts.budget.dayForecast = BudgetForecast(
      usdPerSecond: 1, overSeconds: 90_000, exhaustsAtUnixMilliseconds: 60_000)
    #expect(lasts.runsOut(from: 0) == "1 min (24 h)")
    var both = soon
    both.budget.dayForecast = lasts.budget.dayForecast
    #expect(both.runsOut(from: 0) == "2 h 5 min (15 min), 1 min (24 h)")
    let all = lines([soon, lasts, row("none", spend: 0, limit: 1)])
    #expect(all[0].hasSuffix("RESETS IN  RUNS OUT IN"))
    #expect(all[1].hasSuffix("1 d        2 h 5 min (15 min)") && all[3].hasSuffix("not begun"))
    // A value that the server does not send has no column.
    lasts.budget.dayForecast = nil
    #expect(!lines([lasts]).contains { $0.contains("RUNS OUT") })
    #expect(
      lasts.json.text.hasSuffix(
        #""forecast_15m":{"usd_per_second":0,"over_seconds":900,"exhausts_at":null},"#
          + #""forecast_24h":null,"pattern":null}"#))
    #expect(soon.json.text.contains(#""exhausts_at":"1970-01-01T02:05:00.000Z"}"#))
    for line in lines([both], columns: 60) { #expect(line.displayWidth <= 60) }
  }
}
