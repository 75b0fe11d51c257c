public import TLS

/// How a client encrypts.
public struct ClientSecurity: Sendable {
  /// Roots, certificates, rules.
  public var context: TLSContext
  /// The name or address that the server's certificate has to be for; nil: the host connected to.
  public var serverName: String?

  /// Makes the security of a client.
  public init(_ context: TLSContext, serverName: String? = nil) {
    self.context = context
    self.serverName = serverName
  }
}
