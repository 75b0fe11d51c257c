import BudgetWire
import Sockets
import Testing

@testable import BudgetClient

/// Three addresses that fail in every way, at random: each record is counted once.
@Suite struct RouterSimulationTests {
  /// SplitMix64.
  private struct Dice: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
      return z ^ z >> 31
    }
  }

  /// A node's memory: the keys that it has counted.
  private struct Node {
    var counted: Set<String> = []
    /// Frames that reached it and were not answered: number and key.
    var unanswered: [(number: UInt64, key: String)] = []
  }

  @Test(arguments: 1...40) func eachRecordIsCountedOnce(seed: Int) {
    var dice = Dice(state: UInt64(seed))
    var driver = RouterDriver(["a", "b", "c"], chance: [1, .max, 99]) {
      $0.longestPause = .milliseconds(200)
    }
    var nodes = [Node(), Node(), Node()]
    var read = [0, 0, 0]
    let records = 30
    var owed = 0

    for round in 0..<600 {
      let isCalm = round > 400
      if owed < records, Bool.random(using: &dice) {
        driver.owe("\(owed)", to: driver.core.preferred)
        owed += 1
      }
      let place = Int.random(in: 0..<3, using: &dice)
      // Batches that a socket was given reach its node, but for one that it refused.
      switch driver.core.links[place].state {
      case .connecting:
        isCalm || Bool.random(using: &dice) ? driver.connect(place) : driver.refuse(place)
      case .open, .introducing:
        let refuses = !isCalm && Int.random(in: 0..<8, using: &dice) == 0
        let batches = driver.batches[place] ?? []
        if read[place] < batches.count {
          if !refuses {
            for frame in batches[read[place]] {
              nodes[place].unanswered.append(
                (frame.number, String(decoding: frame.body, as: UTF8.self)))
            }
          }
          read[place] = batches.count
          if refuses { nodes[place].unanswered = [] }
          driver.sent(place, refuses ? .refused : .taken)
        } else {
          step(place, &driver, &nodes[place], isCalm, &dice)
        }
      case .down: break
      }
      driver.wait(.milliseconds(Int.random(in: 0..<40, using: &dice)))
    }
    #expect(driver.core.endings == owed && owed == records)
    #expect(driver.core.stats.recorded == records)
    let counted = nodes.map(\.counted.count)
    #expect(counted.reduce(0, +) == records, "by node: \(counted)")
    #expect(Set(nodes.flatMap(\.counted)).count == records)
  }

  /// The node answers, refuses, forgets to answer, or the connection ends.
  private func step(
    _ place: Int, _ driver: inout RouterDriver, _ node: inout Node, _ isCalm: Bool,
    _ dice: inout Dice
  ) {
    if !isCalm, Int.random(in: 0..<6, using: &dice) == 0 {
      // Some of those that were sent are counted all the same.
      for one in node.unanswered where Bool.random(using: &dice) { node.counted.insert(one.key) }
      node.unanswered = []
      driver.lose(place)
      return
    }
    guard !node.unanswered.isEmpty else { return }
    let one = node.unanswered.removeFirst()
    switch isCalm ? 0 : Int.random(in: 0..<5, using: &dice) {
    case 1: driver.answer(place, one.number, RPCStatus(.unavailable, "disk full"))
    case 2:
      if Bool.random(using: &dice) { node.counted.insert(one.key) }
      driver.answer(place, one.number, RPCStatus(.unknown, "fsync"))
    default:
      let isNew = node.counted.insert(one.key).inserted
      isNew ? driver.answer(place, one.number) : driver.answerDuplicate(place, one.number)
    }
  }
}
