import Sockets
import TLS

/// One connection of a lane, which alone touches it.
///
/// The descriptor closes with the object, and the object lives for as long as its lane's slot
/// holds it.
final class Connection {
  /// How far a connection is on its way out.
  enum Phase {
    /// Frames are handled.
    case open
    /// Nothing more is handled: replies under way and unsent bytes are waited for.
    case closing
    /// Everything was sent, and our end; waits for the peer's, so that no reset destroys a reply.
    case lingering
    case closed
  }

  /// A buffer of at most this size is kept for the next frame that comes in pieces.
  static let keptBytes = 4_096

  let id: ConnectionID
  var line: Line
  /// Whether it came past the bound on connections: only told so.
  let isOverBound: Bool
  /// Whether bytes are encrypted on their way: of `line`, and quick to read.
  let isSecure: Bool

  var phase = Phase.open
  var times: ConnectionTimes
  /// The events that epoll watches for.
  var interest: UInt32
  /// Received bytes that are not handled: the start of one frame, or with `hasBacklog` whole ones.
  var held: [UInt8] = []
  var hasBacklog = false
  /// When the whole frames in `held` were read; nil where there are none.
  var backlogSince: MonotonicInstant?
  /// In the lane's list of connections with a backlog.
  var isQueued = false
  var sendQueue = SendQueue()
  var requestsUnderWay = 0
  /// This connection's part in the sum over all connections.
  var countedBytes = 0
  /// Reading is stopped: too many bytes wait to be written.
  var isOverUnsent = false
  /// The share of its client; nil: nothing is bounded by client.
  var share: ClientShare?
  /// This connection's part in it.
  var sharedRequests = 0
  var sharedUnsent = 0
  /// Reading is stopped: its client uses all that it may.
  var isOverShare = false
  /// Its share knows that it waits.
  var waitsForShare = false
  var peerHasFinished = false
  /// Bytes thrown away since `open`.
  var discardedBytes = 0
  /// The peer ended its side in the middle of a frame.
  var wasLeftMidFrame = false
  /// The handler was told of the connection, and must be told of its end.
  var isAnnounced = false
  /// Among those that the batch of replies being delivered is for.
  var isGathering = false
  /// The last reply comes later, and nothing else is waited for.
  var awaitsLastReply = false
  /// Tell the peer `draining` once if it goes on sending.
  var owesDrainingReply = false
  /// Part of an encrypted record has come.
  var isMidRecord = false
  /// The goodbyes of the encryption.
  var goodbyes = Goodbyes()
  /// Replies to be encrypted together, while a batch of them is delivered.
  var gathered: [UInt8] = []

  init(
    id: ConnectionID, line: consuming Line, isOverBound: Bool, interest: UInt32,
    openedAt: MonotonicInstant
  ) {
    self.id = id
    isSecure = line.isSecure
    self.line = line
    self.isOverBound = isOverBound
    self.interest = interest
    times = ConnectionTimes(openedAt: openedAt)
  }

  /// Whether the peer's goodbye is to be followed: the frames that came before it have had their turn.
  var hasHeardAll: Bool { goodbyes.isHeard && !peerHasFinished && !hasBacklog }

  /// Takes over the bytes that came before the lane had it.
  func take(_ beginning: LaneInbox.Beginning, at now: MonotonicInstant) {
    goodbyes.isHeard = beginning.isAll
    if beginning.bytes.isEmpty { return }
    held = beginning.bytes
    hasBacklog = true
    backlogSince = now
  }

  /// Whether nothing is left to wait for before our end can be sent.
  var isSettled: Bool { requestsUnderWay == 0 && sendQueue.isEmpty }

  /// The memory that its buffers take.
  @inline(__always)
  var heldBytes: Int { held.capacity + sendQueue.capacity }

  /// Encrypts `bytes` and appends them to `sealed`. False: the connection is broken.
  func seal(_ bytes: ArraySlice<UInt8>, to sealed: inout [UInt8]) -> Bool {
    line.session?.seal(bytes, toSend: &sealed) ?? false
  }

  /// Whether the peer has sent part of a frame and no more.
  var isMidFrame: Bool { phase == .open && !held.isEmpty && !hasBacklog }

  /// Whether it is not read because of what its client uses.
  @inline(__always)
  var isHeldBack: Bool { isOverShare || times.restsUntil != nil }

  func mayRead(_ bounds: TransportBounds) -> Bool {
    if peerHasFinished { return false }
    switch phase {
    case .open where goodbyes.isHeard: return false
    case .open: return !isOverUnsent && !isHeldBack && requestsUnderWay < bounds.requestsUnderWay
    case .closing, .lingering: return discardedBytes < bounds.lingerBytes
    case .closed: return false
    }
  }

  /// Whether the next whole frame may be handed to the handler.
  func mayHandle(_ bounds: TransportBounds) -> Bool {
    phase == .open && !isOverUnsent && !isHeldBack && requestsUnderWay < bounds.requestsUnderWay
  }

  /// Forgets what was received and not handled.
  func dropHeld() {
    held = []
    hasBacklog = false
    backlogSince = nil
    times.partialSince = nil
  }
}
