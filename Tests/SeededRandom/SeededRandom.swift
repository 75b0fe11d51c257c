/// Random numbers from a seed that a failing test prints (SplitMix64).
public struct SeededRandom: RandomNumberGenerator {
  /// The seed that it began with.
  public let seed: UInt64
  private var state: UInt64

  /// Begins with `seed`.
  public init(seed: UInt64) {
    self.seed = seed
    state = seed
  }

  /// The next number.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
    return word ^ word >> 31
  }

  /// A number below `bound`.
  public mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

  /// True in `part` of all cases.
  public mutating func chance(_ part: Double) -> Bool {
    part > 0 && Double(next() >> 11) / 9_007_199_254_740_992 < part
  }

  /// One of several.
  public mutating func pick<Element>(_ choices: [Element]) -> Element {
    choices[below(choices.count)]
  }
}
