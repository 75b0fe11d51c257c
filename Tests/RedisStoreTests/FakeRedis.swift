import Foundation
import Glibc
import Locks

/// A server on 127.0.0.1 that answers as it is told, right or wrong, on threads of its own.
final class FakeRedis: Sendable {
  /// The reaction to one command.
  enum Answer: Sendable {
    /// Send these bytes.
    case bytes([UInt8])
    /// Send these bytes, one at a time, so much apart.
    case drops([UInt8], milliseconds: Int32)
    /// Send these bytes over and over until the other side hangs up.
    case flood([UInt8])
    /// Send nothing.
    case nothing
    /// Hang up.
    case close

    static func text(_ text: String) -> Answer { .bytes(Array(text.utf8)) }
  }

  let port: UInt16
  private let listener: Int32
  private let isShut = Locked(false)
  private let conversation: Conversation

  /// Listens. `answer` gets every command but those a link begins with, unless it wants them too.
  init(
    handlesGreeting: Bool = false, answer: @escaping @Sendable ([String]) -> Answer
  ) throws {
    // As the process that has links does: a peer that is gone is an error code.
    signal(SIGPIPE, SIG_IGN)
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    port = try unsafe withUnsafeMutablePointer(to: &address) { pointer in
      try unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        guard unsafe bind(listener, pointer, length) == 0, listen(listener, 16) == 0,
          unsafe getsockname(listener, pointer, &length) == 0
        else { throw POSIXError(.EADDRNOTAVAIL) }
      }
      return unsafe UInt16(bigEndian: pointer.pointee.sin_port)
    }
    self.listener = listener
    conversation = Conversation { command in
      handlesGreeting ? answer(command) : Self.greeting(command) ?? answer(command)
    }
    Thread { [conversation] in conversation.serve(listener) }.start()
  }

  deinit { shutdown() }

  /// Takes no more connections.
  func shutdown() {
    // Once: then the descriptor is closed, and its number may be another's.
    let isFirst = isShut.withLock { isShut in
      defer { isShut = true }
      return !isShut
    }
    if isFirst { _ = Glibc.shutdown(listener, Int32(SHUT_RDWR)) }
  }

  /// All commands so far, as texts.
  var commands: [[String]] { conversation.received.withLock { $0 } }

  /// The answer of a plain Redis to a new link.
  static func greeting(_ command: [String]) -> Answer? {
    switch command.first {
    case "CLIENT", "AUTH", "SELECT": .text("+OK\r\n")
    case "INFO": .text("$15\r\nrun_id:abcdef\r\n\r\n")
    default: nil
    }
  }

}

/// The threads of a fake Redis share this: they may outlive it.
private final class Conversation: Sendable {
  let received = Locked<[[String]]>([])
  private let answer: @Sendable ([String]) -> FakeRedis.Answer

  init(answer: @escaping @Sendable ([String]) -> FakeRedis.Answer) { self.answer = answer }

  func serve(_ listener: Int32) {
    while true {
      let connection = accept(listener, nil, nil)
      guard connection >= 0 else {
        // Other tests of the process may use up its descriptors for a moment: only `shutdown` ends
        // the listening.
        if errno == EINVAL { break }
        var rest = pollfd(fd: -1, events: 0, revents: 0)
        _ = unsafe poll(&rest, 1, 1)
        continue
      }
      Thread { [self] in
        converse(connection)
        close(connection)
      }.start()
    }
    close(listener)
  }

  private func converse(_ connection: Int32) {
    var pending: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = unsafe read(connection, &chunk, chunk.count)
      guard count > 0 else { return }
      pending += chunk[..<count]
      while let (command, used) = Self.command(in: pending) {
        pending.removeFirst(used)
        received.withLock { $0.append(command) }
        guard send(answer(command), on: connection) else { return }
      }
    }
  }

  private func send(_ answer: FakeRedis.Answer, on connection: Int32) -> Bool {
    switch answer {
    case .bytes(let bytes): return write(bytes, on: connection)
    case .drops(let bytes, let milliseconds):
      for byte in bytes {
        // Waiting for the other side to hang up is how the time between two bytes passes.
        var entry = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
        if unsafe poll(&entry, 1, milliseconds) != 0 { return false }
        guard write([byte], on: connection) else { return false }
      }
      return true
    case .flood(let bytes):
      while write(bytes, on: connection) {}
      return false
    case .nothing: return true
    case .close: return false
    }
  }

  private func write(_ bytes: [UInt8], on connection: Int32) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { buffer in
        unsafe Glibc.send(
          connection, buffer.baseAddress?.advanced(by: sent), buffer.count - sent,
          Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  /// The first whole command, and its length in bytes.
  private static func command(in bytes: [UInt8]) -> ([String], Int)? {
    var index = 0
    func line() -> Int? {
      guard let end = bytes[index...].firstIndex(of: 0x0D), end + 1 < bytes.count else {
        return nil
      }
      defer { index = end + 2 }
      return Int(String(decoding: bytes[(index + 1)..<end], as: UTF8.self))
    }
    guard !bytes.isEmpty, let count = line() else { return nil }
    var words: [String] = []
    for _ in 0..<count {
      guard index < bytes.count, let length = line(), index + length + 2 <= bytes.count else {
        return nil
      }
      words.append(String(decoding: bytes[index..<(index + length)], as: UTF8.self))
      index += length + 2
    }
    return (words, index)
  }
}
