import BudgetModel

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
    unixMilliseconds.map { .string(Timestamp(unixMilliseconds: $0).iso8601) } ?? .null
  }

  /// The value in one line.
  var text: String {
    switch self {
    case .null: "null"
    case .bool(let bool): bool ? "true" : "false"
    case .integer(let integer): "\(integer)"
    // JSON has no infinities; none of this service's numbers is one.
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
