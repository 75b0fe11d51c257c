/// Which lane of a server: 0 for the first.
public struct LaneIndex: Hashable, Sendable {
  /// The position among the server's lanes.
  public let number: Int

  /// How many lanes a server may have.
  public static let bound = 64

  init(_ number: Int) { self.number = number }
}
