public import BudgetModel

/// A RecordSpend message in its usual shape, taken apart without unpacking it: every field once but
/// for the tags, in any order. `PlainReserve` reads its like.
public struct PlainRecord: RecordSpendFields {
  /// The explicit provider.
  public private(set) var provider = NameBytes.absent
  /// The deployment that served the request.
  public private(set) var deploymentID = NameBytes.absent
  /// The model, to derive the provider from.
  public private(set) var model = NameBytes.absent
  /// US dollars, unchecked; nil where the field was absent.
  public private(set) var costUSD: Double?
  /// Makes a retry harmless; absent = not deduplicated.
  public private(set) var idempotencyKey = NameBytes.absent
  /// The reservation that this settles.
  public private(set) var reservationID = NameBytes.absent
  /// The public model name that was asked for.
  public private(set) var modelName = NameBytes.absent
  /// Provider, deployment and model as they stand together at the start of the message; borrowed.
  /// Absent where they stand elsewhere, or there are none.
  public private(set) var subject = NameBytes.absent
  /// The same with the tags, which follow; absent also where a tag stands elsewhere.
  public private(set) var subjectAndTags = NameBytes.absent
  /// Of a ReserveSpend message.
  fileprivate var ttlMilliseconds: UInt32 = 0
  /// Everything behind provider, deployment and model.
  private var rest = NameBytes.absent

  private static let tagKey: UInt8 = 4 << 3 | 2

  /// A record without a field, for `read`.
  @inline(__always)
  public init() {}

  /// Takes `message` apart; nil where it has another shape or is past a bound.
  public init?(_ message: NameBytes, bounds: WireBounds) {
    guard read(message, bounds: bounds) else { return nil }
  }

  /// Takes `message` apart, in place: passed on as an optional, it would be copied more than once.
  /// Called once. False, and what it holds means nothing, where `message` has another shape or is
  /// past a bound.
  @inline(__always)
  public mutating func read(_ message: NameBytes, bounds: WireBounds) -> Bool {
    message.withBytes { read(in: $0, bounds: bounds, hasTTL: false) }
  }

  /// Of a ReserveSpend message number 6 is a TTL, and 7 the key.
  @inline(__always)
  fileprivate mutating func read(in bytes: RawSpan, bounds: WireBounds, hasTTL: Bool) -> Bool {
    // As libraries write it: in the order of the numbers.
    var offset = 0
    var seen: UInt16 = 0
    if bytes.takes(1 << 3 | 2, at: &offset) {
      guard let text = bytes.text(at: &offset) else { return false }
      (provider, seen) = (text, seen | 1 << 1)
    }
    if bytes.takes(2 << 3 | 2, at: &offset) {
      guard let text = bytes.text(at: &offset) else { return false }
      (deploymentID, seen) = (text, seen | 1 << 2)
    }
    if bytes.takes(3 << 3 | 2, at: &offset) {
      guard let text = bytes.text(at: &offset) else { return false }
      (model, seen) = (text, seen | 1 << 3)
    }
    let subjectEnd = offset
    rest = bytes.name(from: offset, count: bytes.byteCount - offset)
    var tagCount = 0
    while bytes.takes(Self.tagKey, at: &offset) {
      guard bytes.textRange(at: &offset) != nil else { return false }
      tagCount += 1
    }
    let (tagsEnd, tagsTogether, subjectSeen) = (offset, tagCount, seen & 0b1110)
    while offset < bytes.byteCount {
      let key = bytes.byte(at: offset)
      offset += 1
      if key == Self.tagKey {
        guard bytes.textRange(at: &offset) != nil else { return false }
        tagCount += 1
        continue
      }
      let bit: UInt16 = 1 << UInt16(key >> 3)
      guard seen & bit == 0 else { return false }
      seen |= bit
      if key == 5 << 3 | 1 {
        guard let dollars = bytes.double(at: &offset) else { return false }
        costUSD = dollars
        continue
      }
      if hasTTL, key == 6 << 3 {
        guard let ttl = bytes.varint(at: &offset, ofBits: 35), ttl <= UInt64(UInt32.max) else {
          return false
        }
        ttlMilliseconds = UInt32(ttl)
        continue
      }
      guard let text = bytes.text(at: &offset), !hasTTL || key >> 3 != 6 else { return false }
      switch key {
      case 6 << 3 | 2: idempotencyKey = text
      case 7 << 3 | 2: reservationID = text
      case 8 << 3 | 2: modelName = text
      case 1 << 3 | 2: provider = text
      case 2 << 3 | 2: deploymentID = text
      case 3 << 3 | 2: model = text
      default: return false
      }
    }
    guard tagCount <= bounds.maximumTags else { return false }
    guard seen & 0b1110 == subjectSeen else { return true }
    subject = bytes.name(from: 0, count: subjectEnd)
    if tagCount == tagsTogether { subjectAndTags = bytes.name(from: 0, count: tagsEnd) }
    return true
  }

  /// Calls `body` with each tag, as sent, repeated ones too.
  @inline(__always)
  public func forEachTag(_ body: (NameBytes) -> Void) {
    rest.forEachPlainText(of: Self.tagKey, body)
  }
}

/// A ReserveSpend message in its usual shape: as a record, but for two numbers.
public struct PlainReserve: ReserveSpendFields {
  private var fields = PlainRecord()

  /// Takes `message` apart; nil where it has another shape or is past a bound.
  public init?(_ message: NameBytes, bounds: WireBounds) {
    guard message.withBytes({ fields.read(in: $0, bounds: bounds, hasTTL: true) }) else {
      return nil
    }
  }

  /// The explicit provider.
  public var provider: NameBytes { fields.provider }
  /// The deployment.
  public var deploymentID: NameBytes { fields.deploymentID }
  /// The model, to derive the provider from.
  public var model: NameBytes { fields.model }
  /// The public model name that was asked for.
  public var modelName: NameBytes { fields.modelName }
  /// US dollars, unchecked; 0 = what is learned.
  public var amountUSD: Double { fields.costUSD ?? 0 }
  /// Milliseconds, unchecked; 0 = none given.
  public var ttlMilliseconds: UInt32 { fields.ttlMilliseconds }
  /// Makes a retry harmless; absent = not deduplicated.
  public var idempotencyKey: NameBytes { fields.reservationID }
  /// As `PlainRecord.subject`.
  public var subject: NameBytes { fields.subject }
  /// As `PlainRecord.subjectAndTags`.
  public var subjectAndTags: NameBytes { fields.subjectAndTags }

  /// Calls `body` with each tag, as sent, repeated ones too.
  @inline(__always)
  public func forEachTag(_ body: (NameBytes) -> Void) { fields.forEachTag(body) }
}
