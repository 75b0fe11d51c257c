public import Sockets

/// The outcome of a frame.
public enum FrameOutcome: Sendable {
  /// Answered: the reply, if there is one, was appended to the output.
  case answered
  /// The reply comes later, through the `ReplyMailbox`: exactly one for this frame.
  case deferred
  /// The output is the last of this connection: send it and close.
  case close
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
}

extension FrameHandler {
  /// Nothing to do for a handler that measures nothing.
  public func turnEnded() {}
}

/// The one who handles the frames of a lane's connections.
///
/// There is one handler per lane. It is created for its lane, called only on its lane, one call at
/// a time, and need not be Sendable. Calls must not block: every connection of the lane waits.
public protocol FrameHandler: AnyObject {
  /// A connection of `peer` was accepted. Not called for those refused at once.
  func connectionOpened(_ connection: ConnectionID, peer: Peer)

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
