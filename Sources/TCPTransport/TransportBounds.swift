import BudgetModel

/// Everything a peer could use up, and how much of it a peer gets.
public struct TransportBounds: Equatable, Sendable {
  /// The longest request frame's body, in bytes, judged by its 4 header bytes alone.
  public var requestFrameBytes = 256 * 1024
  /// From the first byte of a frame to its last; not counted while the server is not reading.
  public var frameDuration: Duration = .seconds(5)
  /// How long a connection may stand without a frame or request under way.
  public var idleDuration: Duration = .seconds(300)
  /// Requests under way on one connection: at this many the server stops reading it.
  public var requestsUnderWay = 4_096
  /// Bytes waiting to be written to one connection: past this many the server stops reading it,
  /// until half of them are left.
  public var unsentBytes = 8 * 1024 * 1024
  /// Bytes that all connections may hold: waiting to be written, or received and not handled. Near
  /// it those with the most unsent are not read any more; past it those that hold the most are closed.
  public var unsentTotalBytes = 512 * 1024 * 1024
  /// How long a peer that reading was stopped for may take no byte before it is closed.
  public var stallDuration: Duration = .seconds(10)
  /// Connections of one server. Those past it are told so and closed.
  public var connections = 16_384
  /// The bounds on what one client may use over all its connections.
  public var perClient = ShareBounds()
  /// How long a peer may take to say who it is.
  public var introductionDuration: Duration = .seconds(5)
  /// Connections past `connections` that are being told so at one time; the rest are just closed.
  public var refusalsUnderWay = 512
  /// How long a connection is kept after the last reply to it, so that the reply gets there.
  public var lingerDuration: Duration = .seconds(1)
  /// How many bytes are read and thrown away from a connection that is being closed.
  public var lingerBytes = 16 * 1024 * 1024
  /// Bytes taken from one connection before the next ready one gets its turn.
  public var bytesPerTurn = 128 * 1024
  /// Frames handled for one connection before the next ready one gets its turn.
  public var framesPerTurn = 1_024
  /// How long one connection's frames are handled before the next ready one gets its turn; a frame
  /// that is being handled is finished.
  public var turnDuration: Duration = .milliseconds(1)
  /// Handshakes under way at one time: further connections wait to be accepted.
  public var handshakes = 256
  /// How long a handshake may take. While as many as may be are under way, one that has taken a fifth
  /// of it makes room, and of the address that has the most one that has waited for its peer much less.
  public var handshakeDuration: Duration = .seconds(5)
  /// Ciphertext that a peer may send before its handshake is done.
  public var handshakeBytes = 64 * 1024
  /// How long accepting rests when the process or the machine is out of descriptors.
  public var acceptPause: Duration = .milliseconds(100)
  /// Descriptors left to the rest of the process when the descriptor limit is raised.
  public var otherDescriptors = 512

  /// The bounds of the wire contract.
  public static let standard = TransportBounds()

  /// Makes the standard bounds, to be changed one by one.
  public init() {}

  /// How often deadlines are looked at, at most: a quarter second, or a quarter of the shortest.
  var sweepIntervalNanoseconds: Int64 {
    let shortest = min(
      frameDuration, idleDuration, stallDuration, lingerDuration, introductionDuration)
    return min(250_000_000, max(1_000_000, shortest.nanoseconds / 4))
  }

  /// The same with as many connections as `limit` descriptors leave room for: the rest of the
  /// process, the HTTP port and the ledger among it, keeps some whatever peers do.
  func fitted(to limit: Int) -> TransportBounds {
    guard limit < descriptors else { return self }
    var fitted = self
    let others = min(otherDescriptors, max(limit / 8, min(limit / 2, 128)))
    fitted.refusalsUnderWay = min(refusalsUnderWay, limit / 16)
    fitted.connections = max(1, min(connections, limit - others - fitted.refusalsUnderWay))
    return fitted
  }

  /// The descriptors that the bounds call for.
  var descriptors: Int { connections + refusalsUnderWay + otherDescriptors }
}
