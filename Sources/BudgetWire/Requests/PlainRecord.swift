public import BudgetModel

/// A RecordSpend message in its usual shape, taken apart without unpacking it: what is charged, then
/// the cost, then the idempotency key if there is one, and nothing else.
///
/// `subject` is the message's first part as it stands. It is judged, unpacked and resolved by the way
/// through `RequestDecoder` when it is met first; what is the same byte by byte means the same.
public struct PlainRecord {
  /// Provider, deployment id, model and tags, unjudged; borrowed from the message.
  public let subject: NameBytes
  /// US dollars, unchecked.
  public let costUSD: Double
  /// Names the record; absent: it is not deduplicated. Borrowed from the message.
  public let idempotencyKey: NameBytes

  /// Takes `message` apart; nil where it has another shape.
  @inline(__always)
  public init?(_ message: NameBytes) {
    guard
      let record = message.withBytes({ bytes -> PlainRecord? in
        PlainRecord(in: bytes)
      })
    else { return nil }
    self = record
  }

  @inline(__always)
  private init?(in bytes: RawSpan) {
    var (seen, listed): (UInt32, Int32) = (0, 0)
    var offset = PlainFields.recordSubject.skip(
      in: bytes, from: 0, to: bytes.byteCount, seen: &seen, listed: &listed)
    subject = MethodEnvelope.name(in: bytes, from: 0, count: offset)
    guard MethodEnvelope.key(5 << 3 | 1, in: bytes, &offset), bytes.byteCount - offset >= 8
    else { return nil }
    costUSD = Double(bitPattern: bytes.word(at: offset))
    offset += 8
    guard offset < bytes.byteCount else {
      idempotencyKey = .absent
      return
    }
    guard MethodEnvelope.key(6 << 3 | 2, in: bytes, &offset),
      let length = MethodEnvelope.length(in: bytes, &offset),
      length == UInt64(bytes.byteCount - offset)
    else { return nil }
    idempotencyKey = MethodEnvelope.name(in: bytes, from: offset, count: Int(length))
  }
}
