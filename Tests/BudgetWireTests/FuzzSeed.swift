import Foundation

/// The seed of this run: `WIRE_FUZZ_SEED` where it is set, else one at random.
enum FuzzSeed {
  static let current: UInt64 = {
    if let text = ProcessInfo.processInfo.environment["WIRE_FUZZ_SEED"], let seed = UInt64(text) {
      return seed
    }
    return UInt64.random(in: 0 ... .max)
  }()
}
