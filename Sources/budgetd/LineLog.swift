import BudgetModel
import BudgetServer
import Foundation
import Logging

/// One line an event on standard error: `2026-01-15T00:00:00.000Z info  loaded config.yaml: ...`.
///
/// Characters that steer terminals or begin lines are escaped, so that no name can forge a line.
struct LineLog: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level

  init(level: Logger.Level) { logLevel = level }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    Self.write(
      "\(SystemTimeSource.wallClock().iso8601) "
        + Self.text(event.level, "\(event.message)", event.metadata ?? [:]))
  }

  /// The text behind the time: the level, as wide as all of them, the event, and fields in order.
  static func text(
    _ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata
  ) -> String {
    let level = level.rawValue
    let padded = level + String(repeating: " ", count: max(0, 7 - level.count))
    let fields = metadata.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
    return "\(padded) \(message)\(fields.joined())"
  }

  /// Writes one line to standard error as a whole.
  static func write(_ line: String) {
    // A log that nobody reads, or a full disk under it, must not end the service: the line is lost.
    try? FileHandle.standardError.write(contentsOf: Data((line.printable + "\n").utf8))
  }
}
