import BudgetModel
import Foundation
import SeededRandom
import Testing

@testable import SpendLedger

/// Random records, folds, failures, kills and restarts against a model that adds with `Int128`.
@Suite struct ModelTests {
  /// The content that the ledger must have.
  private struct Model {
    var sums: [String: Int128] = [:]
    var keys: [String: Int128] = [:]
  }

  @Test(arguments: 0..<8)
  func theFileEqualsTheModelAtEveryKill(round: Int) throws {
    var random = SeededRandom(seed: UInt64.random(in: 0...UInt64.max))
    let folds = Bool.random(using: &random)
    let fixture = try LedgerFixture {
      $0.foldInterval = folds ? .zero : .seconds(3_600)
      $0.checkpointBytes = 1 << 14
      $0.failureWindow = .zero
    }
    var model = Model()
    for step in 0..<60 {
      try Self.act(fixture, &model, &random)
      if step % 10 == 9 {
        try Self.compare(try fixture.afterKill(), model, "seed \(random.seed), step \(step)")
      }
      if Int.random(in: 0..<20, using: &random) == 0 { try fixture.restart() }
    }
    try fixture.restart()
    try Self.compare(fixture.ledger.opening, model, "seed \(random.seed), at the end")
  }

  private static func act(
    _ fixture: LedgerFixture, _ model: inout Model, _ random: inout SeededRandom
  ) throws {
    let keyed = (0..<Int.random(in: 1...12, using: &random)).map { _ in
      Int.random(in: 0..<4, using: &random) == 0
        ? model.keys.keys.randomElement(using: &random)
        : Bool.random(using: &random) ? "k\(UInt64.random(in: 0 ... .max, using: &random))" : nil
    }
    let fault = Int.random(in: 0..<12, using: &random)
    if fault == 0 { fixture.probe.fail(.commit, code: 13) }
    if fault == 1 { fixture.probe.fail(.commit, code: 1_034) }
    if fault == 2 { fixture.probe.fail(.committed, code: 1_034) }
    var sent: [(token: UInt64, key: String?, amount: Int128, slots: [Int32])] = []
    for key in keyed {
      let amount =
        key.flatMap { model.keys[$0] }
        ?? Int128(UInt64.random(in: 0 ... .max, using: &random)) * 100
      let slots = Set((0..<3).map { _ in Int32.random(in: 0..<8, using: &random) }).sorted()
      let token = fixture.submit(PicoUSD(pico: amount), key: key, slots: slots)
      sent.append((token, key, amount, slots))
    }
    try #require(fixture.client.wait(sent.count), "\(fixture.ledger.state)")
    let unknown = sent.contains { fixture.client.outcome($0.token) == .unknown }
    if unknown { try #require(fixture.client.wait(), "\(fixture.ledger.state)") }
    fixture.probe.heal()
    for record in sent {
      let outcome =
        fixture.client.resolution(record.token) ?? fixture.client.outcome(record.token)
      guard outcome == .recorded else { continue }
      if let key = record.key {
        #expect(model.keys[key] == nil, "recorded twice, seed \(random.seed)")
        model.keys[key] = record.amount
      }
      for slot in record.slots { model.sums["p\(slot)", default: 0] += record.amount }
    }
  }

  private static func compare(
    _ opening: LedgerOpening, _ model: Model, _ comment: String
  ) throws {
    let sums = Dictionary(
      uniqueKeysWithValues: opening.windows.map { ($0.window.key.name, $0.spend.pico) })
    #expect(sums == model.sums, "\(comment)")
    #expect(opening.keyCount == model.keys.count, "\(comment)")
  }
}
