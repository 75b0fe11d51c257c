/// A response's bytes. An object, so that connections that get the same page share them.
public final class HTTPBody: Sendable {
  /// The bytes.
  public let bytes: [UInt8]

  /// Wraps bytes.
  public init(_ bytes: [UInt8]) { self.bytes = bytes }
}
