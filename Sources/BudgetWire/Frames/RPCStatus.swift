/// How a call ended, and a sentence for people.
public struct RPCStatus: Hashable, Sendable {
  /// How the call ended.
  public var code: StatusCode
  /// One sentence. `ResponseWriter` cuts it at `WireBounds.maximumStatusMessageBytes`.
  public var message: String

  /// A status with its sentence.
  public init(_ code: StatusCode, _ message: String = "") {
    self.code = code
    self.message = message
  }
}
