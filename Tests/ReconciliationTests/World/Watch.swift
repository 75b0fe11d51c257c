import BudgetModel
import Reconciliation

/// A world as it is seen from outside: invariants are held against it.
struct Watch {
  enum Loss: CaseIterable { case failover, flush, spendKey, mark, startKey }

  /// A balance of a ledger.
  struct Balance: Hashable {
    var budget: Int
    var start: Timestamp
    var origin: String
  }

  /// A marker as it was seen last.
  struct Mark: Equatable {
    var start: Int64
    var end: Int64
    var sum: PicoUSD
  }

  /// The most that a ledger has ever had in a balance.
  var highest: [Balance: PicoUSD] = [:]
  /// The most that a marker has ever had of it.
  var pushed: [Balance: PicoUSD] = [:]
  /// Balances that have been moved to another window: a message about them that arrives later can
  /// still put them into a marker of their old window, and bring that window back.
  var moved: Set<Balance> = []
  var foreign: [PicoUSD]
  /// The amounts in a marker when its node moved it to another window: if the store goes back to a
  /// moment between, or hears of it late, its spend key has them under both.
  var relabelled: [PicoUSD]
  var losses: Set<Loss> = []
  var marks: [Mark?]
  /// Windows that operators have ended, and that the store has not forgotten since; with the end of
  /// the window that each reset began.
  var resets: [[Timestamp: Timestamp]]
  private var resetsAtSnapshot: [[Timestamp: Timestamp]]
  /// Others' spend from before a reset is back in the key where the store goes back to before it.
  private var foreignAtSnapshot: [PicoUSD]
  /// How often spend keys were changed.
  var adds = 0
  /// How often the script answered what.
  var outcomes: [String: Int] = [:]

  init(budgets: Int) {
    foreign = Array(repeating: .zero, count: budgets)
    relabelled = foreign
    marks = Array(repeating: nil, count: budgets)
    resets = Array(repeating: [:], count: budgets)
    resetsAtSnapshot = resets
    foreignAtSnapshot = foreign
  }

  mutating func noteTotals(of node: SimulatedNode, _ world: World) {
    for (budget, windows) in node.ledger.windows.enumerated() {
      for (start, window) in windows {
        for (origin, amount) in window.amounts {
          let balance = Balance(budget: budget, start: start, origin: origin)
          highest[balance] = max(highest[balance] ?? .zero, amount)
        }
      }
    }
    if !node.ledger.isConsistent { world.fail("a balance is not the sum of its entries") }
  }

  mutating func noteLoss(_ loss: Loss) {
    losses.insert(loss)
    switch loss {
    case .failover:
      resets = resetsAtSnapshot
      foreign = zip(foreign, foreignAtSnapshot).map { max($0, $1) }
    case .flush, .mark:
      resets = resets.map { _ in [:] }
      resetsAtSnapshot = resets
    case .spendKey, .startKey: break
    }
    for index in marks.indices { marks[index] = nil }
  }

  mutating func noteSnapshot() { (resetsAtSnapshot, foreignAtSnapshot) = (resets, foreign) }

  mutating func noteReset(_ budget: Int, from old: Timestamp?, to end: Timestamp) {
    if let old { resets[budget][old] = end }
    marks[budget] = nil
    foreign[budget] = .zero
  }

  /// A window that an operator has ended takes its spend along nowhere.
  mutating func noteAdoption(_ adoption: WindowAdoption, _ world: World) {
    guard let budget = world.budgets.firstIndex(where: { $0.key == adoption.key }) else { return }
    for balance in highest.keys
    where balance.budget == budget && balance.start != adoption.record.start
      && adoption.moving.contains(balance.start)
    { moved.insert(balance) }
    for (balance, amount) in pushed
    where balance.budget == budget
      && balance.start != adoption.record.start && adoption.moving.contains(balance.start)
    {
      relabelled[budget] += amount
    }
    for start in adoption.moving
    where resets[budget][start].map({ adoption.record.end >= $0 }) ?? false {
      world.fail(
        "I13: spend of window \(start.unixMilliseconds), ended by a reset, moves to "
          + "\(adoption.record.start.unixMilliseconds)")
    }
  }
}
