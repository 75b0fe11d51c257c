public import Sockets

/// The outcome of a frame.
public enum FrameOutcome: Sendable {
  /// Answered: the reply, if there is one, was appended to the output.
  case answered
  /// The reply comes later, through the `ReplyMailbox`: exactly one for this frame.
  case deferred
  /// Answered, and from now on the peer is known.
  case introduced
  /// The output is the last of this connection: send it and close.
  case close
  /// The reply comes later, as of `deferred`, and is the last of this connection.
  case closeAfterReply
}

/// Whether a peer has said who it is.
public enum PeerStanding: Hashable, Sendable {
  /// It has, or need not.
  case known
  /// It has not: it is closed unless it does within the bound.
  case unknown
}

/// Why a connection is turned away.
public enum ConnectionRefusal: Hashable, Sendable {
  /// The header announced `length` bytes of body; the bound is `bound`.
  case frameTooLarge(length: Int, bound: Int)
  /// A frame was not whole within `bound` of its first byte.
  case frameTimedOut(bound: Duration)
  /// The server has as many connections as it may: `bound`.
  case tooManyConnections(bound: Int)
  /// The server is shutting down; bytes that arrived were not handled.
  case draining
  /// The peer did not say who it is within `bound`.
  case unintroduced(bound: Duration)
  /// The peer had not said who it is, and its place was taken by another that had not either.
  case displaced
  /// The handler does not know the peer any more.
  case revoked
  /// The client has as many connections as it may: `bound`.
  case tooManyOfClient(bound: Int)
}

extension FrameHandler {
  /// Every connection its own client.
  public func client(of connection: ConnectionID) -> String { "\(connection.word)" }

  /// Nothing, for a handler of which nothing is bounded a second.
  public func turnCost() -> Int { 0 }

  /// Known, for a handler that knows everybody.
  public func review(_ connection: ConnectionID) -> PeerStanding { .known }

  /// Nothing to do for a handler that measures nothing.
  public func turnEnded() {}
}

/// The one who handles the frames of a lane's connections.
///
/// There is one handler per lane. It is created for its lane, called only on its lane, one call at
/// a time, and need not be Sendable. Calls must not block: every connection of the lane waits.
public protocol FrameHandler: AnyObject {
  /// A connection of `peer` was accepted. Not called for those refused at once. Says whether the peer
  /// is known; one that is not may introduce itself.
  func connectionOpened(_ connection: ConnectionID, peer: Peer) -> PeerStanding

  /// Whose connection it is, as `TransportBounds.perClient` counts clients. Asked when it comes and when
  /// its peer has said who it is.
  func client(of connection: ConnectionID) -> String

  /// How much of what is bounded a second the frames took that were handled since it was last asked;
  /// asked after each turn.
  func turnCost() -> Int

  /// Whether the peer of a connection is still known, asked after `ReplyMailbox.review`. One that was
  /// known and is not any more is told `revoked`, gets the replies under way, and is closed.
  func review(_ connection: ConnectionID) -> PeerStanding

  /// Handles one whole frame's body, without its header; `body` is valid only during the call.
  ///
  /// Appends no or one whole reply frame, header included, to `output`, and never changes what
  /// stands there already. `receivedAt` is when the frame's last bytes were read.
  func handle(
    _ body: RawSpan, from connection: ConnectionID, receivedAt: MonotonicInstant,
    output: inout [UInt8]
  ) -> FrameOutcome

  /// A deferred request of the connection was answered; `tag` is what the reply was posted with.
  func replied(to connection: ConnectionID, tag: UInt64)

  /// The replies to what was handled, and to what `replied` told of, since the last such call were
  /// handed to their sockets, or to the queue of one that is full.
  func turnEnded()

  /// Appends the reply frame that tells the peer why its connection is being closed.
  func refusal(_ reason: ConnectionRefusal, output: inout [UInt8])

  /// The connection is gone: replies to its `requestsUnderWay` requests will be dropped.
  /// `midFrame` says that the peer left with a frame half sent, of which nothing was handled.
  func connectionClosed(_ connection: ConnectionID, requestsUnderWay: Int, midFrame: Bool)
}
