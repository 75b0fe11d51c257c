import Glibc

/// The bytes that a thread receives into: one for all its connections, so an idle one needs none.
@safe public struct ScratchBuffer: ~Copyable {
  private let storage: UnsafeMutableRawBufferPointer

  /// Takes `byteCount` bytes.
  public init(byteCount: Int) {
    unsafe storage = .allocate(byteCount: byteCount, alignment: 64)
  }

  deinit { unsafe storage.deallocate() }

  /// Reads up to `limit` bytes from `socket` to the start of the buffer.
  @inline(__always)
  public func receive(from socket: borrowing Descriptor, limit: Int) -> Transfer {
    let room = unsafe UnsafeMutableRawBufferPointer(rebasing: storage.prefix(limit))
    let count = SystemCalls.retrying {
      unsafe Glibc.recv(socket.number, room.baseAddress, room.count, 0)
    }
    if count > 0 { return .bytes(count) }
    return count == 0 ? .ended : Descriptor.failure(-count)
  }

  /// Lends the bytes `range` for the length of a call.
  @inline(__always)
  public func withBytes<Result, Failure: Error>(
    _ range: Range<Int>, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let slice = unsafe UnsafeRawBufferPointer(rebasing: storage[range])
    return unsafe try body(RawSpan(_unsafeBytes: slice))
  }

  /// Lends the whole buffer to be written to for the length of a call.
  @inline(__always)
  public func withMutableBytes<Result>(_ body: (inout MutableRawSpan) -> Result) -> Result {
    var span = unsafe MutableRawSpan(_unsafeBytes: storage)
    return body(&span)
  }

  /// Appends the bytes `range` to `bytes`.
  public func append(_ range: Range<Int>, to bytes: inout [UInt8]) {
    // Rebased, it is copied in one piece.
    unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: storage[range]))
  }
}
