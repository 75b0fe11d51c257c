/// Bytes that a socket has not taken yet, in order, in chunks that go as they are sent.
struct SendQueue {
  private static let chunkBytes = 128 * 1024

  private(set) var byteCount = 0
  /// The memory that the chunks take.
  private(set) var capacity = 0
  private var chunks: [[UInt8]] = []
  /// The chunks before it are sent and empty.
  private var firstChunk = 0
  private var sentOfFirst = 0

  var isEmpty: Bool { byteCount == 0 }

  mutating func append(_ bytes: ArraySlice<UInt8>) {
    if bytes.isEmpty { return }
    byteCount += bytes.count
    if chunks.count > firstChunk,
      chunks[chunks.count - 1].count + bytes.count <= Self.chunkBytes
    {
      capacity -= chunks[chunks.count - 1].capacity
      chunks[chunks.count - 1].append(contentsOf: bytes)
    } else {
      chunks.append(Array(bytes))
    }
    capacity += chunks[chunks.count - 1].capacity
  }

  /// The next chunk, and how much of it is sent. Only while not empty.
  var next: (bytes: [UInt8], sent: Int) { (chunks[firstChunk], sentOfFirst) }

  /// Notes that `count` bytes of `next` were sent.
  mutating func removeFirst(_ count: Int) {
    byteCount -= count
    sentOfFirst += count
    if sentOfFirst == chunks[firstChunk].count {
      capacity -= chunks[firstChunk].capacity
      chunks[firstChunk] = []
      firstChunk += 1
      sentOfFirst = 0
    }
    if byteCount == 0 {
      // An idle connection keeps nothing.
      chunks = []
      firstChunk = 0
    } else if firstChunk >= 64 {
      chunks.removeFirst(firstChunk)
      firstChunk = 0
    }
  }

  mutating func removeAll() { self = SendQueue() }
}
