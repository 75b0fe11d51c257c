import Locks

/// A disk that stands still where a test wants it to.
public final class ManualDisk: Sendable {
  private let lock = Locked<Void>(())

  /// Makes one that works.
  public init() {}

  /// While `body` runs no commit ends.
  public func standingStill(_ body: () throws -> Void) throws {
    try lock.withLock { _ in try body() }
  }

  /// A commit ends.
  func sync() { lock.withLock { _ in } }
}
