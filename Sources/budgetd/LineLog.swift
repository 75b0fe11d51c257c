import BudgetModel
import BudgetServer
import Foundation
import Logging

/// One line an event on standard error: `2026-01-15T00:00:00.000Z info  loaded config.yaml: ...`.
///
/// Control characters are escaped, so that no name can forge a line.
struct LineLog: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level

  init(level: Logger.Level) { logLevel = level }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let level = event.level.rawValue
    let padded = level + String(repeating: " ", count: max(0, 7 - level.count))
    var fields = ""
    for (key, value) in (event.metadata ?? [:]).sorted(by: { $0.key < $1.key }) {
      fields += " \(key)=\(value)"
    }
    Self.write("\(SystemTimeSource.wallClock().iso8601) \(padded) \(event.message)\(fields)")
  }

  /// Writes one line to standard error as a whole.
  static func write(_ line: String) {
    var text = ""
    for scalar in line.unicodeScalars {
      let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
      let turnsText =
        (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
      if isControl || turnsText {
        text += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    FileHandle.standardError.write(Data((text + "\n").utf8))
  }
}
