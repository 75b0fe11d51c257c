/// Why bytes are no request that is served; the connection ends with the answer.
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
      case .body: "requests have no body here"
      case .timedOut: "the request was not whole after \(bounds.requestDuration)"
      }
    return .text(text, status: status)
  }
}
