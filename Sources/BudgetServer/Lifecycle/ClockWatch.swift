import BudgetModel
import Dispatch
import Locks
import Logging

/// Looks once a second at how far fleet time is from this host's wall clock, and says it where that
/// is more than a minute.
///
/// Windows go by fleet time, the times in callers' keys by the wall clock: the two apart harm
/// neither, but one of them is wrong.
final class ClockWatch: Sendable {
  private struct State {
    var isApart = false
    var timesApart = 0
    var loggedAt: Timestamp?
    var isStopped = false
  }

  private let time: any TimeSource
  private let isShared: Bool
  private let log: Logger
  private let state = Locked(State())

  /// Further apart is said.
  static let boundMilliseconds: Int64 = 60_000
  /// Clocks that come and go are not logged more often.
  private static let logIntervalMilliseconds: Int64 = 600_000

  /// Before there was a budgetd: no clock that is set says that.
  private static let earliest = Timestamp(unixMilliseconds: 1_577_836_800_000)

  /// Why no node can begin at this time of the wall clock; nil: one can. Windows that open in the past
  /// would be over as soon as the clock is set.
  static func complaint(at wall: Timestamp) -> String? {
    if wall >= earliest { return nil }
    let said = wall.unixMilliseconds < 0 ? "a time before 1970" : wall.iso8601
    return "this host's clock says \(said); \(earliest.iso8601) is long over: set it, as with "
      + "systemd-timesyncd or chrony, and start again"
  }

  /// `isShared`: fleet time is Redis'.
  init(_ time: any TimeSource, isShared: Bool, log: Logger) {
    self.time = time
    self.isShared = isShared
    self.log = log
  }

  /// Fleet time less the wall clock, now.
  var aheadMilliseconds: Int64 { time.now().unixMilliseconds - time.wall().unixMilliseconds }

  /// How often they have come apart since the start.
  var timesApart: Int { state.withLock { $0.timesApart } }

  /// A text about clocks that are apart; nil: they agree.
  var warning: String? {
    let ahead = aheadMilliseconds
    guard ahead.magnitude > UInt64(Self.boundMilliseconds) else { return nil }
    let (seconds, direction) = (ahead.magnitude / 1_000, ahead < 0 ? "behind" : "ahead of")
    let cause =
      isShared
      ? "it is Redis' clock: set the clock of Redis' machine or of this one right"
      : "the wall clock was set since the start, or is behind what the ledger has recorded: windows "
        + "go on by the time that passes, also over restarts of budgetd. A reboot of the machine takes "
        + "a wall clock that is ahead; fleet time never goes back"
    return "fleet time, which windows go by, is \(seconds) s \(direction) this host's wall clock, "
      + "which idempotency keys are judged by; \(cause)"
  }

  /// Looks now, and every second from now on.
  func start() {
    look()
    DispatchQueue.global().asyncAfter(deadline: .now() + 1) { [weak self] in
      guard let self, !state.withLock({ $0.isStopped }) else { return }
      start()
    }
  }

  /// Looks no more.
  func stop() { state.withLock { $0.isStopped = true } }

  /// One look: counts, and logs what has changed.
  func look() {
    let (warning, wall) = (warning, time.wall())
    let (isNews, isToBeLogged) = state.withLock { state in
      let isNews = state.isApart != (warning != nil)
      state.isApart = warning != nil
      guard isNews, warning != nil else { return (isNews, isNews) }
      state.timesApart += 1
      let since = state.loggedAt.map { (wall.unixMilliseconds - $0.unixMilliseconds).magnitude }
      guard since ?? .max >= UInt64(Self.logIntervalMilliseconds) else { return (isNews, false) }
      state.loggedAt = wall
      return (isNews, true)
    }
    guard isNews, isToBeLogged else { return }
    if let warning {
      log.warning("\(warning)")
    } else {
      log.notice("fleet time and this host's wall clock agree again")
    }
  }
}
