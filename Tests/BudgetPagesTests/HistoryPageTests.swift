import BudgetModel
import Foundation
import NodeFixture
import SpendLedger
import Testing

@testable import BudgetPages
@testable import HTTPPort

/// `/history.json`: bounded, and what the ledger says.
@Suite struct HistoryPageTests {
  private static let now = MemberFixture.start

  private static func window(_ age: Int64, _ dollars: Int64, limit: LimitInForce) -> PastWindow {
    let start = Timestamp(unixMilliseconds: now.unixMilliseconds - age * 1_000)
    return PastWindow(
      window: Window(start: start, end: Timestamp(unixMilliseconds: start.unixMilliseconds + 999)),
      own: PicoUSD(dollars: dollars), others: age % 2 == 0 ? PicoUSD(dollars: 1) : nil, limit: limit
    )
  }

  private func page(
    _ fixture: PageFixture, _ query: String = ""
  ) throws -> (status: HTTPStatus, budgets: [[String: Any]]) {
    let request = HTTPRequest(path: "/history.json", query: query)
    let response = try HistoryJSONPage(fixture.sources).response(to: StatusQuery(request))
    let json = try? JSONSerialization.jsonObject(with: Data(response.body.bytes))
    return (response.status, (json as? [String: Any])?["budgets"] as? [[String: Any]] ?? [])
  }

  @Test func endedWindowsComeTheOldestFirst() throws {
    var fixture = try PageFixture([PageFixture.budget(.tag, "t", 5)])
    fixture.change = { sources in
      sources.history = { questions in
        #expect(
          questions == [
            HistoryQuestion(BudgetKey(scope: .tag, name: "t", windowText: "1d"), count: 14)
          ])
        // An open one, then those that ended.
        return [
          [
            Self.window(0, 9, limit: .unknown),
            Self.window(2, 3, limit: .limit(PicoUSD(dollars: 5))),
            Self.window(3, 2, limit: .unlimited), Self.window(4, 1, limit: .unknown),
          ]
        ]
      }
    }
    let (status, budgets) = try page(fixture)
    #expect(status == .ok && budgets.count == 1 && budgets[0]["name"] as? String == "t")
    let windows = try #require(budgets[0]["windows"] as? [[String: Any]])
    #expect(windows.map { $0["spend"] as? String } == ["2", "2", "4"])
    #expect(windows.map { $0["fleet"] as? Bool } == [true, false, true])
    #expect(windows.map { $0["limit_usd"] as? Double } == [nil, nil, 5])
    #expect(
      windows.map { $0["start_unix_ms"] as? Int64 }
        == [4, 3, 2].map { Self.now.unixMilliseconds - $0 * 1_000 })
  }

  @Test func itIsBoundedAndSaysWhereTheLedgerDoesNotAnswer() throws {
    var fixture = try PageFixture(
      [PageFixture.budget(.provider, "p", 5)]
        + (0..<150).map { try PageFixture.budget(.tag, "t\($0)", 5) })
    #expect(try page(fixture).status == .serviceUnavailable)
    fixture.change = { sources in
      sources.history = { questions in
        questions.map { _ in (0..<14).map { Self.window($0 + 1, 1, limit: .unlimited) } }
      }
    }
    let all = try page(fixture).budgets
    #expect(all.count == 100)
    #expect(all.allSatisfy { ($0["windows"] as? [Any])?.count == 13 })
    #expect(try page(fixture, "limit=7").budgets.count == 7)
    #expect(try page(fixture, "scope=provider").budgets.map { $0["name"] as? String } == ["p"])
    #expect(try page(fixture, "q=T14").budgets.count == 11)
  }

  /// The history waits for the ledger's thread, and that for the disk: other pages do not.
  @Test func nothingElseWaitsForTheHistory() throws {
    var fixture = try PageFixture([PageFixture.budget(.tag, "t", 5)])
    let (asked, disk) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    fixture.change = { sources in
      sources.history = { _ in
        asked.signal()
        disk.wait()
        return [[Self.window(1, 1, limit: .unlimited)]]
      }
    }
    let site = PageSite(fixture.sources)
    let inbox = try #require(HTTPInbox())
    func ask(_ path: String, _ number: Int) {
      let connection = HTTPConnectionID(slot: number, generation: 0)
      site.answer(HTTPRequest(path: path), HTTPReply(inbox: inbox, connection: connection))
    }
    func answer() -> [Int] {
      let end = ContinuousClock.now + .seconds(30)
      while ContinuousClock.now < end {
        let answers = inbox.take().answers.map(\.connection.slot)
        if !answers.isEmpty { return answers }
        sched_yield()
      }
      return []
    }
    ask("/history.json", 1)
    asked.wait()
    for (number, path) in ["/status.json", "/metrics", "/provider/budgets"].enumerated() {
      ask(path, number + 2)
      #expect(answer() == [number + 2])
    }
    disk.signal()
    #expect(answer() == [1])
  }
}
