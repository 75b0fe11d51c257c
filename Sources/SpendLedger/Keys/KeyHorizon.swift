import BudgetModel

/// Which UUIDv7 keys may be new, and which may have been forgotten.
struct KeyHorizon: Sendable {
  /// How long keys are remembered, in milliseconds.
  let retention: Int64
  /// Commits up to this time have been forgotten early.
  var forgottenThrough = Timestamp(unixMilliseconds: .min)
  /// By how much fleet time has jumped ahead lately: keys from before seem so much older than they
  /// are.
  var jumped: Int64 = 0

  /// How far a caller's clock may be ahead.
  static let skewMilliseconds: Int64 = 5 * 60 * 1_000

  init(retention: Int64) { self.retention = retention }

  /// Keys made before this instant may have been forgotten.
  ///
  /// A key from a clock that is ahead is committed before the time it bears, so the horizon lies
  /// later than what was forgotten: by five minutes, but never so late that a key made now were
  /// refused because the bound of keys is reached within minutes.
  func horizon(at now: Timestamp) -> Timestamp {
    let kept = now.unixMilliseconds - retention
    let (early, isFar) = forgottenThrough.unixMilliseconds.addingReportingOverflow(jumped)
    let forgotten = max(kept, min(isFar ? .max : early, now.unixMilliseconds))
    let span = now.unixMilliseconds - forgotten
    return Timestamp(unixMilliseconds: forgotten + min(Self.skewMilliseconds, span / 4))
  }

  /// Whether the key is from so far ahead that its time says nothing: it is taken as a key without
  /// one.
  func isAhead(keyMadeAt: Int64, at now: Timestamp) -> Bool {
    keyMadeAt > now.unixMilliseconds + Self.skewMilliseconds
  }

  /// The refusal of a key that is not known, for its time; nil: it may be new.
  func refusal(keyMadeAt: Int64, at now: Timestamp) -> LedgerOutcome? {
    guard keyMadeAt != QueuedRecord.noTime else { return nil }
    let horizon = horizon(at: now)
    return keyMadeAt < horizon.unixMilliseconds ? .tooOld(horizon: horizon) : nil
  }
}
