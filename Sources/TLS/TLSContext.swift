import CTLS
import Locks

/// The settings of one side, ready for sessions: certificates, keys, rules. Immutable: other files
/// mean another context, and sessions keep the one they were made of.
///
/// Files are read when a context is made and never again.
@safe public final class TLSContext: Sendable {
  /// The files of a server, as paths.
  public struct Server: Hashable, Sendable {
    /// Its certificate, and those that lead from it to its root, in PEM.
    public var certificate: String
    /// The certificate's key, in PEM, without a password.
    public var key: String
    /// The roots of clients' certificates, in PEM; nil: clients are not asked for one.
    public var clientCA: String?
    /// Whether a client has to show a certificate. Without `clientCA` it means nothing.
    public var requiresClientCertificate = true

    /// Makes the settings of a server that asks clients for nothing.
    public init(certificate: String, key: String) {
      self.certificate = certificate
      self.key = key
    }
  }

  /// The rules and files of a client, as paths.
  public struct Client: Hashable, Sendable {
    /// How much of the server's certificate is looked at.
    public enum Verification: String, CaseIterable, Hashable, Sendable {
      /// That it leads to a trusted root and is for the server's name or address.
      case full
      /// That it leads to a trusted root.
      case chain
      /// Nothing: whoever stands in between reads all.
      case none
    }

    /// The trusted roots, in PEM; nil together with `caFolder`: the system's.
    public var ca: String?
    /// A folder of trusted roots, named by their hashes.
    public var caFolder: String?
    /// How much of the server's certificate is looked at.
    public var verification = Verification.full
    /// The client's own certificate and those that lead to its root, in PEM.
    public var certificate: String?
    /// The key of `certificate`.
    public var key: String?
    /// Whether TLS 1.2 will do as well as 1.3.
    public var takesOlderVersion = false

    /// Makes the settings of a client without a certificate that trusts the system's roots.
    public init() {}
  }

  private enum Side { case server, client(verifiesName: Bool) }

  private let side: Side
  /// When the context's own certificate ends, in Unix seconds; nil: it has none.
  public let certificateEnd: Int64?
  /// When the first of a server's `clientCA` ends, in Unix seconds.
  public let clientCAEnd: Int64?
  /// Whether a peer may show a certificate.
  public let asksForCertificate: Bool
  /// The lock stands in for a proof that OpenSSL's own count of references is enough; it is taken
  /// once a connection.
  private let context: Locked<OpaquePointer>

  /// Reads the files of a server.
  public init(_ settings: Server) throws(TLSFailure) {
    var failure = ctls_failure()
    let made = unsafe ctls_server_context(
      settings.certificate, settings.key, settings.clientCA,
      settings.clientCA == nil
        ? CTLS_NOT_ASKED : settings.requiresClientCertificate ? CTLS_REQUIRED : CTLS_ASKED,
      &failure)
    guard let made = unsafe made else { throw TLSFailure(failure) }
    side = .server
    let end = unsafe ctls_certificate_end(made)
    certificateEnd = end == 0 ? nil : end
    clientCAEnd = settings.clientCA.flatMap { path in
      let end = unsafe ctls_file_end(path)
      return end == 0 ? nil : end
    }
    asksForCertificate = settings.clientCA != nil
    unsafe context = Locked(made)
  }

  /// Reads the files of a client.
  public init(_ settings: Client) throws(TLSFailure) {
    var failure = ctls_failure()
    let made = unsafe ctls_client_context(
      settings.ca, settings.caFolder, settings.verification != .none, settings.certificate,
      settings.key, settings.takesOlderVersion, &failure)
    guard let made = unsafe made else { throw TLSFailure(failure) }
    side = .client(verifiesName: settings.verification == .full)
    let end = unsafe ctls_certificate_end(made)
    certificateEnd = end == 0 ? nil : end
    clientCAEnd = nil
    asksForCertificate = false
    unsafe context = Locked(made)
  }

  deinit { unsafe context.withLock { unsafe ctls_context_free($0) } }

  /// A session of this side; of a client with the server `name`, a host name or an address in numbers.
  func session(name: String) throws(TLSFailure) -> UnsafeMutablePointer<ctls_session> {
    let made: UnsafeMutablePointer<ctls_session>? = unsafe context.withLock { context in
      unsafe ctls_session_new(context)
    }
    guard let made = unsafe made else { throw TLSFailure(.other, "out of memory") }
    switch side {
    case .server: unsafe ctls_accept(made)
    case .client(let verifiesName):
      let shown = Self.isNumeric(name) ? nil : name
      guard unsafe ctls_connect(made, verifiesName ? name : nil, shown) else {
        unsafe ctls_session_free(made)
        throw TLSFailure(.name, "'\(name)' cannot be a server's name")
      }
    }
    return unsafe made
  }

  /// Addresses are not told to servers: the protocol has no place for them.
  private static func isNumeric(_ name: String) -> Bool {
    name.utf8.contains(UInt8(ascii: ":"))
      || name.utf8.allSatisfy { ($0 >= 48 && $0 <= 57) || $0 == UInt8(ascii: ".") }
  }
}

extension TLSFailure {
  init(_ failure: ctls_failure) {
    let text = unsafe withUnsafeBytes(of: failure.text) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    let kind: Kind =
      switch failure.kind {
      case CTLS_NO_CERTIFICATE: .noCertificate
      case CTLS_UNKNOWN_CA: .unknownCA
      case CTLS_EXPIRED: .expired
      case CTLS_PURPOSE: .purpose
      case CTLS_NAME: .name
      case CTLS_PROTOCOL: .protocolVersion
      case CTLS_PLAINTEXT: .plaintext
      case CTLS_ALERT: .refused
      default: .other
      }
    self.init(kind, text)
  }
}
