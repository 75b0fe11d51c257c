import BudgetModel
import Dispatch
import Foundation
import Locks
import Sockets

/// Turns hosts' names into addresses on a thread of its own, since the system's lookup has no time
/// limit.
///
/// One lookup at a time: while one that nobody waits for any more is stuck, further ones fail at
/// once, so that a dead name server costs one thread.
final class HostLookup: Sendable {
  /// The process's lookups.
  static let shared = HostLookup()

  private let isUnderWay = Locked(false)
  private let resolve: @Sendable (String, UInt16) -> Answer

  /// The result of a lookup.
  enum Answer: Sendable {
    case targets([Endpoint])
    case failure(String)
  }

  /// Lookups by `resolve`, the system's unless a test has its own.
  init(resolve: @escaping @Sendable (String, UInt16) -> Answer = HostLookup.systemAnswer) {
    self.resolve = resolve
  }

  /// The targets of an address. Waits for `allowance` at most; paths and numbers need no lookup.
  func targets(
    of address: RedisAddress, within allowance: Duration
  ) throws(RedisError) -> [Endpoint] {
    guard case .tcp(let host, let port) = address else {
      if case .unix(let path) = address { return [.unix(path: path)] }
      return []
    }
    let numeric = SocketAddress(host: host, port: port)
    if numeric.isNumeric { return [.tcp(numeric)] }
    let isFree = isUnderWay.withLock { busy in
      defer { busy = true }
      return !busy
    }
    guard isFree else {
      throw .lookup(host: host, reason: "the name servers have not answered the lookup before")
    }
    let answer = Promise<Answer>()
    let resolve = resolve
    let thread = Thread { [self] in
      let found = resolve(host, port)
      // Before the answer is told, so that whoever has it can ask again at once.
      isUnderWay.withLock { $0 = false }
      answer.fulfil(found)
    }
    thread.name = "redis.lookup"
    thread.start()
    switch answer.wait(until: .now() + allowance.inSeconds) {
    case .targets(let targets): return targets
    case .failure(let reason): throw .lookup(host: host, reason: reason)
    case nil: throw .lookup(host: host, reason: "the name servers did not answer in \(allowance)")
    }
  }

  /// The system's answer.
  static func systemAnswer(host: String, port: UInt16) -> Answer {
    do throws(SocketError) {
      let found = try ResolvedAddress.all(of: SocketAddress(host: host, port: port))
      let targets = found.prefix(maximumTargets).compactMap(\.socketAddress).map(Endpoint.tcp)
      return targets.isEmpty ? .failure("it has no address") : .targets(targets)
    } catch {
      return .failure(error.reason)
    }
  }

  /// More addresses of one name are not tried.
  private static let maximumTargets = 8
}

extension Endpoint {
  /// Why nothing can be there; nil: something can.
  var complaint: String? {
    guard case .unix(let path) = self else { return nil }
    let length = path.utf8.count
    guard length <= Self.longestPath else {
      return "the path has \(length) bytes, more than the system's \(Self.longestPath)"
    }
    return path.isEmpty || path.utf8.contains(0) ? "the path is empty or has a zero byte" : nil
  }
}
