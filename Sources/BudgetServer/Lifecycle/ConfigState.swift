import BudgetModel
import Locks

/// How the last reading of the configuration went.
final class ConfigState: Sendable {
  struct Reading {
    let path: String
    /// When a configuration was last accepted.
    var acceptedAt: Timestamp
    /// The fault of the last one; nil: it was accepted.
    var refusal: String?
  }

  private let reading: Locked<Reading>

  init(path: String, acceptedAt now: Timestamp) {
    reading = Locked(Reading(path: path, acceptedAt: now))
  }

  func accept(at now: Timestamp) {
    reading.withLock {
      $0.acceptedAt = now
      $0.refusal = nil
    }
  }

  func refuse(_ reason: String) { reading.withLock { $0.refusal = reason } }

  var last: Reading { reading.withLock { $0 } }
}
