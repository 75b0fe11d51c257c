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
    /// The start of the next allocation: a multiple of the alignment.
    var next: UnsafeMutableRawPointer
    /// How many bytes may be given out from there: within the chunk, and within the bound.
    var left = 0
    var chunk: UnsafeMutablePointer<Chunk>
    /// Bytes that may be given out once `left` is used up: from further chunks.
    var leftOfBound = 0
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
    let chunk = unsafe Self.newChunk(of: Self.firstChunkBytes, after: nil)
    unsafe state = .allocate(capacity: 1)
    unsafe state.initialize(to: State(next: UnsafeMutableRawPointer(chunk), chunk: chunk))
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
  var usedBytes: Int {
    unsafe state.pointee.bound - state.pointee.leftOfBound - state.pointee.left
  }

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
    unsafe state.pointee.bound = bound
    unsafe state.pointee.leftOfBound = bound
    unsafe state.pointee.left = 0
    unsafe state.pointee.isExhausted = false
    unsafe Self.open(state.pointee.chunk, state)
  }

  /// Gives out from `chunk` from now on, which holds nothing yet.
  private static func open(
    _ chunk: UnsafeMutablePointer<Chunk>, _ state: UnsafeMutablePointer<State>
  ) {
    let header = unsafe MemoryLayout<Chunk>.stride
    let room = unsafe min(chunk.pointee.byteCount - header, state.pointee.leftOfBound)
    unsafe state.pointee.chunk = chunk
    unsafe state.pointee.next = UnsafeMutableRawPointer(chunk) + header
    // Down to the alignment, so that rounding up can never pass it.
    unsafe state.pointee.left = room & -alignment
    unsafe state.pointee.leftOfBound -= room & -alignment
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

  @inline(__always)
  private static func allocate(
    _ byteCount: Int, from state: UnsafeMutablePointer<State>
  ) -> UnsafeMutableRawPointer? {
    let left = unsafe state.pointee.left
    // Unsigned, so that a size over Int.max does not fit; and `left` is a multiple of the
    // alignment, so that what fits also fits rounded up.
    guard UInt(bitPattern: byteCount) <= UInt(bitPattern: left) else {
      return unsafe allocateInNextChunk(byteCount, from: state)
    }
    let rounded = (byteCount + alignment - 1) & -alignment
    let start = unsafe state.pointee.next
    unsafe state.pointee.next = start + rounded
    unsafe state.pointee.left = left - rounded
    return unsafe start
  }

  /// Opens a further chunk, or refuses past the bound.
  @inline(never)
  private static func allocateInNextChunk(
    _ byteCount: Int, from state: UnsafeMutablePointer<State>
  ) -> UnsafeMutableRawPointer? {
    // The rest of the chunk stays unused, and does not count: only what was given out does.
    let left = unsafe state.pointee.left + state.pointee.leftOfBound
    guard byteCount >= 0, byteCount <= left & -alignment else {
      unsafe state.pointee.isExhausted = true
      return nil
    }
    let current = unsafe state.pointee.chunk
    let doubled = unsafe current.pointee.byteCount * 2
    let header = unsafe MemoryLayout<Chunk>.stride
    let bytes = max(
      doubled < largestDoubledChunkBytes - header ? doubled : largestDoubledChunkBytes,
      byteCount + alignment + header)
    unsafe state.pointee.leftOfBound = left
    unsafe state.pointee.left = 0
    unsafe open(newChunk(of: bytes, after: current), state)
    return unsafe allocate(byteCount, from: state)
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
