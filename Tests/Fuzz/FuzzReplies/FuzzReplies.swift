@testable import RedisStore

/// One input: its first byte says how the rest is cut into reads; the rest is what a Redis sends. The
/// bounds are small, so that inputs reach them.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzReplies(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: count))
  guard let first = bytes.first else { return 0 }
  var bounds = RedisBounds()
  bounds.replyBytes = 64 * 1024
  bounds.replyElements = 512
  guard var replies = RedisReplies(bounds: bounds) else { return 0 }
  replies.begin()
  let step = max(1, Int(first))
  var rest = bytes.dropFirst()
  var elements = 0
  do throws(RedisError) {
    while !rest.isEmpty {
      try replies.feed(Array(rest.prefix(step)))
      rest = rest.dropFirst(step)
      while let reply = try replies.next() {
        elements += size(of: reply)
        _ = ServerFacts(info: text(of: reply))
        precondition(elements <= 513, "more elements than the bound")
      }
    }
  } catch {
    // A refusal is an answer; its text is shown to people.
    precondition(error.description.utf8.count < 2_000, "an error of unbounded length")
  }
  return 0
}

private func size(of value: RedisValue) -> Int {
  if case .array(let values) = value { values.reduce(1) { $0 + size(of: $1) } } else { 1 }
}

private func text(of value: RedisValue) -> [UInt8] {
  switch value {
  case .bytes(let bytes), .status(let bytes): bytes
  default: []
  }
}
