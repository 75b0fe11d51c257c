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
    #expect(abs(bound.dollars - 0.5) < 1e-12)
    #expect(bound.lines[1] == "overspent by at most max(0, X - Z) + U = $0.50, 5 % of the limit")
    #expect(bound.json.text.contains(#""cushion_usd":0.5"#))
    // A cushion that covers it leaves what is not reserved.
    let none = OverspendBound(response.providers[1], .provider, totals, flightSeconds: 2)
    #expect(none.dollars == 0 && none.lines.last?.contains("not known") == true)
    var unlimited = Budget(name: "x", timePeriod: "1d")
    unlimited.limitUSD = nil
    #expect(
      OverspendBound(unlimited, .tag, totals, flightSeconds: 2).lines
        == ["tag x has no limit: it cannot be overspent"])
  }

  @Test func nothingRecordedIsTakenAsUnreserved() {
    var budget = Budget(name: "x", timePeriod: "1d")
    budget.limitUSD = 1
    budget.quarterHourForecast = BudgetForecast(usdPerSecond: 1, overSeconds: 900)
    let bound = OverspendBound(budget, .tag, ReservationTotals(), flightSeconds: 3)
    #expect(bound.unreservedShare == 1 && bound.dollars == 3)
  }
}
