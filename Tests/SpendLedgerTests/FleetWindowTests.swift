import BudgetModel
import Foundation
import Testing

@testable import SpendLedger

@Suite struct FleetWindowTests {
  private func known(_ fixture: LedgerFixture, _ slot: Int = 0) -> FleetWindow {
    var window = fixture.fleetWindow(slot, from: 1_700_000_000_000)
    window.total = PicoUSD(pico: 12_345_678_901_234_567)
    window.highest = PicoUSD(pico: 12_345_678_901_234_568)
    window.confirmed = [
      "0123abcd.00000001": PicoUSD(pico: 1), "0123abcd.00000002": PicoUSD(dollars: 7),
      "0123abcd.00000003": .zero,
    ]
    window.nodes = 3
    return window
  }

  @Test func whatIsRememberedIsThereAtTheNextStart() throws {
    let fixture = try LedgerFixture()
    var window = known(fixture)
    try fixture.ledger.remember([window])
    #expect(try fixture.afterKill().fleet == [window])
    window.total = .zero
    window.window.end.unixMilliseconds += 5
    try fixture.ledger.remember([window, window])
    #expect(try fixture.afterKill().fleet == [window])
    #expect(try fixture.ledger.changes().fleet == [window])
    #expect(window.others == .zero)
    #expect(known(fixture).others.pico == 12_345_678_901_234_567 - 7_000_000_000_001)
  }

  /// More than one transaction takes; each is a budget of its own, which the ledger did not know.
  @Test func manyAreRememberedInSlices() throws {
    let fixture = try LedgerFixture()
    let windows = (0..<1_201).map { number in
      var window = known(fixture)
      window.window.key.name = "q\(number)"
      return window
    }
    try fixture.ledger.remember(windows)
    #expect(Set(try fixture.afterKill().fleet.map(\.window.key.name)).count == 1_201)
  }

  @Test func amountsThatNoWindowCanHoldAreCut() throws {
    let fixture = try LedgerFixture()
    var window = known(fixture)
    window.total = PicoUSD(pico: .max)
    window.highest = PicoUSD(pico: -5)
    window.nodes = -1
    window.confirmed["not an origin"] = PicoUSD(pico: 5)
    window.confirmed["0123abcd.00000004"] = PicoUSD(pico: -5)
    try fixture.ledger.remember([window])
    let kept = try #require(try fixture.afterKill().fleet.first)
    #expect(kept.total == .maximumTotal)
    #expect(kept.highest == .zero)
    #expect(kept.nodes == 1)
    #expect(kept.confirmed == known(fixture).confirmed)
  }

  @Test func anHourAfterTheirEndNoStartLooksAtThem() throws {
    let fixture = try LedgerFixture()
    try fixture.ledger.remember([fixture.fleetWindow(0, from: 1_700_000_000_000, lasting: 1_000)])
    fixture.client.advance(milliseconds: 3_601_000)
    try fixture.restart()
    #expect(fixture.ledger.opening.fleet.count == 1)
    fixture.client.advance(milliseconds: 1)
    try fixture.restart()
    try fixture.restart()
    #expect(fixture.ledger.opening.fleet == [])
  }

  /// A budget whose windows have another length now: neither its own window nor the fleet's goes on.
  @Test func aBudgetThatIsClosedLeavesNoWindowOpen() throws {
    let fixture = try LedgerFixture()
    let start = fixture.client.now().unixMilliseconds
    #expect(fixture.record(PicoUSD(pico: 5)) == .recorded)
    try fixture.ledger.adopt([fixture.adoption(0, moving: [], to: start - 5)])
    #expect(fixture.record(PicoUSD(pico: 6)) == .recorded)
    try fixture.restart()
    fixture.client.advance(milliseconds: 100)
    fixture.ledger.noteClosed(fixture.budget(0), at: fixture.client.now())
    #expect(fixture.ledger.settle())
    fixture.client.advance(milliseconds: 1)
    let opening = try fixture.afterKill()
    #expect(opening.openWindows == [])
    // Over, and still known: what the store has of it is not late.
    #expect(opening.fleet.map(\.window.end.unixMilliseconds) == [start + 99])
    #expect(
      try fixture.amountsAfterKill() == [
        WindowName(budget: "p0", start: start): 5,
        WindowName(budget: "p0", start: start - 5): 6,
      ])
  }

  @Test func everyConfirmedTextReadsBackAndNoOtherIsRead() {
    let origins = (0..<2_000).map { "0123abcd.0000" + String($0 + 4_096, radix: 16) }
    for count in [0, 1, 2, 1_024] {
      var confirmed: [String: PicoUSD] = [:]
      for (index, origin) in origins.prefix(count).enumerated() {
        confirmed[origin] = PicoUSD(pico: Int128(index) * 123_456_789_012_345)
      }
      let text = ConfirmedText.text(confirmed)
      #expect(ConfirmedText.confirmed(in: text) == confirmed)
    }
    // Past the bound those with the most are kept.
    let many = Dictionary(
      uniqueKeysWithValues: origins.enumerated().map { ($1, PicoUSD(pico: Int128($0) + 1)) })
    let kept = ConfirmedText.confirmed(in: ConfirmedText.text(many))
    #expect(kept?.count == 1_024)
    #expect(kept?.values.min() == PicoUSD(pico: 977))
    let origin = "0123abcd.00000001"
    for text in [
      " ", "\(origin)", "\(origin)=", "\(origin)=-1", "\(origin)=1.", "\(origin)=01",
      "\(origin)=1.50", "\(origin)=+1", "\(origin)=1e3", "\(origin)=1.0000000000001",
      "\(origin)=0.-1", "\(origin)=1=2", "\(origin)=1  \(origin)=2", "\(origin)=1 \(origin)=2",
      "0123ABCD.00000001=1", "x=1", "\(origin)=1000000000000000001",
      "\(origin)=99999999999999999999", "\(origin)=1 ",
    ] {
      #expect(ConfirmedText.confirmed(in: text) == nil, "'\(text)'")
    }
  }

  /// Any changed value of a row is damage, also what SQLite itself would take.
  @Test(arguments: [
    "UPDATE fleet_window SET total_pico = total_pico + 1",
    "UPDATE fleet_window SET confirmed = replace(confirmed, '=7', '=8')",
    "UPDATE fleet_window SET nodes = 2", "UPDATE fleet_window SET end_ms = end_ms + 1",
    "UPDATE fleet_window SET start_ms = start_ms + 1",
    "UPDATE fleet_window SET seal = seal + 1",
  ])
  func aChangedRowIsDamage(sql: String) throws {
    let fixture = try LedgerFixture()
    try fixture.ledger.remember([known(fixture)])
    fixture.ledger.close()
    try fixture.change(sql)
    let error = #expect(throws: LedgerError.self) { try fixture.restart() }
    guard case .damaged(_, let finding)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(finding.contains("fleet"))
  }
}
