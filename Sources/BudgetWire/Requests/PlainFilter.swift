public import BudgetModel

/// A FilterDeployments message in its usual shape, taken apart without unpacking it: the candidates
/// first and together, then the other fields in any order.
///
/// The candidates themselves are not judged: what is the same byte by byte means the same, and
/// `PlainDeployments` reads them.
public struct PlainFilter: FilterDeploymentsFields {
  /// Every entry of `deployments`, as they stand in the message; borrowed.
  public let candidates: NameBytes
  /// How many they are.
  public let deploymentCount: Int
  /// Whose configured entries are the candidates when none were sent.
  public private(set) var modelName = NameBytes.absent
  /// US dollars the request is expected to cost, unchecked; 0 = none.
  public private(set) var estimatedCostUSD = 0.0
  /// The wish to hold something for the candidate that is chosen.
  public private(set) var reserve = ReserveTerms()
  /// The bytes behind the candidates; borrowed.
  public let rest: NameBytes

  static let candidateKey: UInt8 = 1 << 3 | 2
  private static let tagKey: UInt8 = 2 << 3 | 2

  /// Takes `message` apart; nil where it has another shape or is past a bound.
  @inline(__always)
  public init?(_ message: NameBytes, bounds: WireBounds) {
    guard
      let filter = message.withBytes({ bytes -> PlainFilter? in
        PlainFilter(in: bytes, bounds: bounds)
      })
    else { return nil }
    self = filter
  }

  @inline(__always)
  private init?(in bytes: RawSpan, bounds: WireBounds) {
    var offset = 0
    var count = 0
    while bytes.takes(Self.candidateKey, at: &offset) {
      guard bytes.textRange(at: &offset) != nil else { return nil }
      count += 1
    }
    guard count <= bounds.maximumDeployments else { return nil }
    deploymentCount = count
    candidates = bytes.name(from: 0, count: offset)
    rest = bytes.name(from: offset, count: bytes.byteCount - offset)
    var tagCount = 0
    var (hasModelName, hasEstimate) = (false, false)
    var reserveSeen: UInt16 = 0
    while offset < bytes.byteCount {
      let key = bytes.byte(at: offset)
      offset += 1
      switch key {
      case Self.tagKey:
        guard bytes.textRange(at: &offset) != nil else { return nil }
        tagCount += 1
      case 3 << 3 | 2:
        guard !hasModelName, let name = bytes.text(at: &offset) else { return nil }
        hasModelName = true
        modelName = name
      case 4 << 3 | 1:
        guard !hasEstimate, let estimate = bytes.double(at: &offset) else { return nil }
        hasEstimate = true
        estimatedCostUSD = estimate
      default:
        let bit: UInt16 = 1 << UInt16(key >> 3)
        guard reserveSeen & bit == 0, reserve.read(key, in: bytes, at: &offset) else { return nil }
        reserveSeen |= bit
      }
    }
    guard tagCount <= bounds.maximumTags else { return nil }
  }

  /// Calls `body` with each tag, as sent.
  @inline(__always)
  public func forEachTag(_ body: (NameBytes) -> Void) {
    rest.forEachPlainText(of: Self.tagKey, body)
  }
}

extension ReserveTerms {
  /// Reads the field of `key`; false where it is another, or has another shape.
  fileprivate mutating func read(_ key: UInt8, in bytes: RawSpan, at offset: inout Int) -> Bool {
    switch key {
    case 5 << 3:
      guard let flag = bytes.varint(at: &offset, ofBits: 63) else { return false }
      isWanted = flag != 0
    case 6 << 3 | 1:
      guard let dollars = bytes.double(at: &offset) else { return false }
      amountUSD = dollars
    case 7 << 3:
      guard let ttl = bytes.varint(at: &offset, ofBits: 35), ttl <= UInt64(UInt32.max) else {
        return false
      }
      ttlMilliseconds = UInt32(ttl)
    case 8 << 3 | 2:
      guard let key = bytes.text(at: &offset) else { return false }
      idempotencyKey = key
    default: return false
    }
    return true
  }
}

extension NameBytes {
  /// Calls `body` with each text of the field `key` of a message that was taken apart before.
  @inline(__always)
  func forEachPlainText(of key: UInt8, _ body: (NameBytes) -> Void) {
    withBytes { bytes in
      var offset = 0
      while offset < bytes.byteCount {
        let next = bytes.byte(at: offset)
        offset += 1
        if next & 7 == 1 {
          offset += 8
        } else if next & 7 == 0 {
          _ = bytes.varint(at: &offset, ofBits: 63)
        } else if let text = bytes.text(at: &offset), next == key {
          body(text)
        }
      }
    }
  }
}
