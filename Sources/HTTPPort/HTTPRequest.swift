/// A request that was read whole.
public struct HTTPRequest: Equatable, Sendable {
  /// The method, as sent: `GET`.
  public var method: String
  /// The target's path, as sent: `/metrics`.
  public var path: String
  /// The text behind the target's `?`, as sent.
  public var query: String
  /// The fields of a form that was posted, as sent; empty: there is none.
  public var form = ""
  /// The host that was asked, with its port, as sent.
  public var host = ""
  /// The site whose page a browser asks for, `https://host:port`; empty: no browser says so.
  public var origin = ""
  /// The thing that shows who asks; nil: nothing does.
  public var credential: HTTPCredential?
  /// The names of the certificate of who asks, verified; empty: there is none.
  public var certificateNames: [String] = []
  /// The address of who asks, in numbers; empty: it is not known.
  public var peer = ""
  /// Whether the connection may take another request after this one.
  public var keepsAlive: Bool

  /// Makes a request.
  public init(method: String = "GET", path: String, query: String = "", keepsAlive: Bool = true) {
    self.method = method
    self.path = path
    self.query = query
    self.keepsAlive = keepsAlive
  }

  /// The first value of a field of the query, decoded; nil where it is absent or no UTF-8.
  public func value(of field: String) -> String? { Self.value(of: field, in: query) }

  /// The same of a field of the form.
  public func formValue(of field: String) -> String? { Self.value(of: field, in: form) }

  private static func value(of field: String, in pairs: String) -> String? {
    for pair in pairs.utf8.split(separator: UInt8(ascii: "&")) {
      let parts = pair.split(
        separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = parts.first, decoded(name) == field else { continue }
      return parts.count > 1 ? decoded(parts[1]) : ""
    }
    return nil
  }

  private static func decoded(_ bytes: Substring.UTF8View) -> String? {
    var decoded: [UInt8] = []
    var rest = bytes
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "+"): decoded.append(UInt8(ascii: " "))
      case UInt8(ascii: "%"):
        guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit)
        else { return nil }
        decoded.append(high << 4 | low)
      default: decoded.append(byte)
      }
    }
    return String(validating: decoded, as: UTF8.self)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
