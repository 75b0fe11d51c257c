import BudgetModel

/// Numbers as decimal digits, straight into bytes: a scrape writes tens of thousands of them.
enum DecimalText {
  /// A whole number.
  static func append(_ value: UInt64, to bytes: inout [UInt8]) {
    if value >= 10 { append(value / 10, to: &bytes) }
    bytes.append(UInt8(ascii: "0") + UInt8(value % 10))
  }

  /// A whole number.
  static func append(_ value: Int64, to bytes: inout [UInt8]) {
    if value < 0 { bytes.append(UInt8(ascii: "-")) }
    append(value.magnitude, to: &bytes)
  }

  /// An amount with all its decimals and no zeros at the end.
  static func append(_ amount: PicoUSD, to bytes: inout [UInt8]) {
    let magnitude = amount.pico.magnitude
    guard magnitude < UInt128(UInt64.max) else {
      bytes.append(contentsOf: amount.exactText.utf8)
      return
    }
    if amount < .zero { bytes.append(UInt8(ascii: "-")) }
    appendScaled(UInt64(magnitude), decimals: PicoUSD.decimals, to: &bytes)
  }

  /// Nanoseconds as seconds.
  static func append(nanoseconds: Int64, to bytes: inout [UInt8]) {
    if nanoseconds < 0 { bytes.append(UInt8(ascii: "-")) }
    appendScaled(nanoseconds.magnitude, decimals: 9, to: &bytes)
  }

  /// Milliseconds as seconds.
  static func append(milliseconds: Int64, to bytes: inout [UInt8]) {
    if milliseconds < 0 { bytes.append(UInt8(ascii: "-")) }
    appendScaled(milliseconds.magnitude, decimals: 3, to: &bytes)
  }

  /// `value` divided by 10^`decimals`.
  private static func appendScaled(_ value: UInt64, decimals: Int, to bytes: inout [UInt8]) {
    var unit: UInt64 = 1
    for _ in 0..<decimals { unit *= 10 }
    var (whole, rest) = value.quotientAndRemainder(dividingBy: unit)
    append(whole, to: &bytes)
    guard rest > 0 else { return }
    bytes.append(UInt8(ascii: "."))
    while rest > 0 {
      unit /= 10
      (whole, rest) = rest.quotientAndRemainder(dividingBy: unit)
      bytes.append(UInt8(ascii: "0") + UInt8(whole))
    }
  }

  /// A double as Prometheus reads it.
  static func append(_ value: Double, to bytes: inout [UInt8]) {
    if value.isNaN {
      bytes.append(contentsOf: "NaN".utf8)
    } else if value.isInfinite {
      bytes.append(contentsOf: (value < 0 ? "-Inf" : "+Inf").utf8)
    } else {
      bytes.append(contentsOf: value.description.utf8)
    }
  }
}
