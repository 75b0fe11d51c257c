/// The files that connections are encrypted with, as options name them.
public struct SecurityOptions: Hashable, Sendable {
  /// The path of the server's certificate and those that lead to its root, in PEM.
  public var certificate: String
  /// The path of its key, in PEM.
  public var key: String
  /// The path of the roots of clients' certificates, in PEM; nil: clients are not asked for one.
  public var clientCA: String?
  /// Whether a client of the RPC port and of the pages has to show a certificate, where there is a
  /// `clientCA`.
  public var requiresClientCertificate = true
  /// Whether pages and metrics are encrypted too.
  public var coversPages = true

  /// Makes the options of a server that asks clients for no certificate.
  public init(certificate: String, key: String) {
    self.certificate = certificate
    self.key = key
  }
}
