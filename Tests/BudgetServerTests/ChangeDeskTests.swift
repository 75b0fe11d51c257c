import BudgetEngine
import BudgetModel
import BudgetWire
import Logging
import NodeFixture
import Testing

@testable import BudgetServer
@testable import SpendLedger

/// Operators' changes: in the ledger first, then in force, each written down, each told when it ends.
@Suite struct ChangeDeskTests {
  private static let author = ChangeAuthor(name: "ops", place: "10.1.2.3")
  private static let p = BudgetKey(scope: .provider, name: "p", windowText: "1h")

  private let fixture: RecorderFixture
  private let time: ManualTimeSource
  private let audit: AuditLog
  private let desk: ChangeDesk

  init() throws {
    time = ManualTimeSource(ServiceFixture.start)
    fixture = try RecorderFixture(time: time)
    audit = AuditLog(log: Logger(label: "test"))
    desk = ChangeDesk(fixture.recorder, time, audit: audit, node: "0a1b2c3d", restoring: [])
  }

  private func order(
    _ deed: ChangeOrder.Deed, scope: BudgetScope? = .provider, name: String = "p",
    window: String = "", reason: String = "launch"
  ) throws -> ChangeOrder {
    let request: RequestMessage.Method = .clearBudget(
      ClearBudgetRequest(BudgetTarget(scope, name, window: window), reason: reason))
    let frame = try RequestMessage(callID: 1, method: request).frame()
    let message = Array(frame.dropFirst(FrameHeader.byteCount))
    var decoder = RequestDecoder()
    // Safe: `bytes` is unsafe for types with padding, which would be read; UInt8 has none.
    let head = try RequestHead(frame: unsafe message.span.bytes, bounds: .standard)
    let view = try decoder.clearBudget(head)
    return try ChangeOrder(view.target, deed, reason: view.reason, by: Self.author)
  }

  private func set(_ order: ChangeOrder) -> Result<SetBudgetResponse, ServiceRefusal> {
    desk.carryOut(order) { entry throws(ServiceRefusal) in try desk.set(order, &entry) }
  }

  private func code(_ order: ChangeOrder) -> StatusCode? {
    if case .failure(let refusal) = set(order) { refusal.status.code } else { nil }
  }

  private var limit: Int128? {
    NameBytes.with("p") { fixture.engine.catalog.budget(.provider, $0) }
      .flatMap { $0.definition.limit?.pico }
  }

  private var mode: BudgetMode? {
    NameBytes.with("p") { fixture.engine.catalog.budget(.provider, $0) }?.definition.policy.mode
  }

  private func audited() throws -> [AuditEntry] {
    try fixture.ledger.audit(count: 100).compactMap(\.entry)
  }

  @Test func aChangeIsOnDiskAndInForceWhenItIsAnswered() throws {
    let answer = try set(order(.limit(PicoUSD(pico: 150)))).get()
    #expect(answer.before == "limit 0.0000000001")
    #expect(answer.change.target == BudgetTarget(.provider, "p", window: "1h"))
    #expect(answer.change.version == "\(time.now().unixMilliseconds).0a1b2c3d")
    #expect(limit == 150 && audit.count(.setBudget) == 1)
    let entry = try #require(try audited().first)
    #expect(entry.action == "set_budget" && entry.author == Self.author && entry.target == Self.p)
    #expect(entry.after == "limit 0.00000000015" && entry.reason == "launch")
    // A later life takes it up.
    let again = BudgetEngine(restoring: [])
    let recorder = LedgerRecorder(
      engine: again, ledger: fixture.ledger, queueBound: 1, time: time, durability: .commit,
      bounds: .standard, requests: AllRequestCounts(), log: Logger(label: "test"))
    _ = ChangeDesk(
      recorder, time, audit: audit, node: "n", restoring: Array(desk.table.all))
    _ = again.reload(
      BudgetConfiguration(
        budgets: [try providerBudget("p", 100)], deployments: [], directory: .empty),
      at: time.now())
    #expect(
      NameBytes.with("p") { again.catalog.budget(.provider, $0) }?.definition.limit?.pico == 150)
  }

  @Test func whatTheDiskRefusesIsNotInForce() throws {
    fixture.disk.fail(.commit, code: FaultyDisk.full)
    #expect(code(try order(.limit(nil))) == .unavailable)
    #expect(limit == 100 && desk.table.count == 0)
    fixture.disk.heal()
    #expect(code(try order(.limit(nil))) == nil)
    #expect(limit == nil && audit.count(.refused) == 1)
  }

  @Test func aCommitInDoubtIsDoneAgain() throws {
    fixture.disk.fail(.commit, code: FaultyDisk.fsyncFailed)
    #expect(code(try order(.mode(.freeze))) == nil)
    #expect(mode == .freeze)
  }

  @Test func aChangeEndsWithItsTime() throws {
    var raise = try order(.limit(PicoUSD(pico: 150)))
    raise.until = Timestamp(unixMilliseconds: time.now().unixMilliseconds + 5_000)
    #expect(code(raise) == nil)
    time.advance(milliseconds: 4_999)
    desk.look(at: time.now())
    #expect(limit == 150)
    time.advance(milliseconds: 1)
    desk.look(at: time.now())
    #expect(limit == 100)
    // One whose time is over is refused.
    #expect(code(raise) == .invalidArgument)
  }

  @Test func aVersionThatIsNotInForceIsAborted() throws {
    var raise = try order(.limit(PicoUSD(pico: 150)))
    raise.ifVersion = ""
    let version = try set(raise).get().change.version
    #expect(code(raise) == .aborted)
    raise.ifVersion = version
    #expect(code(raise) == nil)
    #expect(code(raise) == .aborted, "its own change has another version")
  }

  @Test func clearingEndsAllOfAName() throws {
    #expect(code(try order(.limit(PicoUSD(pico: 150)))) == nil)
    #expect(code(try order(.mode(.freeze))) == nil)
    let one = try order(.clear, window: "1h")
    let cleared = try desk.carryOut(one) { entry throws(ServiceRefusal) in
      try desk.clear(one, &entry)
    }.get()
    #expect(cleared.map(\.isCleared) == [true] && limit == 100 && mode == .freeze)
    let all = try order(.clear)
    let rest = try desk.carryOut(all) { entry throws(ServiceRefusal) in
      try desk.clear(all, &entry)
    }.get()
    #expect(rest.count == 1 && mode == .enforce)
    #expect(try audited().first?.before == "freeze")
  }

  private func reset(
    to pico: Int128, name: String = "p"
  ) throws -> Result<ResetBudgetResponse, ServiceRefusal> {
    let order = try order(.reset(to: PicoUSD(pico: pico)), name: name)
    return desk.carryOut(order) { entry throws(ServiceRefusal) in try desk.reset(order, &entry) }
  }

  @Test func aResetIsOnDiskAndInForceWhenItIsAnswered() throws {
    _ = fixture.record(60)
    fixture.settle()
    time.advance(milliseconds: 1_000)
    let answer = try reset(to: 7).get()
    #expect(answer.spendUSD == PicoUSD(pico: 60).dollars && fixture.spend == 7)
    #expect(desk.resets == [Self.p: time.now()])
    _ = fixture.record(5)
    fixture.settle()
    #expect(fixture.spend == 12)
    let entry = try #require(try audited().first)
    #expect(entry.action == "reset_budget" && entry.target == Self.p)
    #expect(entry.before == "0.00000000006 spent" && entry.after == "reset to 0.000000000007")
    // Within the millisecond: the window that the first one began is over, too.
    _ = try reset(to: 0).get()
    let again = Timestamp(unixMilliseconds: time.now().unixMilliseconds + 1)
    #expect(fixture.spend == 0 && desk.resets == [Self.p: again])
    let windows = try fixture.ledger.history(of: [HistoryQuestion(Self.p, count: 9)])[0]
    #expect(Set(windows.map(\.spend.pico)) == [0, 12, 60])
    #expect(throws: ServiceRefusal.self) { try reset(to: 1, name: "q").get() }
    #expect(audit.count(.resetBudget) == 2 && audit.count(.refused) == 1)
  }

  @Test func whatTheDiskRefusesIsNotReset() throws {
    _ = fixture.record(60)
    fixture.settle()
    fixture.disk.fail(.commit, code: FaultyDisk.full)
    #expect(throws: ServiceRefusal.self) { try reset(to: 0).get() }
    #expect(fixture.spend == 60 && desk.resets.isEmpty)
    fixture.disk.heal()
    fixture.disk.fail(.commit, code: FaultyDisk.fsyncFailed)
    _ = try reset(to: 3).get()
    #expect(fixture.spend == 3)
  }

  @Test func aResetOfAnotherNodeEndsTheWindowOnce() throws {
    _ = fixture.record(60)
    fixture.settle()
    time.advance(milliseconds: 1_000)
    let start = Timestamp(unixMilliseconds: time.now().unixMilliseconds - 10)
    let change = BudgetChange(
      .init(.reset, Self.p), .reset(to: PicoUSD(pico: 9)), by: Self.author, at: start,
      version: ChangeVersion(milliseconds: 5, node: "other"))
    try desk.hear([change])
    // Its amount is the other node's to tell.
    #expect(fixture.spend == 0 && desk.resets == [Self.p: start])
    _ = fixture.record(5)
    fixture.settle()
    try desk.hear([change])
    #expect(fixture.spend == 5)
    // One of long ago ends nothing any more.
    var old = change
    old.madeAt = Timestamp(unixMilliseconds: start.unixMilliseconds - 10_000_000)
    old.version = ChangeVersion(milliseconds: 6, node: "other")
    try desk.hear([old])
    #expect(fixture.spend == 5)
  }

  /// The stop of everything is a mode alone. A limit beside it could not be read again.
  @Test func aFrozenNameWithoutABudgetHasNoLimitToSet() throws {
    for (scope, name) in [(BudgetScope.total, "total"), (.provider, "q"), (.tag, "t")] {
      #expect(code(try order(.mode(.freeze), scope: scope, name: name)) == nil)
      let limit = try order(.limit(PicoUSD(dollars: 9)), scope: scope, name: name)
      #expect(code(limit) == .notFound, "\(scope)")
      #expect(code(try order(.limit(nil), scope: scope, name: name)) == .notFound)
    }
    #expect(desk.table.all.allSatisfy { $0.setting == .mode(.freeze) } && desk.table.count == 3)
    #expect(desk.table.all.allSatisfy { BudgetChange(text: $0.text) == $0 })
  }

  /// Spend by an alias counts as its group's: a freeze of the alias would stop nothing.
  @Test func anAliasIsRefusedWithTheNameOfItsGroup() throws {
    let deployment = ConfiguredDeployment(
      id: "d", modelName: "gpt-4o", model: "openai/gpt-4o", provider: "openai")
    _ = fixture.engine.reload(
      BudgetConfiguration(
        budgets: [], deployments: [deployment], aliases: ["gpt-4": "gpt-4o"], directory: .empty),
      at: time.now())
    for deed in [ChangeOrder.Deed.mode(.freeze), .mode(.shadow), .limit(nil)] {
      let order = try order(deed, scope: .model, name: "gpt-4")
      guard case .failure(let refusal) = set(order) else {
        Issue.record("\(deed) was taken")
        continue
      }
      #expect(refusal.status.code == .invalidArgument)
      #expect(refusal.status.message.hasSuffix("counts as its model group: give 'gpt-4o'"))
    }
    let reset = try order(.reset(to: .zero), scope: .model, name: "gpt-4")
    let result = desk.carryOut(reset) { entry throws(ServiceRefusal) in
      try desk.reset(reset, &entry)
    }
    #expect(throws: ServiceRefusal.self) { try result.get() }
    #expect(desk.table.count == 0)
    #expect(code(try order(.mode(.freeze), scope: .model, name: "gpt-4o")) == nil)
    // A tag may be called as it likes.
    #expect(code(try order(.mode(.freeze), scope: .tag, name: "gpt-4")) == nil)
  }

  @Test func whatIsNotThereIsNotChanged() throws {
    #expect(code(try order(.limit(nil), name: "q")) == .notFound)
    #expect(code(try order(.limit(nil), window: "2d")) == .notFound)
    #expect(code(try order(.mode(.shadow), name: "q")) == .notFound)
    #expect(code(try order(.mode(.freeze), scope: .pool, name: "q")) == .notFound)
    #expect(code(try order(.mode(.freeze), window: "1d")) == .invalidArgument)
    #expect(code(try order(.mode(.freeze), name: "q")) == nil, "a name without a budget is frozen")
    #expect(throws: ServiceRefusal.self) { try order(.clear, scope: nil) }
    #expect(throws: ServiceRefusal.self) { try order(.clear, name: "") }
    #expect(throws: ServiceRefusal.self) {
      try order(.clear, reason: String(repeating: "x", count: 257))
    }
    #expect(throws: ServiceRefusal.self) { try order(.clear, reason: "a\u{7}") }
    #expect(audit.count(.refused) == 5 && audit.count(.setBudget) == 1)
  }

  @Test func soManyChangesMayBeInForce() throws {
    let changes = (0..<ChangeTable.mostInForce).map { number in
      BudgetChange(
        .init(.mode, BudgetKey(scope: .tag, name: "t\(number)", windowText: "")),
        .mode(.shadow), by: Self.author, at: time.now(),
        version: ChangeVersion(milliseconds: 1, node: "n"))
    }
    let full = ChangeDesk(
      fixture.recorder, time, audit: audit, node: "n", restoring: changes)
    let order = try order(.limit(nil))
    let result = full.carryOut(order) { entry throws(ServiceRefusal) in
      try full.set(order, &entry)
    }
    #expect(throws: ServiceRefusal.self) { try result.get() }
    // One that is there may be another.
    let name = try self.order(.clear, scope: .tag, name: "t7")
    let cleared = try full.carryOut(name) { entry throws(ServiceRefusal) in
      try full.clear(name, &entry)
    }.get()
    #expect(cleared.count == 1)
    #expect(
      try full.carryOut(order) { entry throws(ServiceRefusal) in try full.set(order, &entry) }
        .get().change.hasNoLimit)
  }

  /// Forty thousand changes of the last weeks leave room for one that is made now.
  @Test func theStopButtonFindsRoom() throws {
    let changes = (0..<ChangeTable.mostKept).map { number in
      BudgetChange(
        .init(.mode, BudgetKey(scope: .tag, name: "t\(number)", windowText: "")),
        .mode(.freeze), until: time.now(), by: Self.author, at: time.now(),
        version: ChangeVersion(milliseconds: 1, node: "n"))
    }
    let full = ChangeDesk(fixture.recorder, time, audit: audit, node: "n", restoring: changes)
    let order = try order(.mode(.freeze))
    _ = try full.carryOut(order) { entry throws(ServiceRefusal) in
      try full.set(order, &entry)
    }.get()
    #expect(full.table.inForce(at: time.now()).map(\.setting) == [.mode(.freeze)])
    // A change of another node finds room too, where it is in force.
    let heard = ["far", "over"].map { name in
      BudgetChange(
        .init(.mode, BudgetKey(scope: .tag, name: name, windowText: "")), .mode(.freeze),
        until: name == "over" ? time.now() : nil, by: Self.author, at: time.now(),
        version: ChangeVersion(milliseconds: 1, node: "other"))
    }
    try full.hear(heard)
    #expect(full.table[heard[0].register] == heard[0])
  }

  @Test func refusalsAreWrittenDownWithinABound() {
    var pace = RefusalPace()
    let first = (0..<RefusalPace.linesAMinute).map { _ in pace.take(atSecond: 100) }
    #expect(first.allSatisfy { $0 == 0 })
    let more = [159, 159, 160, 160].map { pace.take(atSecond: $0) }
    #expect(more == [nil, nil, 2, 0])
  }
}
