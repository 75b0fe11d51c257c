import BudgetClient
import BudgetModel
import Testing

@testable import budgetctl

@Suite struct ReservationsReportTests {
  private func budgets() -> GetProviderBudgetsResponse {
    var held = Budget(name: "openai", timePeriod: "1d")
    (held.limitUSD, held.spendUSD, held.reservedUSD, held.remainingUSD) = (10, 2, 8, 0)
    (held.openReservations, held.cushionUSD) = (4, 0.5)
    held.quarterHourForecast = BudgetForecast(usdPerSecond: 0.25, overSeconds: 900)
    var idle = Budget(name: "azure", timePeriod: "1d")
    (idle.limitUSD, idle.remainingUSD) = (5, 5)
    var response = GetProviderBudgetsResponse()
    response.providers = [held, idle]
    var totals = ReservationTotals()
    (totals.open, totals.openBound, totals.settled) = (4, 1_000, 10)
    (totals.overrunUSD, totals.recordedUSD, totals.unreservedUSD) = (2, 100, 40)
    response.reservations = totals
    return response
  }

  @Test func whatIsReservedIsShown() {
    let all = ReservationsReport(budgets(), isOpenOnly: false).lines(columns: nil)
    #expect(
      all == [
        "4 reservations are open, at most 1000 may be; 10 were settled since the start, $2.00 "
          + "above what was held",
        "SCOPE     BUDGET  OPEN  RESERVED  SPEND  LIMIT        LEFT",
        "provider  openai  4     $8.00     $2.00  $10.00 / 1d  0, all reserved",
        "provider  azure   0     $0.00     $0.00  $5.00 / 1d   $5.00",
      ])
    #expect(ReservationsReport(budgets(), isOpenOnly: true).lines(columns: nil).count == 3)
    let json = ReservationsReport(budgets(), isOpenOnly: true).json.text
    #expect(json.contains(#""open":4,"reserved_usd":8,"cushion_usd":0.5"#))
    #expect(json.contains(#""all_reserved":true"#) && !json.contains("azure"))
    #expect(
      ReservationsReport(GetProviderBudgetsResponse(), isOpenOnly: false).lines(columns: nil)
        == ["the server knows no reservations: it is older than 0.7.0"])
  }

  @Test func aBoundIsMadeOfItsParts() throws {
    let response = budgets()
    let totals = try #require(response.reservations)
    let bound = OverspendBound(response.providers[0], .provider, totals, flightSeconds: 2)
    // 4 open, each 0.2 above what was held, less the cushion; 40 % of 0.25 $/s for 2 s.
    #expect(abs(bound.overrun - 0.8) < 1e-12 && abs(bound.unreserved - 0.2) < 1e-12)
    #expect(try abs(#require(bound.dollars) - 0.5) < 1e-12)
    #expect(bound.lines[2] == "overspent by at most max(0, X - Z) + U = $0.50, 5 % of the limit")
    #expect(bound.lines[1].contains("one node") && bound.lines.count == 6)
    #expect(bound.json.text.contains(#""cushion_usd":0.5"#))
    // A cushion that covers it leaves what is not reserved.
    let none = OverspendBound(response.providers[1], .provider, totals, flightSeconds: 2)
    #expect(none.dollars == 0 && none.lines.last?.contains("not known") == true)
    var unlimited = Budget(name: "x", timePeriod: "1d")
    unlimited.limitUSD = nil
    let unbounded = OverspendBound(unlimited, .tag, totals, flightSeconds: 2)
    #expect(unbounded.lines == ["tag x has no limit: it cannot be overspent"])
    #expect(unbounded.json.text.contains(#""bound_usd":null"#))
  }

  /// A budget that denies nothing is kept within its limit by nothing.
  @Test func oneThatOnlyWatchesHasNoBound() throws {
    let response = budgets()
    let totals = try #require(response.reservations)
    var budget = response.providers[0]
    budget.mode = .shadow
    let bound = OverspendBound(budget, .provider, totals, flightSeconds: 2)
    #expect(
      bound.lines == [
        "provider openai per 1d: $2.00 spent, $8.00 reserved, of $10.00",
        "it only watches (shadow) and denies nothing: nothing keeps it within its limit",
        "budgetctl enforce makes it deny at its limit, and bound then says how far it can be passed",
      ])
    #expect(bound.json.text.contains(#""mode":"shadow","bound_usd":null"#))
    budget.mode = .freeze
    let frozen = OverspendBound(budget, .provider, totals, flightSeconds: 2)
    #expect(frozen.dollars != nil && frozen.lines.count == 6)
  }

  /// In a fleet others have as much under way, and the mode says what they may hold unseen.
  @Test func aBoundIsOfItsMode() throws {
    let response = budgets()
    var totals = try #require(response.reservations)
    (totals.nodes, totals.reconcileIntervalMilliseconds) = (3, 1_000)
    var budget = response.providers[0]
    budget.reservationMode = .strict
    let strict = OverspendBound(budget, .provider, totals, flightSeconds: 2)
    #expect(abs(strict.overrun - 2.4) < 1e-12)
    #expect(try abs(#require(strict.dollars) - 1.1) < 1e-12)
    #expect(strict.lines[1].contains("strict, 3 nodes") && strict.unseen == 0)
    budget.reservationMode = .shared
    let shared = OverspendBound(budget, .provider, totals, flightSeconds: 2)
    // A quarter of a dollar a second, for two agreements and a tenth of a second.
    #expect(abs(shared.unseen - 0.525) < 1e-12)
    #expect(try abs(#require(shared.dollars) - 1.625) < 1e-12)
    #expect(shared.lines[1].contains("2 times") && shared.lines[2].contains("+ S = "))
    #expect(shared.json.text.contains(#""reservation_mode":"shared","nodes":3"#))
    // Of a name's budget each node holds a little without asking.
    budget.reservationMode = .strict
    var named = OverspendBound(budget, .provider, totals, flightSeconds: 2)
    named.isByPattern = true
    #expect(abs(named.allowances - 2 * 0.05 * 8) < 1e-12)
    #expect(named.lines.contains { $0.hasPrefix("  A  $0.80") })
    budget.reservationMode = nil
    #expect(OverspendBound(budget, .tag, totals, flightSeconds: 2).lines[1].contains("not know"))
  }

  @Test func nothingRecordedIsTakenAsUnreserved() {
    var budget = Budget(name: "x", timePeriod: "1d")
    budget.limitUSD = 1
    budget.quarterHourForecast = BudgetForecast(usdPerSecond: 1, overSeconds: 900)
    let bound = OverspendBound(budget, .tag, ReservationTotals(), flightSeconds: 3)
    #expect(bound.unreservedShare == 1 && bound.dollars == 3)
  }
}
