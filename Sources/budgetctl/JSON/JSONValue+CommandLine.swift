import BudgetModel
import JSONWriting

extension Timestamp {
  /// The instant, unless it lies outside the years 0 to 9999, where no instant of this service does.
  init?(showable unixMilliseconds: Int64) {
    let instant = Timestamp(unixMilliseconds: unixMilliseconds)
    guard unixMilliseconds >= Self.earliestShown, instant <= .latest else { return nil }
    self = instant
  }

  /// 0000-01-01T00:00:00Z.
  private static let earliestShown: Int64 = -62_167_219_200_000
}

extension JSONValue {
  /// The amount, or null where there is none.
  static func optional(_ number: Double?) -> JSONValue { number.map(JSONValue.number) ?? .null }

  /// The instant in ISO 8601, UTC, or null where there is none.
  static func instant(_ unixMilliseconds: Int64?) -> JSONValue {
    // Whatever a server says: outside the years that have four digits there is no such text.
    unixMilliseconds.flatMap { Timestamp(showable: $0) }.map { .string($0.iso8601) } ?? .null
  }

  /// The value in one line.
  var text: String { text(.commandLine) }

  /// The array with a line per element, for people who look at it after all.
  static func lines(_ values: [JSONValue]) -> [String] {
    guard !values.isEmpty else { return ["[]"] }
    let last = values.count - 1
    return ["["] + values.enumerated().map { "  \($1.text)\($0 == last ? "" : ",")" } + ["]"]
  }
}
