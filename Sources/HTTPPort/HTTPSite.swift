/// Who answers the requests of a port.
public protocol HTTPSite: Sendable {
  /// Answers `request` by `reply`, at once or later, from any thread. Called on the port's thread:
  /// it must not wait, since no other connection is served meanwhile.
  func answer(_ request: HTTPRequest, _ reply: HTTPReply)

  /// A response begins to go out; `path` is nil where no request could be read. Called on the
  /// port's thread.
  func answered(path: String?, status: HTTPStatus)
}
