import BudgetModel
import CBudgetWire

/// Turns a method's message into a view: the walk judges it, protobuf-c unpacks it into an arena that
/// is reused for request after request.
///
/// Belongs to one lane: not `Sendable`, not copyable. In the steady state a decode allocates
/// nothing. Memory: 64 KiB, and for large requests up to about 8 MiB while one is decoded.
///
/// The functions that make a method's view stand beside the view. A view, and the names that come from
/// it, is valid until the decoder is used again.
public struct RequestDecoder: ~Copyable {
  /// The bounds that requests are judged by.
  public let bounds: WireBounds
  private var arena = RequestArena()

  /// A decoder of its own arena.
  public init(bounds: WireBounds = .standard) {
    self.bounds = bounds
  }

  /// How many bytes the last message took unpacked.
  public var lastRequestArenaBytes: Int { arena.usedBytes }

  /// Judges the message of `head`, whichever its method: all there is to do where a method has no
  /// fields, or the build no such method.
  public func judge(_ head: RequestHead) throws(WireFault) {
    try WireWalk.judge(head, bounds: bounds)
  }

  /// Judges the message of `head`, then unpacks it with protobuf-c's function for it.
  @unsafe mutating func unpack<Message>(
    _ head: RequestHead,
    _ unpack: (
      UnsafeMutablePointer<ProtobufCAllocator>?, Int, UnsafePointer<UInt8>?
    ) -> UnsafeMutablePointer<Message>?
  ) throws(WireFault) -> UnsafePointer<Message> {
    try judge(head)
    let bound = WireBounds.arenaBytes(forRequestOf: head.message.count)
    arena.begin(bound: bound)
    // Safe: protobuf-c reads the message's bytes, which the frame keeps alive, and copies what it
    // keeps into the arena, which stays as it is until the next call of this function.
    let message = unsafe head.message.withBytes { bytes in
      unsafe bytes.withUnsafeBytes { bytes in
        unsafe arena.withAllocator { allocator in
          unsafe unpack(
            allocator, bytes.count, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        }
      }
    }
    guard let message = unsafe message else {
      throw arena.isExhausted ? .tooMuchMemory(bound: bound) : .notUnpacked
    }
    return unsafe UnsafePointer(message)
  }
}
