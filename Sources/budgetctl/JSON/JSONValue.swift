import BudgetModel

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

/// A value of JSON whose keys keep their order.
indirect enum JSONValue: Equatable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([(key: String, value: JSONValue)])

  static func == (left: JSONValue, right: JSONValue) -> Bool { left.text == right.text }

  /// The amount, or null where there is none.
  static func optional(_ number: Double?) -> JSONValue { number.map(JSONValue.number) ?? .null }

  /// The instant in ISO 8601, UTC, or null where there is none.
  static func instant(_ unixMilliseconds: Int64?) -> JSONValue {
    // Whatever a server says: outside the years that have four digits there is no such text.
    unixMilliseconds.flatMap { Timestamp(showable: $0) }.map { .string($0.iso8601) } ?? .null
  }

  /// The value in one line.
  var text: String {
    switch self {
    case .null: "null"
    case .bool(let bool): bool ? "true" : "false"
    case .integer(let integer): "\(integer)"
    // JSON has no infinities and no NaN; no honest server sends one.
    case .number(let number): number.isFinite ? Self.digits(number) : "null"
    case .string(let text): Self.quoted(text)
    case .array(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
    case .object(let members):
      "{" + members.map { Self.quoted($0.key) + ":" + $0.value.text }.joined(separator: ",") + "}"
    }
  }

  /// The array with a line per element, for people who look at it after all.
  static func lines(_ values: [JSONValue]) -> [String] {
    guard !values.isEmpty else { return ["[]"] }
    let last = values.count - 1
    return ["["] + values.enumerated().map { "  \($1.text)\($0 == last ? "" : ",")" } + ["]"]
  }

  private static func digits(_ number: Double) -> String {
    let text = number.description
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      default:
        if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) {
          let digits = String(scalar.value, radix: 16)
          quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        } else {
          quoted.unicodeScalars.append(scalar)
        }
      }
    }
    return quoted + "\""
  }
}
