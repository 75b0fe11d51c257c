public import BudgetModel

/// The part of a request before its method's own message: enough to judge who may go on, and where
/// the message lies.
///
/// A frame in the shape that every client's library writes (the call id, a timeout if there is one,
/// the method's message, each once and in the order of their numbers) is read in a few steps. Any
/// other is walked over, which also says what is wrong with it. Both give the same.
public struct RequestHead {
  /// Names the call; from 1, and 0 for an empty frame only.
  public let callID: UInt64
  /// Milliseconds after which the caller no longer waits; 0 = none.
  public let timeoutMilliseconds: UInt32
  /// The method that is asked for; nil: none, or one of a later contract.
  public let method: MethodName?
  /// The method's message, unjudged; borrowed from the frame.
  public let message: NameBytes
  /// The offset of the message in the frame.
  let messageOffset: Int
  /// How many fields of the envelope the schema does not know. Its bound holds for the whole request.
  let unknownFields: Int

  /// Reads the head of `frame`, one frame without its header. Throws the answer if it is not
  /// a request. The connection can stay open: framing is intact.
  @inline(__always)
  public init(frame: RawSpan, bounds: WireBounds) throws(WireRefusal) {
    if let plain = RequestHead(plain: frame, bounds: bounds) {
      self = plain
    } else {
      self = try WireWalk.head(of: frame, bounds: bounds)
    }
  }

  /// The bytes of a frame, for who serves it again.
  public static func copy(of frame: RawSpan) -> [UInt8] {
    var bytes: [UInt8] = []
    frame.name(from: 0, count: frame.byteCount).append(to: &bytes)
    return bytes
  }

  init(
    callID: UInt64, timeoutMilliseconds: UInt32, method: MethodName?, in frame: RawSpan,
    message: Range<Int>, unknownFields: Int
  ) {
    self.callID = callID
    self.timeoutMilliseconds = timeoutMilliseconds
    self.method = method
    self.message = frame.name(from: message.lowerBound, count: message.count)
    messageOffset = message.lowerBound
    self.unknownFields = unknownFields
  }

  /// Nil where the frame has another shape than the usual one, or is too long.
  init?(plain frame: RawSpan, bounds: WireBounds) {
    guard frame.byteCount <= bounds.maximumRequestBytes else { return nil }
    var offset = 0
    guard frame.takes(0x08, at: &offset), let callID = frame.varint(at: &offset, ofBits: 63),
      callID != 0
    else { return nil }
    var timeout: UInt64 = 0
    if frame.takes(0x10, at: &offset) {
      guard let value = frame.varint(at: &offset, ofBits: 63), value <= UInt64(UInt32.max)
      else { return nil }
      timeout = value
    }
    guard offset < frame.byteCount else { return nil }
    // Numbers from 16 on take a second byte of key: 1, for all there are.
    let key = frame.byte(at: offset)
    offset += 1
    guard key & 7 == 2 else { return nil }
    var number = key >> 3
    if key >= 0x80 {
      guard frame.takes(1, at: &offset) else { return nil }
      number = key >> 3 & 0x0F | 0x10
    }
    guard let method = MethodName(rawValue: number), let length = frame.length(at: &offset),
      length == UInt64(frame.byteCount - offset)
    else { return nil }
    self.init(
      callID: callID, timeoutMilliseconds: UInt32(timeout), method: method, in: frame,
      message: offset..<offset + Int(length), unknownFields: 0)
  }
}
