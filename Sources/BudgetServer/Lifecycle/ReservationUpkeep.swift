import BudgetEngine
import BudgetModel
import Dispatch
import Locks
import SpendLedger

/// Ends reservations whose time is over, and has the ledger write down what is kept back: slices on a
/// timer of its own.
final class ReservationUpkeep: Sendable {
  private struct State {
    /// How many looks ago something was kept back.
    var quietLooks = 0
    /// Which look is the next one: an earlier one that comes late does nothing.
    var turn = 0
    var isOver = false
    /// Looks since costs were written down.
    var looks = 0
  }

  private weak let engine: BudgetEngine?
  private weak let ledger: SpendLedger?
  private let time: any TimeSource
  private let state = Locked(State())

  /// So many are ended, or written down, under the same locks.
  private static let slice = 256
  /// With a tick of the wheels it keeps the promise that a hold ends at most 128 ms late.
  private static let pause = 0.04
  /// Once nothing has been kept back for so many looks, it looks less often, until a reservation is
  /// made.
  private static let quietLooks = 1_500
  private static let quietPause = 1.0
  /// Costs are written down after so many looks: five seconds, while something is open.
  private static let looksAtCosts = 125

  init(_ engine: BudgetEngine, _ ledger: SpendLedger, _ time: any TimeSource) {
    self.engine = engine
    self.ledger = ledger
    self.time = time
  }

  /// Begins, and goes on for as long as the engine lives, until `finish`.
  func start() {
    engine?.whenReservationsBegin { [weak self] in self?.wake() }
    goOn()
  }

  private func goOn() {
    let (turn, isQuiet) = state.withLock { state in
      state.turn += 1
      return (state.turn, state.quietLooks >= Self.quietLooks)
    }
    let pause = isQuiet ? Self.quietPause : Self.pause
    DispatchQueue.global(qos: .userInitiated).asyncAfter(deadline: .now() + pause) { [self] in
      let isDue = state.withLock { $0.turn == turn && !$0.isOver }
      guard isDue, let engine else { return }
      look(engine, at: time.now())
      goOn()
    }
  }

  /// A reservation was made: its sums are to be written down soon.
  private func wake() {
    let wasQuiet = state.withLock { state in
      defer { state.quietLooks = 0 }
      return state.quietLooks >= Self.quietLooks
    }
    if wasQuiet { goOn() }
  }

  /// One look.
  func look(_ engine: BudgetEngine, at now: Timestamp) {
    let isQuiet = !engine.hasHolds
    state.withLock { $0.quietLooks = isQuiet ? min($0.quietLooks + 1, Self.quietLooks) : 0 }
    while engine.expireReservations(atMost: Self.slice, at: now) == Self.slice {}
    note(engine)
    let isDue = state.withLock { state in
      state.looks = (state.looks + 1) % Self.looksAtCosts
      return state.looks == 0
    }
    if isDue { noteCosts(engine) }
  }

  private func note(_ engine: BudgetEngine) {
    guard let ledger else { return }
    while true {
      let changed = engine.takeChangedHolds(atMost: Self.slice)
      if !changed.isEmpty { ledger.note(changed) }
      if changed.count < Self.slice { return }
    }
  }

  /// All that is kept back is with the ledger, and nothing more comes. Called once no request can.
  func finish() {
    state.withLock { $0.isOver = true }
    guard let engine else { return }
    note(engine)
    noteCosts(engine)
  }

  private func noteCosts(_ engine: BudgetEngine) {
    let learned = engine.estimates.takeChanged(atMost: Self.costsAtOnce)
    if !learned.isEmpty { ledger?.note(learned) }
  }

  private static let costsAtOnce = 5_000
}

extension ServerOptions {
  /// How reservations are made on the node of that name.
  func reservations(node: String) -> ReservationSettings {
    var settings = ReservationSettings()
    settings.node = node
    settings.openBound = maximumOpenReservations
    settings.defaultEstimate = defaultEstimate
    settings.notesHolds = true
    return settings
  }
}
