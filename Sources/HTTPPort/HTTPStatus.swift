/// The statuses that are answered.
public enum HTTPStatus: Int, CaseIterable, Sendable {
  /// Here it is.
  case ok = 200
  /// No request as HTTP has them.
  case badRequest = 400
  /// No such path.
  case notFound = 404
  /// Only GET and HEAD.
  case methodNotAllowed = 405
  /// The request took too long to come.
  case requestTimeout = 408
  /// Bodies are not read.
  case contentTooLarge = 413
  /// The request's line is too long.
  case targetTooLong = 414
  /// The headers are too long.
  case headersTooLarge = 431
  /// The page failed.
  case internalServerError = 500
  /// Not now.
  case serviceUnavailable = 503
  /// Only HTTP/1.0 and 1.1.
  case versionNotSupported = 505

  /// The words behind the number.
  public var reason: String {
    switch self {
    case .ok: "OK"
    case .badRequest: "Bad Request"
    case .notFound: "Not Found"
    case .methodNotAllowed: "Method Not Allowed"
    case .requestTimeout: "Request Timeout"
    case .contentTooLarge: "Content Too Large"
    case .targetTooLong: "URI Too Long"
    case .headersTooLarge: "Request Header Fields Too Large"
    case .internalServerError: "Internal Server Error"
    case .serviceUnavailable: "Service Unavailable"
    case .versionNotSupported: "HTTP Version Not Supported"
    }
  }
}
