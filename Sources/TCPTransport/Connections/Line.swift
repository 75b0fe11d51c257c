import Sockets
import TLS

/// A socket, and the codec of the bytes on it where they are encrypted.
struct Line: ~Copyable, Sendable {
  let socket: Descriptor
  /// Nil in the clear.
  var session: TLSSession?

  /// In the clear.
  init(_ socket: consuming Descriptor) {
    self.socket = socket
    session = nil
  }

  /// Encrypted.
  init(_ socket: consuming Descriptor, _ session: consuming TLSSession) {
    self.socket = socket
    self.session = consume session
  }

  var isSecure: Bool {
    switch session {
    case .some: true
    case .none: false
    }
  }

  /// The same socket with a codec.
  consuming func secured(by session: consuming TLSSession) -> Line { Line(socket, session) }
}

/// The goodbyes of an encrypted connection, which tell its end from a cut.
struct Goodbyes: Equatable {
  /// The peer's has come.
  var isHeard = false
  /// Ours is sent, or can be sent no more.
  var isSaid = false
}
