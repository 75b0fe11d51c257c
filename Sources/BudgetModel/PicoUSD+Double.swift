// Money crosses the wire, the YAML file and the metrics as a double. This is the only place where
// one becomes the other.

/// Why a double is not an amount of money.
public enum MoneyError: Error, Hashable, Sendable {
  /// NaN.
  case notANumber
  /// An infinity, or more than the bound.
  case tooLarge
  /// Below zero.
  case negative
}

extension PicoUSD {
  /// The amount that a double names: its shortest decimal that reads back as the same double,
  /// rounded half to even at 12 places. A positive amount never becomes less than 10⁻¹² $.
  ///
  /// Throws where `dollars` is NaN, negative (-0 is 0) or above `maximum`.
  public init(dollars: Double, atMost maximum: PicoUSD) throws(MoneyError) {
    guard !dollars.isNaN else { throw .notANumber }
    guard dollars >= 0 else { throw .negative }
    // Every double from 2^63 on is above any bound; below it the whole part fits an Int64.
    guard dollars < 9_223_372_036_854_775_808 else { throw .tooLarge }
    let amount = Self.nearest(to: dollars)
    guard amount <= maximum else { throw .tooLarge }
    self = amount
  }

  /// The exact product with 10¹², where no decimal that reads back as `dollars` could round
  /// otherwise; else by way of the shortest decimal's digits.
  private static func nearest(to dollars: Double) -> PicoUSD {
    guard dollars > 0 else { return .zero }
    let significand = UInt128(dollars.significandBitPattern) | (dollars.isNormal ? 1 << 52 : 0)
    let shift = 52 - (dollars.isNormal ? Int(dollars.exponent) : -1_022)
    // dollars = significand / 2^shift; the product is below 2^93.
    if shift > 0, shift < 120 {
      let product = significand * UInt128(picoPerDollar)
      let whole = product >> UInt128(shift)
      let rest = product - whole << UInt128(shift)
      let half = UInt128(1) << UInt128(shift - 1)
      let distance = rest > half ? rest - half : half - rest
      // The shortest decimal lies within half a unit in the last place of the double.
      if distance > UInt128(picoPerDollar) / 2 {
        let rounded = rest > half ? whole + 1 : whole
        return PicoUSD(pico: max(1, Int128(rounded)))
      }
    } else if shift >= 120 {
      return PicoUSD(pico: 1)
    }
    return PicoUSD(pico: max(1, ShortestDecimal(dollars).roundedToPico))
  }

  /// The double nearest to the amount; ties go to even.
  public var dollars: Double {
    let magnitude = pico.magnitude
    let unsigned: Double
    if magnitude < 1 << 53 {
      // Both are exact doubles, so the one division rounds correctly.
      unsigned = Double(Int64(magnitude)) / 1e12
    } else {
      // 87 or more bits of quotient, the lowest set where a remainder is left: converting that
      // rounds once, at the double's own precision.
      let room = UInt128(magnitude.leadingZeroBitCount - 1)
      let (quotient, rest) = (magnitude << room).quotientAndRemainder(
        dividingBy: UInt128(Self.picoPerDollar))
      let sticky = rest == 0 ? quotient : quotient | 1
      unsigned = Double(sign: .plus, exponent: -Int(room), significand: Self.double(sticky))
    }
    return pico < 0 ? -unsigned : unsigned
  }

  /// The double nearest to `value`, ties to even. By hand: the standard library's conversion of
  /// 128-bit integers is generic and slow.
  private static func double(_ value: UInt128) -> Double {
    let width = 128 - value.leadingZeroBitCount
    guard width > 64 else { return Double(UInt64(value)) }
    let drop = UInt128(width - 64)
    let top = UInt64(value >> drop)
    let lost = value & ((UInt128(1) << drop) - 1)
    return Double(
      sign: .plus, exponent: Int(drop), significand: Double(lost == 0 ? top : top | 1))
  }
}

/// The digits of the shortest decimal that reads back as a given double.
struct ShortestDecimal {
  /// The digits without point and leading zeros, as a number; at most 17 digits.
  var digits: UInt64
  /// The value is `digits` · 10^`exponent`.
  var exponent: Int

  /// `digits` · 10^`exponent`, known to be the shortest.
  init(digits: UInt64, exponent: Int) {
    self.digits = digits
    self.exponent = exponent
  }

  /// Reads the digits of a finite double that is not negative.
  init(_ value: Double) {
    digits = 0
    exponent = 0
    var isFraction = false
    var written = 0
    var isNegative = false
    var isExponent = false
    for byte in value.description.utf8 {
      switch byte {
      case UInt8(ascii: "."): isFraction = true
      case UInt8(ascii: "e"): isExponent = true
      case UInt8(ascii: "-"): isNegative = true
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        let digit = UInt64(byte - UInt8(ascii: "0"))
        if isExponent {
          written = written * 10 + Int(digit)
        } else {
          digits = digits * 10 + digit
          if isFraction { exponent -= 1 }
        }
      default: break
      }
    }
    exponent += isNegative ? -written : written
    while digits > 0, digits % 10 == 0 {
      digits /= 10
      exponent += 1
    }
  }

  /// The value in pico-dollars, rounded half to even. The value is below 2^63.
  var roundedToPico: Int128 {
    let places = exponent + PicoUSD.decimals
    if places >= 0 { return Int128(digits) * Self.powerOfTen(places) }
    guard places > -20 else { return 0 }
    let divisor = Self.powerOfTen(-places)
    let (quotient, rest) = Int128(digits).quotientAndRemainder(dividingBy: divisor)
    let twice = rest * 2
    if twice > divisor || (twice == divisor && quotient % 2 == 1) { return quotient + 1 }
    return quotient
  }

  private static func powerOfTen(_ exponent: Int) -> Int128 {
    var power: Int128 = 1
    for _ in 0..<exponent { power *= 10 }
    return power
  }
}
