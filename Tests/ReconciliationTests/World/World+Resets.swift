import BudgetModel
import RedisStore

@testable import Reconciliation

/// The order in which spend was committed, and resets were made and heard of.
struct ResetWatch {
  private var clock = 0
  private(set) var committed: [Int: Int] = [:]
  /// By budget: the start of the window that the last reset began.
  private(set) var made: [Int: Timestamp] = [:]
  /// By budget and node: when the node had heard of that one, and which requests it had recorded in
  /// windows that began before.
  private(set) var heard: [Int: [Int: (at: Int, before: Set<Int>)]] = [:]

  mutating func noteCommit(of key: Int) {
    clock += 1
    if committed[key] == nil { committed[key] = clock }
  }

  /// The node has heard of a reset; `before`: its requests in windows that are over by that.
  mutating func noteReset(
    _ budget: Int, from start: Timestamp, on node: Int, before: Set<Int>
  ) {
    clock += 1
    if made[budget].map({ $0 < start }) ?? true {
      made[budget] = start
      heard[budget] = [:]
    }
    if made[budget] == start { heard[budget]?[node] = (clock, before) }
  }
}

extension World {
  private static let policy = Array("budgetd:policy".utf8)

  /// Somebody resets a budget on a node: its ledger does it at once.
  func operatorResets(_ budget: Int, on node: SimulatedNode) {
    guard node.isUp else { return }
    let now = time(of: node)
    let began = node.open[budget].map { $0.start.unixMilliseconds + 1 } ?? .min
    let start = Timestamp(unixMilliseconds: max(now.unixMilliseconds, began))
    note("node \(node.place) resets budget \(budget) from \(start.unixMilliseconds % 100_000_000)")
    take(start, budget, node)
  }

  private func take(_ start: Timestamp, _ budget: Int, _ node: SimulatedNode) {
    guard node.reset(budget, from: start, at: time(of: node)) else { return }
    let before = node.ledger.entries.filter { $0.value.budget == budget && $0.value.start < start }
    resets.noteReset(budget, from: start, on: node.place, before: Set(before.keys))
    watch.noteTotals(of: node, self)
  }

  /// The part of the exchange of changes that is about resets: before each pass.
  func exchangeResets(
    of node: SimulatedNode, _ store: inout SimulatedStore
  ) throws(PassFailure) {
    guard scenario.nodeReset > 0 else { return }
    let life = node.life
    do throws(RedisError) {
      let found = try store.perform([[Array("HGETALL".utf8), Self.policy]])
      let words = (found[0].array ?? []).compactMap(\.bytes).map {
        String(decoding: $0, as: UTF8.self)
      }
      var stored: [Int: Timestamp] = [:]
      for place in stride(from: 0, to: words.count - 1, by: 2) {
        guard let budget = Int(words[place]), let time = Int64(words[place + 1]) else { continue }
        stored[budget] = Timestamp(unixMilliseconds: time)
        take(Timestamp(unixMilliseconds: time), budget, node)
      }
      let missing = node.ledger.resets.filter {
        stored[$0.key].map { [own = $0.value] in $0 < own } ?? true
      }
      guard !missing.isEmpty else { return }
      let pairs = missing.sorted { $0.key < $1.key }.flatMap {
        [Array("\($0.key)".utf8), Array("\($0.value.unixMilliseconds)".utf8)]
      }
      _ = try store.perform([[Array("HSET".utf8), Self.policy] + pairs])
    } catch {
      throw .store(error)
    }
    guard node.life == life else { throw .store(.closed) }
  }

  /// The store has begun a window: what it held before is nobody's any more.
  func noteReset(ofMarker mark: String, before: [String: String]?) {
    guard let budget = marks.firstIndex(of: mark) else { return }
    let start = (before?["w"]).flatMap { Int64($0) }.map { Timestamp(unixMilliseconds: $0) }
    let end = (redis.hash(mark)?["fin"]).flatMap { Int64($0) } ?? 0
    watch.noteReset(budget, from: start, to: Timestamp(unixMilliseconds: end))
  }

  /// I13: spend that a node had before it heard of a reset never shows in the window after it, and what
  /// it records from then on never shows in the one before.
  func checkResets() {
    for (budget, start) in resets.made {
      for node in nodes {
        guard let heard = resets.heard[budget]?[node.place], node.ledger.resets[budget] == start
        else {
          fail("node \(node.place) has not heard of the last reset of budget \(budget)")
          continue
        }
        for (key, entry) in node.ledger.entries where entry.budget == budget {
          if heard.before.contains(key), entry.start >= start {
            fail("I13: request \(key), of before the reset of budget \(budget), is after it")
          }
          if let at = resets.committed[key], at > heard.at, entry.start < start {
            fail("I13: request \(key), of after the reset of budget \(budget), is before it")
          }
        }
      }
    }
  }
}
