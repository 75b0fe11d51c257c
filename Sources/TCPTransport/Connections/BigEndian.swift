extension RawSpan {
  /// The big-endian number in the 4 bytes at `offset`; outside the span is a programmer mistake.
  @inline(__always)
  func bigEndianUInt32(at offset: Int) -> UInt32 {
    unsafe UInt32(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }
}
