public import BudgetModel

/// A page of metrics as it grows. Families come one after another, each once, its samples behind it.
public struct MetricsText {
  /// The text so far, UTF-8.
  public private(set) var bytes: [UInt8] = []
  /// The text's type, for HTTP.
  public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  private var family: [UInt8] = []
  private var families: Set<[UInt8]> = []

  /// The unit that a histogram's whole numbers are of.
  public enum Unit: Sendable {
    /// As they are.
    case one
    /// Nanoseconds, written as seconds.
    case nanoseconds
  }

  /// An empty page, with room for `capacity` bytes.
  public init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

  /// Begins a family; what comes next are its samples. Precondition: `name` is a name and was not
  /// begun before; counters end in `_total`, and nothing else does.
  public mutating func begin(_ name: StaticString, _ type: MetricType, _ help: StaticString) {
    family = Array(name.description.utf8)
    precondition(MetricName.isFamily(family), "'\(name)' is not a metric's name")
    precondition(families.insert(family).inserted, "the family '\(name)' twice")
    precondition(
      (type == .counter) == name.description.hasSuffix("_total"),
      "'\(name)': counters end in _total, others do not")
    bytes.append(contentsOf: "# HELP ".utf8)
    bytes.append(contentsOf: family)
    bytes.append(UInt8(ascii: " "))
    for byte in help.description.utf8 {
      switch byte {
      case UInt8(ascii: "\\"): bytes.append(contentsOf: #"\\"#.utf8)
      case UInt8(ascii: "\n"): bytes.append(contentsOf: #"\n"#.utf8)
      default: bytes.append(byte)
      }
    }
    bytes.append(contentsOf: "\n# TYPE ".utf8)
    bytes.append(contentsOf: family)
    bytes.append(UInt8(ascii: " "))
    bytes.append(contentsOf: type.rawValue.utf8)
    bytes.append(UInt8(ascii: "\n"))
  }

  /// A sample of the family begun last.
  public mutating func sample(_ value: some BinaryInteger, _ labels: LabelSet = .none) {
    appendStart(labels)
    if let value = Int64(exactly: value) {
      DecimalText.append(value, to: &bytes)
    } else {
      DecimalText.append(UInt64(clamping: value), to: &bytes)
    }
    bytes.append(UInt8(ascii: "\n"))
  }

  /// A sample that is 1 or 0.
  public mutating func sample(_ isTrue: Bool, _ labels: LabelSet = .none) {
    sample(isTrue ? 1 : 0, labels)
  }

  /// A sample in dollars, exactly.
  public mutating func sample(_ amount: PicoUSD, _ labels: LabelSet = .none) {
    appendStart(labels)
    DecimalText.append(amount, to: &bytes)
    bytes.append(UInt8(ascii: "\n"))
  }

  /// A sample as the nearest double.
  public mutating func sample(_ value: Double, _ labels: LabelSet = .none) {
    appendStart(labels)
    DecimalText.append(value, to: &bytes)
    bytes.append(UInt8(ascii: "\n"))
  }

  /// A sample in seconds.
  public mutating func sample(nanoseconds: Int64, _ labels: LabelSet = .none) {
    appendStart(labels)
    DecimalText.append(nanoseconds: nanoseconds, to: &bytes)
    bytes.append(UInt8(ascii: "\n"))
  }

  /// A sample in seconds.
  public mutating func sample(milliseconds: Int64, _ labels: LabelSet = .none) {
    appendStart(labels)
    DecimalText.append(milliseconds: milliseconds, to: &bytes)
    bytes.append(UInt8(ascii: "\n"))
  }

  /// The samples of a histogram: cumulated buckets, sum, count.
  public mutating func sample(
    _ histogram: Histogram, unit: Unit = .one, _ labels: LabelSet = .none
  ) {
    var cumulated: UInt64 = 0
    for (bound, count) in zip(histogram.upperBounds, histogram.counts) {
      cumulated += count
      appendBucket(labels)
      append(bound, unit)
      bytes.append(contentsOf: "\"} ".utf8)
      DecimalText.append(cumulated, to: &bytes)
      bytes.append(UInt8(ascii: "\n"))
    }
    let total = histogram.count
    appendBucket(labels)
    bytes.append(contentsOf: "+Inf\"} ".utf8)
    DecimalText.append(total, to: &bytes)
    bytes.append(UInt8(ascii: "\n"))
    appendStart(labels, suffix: "_sum")
    append(histogram.sum, unit)
    bytes.append(UInt8(ascii: "\n"))
    appendStart(labels, suffix: "_count")
    DecimalText.append(total, to: &bytes)
    bytes.append(UInt8(ascii: "\n"))
  }

  private mutating func appendBucket(_ labels: LabelSet) {
    bytes.append(contentsOf: family)
    bytes.append(contentsOf: "_bucket{".utf8)
    bytes.append(contentsOf: labels.bytes)
    bytes.append(contentsOf: (labels.bytes.isEmpty ? "le=\"" : ",le=\"").utf8)
  }

  private mutating func append(_ value: Int64, _ unit: Unit) {
    switch unit {
    case .one: DecimalText.append(value, to: &bytes)
    case .nanoseconds: DecimalText.append(nanoseconds: value, to: &bytes)
    }
  }

  private mutating func appendStart(_ labels: LabelSet, suffix: String? = nil) {
    precondition(!family.isEmpty, "a sample before its family")
    bytes.append(contentsOf: family)
    if let suffix { bytes.append(contentsOf: suffix.utf8) }
    if !labels.bytes.isEmpty {
      bytes.append(UInt8(ascii: "{"))
      bytes.append(contentsOf: labels.bytes)
      bytes.append(UInt8(ascii: "}"))
    }
    bytes.append(UInt8(ascii: " "))
  }
}

/// The type of a family's samples.
public enum MetricType: String, Sendable {
  /// A number that only grows, and starts at zero with the process.
  case counter
  /// A number that goes up and down.
  case gauge
  /// Counts of values by size.
  case histogram
}
