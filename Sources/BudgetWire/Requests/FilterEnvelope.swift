public import BudgetModel

/// The envelope of a FilterDeployments request, read without unpacking what is in it.
///
/// Only for the shape that every client's library writes: the call id, a timeout if there is one,
/// and the method's message, each once and in the order of their numbers. Any other request takes
/// the way through `RequestDecoder`, which also says what is wrong with it.
public struct FilterEnvelope {
  /// Names the call; from 1.
  public let callID: UInt64
  /// Milliseconds after which the caller no longer waits; 0 = none.
  public let timeoutMilliseconds: UInt32
  /// The method's message, unjudged; borrowed from the frame.
  public let message: NameBytes

  /// Reads the envelope of `frame`, a frame without its header; nil where it has another shape.
  public init?(frame: RawSpan) {
    var cursor = WireCursor(at: 0, end: frame.byteCount)
    guard frame.byteCount > 0, let first = try? cursor.nextField(in: frame), first.number == 1,
      first.wireType == 0, first.value != 0, cursor.offset < frame.byteCount,
      var field = try? cursor.nextField(in: frame)
    else { return nil }
    var timeout: UInt32 = 0
    if field.number == 2, field.wireType == 0 {
      guard let value = UInt32(exactly: field.value), cursor.offset < frame.byteCount,
        let next = try? cursor.nextField(in: frame)
      else { return nil }
      timeout = value
      field = next
    }
    guard field.number == UInt32(MethodName.filterDeployments.rawValue), field.wireType == 2,
      cursor.offset == frame.byteCount
    else { return nil }
    callID = first.value
    timeoutMilliseconds = timeout
    let (start, length) = (field.start, Int(field.value))
    // Safe: the field lies within the frame, which the caller keeps as it keeps the span.
    message = unsafe frame.withUnsafeBytes { bytes in
      unsafe NameBytes(
        base: bytes.baseAddress.map {
          unsafe ($0 + start).assumingMemoryBound(to: UInt8.self)
        }, count: length)
    }
  }
}
