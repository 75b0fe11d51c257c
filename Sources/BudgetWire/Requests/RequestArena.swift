import CBudgetWire

/// The memory that one message at a time is unpacked into: a bump allocator under a hard bound.
///
/// Allocation moves an offset; freeing does nothing until `begin` takes everything back. Memory
/// comes in chunks that never move, so that pointers hold until then; the first has 64 KiB, each
/// further one twice as much as the one before up to 4 MiB, and the last is kept for the next
/// message. A lane that only sees ordinary requests never holds more than the first.
///
/// Why this is safe: the state and the chunks are owned by this one value, which cannot be copied
/// and frees them when it goes; they leave it only as the allocator that `RequestDecoder` and
/// `ResponseDecoder` hand to protobuf-c, whose results those two let nobody keep. Every allocation
/// is checked against the chunk's end and aligned to eight bytes, which is enough for every type
/// in the generated structs.
@safe struct RequestArena: ~Copyable {
  @unsafe private struct Chunk {
    var previous: UnsafeMutablePointer<Chunk>?
    var byteCount: Int
  }

  @unsafe private struct State {
    var chunk: UnsafeMutablePointer<Chunk>
    /// How many bytes of the chunk are taken, its own record included.
    var offset: Int
    /// How many bytes were given out since `begin`, over all chunks. Never falls.
    var used = 0
    var bound = 0
    var isExhausted = false
  }

  static let firstChunkBytes = 64 * 1024
  /// Room for the most that a request may take, so that one kept chunk serves every request.
  private static var largestDoubledChunkBytes: Int {
    unsafe 4 * 1024 * 1024 + MemoryLayout<Chunk>.stride
  }
  private static let alignment = 8

  private let state: UnsafeMutablePointer<State>
  /// The allocator to hand to protobuf-c, valid as long as the arena is.
  private let allocator: UnsafeMutablePointer<ProtobufCAllocator>

  init() {
    unsafe state = .allocate(capacity: 1)
    unsafe state.initialize(
      to: State(
        chunk: Self.newChunk(of: Self.firstChunkBytes, after: nil),
        offset: MemoryLayout<Chunk>.stride))
    unsafe allocator = .allocate(capacity: 1)
    unsafe allocator.initialize(
      to: ProtobufCAllocator(
        alloc: { state, byteCount in
          guard let state = unsafe state?.assumingMemoryBound(to: State.self) else { return nil }
          return unsafe RequestArena.allocate(byteCount, from: state)
        },
        free: { _, _ in },
        allocator_data: state))
  }

  deinit {
    unsafe Self.freeChunks(from: state.pointee.chunk)
    unsafe state.deallocate()
    unsafe allocator.deallocate()
  }

  /// How many bytes were given out since `begin`.
  var usedBytes: Int { unsafe state.pointee.used }

  /// Whether an allocation was refused since `begin`.
  var isExhausted: Bool { unsafe state.pointee.isExhausted }

  /// How many bytes of memory the arena holds.
  var heldBytes: Int {
    var total = 0
    var next = unsafe Optional(state.pointee.chunk)
    while let chunk = unsafe next {
      total += unsafe chunk.pointee.byteCount
      unsafe next = chunk.pointee.previous
    }
    return total
  }

  /// Takes everything back, which ends the life of every pointer given out, and lets at most
  /// `bound` bytes be given out from now on.
  mutating func begin(bound: Int) {
    if let previous = unsafe state.pointee.chunk.pointee.previous {
      unsafe Self.freeChunks(from: previous)
      unsafe state.pointee.chunk.pointee.previous = nil
    }
    unsafe state.pointee.offset = MemoryLayout<Chunk>.stride
    unsafe state.pointee.used = 0
    unsafe state.pointee.bound = bound
    unsafe state.pointee.isExhausted = false
  }

  /// Calls `body` with the allocator.
  @unsafe mutating func withAllocator<Answer>(
    _ body: (UnsafeMutablePointer<ProtobufCAllocator>) -> Answer
  ) -> Answer {
    unsafe body(allocator)
  }

  /// Gives out `byteCount` bytes, or nil past the bound.
  @unsafe mutating func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer? {
    unsafe Self.allocate(byteCount, from: state)
  }

  private static func allocate(
    _ byteCount: Int, from state: UnsafeMutablePointer<State>
  ) -> UnsafeMutableRawPointer? {
    let left = unsafe state.pointee.bound - state.pointee.used
    // Compared before it is rounded up, so that no size can overflow; a negative one is a size_t
    // over Int.max.
    guard byteCount >= 0, byteCount <= left else {
      unsafe state.pointee.isExhausted = true
      return nil
    }
    let rounded = (byteCount + alignment - 1) & -alignment
    guard rounded <= left else {
      unsafe state.pointee.isExhausted = true
      return nil
    }
    if unsafe rounded > state.pointee.chunk.pointee.byteCount - state.pointee.offset {
      let current = unsafe state.pointee.chunk
      let doubled = unsafe current.pointee.byteCount * 2
      let byteCount = unsafe max(
        doubled < largestDoubledChunkBytes - MemoryLayout<Chunk>.stride
          ? doubled : largestDoubledChunkBytes,
        rounded + MemoryLayout<Chunk>.stride)
      unsafe state.pointee.chunk = newChunk(of: byteCount, after: current)
      unsafe state.pointee.offset = MemoryLayout<Chunk>.stride
    }
    let start = unsafe state.pointee.offset
    unsafe state.pointee.offset = start + rounded
    unsafe state.pointee.used += rounded
    return unsafe UnsafeMutableRawPointer(state.pointee.chunk) + start
  }

  private static func newChunk(
    of byteCount: Int, after previous: UnsafeMutablePointer<Chunk>?
  ) -> UnsafeMutablePointer<Chunk> {
    let raw = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 16)
    let chunk = unsafe raw.bindMemory(to: Chunk.self, capacity: 1)
    unsafe chunk.initialize(to: Chunk(previous: previous, byteCount: byteCount))
    return unsafe chunk
  }

  private static func freeChunks(from last: UnsafeMutablePointer<Chunk>) {
    var next = unsafe Optional(last)
    while let chunk = unsafe next {
      unsafe next = chunk.pointee.previous
      unsafe UnsafeMutableRawPointer(chunk).deallocate()
    }
  }
}
