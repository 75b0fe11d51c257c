/// An exact amount of money: a whole number of pico-dollars (10⁻¹² $).
///
/// Sums of `PicoUSD` do not depend on the order of their terms, which sums of `Double` do.
/// Range: ±1.7·10²⁶ $. Arithmetic traps past it; every amount that enters from outside is bounded
/// by `maximumRecord` or `maximumLimit`, so some 10¹⁶ largest records would have to be added first.
public struct PicoUSD: Hashable, Comparable, Sendable {
  /// The amount in pico-dollars.
  public var pico: Int128

  /// Makes an amount of `pico` pico-dollars.
  @inlinable public init(pico: Int128) { self.pico = pico }

  /// Makes an amount of whole dollars.
  @inlinable public init(dollars: Int64) { self.pico = Int128(dollars) * Self.picoPerDollar }

  /// How many pico-dollars make one dollar: 10¹².
  @inlinable public static var picoPerDollar: Int128 { 1_000_000_000_000 }

  /// How many decimals of a dollar an amount has.
  public static let decimals = 12

  /// Nothing.
  @inlinable public static var zero: PicoUSD { PicoUSD(pico: 0) }

  /// The most that one request may name, on the wire or in a trace: 9,000,000,000 $.
  @inlinable public static var maximumRecord: PicoUSD { PicoUSD(dollars: 9_000_000_000) }

  /// The highest limit a budget may have: 10¹⁵ $.
  @inlinable public static var maximumLimit: PicoUSD { PicoUSD(dollars: 1_000_000_000_000_000) }

  /// Whether `left` is the smaller amount.
  @inlinable public static func < (left: PicoUSD, right: PicoUSD) -> Bool {
    left.pico < right.pico
  }

  /// The exact sum; traps past the range.
  @inlinable public static func + (left: PicoUSD, right: PicoUSD) -> PicoUSD {
    PicoUSD(pico: left.pico + right.pico)
  }

  /// The exact difference, negative where `right` is the larger; traps past the range.
  @inlinable public static func - (left: PicoUSD, right: PicoUSD) -> PicoUSD {
    PicoUSD(pico: left.pico - right.pico)
  }

  /// Adds exactly; traps past the range.
  @inlinable public static func += (left: inout PicoUSD, right: PicoUSD) {
    left.pico += right.pico
  }

  /// Subtracts exactly; traps past the range.
  @inlinable public static func -= (left: inout PicoUSD, right: PicoUSD) {
    left.pico -= right.pico
  }
}
