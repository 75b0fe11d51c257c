/// The line and the headers of a request, as far as they matter here.
struct RequestHead {
  private(set) var request: HTTPRequest
  private var isVersion11 = false
  private var hosts = 0
  private var contentLength: String?
  private var hasAuthorization = false
  private var isForm = false
  /// The bytes of the form behind the head.
  private(set) var formBytes = 0

  /// Reads a whole head, the empty line at its end included. Only `formPath` takes a form.
  init(_ head: ArraySlice<UInt8>, formPath: String? = nil) throws(RequestRefusal) {
    request = HTTPRequest(path: "")
    var lines = head.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 }
    for line in lines where line.contains(where: { $0 == 0 || $0 == UInt8(ascii: "\r") }) {
      throw .malformed("a control character stands in it")
    }
    try readLine(lines.removeFirst())
    for line in lines where !line.isEmpty { try readHeader(line) }
    guard hosts == 1 || !isVersion11 && hosts == 0 else {
      throw .malformed("it has \(hosts) Host headers")
    }
    if let contentLength, contentLength.contains(where: { $0 != "0" }) {
      guard contentLength.allSatisfy({ ("0"..."9").contains($0) }) else {
        throw .malformed("its Content-Length is not a number")
      }
      guard let formPath, request.path == formPath, request.method == "POST", isForm,
        let length = Int(contentLength)
      else { throw .body }
      formBytes = length
    }
  }

  private mutating func readLine(_ line: ArraySlice<UInt8>) throws(RequestRefusal) {
    let parts = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard parts.count == 3, Self.isToken(parts[0]),
      parts[1].allSatisfy({ (0x21...0x7E).contains($0) }), !parts[1].isEmpty
    else { throw .malformed("its first line is not METHOD TARGET VERSION") }
    switch Self.text(parts[2]) {
    case "HTTP/1.1": isVersion11 = true
    case "HTTP/1.0": isVersion11 = false
    case let other where other.hasPrefix("HTTP/"): throw .version
    default: throw .malformed("its first line is not METHOD TARGET VERSION")
    }
    request.method = Self.text(parts[0])
    request.keepsAlive = isVersion11
    var target = Substring(Self.text(parts[1]))
    for scheme in ["http://", "https://"] where target.lowercased().hasPrefix(scheme) {
      // As a proxy asks.
      let rest = target.dropFirst(scheme.count)
      target = rest.firstIndex { $0 == "/" || $0 == "?" }.map { rest[$0...] } ?? "/"
      if target.first == "?" { target = "/" + target }
    }
    let path = target.prefix { $0 != "?" }
    request.path = String(path)
    request.query = String(target.dropFirst(path.count + 1))
  }

  private mutating func readHeader(_ line: ArraySlice<UInt8>) throws(RequestRefusal) {
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")), Self.isToken(line[..<colon]) else {
      throw .malformed("a header is not NAME: VALUE")
    }
    let value = Self.text(line[(colon + 1)...]).trimming { $0 == " " || $0 == "\t" }
    switch Self.text(line[..<colon]).lowercased() {
    case "host":
      hosts += 1
      // Only who posts something is asked where from.
      if request.method == "POST" { request.host = value }
    case "origin": request.origin = value
    case "content-type":
      isForm =
        value.lowercased().prefix { $0 != ";" }.trimming { $0 == " " }
        == "application/x-www-form-urlencoded"
    case "connection":
      for option in value.lowercased().split(separator: ",") {
        switch option.trimming({ $0 == " " || $0 == "\t" }) {
        case "close": request.keepsAlive = false
        case "keep-alive" where !isVersion11: request.keepsAlive = true
        default: break
        }
      }
    case "content-length":
      guard contentLength == nil || contentLength == value, !value.isEmpty else {
        throw .malformed("its Content-Length is given twice, or empty")
      }
      contentLength = value
    case "transfer-encoding": throw .body
    case "authorization":
      guard !hasAuthorization else { throw .malformed("it has two Authorization headers") }
      hasAuthorization = true
      request.credential = HTTPCredential(value)
    default: break
    }
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> String {
    String(decoding: bytes, as: UTF8.self)
  }

  /// A name of RFC 9110's making.
  private static func isToken(_ bytes: ArraySlice<UInt8>) -> Bool {
    !bytes.isEmpty
      && bytes.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
          UInt8(ascii: "A")...UInt8(ascii: "Z"):
          true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
      }
  }
}

extension StringProtocol {
  /// Without what `isBlank` holds for, at both ends.
  fileprivate func trimming(_ isBlank: (Character) -> Bool) -> String {
    let front = drop(while: isBlank)
    let end = front.lastIndex { !isBlank($0) }
    return end.map { String(front[...$0]) } ?? ""
  }
}

/// Why bytes are not a request that is served; the connection ends with the answer.
enum RequestRefusal: Error, Equatable {
  case malformed(String)
  case version
  case headersTooLarge
  case targetTooLong
  case body
  case timedOut

  var status: HTTPStatus {
    switch self {
    case .malformed: .badRequest
    case .version: .versionNotSupported
    case .headersTooLarge: .headersTooLarge
    case .targetTooLong: .targetTooLong
    case .body: .contentTooLarge
    case .timedOut: .requestTimeout
    }
  }

  /// The bound that was met, where it is one.
  var bound: HTTPBound? {
    switch self {
    case .headersTooLarge, .targetTooLong, .body: .requestBytes
    case .timedOut: .requestTime
    case .malformed, .version: nil
    }
  }

  func response(_ bounds: HTTPBounds) -> HTTPResponse {
    let text =
      switch self {
      case .malformed(let what): "no HTTP request: \(what)"
      case .version: "only HTTP/1.0 and HTTP/1.1 are spoken here"
      case .headersTooLarge:
        "the request's line and headers are over \(bounds.requestBytes) bytes"
      case .targetTooLong: "the request's line is over \(bounds.requestBytes) bytes"
      case .body: "requests have no body here, but for a short form where one is posted"
      case .timedOut: "the request was not whole after \(bounds.requestDuration)"
      }
    return .text(text, status: status)
  }
}
