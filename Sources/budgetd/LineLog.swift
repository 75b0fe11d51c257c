import BudgetModel
import BudgetServer
import Foundation
import JSONWriting
import Logging
import Synchronization

/// How events are written.
enum LogFormat: String, CaseIterable {
  /// For people.
  case text
  /// An object a line, for programs.
  case json
}

/// One line an event on standard error: `2026-01-15T00:00:00.000Z info  loaded config.yaml: ...`.
///
/// Characters that steer terminals or begin lines are escaped, so that no name can forge a line.
struct LineLog: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level

  private let format: LogFormat

  init(level: Logger.Level, format: LogFormat = .text) {
    logLevel = level
    self.format = format
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let time = SystemTimeSource.wallClock().iso8601
    switch format {
    case .text:
      Self.write("\(time) " + Self.text(event.level, "\(event.message)", event.metadata ?? [:]))
    case .json:
      Self.write(Self.json(time, event.level, "\(event.message)", event.metadata ?? [:]))
    }
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

  /// The same as an object: `time`, `level`, `message`, and fields by their names.
  static func json(
    _ time: String, _ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata
  ) -> String {
    let fields = metadata.sorted { $0.key < $1.key }.map {
      ($0.key, JSONValue.string("\($0.value)"))
    }
    let known: [(String, JSONValue)] = [
      ("time", .string(time)), ("level", .string(level.rawValue)), ("message", .string(message)),
    ]
    return JSONValue.object(known + fields).text(.commandLine)
  }

  /// Whether the last words of a process that does not serve are objects too.
  static let complaintsAreJSON = Atomic<Bool>(false)

  /// Says why the process ends, on a line of its own.
  static func complain(_ text: String) {
    guard complaintsAreJSON.load(ordering: .relaxed) else {
      write("budgetd: \(text)")
      return
    }
    write(json(SystemTimeSource.wallClock().iso8601, .critical, text, [:]))
  }

  /// Writes one line to standard error as a whole.
  static func write(_ line: String) {
    // A log that nobody reads, or a full disk under it, must not end the service: the line is lost.
    try? FileHandle.standardError.write(contentsOf: Data((line.printable + "\n").utf8))
  }
}
