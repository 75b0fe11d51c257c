import CHiredis

/// The replies in the bytes that came, by hiredis. It has no socket.
///
/// Bytes are input of a stranger: how many of them an exchange may bring, and how many elements they
/// may make, is bounded before memory is taken. After an error it is of no use.
@safe struct RedisReplies: ~Copyable {
  private let reader: UnsafeMutablePointer<redisReader>
  /// How much hiredis may still build of the replies of this exchange.
  private let reading: UnsafeMutablePointer<chiredis_bounds>
  private let bounds: RedisBounds
  /// The bytes that have come in this exchange.
  private var received = 0

  /// Nil: there is no memory.
  init?(bounds: RedisBounds) {
    guard let reader = unsafe redisReaderCreate() else { return nil }
    unsafe self.reader = unsafe reader
    unsafe reading = .allocate(capacity: 1)
    unsafe reading.initialize(to: chiredis_bounds())
    self.bounds = bounds
    unsafe chiredis_bound(reader, reading)
  }

  deinit {
    unsafe redisReaderFree(reader)
    unsafe reading.deinitialize(count: 1)
    unsafe reading.deallocate()
  }

  /// Begins an exchange: the bounds count from here.
  mutating func begin() {
    received = 0
    unsafe reading.pointee.elements_left = bounds.replyElements
  }

  /// Takes in bytes that came.
  mutating func feed(_ bytes: [UInt8]) throws(RedisError) {
    received += bytes.count
    guard received <= bounds.replyBytes else {
      throw .replyTooLarge("more than \(bounds.replyBytes) bytes")
    }
    let reader = unsafe reader
    let status = unsafe bytes.withUnsafeBytes { bytes in
      unsafe redisReaderFeed(
        reader, bytes.assumingMemoryBound(to: CChar.self).baseAddress, bytes.count)
    }
    if status != REDIS_OK { throw .io(failure ?? "the reply could not be taken in") }
  }

  /// The next whole reply of those that have come; nil: not all of it is here.
  mutating func next() throws(RedisError) -> RedisValue? {
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
