/// The bytes that a lane receives into: one for all its connections, so an idle one needs none.
@safe struct ScratchBuffer: ~Copyable {
  let storage: UnsafeMutableRawBufferPointer

  init(byteCount: Int) {
    unsafe storage = .allocate(byteCount: byteCount, alignment: 64)
  }

  deinit { unsafe storage.deallocate() }

  /// Reads up to `limit` bytes from `socket`.
  @inline(__always)
  func receive(from socket: borrowing Descriptor, limit: Int) -> Transfer {
    unsafe socket.receive(into: UnsafeMutableRawBufferPointer(rebasing: storage.prefix(limit)))
  }

  /// Lends the bytes `range` for the length of a call.
  @inline(__always)
  func withBytes<Result, Failure: Error>(
    _ range: Range<Int>, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let slice = unsafe UnsafeRawBufferPointer(rebasing: storage[range])
    return unsafe try body(RawSpan(_unsafeBytes: slice))
  }

  /// Appends the bytes `range` to `bytes`.
  func append(_ range: Range<Int>, to bytes: inout [UInt8]) {
    // Rebased, it is copied in one piece.
    unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: storage[range]))
  }
}

extension RawSpan {
  /// The big-endian number in the 4 bytes at `offset`; outside the span is a programmer mistake.
  @inline(__always)
  func bigEndianUInt32(at offset: Int) -> UInt32 {
    unsafe UInt32(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }
}
