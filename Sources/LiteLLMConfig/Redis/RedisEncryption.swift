import Documents

/// How the connection to Redis is encrypted.
public struct RedisEncryption: Hashable, Sendable {
  /// How much of the server's certificate is looked at.
  public var verification = Verification.full
  /// A file with the authorities' certificates; nil: those of the system.
  public var authorities: String?
  /// A folder with such files, as OpenSSL wants them; nil: none.
  public var authorityFolder: String?
  /// A file with this client's certificate; nil: none is shown.
  public var certificate: String?
  /// A file with the certificate's key; nil: it is in the certificate's file.
  public var key: String?
  /// The name that the server's certificate has to bear; nil: the host's.
  public var serverName: String?

  /// How much of the server's certificate is looked at.
  public enum Verification: String, CaseIterable, Hashable, Sendable {
    /// Who issued it, and whose it is.
    case full
    /// Who issued it.
    case chain
    /// Nothing: whoever answers is believed.
    case none
  }

  /// The certificate has to be the host's, from an authority that the system knows.
  public init() {}
}

extension RedisEncryption: CustomStringConvertible {
  /// `encrypted`, and what is not verified.
  public var description: String {
    switch verification {
    case .full: "encrypted"
    case .chain: "encrypted (names are not verified)"
    case .none: "encrypted (certificates are not verified)"
    }
  }
}

/// The command line's options on the encryption, in place of the configuration's.
public struct RedisEncryptionOptions: Hashable, Sendable {
  /// `--redis-ca`.
  public var authorities: String?
  /// `--redis-cert`.
  public var certificate: String?
  /// `--redis-key`.
  public var key: String?
  /// `--redis-server-name`.
  public var serverName: String?
  /// `--redis-verify`.
  public var verification: RedisEncryption.Verification?

  /// Says nothing.
  public init() {}

  /// The options that are given.
  var names: [String] {
    [
      ("--redis-ca", authorities != nil), ("--redis-cert", certificate != nil),
      ("--redis-key", key != nil), ("--redis-server-name", serverName != nil),
      ("--redis-verify", verification != nil),
    ].filter(\.1).map(\.0)
  }

  /// Why the options cannot be meant; nil: they can.
  func complaint(about source: RedisSource) -> String? {
    guard source.tls == nil, let needless = names.first else { return nil }
    return "this Redis is not encrypted, and \(needless) is given: write rediss:// or ssl: true"
  }

  func applied(to encryption: RedisEncryption) -> RedisEncryption {
    var changed = encryption
    if authorities != nil { (changed.authorities, changed.authorityFolder) = (authorities, nil) }
    if certificate != nil { (changed.certificate, changed.key) = (certificate, key) }
    changed.key = key ?? changed.key
    changed.serverName = serverName ?? changed.serverName
    changed.verification = verification ?? changed.verification
    return changed
  }
}

extension RedisEncryption {
  /// LiteLLM's settings, which are those of its client library.
  static let names = [
    "ssl_cert_reqs", "ssl_check_hostname", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile",
    "ssl_keyfile",
  ]

  /// Settings that LiteLLM hands on, and that mean nothing here.
  static let refused = [
    "ssl_password": "a key with a password is not read here: give one without",
    "ssl_ca_data": "certificates are read from files: give ssl_ca_certs",
    "ssl_ciphers": "ciphers are OpenSSL's choice: take this out",
    "ssl_validate_ocsp": "OCSP is not spoken here: take this out",
    "ssl_validate_ocsp_stapled": "OCSP is not spoken here: take this out",
  ]

  /// All that are looked at.
  static let allNames = names + refused.keys

  /// Why a setting cannot be meant.
  struct Complaint: Error {
    var name: String
    var message: String
  }

  /// Reads the settings that are there, as the client library does: everything is verified unless they
  /// say otherwise.
  init(_ settings: [String: DocumentNode]) throws(Complaint) {
    func text(_ name: String) throws(Complaint) -> String? {
      guard let node = settings[name] else { return nil }
      guard let text = node.text else {
        throw Complaint(name: name, message: "this is \(node.words): write a path")
      }
      return text.isEmpty ? nil : text
    }
    for (name, reason) in Self.refused.sorted(by: { $0.key < $1.key }) {
      if let node = settings[name], !node.isFalse { throw Complaint(name: name, message: reason) }
    }
    var checksName = true
    if let node = settings["ssl_check_hostname"] {
      checksName = node.bool ?? ["true", "1", "yes"].contains(node.text?.lowercased() ?? "")
    }
    verification = checksName ? .full : .chain
    if let node = settings["ssl_cert_reqs"] {
      switch node.text?.lowercased() {
      case "none": verification = .none
      case "optional", "required": break
      default:
        throw Complaint(
          name: "ssl_cert_reqs",
          message: "this is \(node.words): write none, optional or required, in quotes")
      }
    }
    authorities = try text("ssl_ca_certs")
    authorityFolder = try text("ssl_ca_path")
    certificate = try text("ssl_certfile")
    key = try text("ssl_keyfile")
    if certificate == nil, key != nil {
      throw Complaint(name: "ssl_keyfile", message: "a key without ssl_certfile is of no use")
    }
  }
}
