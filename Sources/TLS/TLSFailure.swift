/// Why something encrypted was not to be had.
public struct TLSFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kinds that are told apart, in metrics above all.
  public enum Kind: String, CaseIterable, Hashable, Sendable {
    /// The other side showed no certificate, and has to.
    case noCertificate = "no_certificate"
    /// The other side's certificate leads to none that is trusted.
    case unknownCA = "unknown_ca"
    /// A certificate is over, or not valid yet.
    case expired
    /// A certificate is not for this use: a server's shown by a client, or the other way round.
    case purpose
    /// A certificate is for another name.
    case name
    /// The other side speaks older versions only.
    case protocolVersion = "protocol"
    /// The other side does not speak TLS.
    case plaintext
    /// The other side refused, and said so by an alert.
    case refused
    /// The time for the handshake was over.
    case timeout
    /// Anything else.
    case other
  }

  /// The kind.
  public let kind: Kind
  /// A few words on it, as OpenSSL says them.
  public let description: String

  /// Makes a failure.
  public init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}

extension TLSFailure {
  /// One sentence for people who wanted to connect: what is wrong and, where it is known, the way out.
  public var sentence: String {
    switch kind {
    case .noCertificate: "no certificate was shown (\(description))"
    case .unknownCA:
      "the server's certificate does not lead to a trusted root (\(description)): give its "
        + "root's file (tls-ca)"
    case .expired: "the server's certificate is not valid now (\(description))"
    case .purpose: "the certificate is not for this use (\(description))"
    case .name:
      "the server's certificate is for another name (\(description)): give the one that it is "
        + "for (server-name)"
    case .protocolVersion: "the other side speaks no TLS version that is taken (\(description))"
    case .plaintext: "the other side does not speak TLS (\(description))"
    case .refused: "the server refused the connection (\(description))"
    case .timeout: "the handshake was not done in time"
    case .other: "TLS failed: \(description)"
    }
  }
}
