import Sockets

/// Another protocol than ours, by the first four bytes of a connection, which would be a frame's length.
enum ForeignProtocol: Equatable {
  /// The hello of an encrypted connection.
  case encryption
  /// A request for a page.
  case http

  /// Nil: nothing that is known.
  init?(announced length: Int) {
    // A handshake record begins with its kind and its version, 3.0 to 3.4.
    if length >> 16 == 0x1603, (0...4).contains(length >> 8 & 0xFF) {
      self = .encryption
      return
    }
    let word = String(
      decoding: [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) }, as: UTF8.self)
    guard ["GET ", "HEAD", "POST", "PUT ", "OPTI", "PRI "].contains(word) else { return nil }
    self = .http
  }

  /// The mistake, and the ways out of it.
  var sentence: String {
    switch self {
    case .encryption:
      "this port is in the clear and was spoken to in TLS: give the server --tls-cert and --tls-key, or the "
        + "client no --tls-ca"
    case .http:
      "this is the RPC port and was spoken to in HTTP: pages and metrics are at --http"
    }
  }
}

/// When a mistake of clients is written down: once a minute each, whoever makes it how often.
struct ForeignProtocolNotes {
  private static let quiet = Duration.seconds(60)
  private var saidAt: (encryption: MonotonicInstant?, http: MonotonicInstant?)

  /// Whether it is to be said now.
  mutating func isDue(_ spoken: ForeignProtocol, at now: MonotonicInstant) -> Bool {
    func isOver(_ before: MonotonicInstant?) -> Bool {
      before.map { now.duration(since: $0) >= Self.quiet } ?? true
    }
    switch spoken {
    case .encryption:
      guard isOver(saidAt.encryption) else { return false }
      saidAt.encryption = now
    case .http:
      guard isOver(saidAt.http) else { return false }
      saidAt.http = now
    }
    return true
  }
}
