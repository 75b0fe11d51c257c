import CHiredis
import Glibc

/// The owner of one hiredis context: bytes out, replies in, each within a deadline.
///
/// The socket never blocks: hiredis' own time limit is one a read, so that a server that sends a
/// byte at a time would never meet it. Any error makes the context useless for good, since what
/// comes next could be the answer to an older command: the caller drops the connection.
@safe struct RedisConnection: ~Copyable {
  private let context: UnsafeMutablePointer<redisContext>
  /// How much hiredis may still build of the replies of this exchange.
  private let reading: UnsafeMutablePointer<chiredis_bounds>
  private let bounds: RedisBounds
  /// The bytes that have come in this exchange.
  private var received = 0

  /// Takes over a fresh context, whether or not it has an error.
  private init(_ context: UnsafeMutablePointer<redisContext>, bounds: RedisBounds) {
    unsafe self.context = unsafe context
    unsafe reading = .allocate(capacity: 1)
    unsafe reading.initialize(to: chiredis_bounds())
    self.bounds = bounds
    unsafe chiredis_bound(context, reading)
  }

  /// A connection to one numeric address or a path. Waits until `deadline` at most.
  static func connected(
    to target: ConnectTarget, of address: RedisAddress, bounds: RedisBounds, deadline: Deadline
  ) throws(RedisError) -> RedisConnection {
    let made: UnsafeMutablePointer<redisContext>? =
      switch target {
      case .tcp(let numericHost, let port): unsafe redisConnectNonBlock(numericHost, Int32(port))
      case .unix(let path): unsafe redisConnectUnixNonBlock(path)
      }
    guard let made = unsafe made else { throw .connect(address, reason: "out of memory") }
    let connection = unsafe RedisConnection(made, bounds: bounds)
    if let reason = connection.failure { throw .connect(address, reason: reason) }
    connection.closeOnExecution()
    guard try connection.ready(PollEvents.output, until: deadline) != 0 else {
      throw .connect(address, reason: "no connection within \(deadline.allowance)")
    }
    if let reason = connection.socketFailure() { throw .connect(address, reason: reason) }
    if case .tcp = target { connection.setTCPOptions() }
    return connection
  }

  deinit {
    unsafe redisFree(context)
    unsafe reading.deinitialize(count: 1)
    unsafe reading.deallocate()
  }

  /// Begins an exchange: the bounds on replies count from here.
  mutating func begin() {
    received = 0
    unsafe reading.pointee.elements_left = bounds.replyElements
  }

  /// Adds one command to what is to be sent. Arguments are bytes and never a format.
  mutating func append(_ arguments: [[UInt8]]) throws(RedisError) {
    precondition(!arguments.isEmpty, "a command has a name")
    // One buffer for all arguments: a pointer into each array would outlive its own closure.
    var joined: [UInt8] = []
    joined.reserveCapacity(arguments.reduce(1) { $0 + $1.count })
    for argument in arguments { joined += argument }
    // So that there is a base address even where all arguments are empty.
    joined.append(0)
    let lengths = arguments.map(\.count)
    let status = unsafe joined.withUnsafeBufferPointer { buffer -> Int32 in
      guard let base = buffer.baseAddress else { return REDIS_ERR }
      var pointers: [UnsafePointer<CChar>?] = unsafe []
      unsafe pointers.reserveCapacity(lengths.count)
      var offset = 0
      for length in lengths {
        unsafe pointers.append(UnsafeRawPointer(base + offset).assumingMemoryBound(to: CChar.self))
        offset += length
      }
      return unsafe redisAppendCommandArgv(context, Int32(lengths.count), &pointers, lengths)
    }
    if status != REDIS_OK { throw .io(failure ?? "the command could not be formed") }
  }

  /// Writes what is waiting as far as it goes. True: all of it is written.
  mutating func write() throws(RedisError) -> Bool {
    var isDone: Int32 = 0
    if unsafe redisBufferWrite(context, &isDone) != REDIS_OK { throw brokenLink() }
    return isDone != 0
  }

  /// Takes in what has come. Called when the socket has something, so that it never waits.
  mutating func read() throws(RedisError) {
    let before = unsafe context.pointee.reader.pointee.len
    if unsafe redisBufferRead(context) != REDIS_OK { throw brokenLink() }
    received += Int(unsafe context.pointee.reader.pointee.len) - Int(before)
    guard received <= bounds.replyBytes else {
      throw .replyTooLarge("more than \(bounds.replyBytes) bytes")
    }
  }

  /// The next whole reply of those that have come; nil: not all of it is here.
  mutating func nextReply() throws(RedisError) -> RedisValue? {
    var reply: UnsafeMutableRawPointer?
    guard unsafe redisGetReplyFromReader(context, &reply) == REDIS_OK else {
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
  var hasBytesLeft: Bool {
    let reader = unsafe context.pointee.reader
    guard let reader = unsafe reader else { return false }
    return unsafe reader.pointee.pos < reader.pointee.len
  }

  /// Waits for the socket; what it is ready for, or 0 when the time is over.
  func ready(_ events: Int32, until deadline: Deadline) throws(RedisError) -> Int32 {
    while true {
      let left = deadline.millisecondsLeft
      var entry = pollfd(fd: unsafe context.pointee.fd, events: Int16(events), revents: 0)
      let count = unsafe poll(&entry, 1, left)
      if count > 0 { return Int32(entry.revents) }
      if count < 0 && errno != EINTR { throw .io(Self.message(for: errno)) }
      if count == 0 && left == 0 { return 0 }
    }
  }

  /// hiredis' complaint, bounded; nil: none.
  private var failure: String? {
    let code = unsafe context.pointee.err
    guard code != 0 else { return nil }
    let text = unsafe withUnsafeBytes(of: &context.pointee.errstr) { bytes in
      unsafe PrintableText.bounded(Array(bytes.prefix { $0 != 0 }))
    }
    return text.isEmpty ? "error \(code)" : text
  }

  private func brokenLink() -> RedisError {
    unsafe context.pointee.err == REDIS_ERR_EOF ? .closed : .io(failure ?? "unknown")
  }

  /// Why the connect failed; nil: it did not.
  private func socketFailure() -> String? {
    var code: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    let status = unsafe getsockopt(context.pointee.fd, SOL_SOCKET, SO_ERROR, &code, &length)
    if status != 0 { return Self.message(for: errno) }
    return code == 0 ? nil : Self.message(for: code)
  }

  /// Another program that this process may start does not get the socket.
  private func closeOnExecution() { _ = unsafe fcntl(context.pointee.fd, F_SETFD, FD_CLOEXEC) }

  /// Sends at once, and notices within a minute that the other machine is gone.
  private func setTCPOptions() {
    var on: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    // Refused ones cost time, not correctness.
    _ = unsafe setsockopt(context.pointee.fd, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size)
    _ = unsafe redisEnableKeepAlive(context)
  }

  private static func message(for code: Int32) -> String {
    guard let text = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: text)
  }
}
