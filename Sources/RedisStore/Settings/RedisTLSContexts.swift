import Locks
import TLS

/// The contexts of connections to Redis, as their files were when they were read last: reading the
/// system's authorities takes milliseconds, and a cluster has many links.
final class RedisTLSContexts: Sendable {
  /// The process's.
  static let shared = RedisTLSContexts()

  private struct Read {
    var context: TLSContext
    var at: ContinuousClock.Instant
  }

  private let contexts = Locked<[TLSContext.Client: Read]>([:])
  private let patience: Duration

  /// `patience`: how long files count as read.
  init(patience: Duration = .seconds(60)) { self.patience = patience }

  func context(of client: TLSContext.Client) throws(TLSFailure) -> TLSContext {
    let known = contexts.withLock { $0[client] }
    if let known, known.at.duration(to: .now) < patience { return known.context }
    do throws(TLSFailure) {
      let context = try TLSContext(client)
      contexts.withLock { $0[client] = Read(context: context, at: .now) }
      return context
    } catch {
      guard let known else { throw error }
      return known.context
    }
  }
}
