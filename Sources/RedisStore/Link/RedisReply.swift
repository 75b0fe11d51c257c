import CHiredis

/// Turns hiredis' replies into values: every type is checked before its fields are touched.
enum RedisReply {
  /// hiredis itself nests no deeper than this.
  static let maximumDepth = 9

  /// The reply as a value. Copies; the caller still frees the reply, once, at its root.
  static func value(
    _ reply: UnsafeMutablePointer<redisReply>, depth: Int = 0
  ) throws(RedisError) -> RedisValue {
    switch unsafe reply.pointee.type {
    case REDIS_REPLY_NIL: return .null
    case REDIS_REPLY_INTEGER: return .integer(unsafe reply.pointee.integer)
    case REDIS_REPLY_STRING: return .bytes(unsafe bytes(of: reply))
    case REDIS_REPLY_STATUS: return .status(unsafe bytes(of: reply))
    case REDIS_REPLY_ERROR: return .error(RedisRefusal(reply: unsafe bytes(of: reply)))
    case REDIS_REPLY_ARRAY:
      guard depth < maximumDepth else { throw .protocolViolation("arrays nest too deeply") }
      let count = unsafe reply.pointee.elements
      var values: [RedisValue] = []
      values.reserveCapacity(count)
      for index in 0..<count {
        guard let elements = unsafe reply.pointee.element, let element = unsafe elements[index]
        else { throw .protocolViolation("an array lacks an element") }
        values.append(try unsafe value(element, depth: depth + 1))
      }
      return .array(values)
    case let type: throw .protocolViolation("a reply of the unknown type \(type)")
    }
  }

  private static func bytes(of reply: UnsafeMutablePointer<redisReply>) -> [UInt8] {
    guard let text = unsafe reply.pointee.str else { return [] }
    return unsafe Array(UnsafeRawBufferPointer(start: text, count: reply.pointee.len))
  }
}
