import BudgetAlerts
import BudgetEngine
import BudgetFleet
import BudgetModel
import BudgetPages
import Dispatch
import Locks
import Logging
import SpendLedger
import Webhooks

/// Tells operators of budgets: looks at them each second, has the fleet agree on who sends, sends, and
/// keeps what was sent.
///
/// Nothing waits for it: it looks on a queue of its own, and a thread of its own waits for the receiver.
final class AlertDesk: SharedAlerts {
  /// The settings in force, and their receiver.
  private struct Orders {
    let settings: AlertSettings
    let target: WebhookTarget
  }

  private struct State {
    var orders: Orders?
    /// It waits for receivers; nil: nothing was ever in force.
    var thread: WebhookThread?
    /// Nil: nothing is in force.
    var watch: AlertWatch?
    var book: AlertBook
    var isFailing = false
    /// Rows that the ledger could not take yet.
    var rows: (kept: [AlertBook.Kept], over: [String]) = ([], [])
  }

  private let surroundings: Surroundings
  private let state: Locked<State>
  private let look: Locked<AlertLook>
  private let waker = Hook<Void>()
  private let queue = DispatchQueue(label: "budgetd.alerts", qos: .utility)
  /// The disk may take its time.
  private let rows = DispatchQueue(label: "budgetd.alerts.rows", qos: .utility)

  /// The parts of the process that it needs.
  struct Surroundings: Sendable {
    let engine: BudgetEngine
    let ledger: SpendLedger
    let time: any TimeSource
    let pace: SpendSampling
    /// This node's name in messages.
    let node: String
    /// Whether there is a Redis through which nodes agree.
    let isShared: Bool
    let log: Logger
    /// The time that has passed since some instant, asleep or awake.
    var uptime: @Sendable () -> Duration = AlertDesk.machineUptime()
  }

  private static func machineUptime() -> @Sendable () -> Duration {
    let start = ContinuousClock.now
    return { ContinuousClock.now - start }
  }

  private static let interval = 1.0
  /// A message under way at the end of the process has so long.
  private static let lastMessage = Duration.seconds(1)

  /// Tells nothing before it has orders.
  init(_ surroundings: Surroundings, restoring rows: [KeptAlert]) {
    self.surroundings = surroundings
    let kept = rows.map { AlertBook.Kept(id: $0.id, family: $0.family, until: $0.until) }
    let times = AlertTimes(timeout: .seconds(10))
    state = Locked(
      State(book: AlertBook(times, isShared: surroundings.isShared, restoring: kept)))
    look = Locked(AlertLook(surroundings.engine, surroundings.pace))
  }

  /// Other orders are in force: those of a configuration that was accepted. Nil: nothing is told.
  func enforce(_ settings: AlertSettings?, _ target: WebhookTarget?) {
    state.withLock { state in
      guard let settings, let target else {
        (state.orders, state.watch) = (nil, nil)
        state.book.giveUp()
        return
      }
      state.orders = Orders(settings: settings, target: target)
      if state.thread == nil { state.thread = WebhookThread() }
      state.book.times = AlertTimes(timeout: target.timeout)
      if state.watch == nil {
        state.watch = AlertWatch(settings, told: state.book.families)
      } else {
        state.watch?.change(to: settings)
      }
    }
  }

  /// Calls `told` whenever the fleet's store is to hear of something at once.
  func whenTold(_ told: @escaping @Sendable () -> Void) { waker.set(told) }

  /// Begins to look, and goes on for as long as this object lives.
  func start() {
    queue.asyncAfter(deadline: .now() + Self.interval) { [weak self] in
      guard let self else { return }
      turn()
      start()
    }
  }

  /// Begins nothing more, and gives a message under way a moment.
  func finish() {
    let thread = state.withLock { state in
      state.book.isClosing = true
      state.watch = nil
      return state.thread
    }
    thread?.end(within: Self.lastMessage)
    rows.sync { write() }
  }

  /// Counts so far, for pages.
  var reading: AlertCounts {
    let (counts, waiting) = state.withLock { ($0.book.counts, $0.book.waiting) }
    var reading = AlertCounts()
    (reading.sent, reading.failed, reading.waiting) = (counts.sent, counts.failed, waiting)
    reading.droppedForTime = counts.droppedForTime
    reading.droppedForAttempts = counts.droppedForAttempts
    return reading
  }

  // MARK: - Looking

  /// One look, and what follows from it.
  func turn() {
    let now = surroundings.time.now()
    let asked = state.withLock { state -> AlertRules? in
      state.book.expire(at: now)
      return state.watch?.rules
    }
    if let asked {
      let found = look.withLock {
        $0.nextSlice(
          reached: asked.thresholds.first, forecasts: asked.runsOutInMilliseconds != nil, at: now)
      }
      let dynamic = dynamic(asked, at: now)
      state.withLock { state in
        // Taken out meanwhile, so that nothing is copied.
        guard var watch = state.watch.take() else { return }
        watch.look(at: found.readings + dynamic, now: now) { state.book.take($0) }
        if found.endsRound { watch.endRound(at: now, hadForecasts: found.hasForecasts) }
        state.watch = watch
      }
    }
    if !surroundings.isShared { beginAlone() }
    writeSoon()
  }

  private func dynamic(_ rules: AlertRules, at now: Timestamp) -> [AlertReading] {
    guard let percent = rules.thresholds.first else { return [] }
    let known = state.withLock { state -> Int? in
      guard state.watch?.hasAllowance(at: now) ?? false else { return nil }
      return state.watch?.count
    }
    guard let known else { return [] }
    return look.withLock { $0.dynamic(reached: percent, besides: known, at: now) }
  }

  /// Without a fleet nobody else is asked.
  private func beginAlone() {
    let now = uptime
    let attempt = state.withLock { state in
      state.book.claimable(at: now).flatMap {
        state.book.begin($0.id, generation: $0.generation, asked: now)
      }
    }
    if let attempt { send(attempt) }
  }

  // MARK: - The fleet

  var uptime: Duration { surroundings.uptime() }

  func withBook<Result: Sendable>(_ body: (inout AlertBook) -> Result) -> Result {
    state.withLock { body(&$0.book) }
  }

  func exchanged(won attempt: AlertBook.Attempt?) {
    if let attempt { send(attempt) }
    writeSoon()
  }

  // MARK: - Sending

  private func send(_ attempt: AlertBook.Attempt) {
    let thread = state.withLock { $0.orders == nil ? nil : $0.thread }
    let isTaken = thread?.take { [self] in attend(to: attempt) } ?? false
    if !isTaken { end(attempt, .notBegun) }
  }

  /// On the thread that waits for receivers.
  private func attend(to attempt: AlertBook.Attempt) {
    guard let orders = state.withLock({ $0.orders }), attempt.mayBegin(at: uptime) else {
      return end(attempt, .notBegun)
    }
    let message = AlertMessage(
      attempt.alert, by: surroundings.node, as: orders.settings.webhook.form)
    let answer = orders.target.send(WebhookRequest(id: message.id, body: message.body))
    tell(attempt, answer)
    end(attempt, answer.isTaken ? .delivered : .failed)
  }

  private func end(_ attempt: AlertBook.Attempt, _ outcome: AlertBook.Outcome) {
    let now = uptime
    state.withLock { state in
      state.book.ended(attempt, outcome, at: now)
      // Nothing is told since it was begun.
      if state.orders == nil { state.book.giveUp() }
    }
    if surroundings.isShared {
      waker()
    } else {
      queue.async { [self] in beginAlone() }
    }
    writeSoon()
  }

  /// In the log: each alert once it is delivered, and where that begins and ends to fail.
  private func tell(_ attempt: AlertBook.Attempt, _ answer: WebhookAnswer) {
    let wasFailing = state.withLock { state in
      defer { state.isFailing = !answer.isTaken }
      return state.isFailing
    }
    let log = surroundings.log
    if answer.isTaken {
      log.info("alert \(attempt.id) was sent: \(attempt.alert.text)")
      if wasFailing { log.notice("the webhook takes alerts again") }
    } else if !wasFailing {
      log.warning(
        "alert \(attempt.id) could not be sent: \(answer); trying again, at longer and longer intervals"
      )
    }
  }

  // MARK: - Keeping

  private func writeSoon() {
    rows.async { [weak self] in self?.write() }
  }

  /// Writes what was told to the ledger, so that no start tells it again.
  private func write() {
    let (kept, over) = state.withLock { state in
      let new = state.book.takeUnwritten()
      let all = (kept: state.rows.kept + new.kept, over: state.rows.over + new.over)
      state.rows = ([], [])
      return all
    }
    if kept.isEmpty, over.isEmpty { return }
    var notes = ChangeNotes()
    notes.alerts = kept.map { KeptAlert(id: $0.id, family: $0.family, until: $0.until) }
    notes.endedAlerts = over
    do throws(LedgerError) {
      try surroundings.ledger.keep(notes)
    } catch {
      // With the next look again; the ledger says itself what is wrong with it.
      state.withLock { $0.rows = (kept + $0.rows.kept, over + $0.rows.over) }
    }
  }
}
