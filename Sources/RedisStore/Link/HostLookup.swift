import BudgetModel
import Dispatch
import Foundation
import Glibc
import Locks

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
    case targets([ConnectTarget])
    case failure(String)
  }

  /// Lookups by `resolve`, the system's unless a test has its own.
  init(resolve: @escaping @Sendable (String, UInt16) -> Answer = HostLookup.systemAnswer) {
    self.resolve = resolve
  }

  /// The targets of an address. Waits for `allowance` at most; paths and numbers need no lookup.
  func targets(
    of address: RedisAddress, within allowance: Duration
  ) throws(RedisError) -> [ConnectTarget] {
    guard case .tcp(let host, let port) = address else {
      if case .unix(let path) = address { return [.unix(path: path)] }
      return []
    }
    if Self.isNumeric(host) { return [.tcp(numericHost: host, port: port)] }
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

  private static func isNumeric(_ host: String) -> Bool {
    var address = in6_addr()
    if unsafe inet_pton(AF_INET, host, &address) == 1 { return true }
    return unsafe inet_pton(AF_INET6, host, &address) == 1
  }

  /// The system's answer.
  static func systemAnswer(host: String, port: UInt16) -> Answer {
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var first: UnsafeMutablePointer<addrinfo>?
    let code = unsafe getaddrinfo(host, nil, &hints, &first)
    guard code == 0 else {
      return .failure(unsafe String(cString: gai_strerror(code)))
    }
    defer { unsafe freeaddrinfo(first) }
    var targets: [ConnectTarget] = []
    var next = unsafe first
    while let entry = unsafe next, targets.count < maximumTargets {
      unsafe next = entry.pointee.ai_next
      var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      let status = unsafe getnameinfo(
        entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0,
        NI_NUMERICHOST)
      guard status == 0 else { continue }
      let numeric = String(
        decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      targets.append(.tcp(numericHost: numeric, port: port))
    }
    return targets.isEmpty ? .failure("it has no address") : .targets(targets)
  }

  /// More addresses of one name are not tried.
  private static let maximumTargets = 8
}

/// An address that needs no lookup.
enum ConnectTarget: Hashable, Sendable {
  /// An address in numbers, and a port.
  case tcp(numericHost: String, port: UInt16)
  /// The path of a Unix socket.
  case unix(path: String)
}

extension ConnectTarget {
  /// The longest path of a Unix socket; hiredis would cut off the rest without a word.
  static let maximumPathLength = 107

  /// Why nothing can be there; nil: something can.
  var complaint: String? {
    guard case .unix(let path) = self else { return nil }
    let length = path.utf8.count
    guard length <= Self.maximumPathLength else {
      return "the path has \(length) bytes, more than the system's \(Self.maximumPathLength)"
    }
    return path.isEmpty || path.utf8.contains(0) ? "the path is empty or has a zero byte" : nil
  }
}
