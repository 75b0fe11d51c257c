import TLS

/// How a client's connections are encrypted: TLS 1.3. Files are read when the client is made.
public struct BudgetClientSecurity: Hashable, Sendable {
  /// The path of the roots that the server's certificate has to lead to, in PEM; nil: the system's.
  public var ca: String?
  /// The name or address that the server's certificate has to be for; nil: the host of the server.
  public var serverName: String?
  /// The path of the client's own certificate, in PEM; nil: it shows none.
  public var certificate: String?
  /// The path of the key of `certificate`, in PEM.
  public var key: String?

  /// Makes the security of a client that trusts the system's roots and shows no certificate.
  public init() {}

  func context() throws(BudgetClientError) -> TLSContext {
    guard serverName != "" else {
      throw .notApplied(
        .unusableSecurity(
          "the server's name is empty: give the name in its certificate, or none for its host"))
    }
    guard (certificate == nil) == (key == nil) else {
      throw .notApplied(.unusableSecurity("a certificate and its key go together"))
    }
    var settings = TLSContext.Client()
    settings.ca = ca
    settings.certificate = certificate
    settings.key = key
    do throws(TLSFailure) {
      return try TLSContext(settings)
    } catch {
      let files = [ca, certificate, key].compactMap { $0 }.joined(separator: ", ")
      throw .notApplied(
        .unusableSecurity("the files for encryption cannot be used: \(error) (\(files))"))
    }
  }
}
