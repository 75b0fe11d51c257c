import BudgetModel
import BudgetWire
import Dispatch
import Locks
import NodeFixture
import SpendLedger
import Testing

@testable import BudgetEngine
@testable import BudgetPages
@testable import BudgetServer

/// GetSpendHistory, from the question to the page.
@Suite struct HistoryServiceTests {
  private static let start = ServiceFixture.start

  private static func at(_ seconds: Int64) -> Timestamp {
    Timestamp(unixMilliseconds: start.unixMilliseconds + seconds * 1_000)
  }

  private static func own(
    _ scope: BudgetScope, _ name: String, _ dollars: Int64?, _ window: String
  ) throws -> BudgetDefinition {
    BudgetDefinition(
      key: BudgetKey(scope: scope, name: name, windowText: window),
      rule: try WindowRule(text: window),
      policy: BudgetPolicy(limit: dollars.map { PicoUSD(dollars: $0) }), origin: .own)
  }

  private func fixture() throws -> ServiceFixture {
    let pattern = try ServiceFixture.usersPattern()
    let engine = BudgetEngine(restoring: [], dynamicBudgets: 10)
    _ = engine.reload(
      BudgetConfiguration(
        budgets: [
          try ServiceFixture.budget(.provider, "openai", 10),
          try Self.own(.provider, "openai", 100, "month"), try Self.own(.total, "total", nil, "1d"),
        ], patterns: [pattern], deployments: [], directory: .empty), at: Self.start)
    return ServiceFixture(engine: engine, time: ManualTimeSource(Self.start))
  }

  private func refusal(
    _ scope: BudgetScope?, _ name: String, _ window: String = "", token: String = ""
  ) throws -> RPCStatus? {
    let fixture = try fixture()
    var request = GetSpendHistoryRequest(scope: scope, name: name, window: window)
    request.pageToken = token
    let reply = try fixture.call(.getSpendHistory(request))
    #expect(fixture.recorder.histories.isEmpty && reply.result == nil)
    return reply.status
  }

  /// The page that the recorder is asked for.
  private func page(
    _ fixture: ServiceFixture, _ scope: BudgetScope, _ name: String, _ window: String = "",
    size: UInt32 = 0, token: String = ""
  ) throws -> HistoryPage {
    var request = GetSpendHistoryRequest(scope: scope, name: name, window: window)
    (request.pageSize, request.pageToken) = (size, token)
    let before = fixture.recorder.histories.count
    try fixture.callDeferred(.getSpendHistory(request), callID: UInt64(before) + 1)
    #expect(fixture.recorder.histories.count == before + 1)
    return try #require(fixture.recorder.histories.last)
  }

  @Test func questionsThatNameNoBudgetAreRefusedWithTheWayOut() throws {
    #expect(
      try refusal(nil, "openai")
        == RPCStatus(
          .invalidArgument,
          "scope: give the budget's, provider, deployment, model, pool, tag, total"))
    #expect(
      try refusal(.tag, "") == RPCStatus(.invalidArgument, "name: give the name of the tag"))
    #expect(try refusal(.tag, "a\u{0}b")?.code == .invalidArgument)
    #expect(try refusal(.tag, "user:a", "a\nb")?.code == .invalidArgument)
    #expect(
      try refusal(.provider, "openai")
        == RPCStatus(
          .invalidArgument,
          "window: provider 'openai' has budgets per 1d, month: give one of these"))
    let unknown = try refusal(.provider, "groq")
    #expect(unknown?.code == .notFound)
    #expect(unknown?.message.hasPrefix("provider 'groq' has no budget in the") == true)
    #expect(try refusal(.total, "all")?.code == .notFound)
    for token in ["x", "1.5", "\u{0}", String(repeating: "9", count: 400)] {
      #expect(
        try refusal(.provider, "openai", "1d", token: token)
          == RPCStatus(
            .invalidArgument,
            "page_token is not from budgetd: give next_page_token as it came"))
    }
  }

  @Test func budgetsAreFoundByScopeNameAndWindow() throws {
    let fixture = try fixture()
    var page = try page(fixture, .provider, "openai", "1d")
    #expect(page.budget.key == BudgetKey(scope: .provider, name: "openai", windowText: "1d"))
    #expect(page.budget.unknown == nil && page.budget.timeZone == "" && page.size == 100)
    #expect(page.open?.window == Window(start: Self.start, end: Self.at(86_400)))
    page = try self.page(fixture, .provider, "openai", "month", size: 9_999)
    #expect(page.budget.timeZone == "UTC" && page.size == 1_000)
    #expect(page.open?.window.start.iso8601 == "2026-01-01T00:00:00.000Z", "with nothing spent")
    for name in ["", "total"] {
      page = try self.page(fixture, .total, name)
      #expect(page.budget.key.name == "total" && page.open == nil, "not begun")
    }
    // The ledger may know a window that nobody names any more.
    page = try self.page(fixture, .provider, "openai", "1h")
    #expect(page.budget.unknown?.code == .notFound)
    #expect(page.budget.unknown?.message.contains("has budgets per 1d, month") == true)
    page = try self.page(fixture, .provider, "gone", "1h")
    #expect(page.budget.unknown?.message.contains("has no budget in the configuration") == true)
  }

  @Test func namesOfPatternsHaveThePatternsLimits() throws {
    let fixture = try fixture()
    var page = try page(fixture, .tag, "user:a")
    #expect(!page.budget.hasOthers)
    #expect(page.budget.key.windowText == "day" && page.budget.limitKey.name == "user:*")
    #expect(page.budget.unknown?.message.contains("pattern 'user:*' gives it one") == true)
    var record = RecordSpendRequest(costUSD: 2)
    record.tags = ["user:a"]
    _ = try fixture.call(.recordSpend(record))
    page = try self.page(fixture, .tag, "user:a")
    #expect(page.budget.unknown == nil && page.open?.spend == PicoUSD(dollars: 2))
    page = try self.page(fixture, .tag, "user:*")
    #expect(!page.budget.hasLimits, "it counts names without a place, and has none itself")
  }

  // MARK: - Pages

  /// A ledger of so many ended windows, of an hour each, and the open one.
  private struct Ledger {
    let windows: [PastWindow]

    init(ended: Int, openOfFleet: PicoUSD? = nil) {
      windows = (0...ended).map { age in
        let start = HistoryServiceTests.at(-3_600 * Int64(age))
        let end = Timestamp(unixMilliseconds: start.unixMilliseconds + 3_599_999)
        return PastWindow(
          window: Window(start: start, end: end), own: PicoUSD(dollars: Int64(age)),
          others: age == 0 ? openOfFleet : age % 2 == 0 ? PicoUSD(dollars: 1) : nil,
          limit: age < 3 ? .limit(PicoUSD(dollars: 7)) : age < 5 ? .unlimited : .unknown)
      }
    }

    /// An answer may be shorter than the question.
    func answer(_ question: HistoryQuestion) -> [PastWindow] {
      let rest = windows.filter { window in
        question.before.map { window.window.start < $0 } ?? true
      }
      return Array(rest.prefix(min(question.count, 7)))
    }
  }

  private func pages(
    _ ledger: Ledger, size: UInt32, hasOthers: Bool = true, isInFleet: Bool = false
  ) throws -> [GetSpendHistoryResponse] {
    var budget = HistoryBudget(BudgetKey(scope: .tag, name: "t", windowText: "1h"))
    budget.hasOthers = hasOthers
    budget.report = BudgetReport(
      key: budget.key, limit: PicoUSD(dollars: 9), spend: PicoUSD(dollars: 4),
      ownSpend: PicoUSD(dollars: 3), resetsAt: Self.at(3_600), startedAt: Self.start,
      charged: .zero)
    var pages: [GetSpendHistoryResponse] = []
    var token = ""
    repeat {
      var page = try NameBytes.with(token) { name in
        // The clock goes on while pages are read.
        Result { try HistoryPage(budget, size: size, token: name, at: Self.at(Int64(pages.count))) }
      }.get()
      page.isInFleet = isInFleet
      let response = try page.response { question throws(LedgerError) in ledger.answer(question) }
      pages.append(response)
      token = response.nextPageToken
    } while !token.isEmpty && pages.count < 1_000
    return pages
  }

  @Test(arguments: [UInt32(1), 2, 3, 7, 20, 21, 22, 0])
  func pagesTogetherAreTheHistoryEachWindowOnce(_ size: UInt32) throws {
    let ledger = Ledger(ended: 20)
    let pages = try pages(ledger, size: size)
    let limit = size == 0 ? 100 : Int(size)
    #expect(pages.count == (21 + limit - 1) / limit)
    #expect(pages.allSatisfy { $0.windows.count <= limit && $0.name == "t" && $0.window == "1h" })
    let windows = pages.flatMap(\.windows)
    #expect(
      windows.map(\.startUnixMilliseconds) == ledger.windows.map(\.window.start.unixMilliseconds))
    #expect(windows.map(\.isOpen) == [true] + Array(repeating: false, count: 20))
    #expect(windows[0].spendUSD == 4 && windows[0].ownUSD == 3 && windows[0].limitUSD == 9)
    #expect(windows[2].spendUSD == 3 && windows[2].ownUSD == 2 && windows[2].isOfFleet)
    #expect(windows[3].spendUSD == 3 && !windows[3].isOfFleet)
    #expect(windows[2].limitUSD == 7 && windows[3].limitUSD == nil && !windows[3].isLimitUnknown)
    #expect(windows[5].isLimitUnknown && windows[5].limitUSD == nil)
    #expect(!windows[0].isOfFleet && !windows[0].wasReset)
  }

  @Test func theOpenWindowIsTheFleetsWhereTheLedgerHeardOfIt() throws {
    #expect(try pages(Ledger(ended: 0, openOfFleet: .zero), size: 0)[0].windows[0].isOfFleet)
    #expect(try self.pages(Ledger(ended: 0), size: 0, isInFleet: true)[0].windows[0].isOfFleet)
    // Of a name's budget by a pattern the last news of others is not kept.
    let names = try self.pages(Ledger(ended: 2), size: 0, hasOthers: false)[0].windows
    #expect(names.map(\.spendUSD) == [4, 1, 2] && !names.contains(where: \.isOfFleet))
    let pages = try pages(Ledger(ended: 0), size: 1)
    #expect(pages.count == 1 && pages[0].windows.count == 1)
  }

  // MARK: - The desk

  @Test func theDeskIsBoundedAndKeepsOrder() {
    let desk = HistoryDesk()
    let (began, gate, done) = (
      DispatchSemaphore(value: 0), DispatchSemaphore(value: 0), DispatchSemaphore(value: 0)
    )
    #expect(
      desk.take {
        began.signal()
        gate.wait()
      })
    began.wait()
    let order = Locked<[Int]>([])
    for number in 0..<HistoryDesk.waitingBound {
      #expect(
        desk.take {
          order.withLock { $0.append(number) }
          done.signal()
        })
    }
    #expect(!desk.take { order.withLock { $0.append(-1) } }, "one too many")
    gate.signal()
    for _ in 0..<HistoryDesk.waitingBound { done.wait() }
    #expect(order.withLock { $0 } == Array(0..<HistoryDesk.waitingBound))
  }

  /// From the recorder to the reply, with a real ledger.
  @Test func theLedgerAnswersOffTheLane() throws {
    let fixture = try RecorderFixture()
    #expect(fixture.record(40) == .deferred)
    fixture.settle()
    _ = try fixture.messages()
    let catalog = fixture.engine.catalog
    let now = fixture.time.now()
    func budget(_ name: String, _ window: String) throws -> HistoryBudget {
      try NameBytes.with(name) { name in
        NameBytes.with(window) { window in
          Result {
            try HistoryBudget(
              .provider, name, window: window, in: catalog,
              DynamicReading(of: fixture.engine, in: catalog, at: now)
            ) { fixture.engine.report(on: $0, at: now) }
          }
        }
      }.get()
    }
    func ask(_ budget: HistoryBudget) throws -> ResponseMessage {
      let page = try HistoryPage(budget, size: 0, token: .absent, at: now)
      #expect(fixture.recorder.tellHistory(page, token: fixture.nextToken()))
      let done = DispatchSemaphore(value: 0)
      #expect(fixture.recorder.desk.take { done.signal() })
      done.wait()
      return try #require(try fixture.messages().first?.value)
    }
    let reply = try ask(try budget("p", ""))
    guard case .spendHistory(let history) = reply.result else {
      Issue.record("\(reply)")
      return
    }
    #expect(history.windows.map(\.spendUSD) == [40e-12] && history.windows[0].isOpen)
    #expect(try ask(try budget("q", "1d")).status?.code == .notFound)
    // A ledger that is closed says so.
    fixture.ledger.close()
    #expect(try ask(try budget("p", "")).status?.code == .unavailable)
  }

  // MARK: - Forecasts

  @Test func budgetsAreListedWithTheirForecasts() throws {
    let fixture = try fixture()
    func openai() throws -> Budget {
      try #require(
        try fixture.call(.getProviderBudgets(GetProviderBudgetsRequest())).page.providers.first)
    }
    fixture.pace.sample(requests: 0)
    var record = RecordSpendRequest(costUSD: 0.5)
    record.provider = "openai"
    for minute in 1...5 {
      _ = try fixture.call(.recordSpend(record))
      #expect(try openai().quarterHourForecast == nil, "after \(minute - 1) minutes")
      fixture.uptime.advance(.seconds(60))
      fixture.time.advance(milliseconds: 60_000)
      fixture.pace.sample(requests: 0)
    }
    let forecast = try #require(try openai().quarterHourForecast)
    #expect(forecast.overSeconds == 300 && abs(forecast.usdPerSecond - 0.5 / 60) < 1e-6)
    // $7.50 are left of $10.
    let left = try #require(forecast.exhaustsAtUnixMilliseconds)
    #expect(abs(left - fixture.time.now().unixMilliseconds - 900_000) < 10)
    #expect(try openai().dayForecast == nil)
  }
}
