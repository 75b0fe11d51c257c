public import BudgetModel

/// How far a cost may lie from the amount that is kept back for it: a mean square, in square
/// nano-dollars. Whole numbers, so that what was added can be taken out again exactly.
public struct CostVariance: Hashable, Comparable, Sendable {
  private(set) var squareNano: Int128

  /// Of an amount that is certain.
  public static let none = CostVariance(squareNano: 0)

  /// So many standard deviations of the sum are kept back beside it.
  private static let deviations: Int128 = 3
  private static let picoPerNano: Int128 = 1_000
  /// Past it sums of very many could leave the range: a deviation of a million dollars.
  private static let greatest: Int128 = 1_000_000_000_000_000 * 1_000_000_000_000_000

  private init(squareNano: Int128) { self.squareNano = squareNano }

  /// The variance of a cost with this standard deviation.
  public init(deviation: PicoUSD) {
    let nano = max(deviation.pico, 0) / Self.picoPerNano
    squareNano = nano > 1_000_000_000_000_000 ? Self.greatest : nano * nano
  }

  /// The largest variance whose cushion is not more than `cushion`.
  init(ofCushion cushion: PicoUSD) {
    self.init(
      deviation: PicoUSD(pico: max(cushion.pico, 0) / Self.deviations))
  }

  /// Whether `left` is the smaller one.
  public static func < (left: CostVariance, right: CostVariance) -> Bool {
    left.squareNano < right.squareNano
  }

  static func + (left: CostVariance, right: CostVariance) -> CostVariance {
    CostVariance(squareNano: left.squareNano + right.squareNano)
  }

  static func - (left: CostVariance, right: CostVariance) -> CostVariance {
    CostVariance(squareNano: left.squareNano - right.squareNano)
  }

  /// The amount that costs of this variance in all may come to beyond their amounts.
  public var cushion: PicoUSD {
    PicoUSD(pico: Self.deviations * Self.root(of: squareNano) * Self.picoPerNano)
  }

  /// The largest whole number whose square is not more than `square`.
  private static func root(of square: Int128) -> Int128 {
    if square <= 0 { return 0 }
    // The conversion of 128 bits is slow, and seldom needed.
    let value = square < 1 << 62 ? Double(Int64(square)) : Double(square)
    var root = Int128(value.squareRoot())
    while root * root > square { root -= 1 }
    while (root + 1) * (root + 1) <= square { root += 1 }
    return root
  }
}
