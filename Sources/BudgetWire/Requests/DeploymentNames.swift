public import BudgetModel

/// The names of a `Deployment`, borrowed from a request.
public struct DeploymentNames {
  /// LiteLLM's `model_info.id`.
  public var id = NameBytes.absent
  /// The public name, its model group.
  public var modelName = NameBytes.absent
  /// `litellm_params.model`.
  public var model = NameBytes.absent
  /// The explicit provider; absent = the configured deployment's, or derived from `model`.
  public var provider = NameBytes.absent
  /// Whether the caller says that it costs nothing.
  public var isFree = false
  /// US dollars that a request to it is expected to cost, unchecked; nil where the field was absent.
  public var estimatedCostUSD: Double?

  /// A deployment without names.
  public init() {}

  /// Reads a `Deployment` that stands in its usual shape: each field once, in any order.
  @inline(__always)
  init?(plain bytes: RawSpan, in range: Range<Int>) {
    var offset = range.lowerBound
    var seen: UInt8 = 0
    while offset < range.upperBound {
      let key = bytes.byte(at: offset)
      offset += 1
      let bit: UInt8 = 1 << (key >> 3)
      if key & 7 != 2 {
        guard seen & bit == 0, readNumber(key, in: bytes, at: &offset, to: range.upperBound) else {
          return nil
        }
        seen |= bit
        continue
      }
      guard seen & bit == 0, let text = bytes.textRange(at: &offset), offset <= range.upperBound
      else { return nil }
      seen |= bit
      let name = bytes.name(from: text.lowerBound, count: text.count)
      switch key {
      case 1 << 3 | 2: id = name
      case 2 << 3 | 2: modelName = name
      case 3 << 3 | 2: model = name
      case 4 << 3 | 2: provider = name
      default: return nil
      }
    }
  }

  /// Reads the field of `key`, a number or a flag; false where it has another shape.
  private mutating func readNumber(
    _ key: UInt8, in bytes: RawSpan, at offset: inout Int, to end: Int
  ) -> Bool {
    switch key {
    case 6 << 3:
      guard offset < end, bytes.byte(at: offset) < 0x80 else { return false }
      isFree = bytes.byte(at: offset) != 0
      offset += 1
      return true
    case 5 << 3 | 1:
      guard let dollars = bytes.double(at: &offset), offset <= end else { return false }
      estimatedCostUSD = dollars
      return true
    default: return false
    }
  }
}

/// Reads the deployments of a list in its usual shape, entry by entry.
public struct PlainDeployments {
  private let bytes: NameBytes
  private var offset = 0

  /// The entries of field 1 that `bytes` consists of: `PlainFilter.candidates`.
  public init(_ bytes: NameBytes) { self.bytes = bytes }

  /// The result of reading on.
  public enum Step {
    /// The next deployment.
    case deployment(DeploymentNames)
    /// One of another shape: the whole message is the decoder's to judge.
    case unusual
    /// There are no more.
    case end
  }

  /// Reads the next one.
  @inline(__always)
  public mutating func next() -> Step {
    let start = offset
    guard start < bytes.count else { return .end }
    var end = start
    let names = bytes.withBytes { bytes -> DeploymentNames? in
      guard bytes.takes(PlainFilter.candidateKey, at: &end),
        let range = bytes.textRange(at: &end)
      else { return nil }
      return DeploymentNames(plain: bytes, in: range)
    }
    guard let names else { return .unusual }
    offset = end
    return .deployment(names)
  }
}
