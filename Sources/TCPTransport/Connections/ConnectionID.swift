/// Names one connection of a server for as long as the process lives; never reused.
///
/// It says which lane owns the connection, in which slot, and how often that slot was used before,
/// so that a late reply to a connection that went away finds nobody rather than a stranger.
public struct ConnectionID: Hashable, Sendable {
  /// Lane in the top 8 bits, slot in the next 24, generation in the lower 32.
  let rawValue: UInt64

  static let slotBound = 1 << 24

  init(lane: LaneIndex, slot: Int, generation: UInt32) {
    rawValue = UInt64(lane.number) << 56 | UInt64(slot) << 32 | UInt64(generation)
  }

  init(rawValue: UInt64) { self.rawValue = rawValue }

  /// The id as one word, to be kept where a reply is waited for.
  public var word: UInt64 { rawValue }

  /// The id that `word` was taken from.
  public init(word: UInt64) { rawValue = word }

  /// The lane that owns the connection.
  public var lane: LaneIndex { LaneIndex(Int(truncatingIfNeeded: rawValue >> 56)) }

  /// The connection's place in its lane: dense from 0, reused after the connection closed. A
  /// handler may keep its state of each connection in an array by it.
  public var slot: Int { Int(truncatingIfNeeded: rawValue >> 32) & 0xFF_FFFF }

  var generation: UInt32 { UInt32(truncatingIfNeeded: rawValue) }
}

/// Which lane of a server: 0 for the first.
public struct LaneIndex: Hashable, Sendable {
  /// The position among the server's lanes.
  public let number: Int

  /// How many lanes a server may have.
  public static let bound = 64

  init(_ number: Int) { self.number = number }
}
