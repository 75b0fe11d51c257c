import CHiredis
import TLS

/// One connection to Redis: commands out, replies in.
///
/// hiredis reads the replies out of the bytes that came; the socket and its waits are this module's,
/// since hiredis' own time limit is one a read, which a server that sends a byte at a time would
/// never meet. Any error makes the connection useless for good, since what comes next could be the
/// answer to an older command: the caller drops it.
@safe struct RedisConnection: ~Copyable {
  private var socket: RedisSocket
  private let reader: UnsafeMutablePointer<redisReader>
  /// How much hiredis may still build of the replies of this exchange.
  private let reading: UnsafeMutablePointer<chiredis_bounds>
  private let bounds: RedisBounds
  /// The bytes that have come in this exchange.
  private var received = 0
  private var incoming: [UInt8] = []

  /// Commands go out in portions of this size, and replies are taken in between: neither side's
  /// buffers have to hold a whole pipeline.
  static let portion = 256 << 10

  private init(
    _ socket: consuming RedisSocket, reader: UnsafeMutablePointer<redisReader>, bounds: RedisBounds
  ) {
    self.socket = socket
    unsafe self.reader = unsafe reader
    unsafe reading = .allocate(capacity: 1)
    unsafe reading.initialize(to: chiredis_bounds())
    self.bounds = bounds
    unsafe chiredis_bound(reader, reading)
  }

  /// A connection to one numeric address or a path, encrypted where the settings say so. Waits until
  /// `deadline` at most, and as long again for the encryption.
  static func connected(
    to target: ConnectTarget, _ settings: RedisSettings, deadline: Deadline
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
    guard let reader = unsafe redisReaderCreate() else {
      throw .connect(address, reason: "out of memory")
    }
    return unsafe RedisConnection(socket, reader: reader, bounds: settings.bounds)
  }

  deinit {
    unsafe redisReaderFree(reader)
    unsafe reading.deinitialize(count: 1)
    unsafe reading.deallocate()
  }

  /// Begins an exchange: the bounds on replies count from here.
  mutating func begin() {
    received = 0
    unsafe reading.pointee.elements_left = bounds.replyElements
  }

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
    received += incoming.count
    guard received <= bounds.replyBytes else {
      throw .replyTooLarge("more than \(bounds.replyBytes) bytes")
    }
    let reader = unsafe reader
    let status = unsafe incoming.withUnsafeBytes { bytes in
      unsafe redisReaderFeed(
        reader, bytes.assumingMemoryBound(to: CChar.self).baseAddress, bytes.count)
    }
    if status != REDIS_OK { throw .io(failure ?? "the reply could not be taken in") }
  }

  /// The next whole reply of those that have come; nil: not all of it is here.
  mutating func nextReply() throws(RedisError) -> RedisValue? {
    var reply: UnsafeMutableRawPointer?
    guard unsafe redisReaderGetReply(reader, &reply) == REDIS_OK else {
      if unsafe reading.pointee.is_exceeded != 0 {
        throw .replyTooLarge("more than \(bounds.replyElements) elements")
      }
      throw .protocolViolation(failure ?? "unreadable")
    }
    guard let reply = unsafe reply else { return nil }
    defer { unsafe freeReplyObject(reply) }
    return try unsafe RedisReply.value(reply.assumingMemoryBound(to: redisReply.self))
  }

  /// Whether bytes came that belong to no reply asked for.
  var hasBytesLeft: Bool { unsafe reader.pointee.pos < reader.pointee.len }

  /// Waits for the socket; its events, or 0 when the time is over.
  func ready(_ events: Int32, until deadline: Deadline) throws(RedisError) -> Int32 {
    try socket.ready(events, until: deadline)
  }

  /// hiredis' complaint, bounded; nil: it has none.
  private var failure: String? {
    let code = unsafe reader.pointee.err
    guard code != 0 else { return nil }
    let text = unsafe withUnsafeBytes(of: &reader.pointee.errstr) { bytes in
      unsafe PrintableText.bounded(Array(bytes.prefix { $0 != 0 }))
    }
    return text.isEmpty ? "error \(code)" : text
  }
}
