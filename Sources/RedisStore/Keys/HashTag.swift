/// Which part of a key chooses its slot in a Redis cluster.
enum HashTag {
  /// All of it: there is no brace.
  case none
  /// What stands between the first `{` and the next `}`.
  case present
  /// All of it although there are braces, so that a key around this one has another slot.
  case unclear

  /// Reads a key as Redis does.
  init(_ key: [UInt8]) {
    let open = key.firstIndex(of: UInt8(ascii: "{"))
    guard open != nil || key.contains(UInt8(ascii: "}")) else {
      self = .none
      return
    }
    guard let open, let close = key[open...].firstIndex(of: UInt8(ascii: "}")), close > open + 1
    else {
      self = .unclear
      return
    }
    self = .present
  }
}
