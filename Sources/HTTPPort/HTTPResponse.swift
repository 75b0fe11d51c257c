/// A site's answer.
public struct HTTPResponse: Sendable {
  /// How it went.
  public var status: HTTPStatus
  /// The body's type.
  public var contentType: String
  /// Further headers. Content-Length, Connection, Date, Cache-Control and X-Content-Type-Options
  /// are written anyway.
  public var headers: [(name: String, value: String)]
  /// The body; not sent to HEAD.
  public var body: HTTPBody

  /// Makes a response.
  public init(
    status: HTTPStatus = .ok, contentType: String, headers: [(name: String, value: String)] = [],
    body: HTTPBody
  ) {
    self.status = status
    self.contentType = contentType
    self.headers = headers
    self.body = body
  }

  /// A response of plain text; a line feed is added.
  public static func text(
    _ text: String, status: HTTPStatus = .ok, headers: [(name: String, value: String)] = []
  ) -> HTTPResponse {
    HTTPResponse(
      status: status, contentType: "text/plain; charset=utf-8", headers: headers,
      body: HTTPBody(Array("\(text)\n".utf8)))
  }
}

/// A response's bytes. An object, so that connections that get the same page share them.
public final class HTTPBody: Sendable {
  /// The bytes.
  public let bytes: [UInt8]

  /// Wraps bytes.
  public init(_ bytes: [UInt8]) { self.bytes = bytes }
}

/// The statuses that are answered.
public enum HTTPStatus: Int, CaseIterable, Sendable {
  /// Here it is.
  case ok = 200
  /// It is elsewhere: the header Location says where.
  case seeOther = 303
  /// No request as HTTP has them.
  case badRequest = 400
  /// Who asks has not said who they are.
  case unauthorized = 401
  /// Who asks may not.
  case forbidden = 403
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
    case .seeOther: "See Other"
    case .badRequest: "Bad Request"
    case .unauthorized: "Unauthorized"
    case .forbidden: "Forbidden"
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
