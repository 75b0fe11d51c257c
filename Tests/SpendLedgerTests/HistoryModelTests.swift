import BudgetModel
import Foundation
import Locks
import SeededRandom
import Testing

@testable import SpendLedger

/// Random charges, ends of windows, limits, news of a fleet, folds, restarts and kills against a model
/// that keeps lists.
@Suite struct HistoryModelTests {
  private struct Model {
    struct Held: Equatable {
      var end: Int64
      var own: Int128 = 0
      var others: Int128?
    }

    /// By budget, then by start.
    var windows: [Int: [Int64: Held]] = [:]
    var limits: [Int: [(since: Int64, limit: Int128?)]] = [:]

    func history(_ slot: Int) -> [PastWindow] {
      (windows[slot] ?? [:]).sorted { $0.key > $1.key }.map { start, held in
        let limit = limits[slot]?.last { $0.since <= held.end }
        return PastWindow(
          window: Window(
            start: Timestamp(unixMilliseconds: start), end: Timestamp(unixMilliseconds: held.end)),
          own: PicoUSD(pico: held.own), others: held.others.map { PicoUSD(pico: $0) },
          limit: limit.map { LimitInForce($0.limit.map { PicoUSD(pico: $0) }) } ?? .unknown)
      }
    }
  }

  private static let slots = 5

  @Test(arguments: 0..<10)
  func theHistoryEqualsTheModel(round: Int) throws {
    var random = SeededRandom(seed: UInt64.random(in: 0...UInt64.max))
    let fixture = try LedgerFixture {
      $0.foldInterval = Bool.random(using: &random) ? .zero : .seconds(3_600)
      $0.foldedRows = 2
      $0.pruneInterval = .zero
    }
    fixture.client.heard.withLock { $0.windowMilliseconds = 5_000 }
    var model = Model()
    for step in 0..<150 {
      try Self.act(fixture, &model, &random)
      let comment: Comment = "seed \(random.seed), step \(step)"
      let slot = Int.random(in: 0..<Self.slots, using: &random)
      #expect(try Self.read(fixture, slot, &random) == model.history(slot), comment)
      if step % 30 == 29 {
        #expect(try fixture.historyAfterKill(slot) == model.history(slot), comment)
      }
      if Int.random(in: 0..<25, using: &random) == 0 { try fixture.restart() }
    }
    try fixture.restart()
    for slot in 0..<Self.slots {
      #expect(try Self.read(fixture, slot, &random) == model.history(slot), "seed \(random.seed)")
    }
  }

  /// In pieces of any size.
  private static func read(
    _ fixture: LedgerFixture, _ slot: Int, _ random: inout SeededRandom
  ) throws -> [PastWindow] {
    var all: [PastWindow] = []
    while true {
      let piece = try fixture.ledger.history(of: [
        HistoryQuestion(
          fixture.budget(slot), before: all.last?.window.start,
          count: Int.random(in: 1...9, using: &random))
      ])[0]
      if piece.isEmpty { return all }
      all += piece
    }
  }

  private static func act(
    _ fixture: LedgerFixture, _ model: inout Model, _ random: inout SeededRandom
  ) throws {
    fixture.client.advance(milliseconds: Int64.random(in: 1...3_000, using: &random))
    let now = fixture.client.now().unixMilliseconds
    let slot = Int.random(in: 0..<slots, using: &random)
    switch Int.random(in: 0..<10, using: &random) {
    case 0:
      let limit = Bool.random(using: &random) ? nil : Int128.random(in: 0...3, using: &random)
      fixture.ledger.note(
        [NotedLimit(fixture.budget(slot), limit.map { PicoUSD(pico: $0) })], isComplete: false,
        at: fixture.client.now())
      if model.limits[slot]?.last.map({ $0.limit != limit }) ?? true {
        model.limits[slot, default: []].append((now, limit))
      }
    case 1:
      guard let start = model.windows[slot]?.keys.randomElement(using: &random),
        var held = model.windows[slot]?[start]
      else { return }
      var known = fixture.fleetWindow(slot, from: start, lasting: held.end - start)
      let others = Int128.random(in: 0...1_000, using: &random)
      known.total = PicoUSD(pico: others + 3)
      known.confirmed = ["0123abcd.00000001": PicoUSD(pico: 3)]
      try fixture.ledger.remember([known])
      held.others = others
      model.windows[slot]?[start] = held
    default:
      let charged = Set((0..<3).map { _ in Int.random(in: 0..<slots, using: &random) }).sorted()
      let amount = Int128.random(in: 0...1_000_000, using: &random)
      if Int.random(in: 0..<15, using: &random) == 0 { fixture.probe.fail(.commit, code: 13) }
      let outcome = fixture.record(PicoUSD(pico: amount), slots: charged.map { Int32($0) })
      fixture.probe.heal()
      for slot in charged {
        // The client has opened the window, whatever became of the record.
        guard outcome == .recorded, let window = fixture.openWindow(slot) else { continue }
        let start = window.start.unixMilliseconds
        var held = model.windows[slot]?[start] ?? .init(end: window.end.unixMilliseconds)
        held.own += amount
        model.windows[slot, default: [:]][start] = held
      }
    }
  }
}
