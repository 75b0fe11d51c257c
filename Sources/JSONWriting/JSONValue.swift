/// A value of JSON whose keys keep their order.
public indirect enum JSONValue: Sendable {
  /// Nothing.
  case null
  /// A truth.
  case bool(Bool)
  /// A whole number.
  case integer(Int)
  /// A number; null where it is infinite or none.
  case number(Double)
  /// A text.
  case string(String)
  /// Values in order.
  case array([JSONValue])
  /// Values by name, in order.
  case object([(key: String, value: JSONValue)])

  /// The value in one line.
  public func text(_ style: JSONStyle) -> String {
    var text = JSONText(style: style)
    text.element(self)
    return String(decoding: text.bytes, as: UTF8.self)
  }
}
