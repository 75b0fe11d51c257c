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
    var isOld = false
  }

  private let contexts = Locked<[TLSContext.Client: Read]>([:])
  private let patience: Duration

  /// `patience`: how long files count as read.
  init(patience: Duration = .seconds(60)) { self.patience = patience }

  /// Has files read again for the next link. Those that cannot be read leave what there is in force.
  func readFilesAgain() {
    contexts.withLock { known in
      for client in known.keys { known[client]?.isOld = true }
    }
  }

  func context(of client: TLSContext.Client) throws(TLSFailure) -> TLSContext {
    let known = contexts.withLock { $0[client] }
    if let known, !known.isOld, known.at.duration(to: .now) < patience { return known.context }
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
