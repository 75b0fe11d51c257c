import ArgumentParser
import BudgetModel
import Foundation
import JSONWriting
import Testing

@testable import BudgetWire
@testable import budgetctl

@Suite struct HistoryReportTests {
  private static let day: Int64 = 86_400_000

  private static func window(_ day: Int64, _ spend: Double, limit: Double? = 100) -> SpendWindow {
    var window = SpendWindow(
      startUnixMilliseconds: day * Self.day, endUnixMilliseconds: (day + 1) * Self.day - 1)
    (window.spendUSD, window.ownUSD, window.limitUSD) = (spend, spend, limit)
    return window
  }

  private static func report(_ windows: [SpendWindow], isCut: Bool = false) -> HistoryReport {
    var history = GetSpendHistoryResponse()
    history.scope = .provider
    history.name = "open\u{1B}ai"
    history.window = "day"
    history.timeZone = "UTC"
    history.windows = windows
    return HistoryReport(history, isCut: isCut)
  }

  private static func lines(_ report: HistoryReport) -> [String] {
    report.lines(isColoured: false, columns: nil, now: 20_000 * day + 3_600_000)
  }

  @Test func aTableHasALineAWindow() {
    var open = Self.window(20_000, 81.5)
    open.isOpen = true
    var early = Self.window(19_999, 120)
    (early.startUnixMilliseconds, early.wasReset) = (early.startUnixMilliseconds + 61_000, true)
    var old = Self.window(19_998, 0.25, limit: nil)
    old.isLimitUnknown = true
    #expect(
      Self.lines(Self.report([open, early, old, Self.window(19_997, 60, limit: nil)])) == [
        "provider open\\u{1b}ai per day in UTC", "",
        "FROM (UTC)             SPEND      LIMIT  USED",
        "2024-10-04 00:00      $81.50    $100.00  ████████████████░░░░   81 %  open, ends in 23 h",
        "2024-10-03 00:01:01  $120.00    $100.00  ████████████████████  120 %  reset",
        "2024-10-02 00:00       $0.25          ?  █░░░░░░░░░░░░░░░░░░░",
        "2024-10-01 00:00      $60.00  unlimited  ██████████░░░░░░░░░░",
      ])
  }

  @Test func aMarkTellsWhoseSpendItIs() {
    var fleets = Self.window(20_000, 5)
    fleets.isOfFleet = true
    let mixed = Self.lines(Self.report([fleets, Self.window(19_999, 5)], isCut: true))
    #expect(mixed[3].contains("$5.00    ") && mixed[4].contains("$5.00 *  "))
    #expect(
      mixed.suffix(4) == [
        "", "* this node's own alone: it heard nothing of the fleet's", "",
        "There are more: ask with a greater --limit.",
      ])
    // One node's alone, or all the fleet's: nothing to mark.
    for windows in [[fleets], [Self.window(20_000, 5)]] {
      #expect(Self.lines(Self.report(windows)).allSatisfy { !$0.contains("*") })
    }
    #expect(
      Self.lines(Self.report([])) == [
        "provider open\\u{1b}ai per day in UTC: nothing was spent yet"
      ])
  }

  @Test func coloursTellWhereALimitWasReachedOrNear() {
    let lines = Self.report([
      Self.window(3, 100), Self.window(2, 80), Self.window(1, 79), Self.window(0, 500, limit: nil),
    ]).lines(isColoured: true, columns: nil, now: 0)
    #expect(lines[3].hasPrefix("\u{1B}[31m") && lines[4].hasPrefix("\u{1B}[33m"))
    #expect(lines[5...].allSatisfy { !$0.contains("\u{1B}") })
  }

  /// Whatever a server sends is shown as far as it can be.
  @Test func numbersOfAServerGoneWrongAreShown() {
    var odd = Self.window(0, .nan, limit: 0)
    odd.startUnixMilliseconds = .max
    let lines = Self.lines(
      Self.report([odd, Self.window(1, .infinity), Self.window(2, 1, limit: 0)]))
    #expect(lines[3].hasPrefix("?") && lines.count == 6)
    #expect(lines[5].contains("████████████████████    100 %"))
  }

  @Test func jsonHasEveryFact() throws {
    var open = Self.window(20_000, 1.5)
    (open.isOpen, open.ownUSD, open.isOfFleet) = (true, 0.5, true)
    var old = Self.window(0, 2, limit: nil)
    old.isLimitUnknown = true
    let json = Self.report([open, old]).json.map(\.text)
    #expect(
      json == [
        #"{"start":"2024-10-04T00:00:00.000Z","end":"2024-10-04T23:59:59.999Z","#
          + #""spend_usd":1.5,"own_usd":0.5,"fleet":true,"limit_usd":100,"#
          + #""limit_unknown":false,"open":true,"reset":false}"#,
        #"{"start":"1970-01-01T00:00:00.000Z","end":"1970-01-01T23:59:59.999Z","#
          + #""spend_usd":2,"own_usd":2,"fleet":false,"limit_usd":null,"#
          + #""limit_unknown":true,"open":false,"reset":false}"#,
      ])
  }

  @Test func theCommandLineIsChecked() throws {
    func refusal(_ arguments: String...) -> String? {
      do {
        _ = try #require(try Budgetctl.parseAsRoot(["history"] + arguments) as? HistoryCommand)
        return nil
      } catch {
        return Budgetctl.fullMessage(for: error)
      }
    }
    #expect(refusal("provider", "openai", "--window", "1d", "--limit", "10000") == nil)
    #expect(refusal("total") == nil && refusal("total", "total", "--json") == nil)
    #expect(refusal("provider")?.contains("give the name of the provider too") == true)
    #expect(refusal("provider", "x", "--limit", "0")?.contains("give 1 to 10000") == true)
    #expect(refusal("team", "x")?.contains("deployment") == true)
  }
}
