import Sockets
import TLS

/// One connection to Redis: commands out, replies in.
///
/// hiredis reads the replies out of the bytes that came; the socket and its waits are this module's,
/// since hiredis' own time limit is one a read, which a server that sends a byte at a time would
/// never meet. Any error makes the connection useless for good, since what comes next could be the
/// answer to an older command: the caller drops it.
struct RedisConnection: ~Copyable {
  private var socket: RedisSocket
  private var replies: RedisReplies
  private var incoming: [UInt8] = []

  /// Commands go out in portions of this size, and replies are taken in between: neither side's
  /// buffers have to hold a whole pipeline.
  static let portion = 256 << 10

  private init(_ socket: consuming RedisSocket, _ replies: consuming RedisReplies) {
    self.socket = socket
    self.replies = replies
  }

  /// A connection to one numeric address or a path, encrypted where the settings say so. Waits until
  /// `deadline` at most, and as long again for the encryption.
  static func connected(
    to target: Endpoint, _ settings: RedisSettings, deadline: Deadline
  ) throws(RedisError) -> RedisConnection {
    let address = settings.address
    var socket = try RedisSocket.connected(to: target, of: address, deadline: deadline)
    if let encryption = settings.encryption, case .tcp(let host, _) = address {
      let context: TLSContext
      do throws(TLSFailure) {
        context = try encryption.context()
      } catch {
        throw .encryption(address, error)
      }
      try socket.encrypt(
        context, name: encryption.serverName ?? host, of: address,
        deadline: Deadline(in: settings.connectTimeout))
    }
    guard let replies = RedisReplies(bounds: settings.bounds) else {
      throw .connect(address, reason: "out of memory")
    }
    return RedisConnection(socket, replies)
  }

  /// Begins an exchange: the bounds on replies count from here.
  mutating func begin() { replies.begin() }

  /// Whether another command may be appended before some of what waits has gone.
  var hasRoom: Bool { socket.queued < Self.portion }

  /// Adds one command to what is to be sent. Arguments are bytes and never a format.
  mutating func append(_ arguments: [[UInt8]]) throws(RedisError) {
    precondition(!arguments.isEmpty, "a command has a name")
    var bytes: [UInt8] = []
    bytes.reserveCapacity(arguments.reduce(16) { $0 + $1.count + 16 })
    bytes += "*\(arguments.count)\r\n".utf8
    for argument in arguments {
      bytes += "$\(argument.count)\r\n".utf8
      bytes += argument
      bytes += [0x0D, 0x0A]
    }
    try socket.queue(bytes)
  }

  /// Writes what is waiting as far as it goes. True: all of it is written.
  mutating func write() throws(RedisError) -> Bool { try socket.flush() }

  /// Takes in what has come. Called when the socket has something; it never waits.
  mutating func read() throws(RedisError) {
    incoming.removeAll(keepingCapacity: true)
    guard try socket.receive(into: &incoming) else { return }
    try replies.feed(incoming)
  }

  /// The next whole reply of those that have come; nil: not all of it is here.
  mutating func nextReply() throws(RedisError) -> RedisValue? { try replies.next() }

  /// Whether bytes came that belong to no reply asked for.
  var hasBytesLeft: Bool { replies.hasBytesLeft }

  /// Waits for the socket; its events, or 0 when the time is over.
  func ready(_ events: Int16, until deadline: Deadline) throws(RedisError) -> Int16 {
    try socket.ready(events, until: deadline)
  }
}
