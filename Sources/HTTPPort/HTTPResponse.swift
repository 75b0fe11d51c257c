/// What a site answers.
public struct HTTPResponse: Sendable {
  /// How it went.
  public var status: HTTPStatus
  /// What the body is.
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
