import Foundation

/// The thing that a request shows of who asks.
public enum HTTPCredential: Equatable, Sendable {
  /// `Authorization: Bearer TOKEN`.
  case bearer(token: String)
  /// `Authorization: Basic ...`: a name, and a password that belongs to it.
  case basic(name: String, password: String)
  /// Something else, which nobody is known by.
  case unknown

  /// Reads a header's value.
  init(_ value: String) {
    let parts = value.split(separator: " ", maxSplits: 1)
    let rest = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
    switch parts.first?.lowercased() {
    case "bearer" where !rest.isEmpty: self = .bearer(token: rest)
    case "basic":
      guard let bytes = Data(base64Encoded: rest),
        let text = String(validating: bytes, as: UTF8.self),
        let colon = text.utf8.firstIndex(of: UInt8(ascii: ":"))
      else {
        self = .unknown
        return
      }
      self = .basic(
        name: String(text[..<colon]), password: String(text[text.utf8.index(after: colon)...]))
    default: self = .unknown
    }
  }
}
