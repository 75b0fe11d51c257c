import BudgetModel
import Sockets
import TLS

/// One connection, as the port's thread has it.
final class HTTPConnection {
  /// Its state.
  enum Phase: Equatable {
    /// It may ask.
    case reading
    /// It asked, and the site has not answered.
    case answering
    /// A response goes out.
    case writing
    /// A refusal went out; what still comes in is thrown away.
    case lingering
    case closed
  }

  /// A response on its way.
  struct Outgoing {
    var head: [UInt8]
    /// Nil where it is not to be sent, as to HEAD.
    var body: HTTPBody?
    var sent = 0
    var startedAt: Int64
    var endsConnection: Bool
    var lingers: Bool

    var byteCount: Int { head.count + (body?.bytes.count ?? 0) }
    var isSent: Bool { sent == byteCount }
  }

  /// A refusal that is not to come at once.
  struct Refusal {
    let response: HTTPResponse
    let dueAt: Int64
  }

  let id: HTTPConnectionID
  let socket: Descriptor
  /// The address at its other end, in numbers; empty: it is not known.
  let peer: String
  /// The names of its certificate, verified.
  var certificateNames: [String] = []
  /// Nil in the clear.
  var session: TLSSession?
  let isSecure: Bool
  /// The handshake is done, and was counted.
  var isEstablished = false
  /// The peer has said that nothing more comes.
  var hasHeardAll = false
  /// Encrypted bytes that the socket has not taken, from `sealedSent` on.
  var sealed: [UInt8] = []
  var sealedSent = 0
  var phase = Phase.reading
  var reader: RequestReader
  /// The request that waits for the site.
  var request: HTTPRequest?
  /// The site's answer, while it waits.
  var refusal: Refusal?
  var outgoing: Outgoing?
  /// When its last request was whole; before the first one, when it was opened.
  var requestedAt: Int64
  /// Since when it has stood without a request.
  var idleSince: Int64
  /// When the request under way began to come.
  var requestSince: Int64?
  /// When the reader last took something.
  var progressAt: Int64
  var lingerUntil: Int64 = .max
  var discardedBytes = 0

  /// With `context` it is encrypted. Nil: there is no memory for that.
  init?(
    id: HTTPConnectionID, socket: consuming Descriptor, context: TLSContext?, bounds: HTTPBounds,
    at now: Int64
  ) {
    self.id = id
    peer = socket.peerHost ?? ""
    self.socket = socket
    isSecure = context != nil
    session = nil
    reader = RequestReader(bound: bounds.requestBytes, formPath: bounds.formPath)
    requestedAt = now
    idleSince = now
    progressAt = now
    guard let context else { return }
    do throws(TLSFailure) {
      session = try TLSSession(accepting: context)
    } catch {
      return nil
    }
    // The handshake counts as part of the first request.
    requestSince = now
  }

  /// Whether a response could be read by the peer.
  var canAnswer: Bool { !isSecure || session?.isEstablished == true }

  /// Whether and from when on it may be closed to make room.
  var standing: ConnectionStanding {
    switch phase {
    case .reading: .asking(since: idleSince, requestedAt: requestedAt)
    case .answering where refusal != nil: .refused(requestedAt: requestedAt)
    case .answering, .closed: .answering(requestedAt: requestedAt)
    case .writing:
      .reading(
        since: outgoing?.startedAt ?? progressAt, progressAt: progressAt, requestedAt: requestedAt)
    case .lingering: .lingering(requestedAt: requestedAt)
    }
  }

  /// The events to wait for.
  var interest: Int16 {
    switch phase {
    case .reading: PollSet.readable | (sealed.isEmpty ? 0 : PollSet.writable)
    case .lingering: PollSet.readable
    case .writing: PollSet.writable
    case .answering, .closed: 0
    }
  }

  /// The next deadline, and its kind.
  func deadline(_ bounds: HTTPBounds) -> (at: Int64, what: Overdue)? {
    switch phase {
    case .reading:
      if let requestSince {
        return (requestSince + bounds.requestDuration.nanoseconds, .request)
      }
      return (idleSince + bounds.idleDuration.nanoseconds, .idle)
    case .writing:
      let whole = (outgoing?.startedAt ?? progressAt) + bounds.responseDuration.nanoseconds
      return (min(whole, progressAt + bounds.stallDuration.nanoseconds), .response)
    case .lingering: return (lingerUntil, .linger)
    case .answering where refusal != nil: return refusal.map { ($0.dueAt, .refusal) }
    case .answering, .closed: return nil
    }
  }

  /// The part that took too long.
  enum Overdue { case request, idle, response, linger, refusal }
}
