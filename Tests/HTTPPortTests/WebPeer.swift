import Glibc
import Locks
import Sockets
import Synchronization
import Testing

@testable import HTTPPort

/// A reader of pages, as rude as a test needs it to be. Every wait has a deadline.
final class WebPeer {
  enum Failure: Error { case timedOut, broken, notConnected(Int32) }

  /// A response that was read whole.
  struct Answer: Equatable {
    var status: Int
    var headers: [String: String]
    var body: String
  }

  private static let patienceMilliseconds: Int32 = 10_000

  private let socket: Descriptor
  private let scratch = ScratchBuffer(byteCount: 65_536)
  private var held: [UInt8] = []
  /// The port stops when nobody has it any more: its peers do.
  private let http: HTTPPort

  init(to http: HTTPPort, port: UInt16, receiveBuffer: Int32? = nil) throws {
    self.http = http
    socket = Descriptor(adopting: Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
    if var receiveBuffer {
      _ = unsafe setsockopt(
        socket.number, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<Int32>.size))
    }
    var address = Self.loopback(port: port)
    let result = unsafe withUnsafePointer(to: &address) { address in
      unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        unsafe connect(socket.number, address, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw Failure.notConnected(errno) }
    socket.setNonblocking()
    socket.disableDelay()
  }

  private static func loopback(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
  }

  private func wait(for events: Int16) throws {
    var set = PollSet()
    set.append(socket, events: events)
    set.wait(milliseconds: Self.patienceMilliseconds)
    if set.events(at: 0) == 0 { throw Failure.timedOut }
  }

  func send(_ text: String) throws {
    let bytes = Array(text.utf8)
    var sent = 0
    while sent < bytes.count {
      switch socket.send(bytes, from: sent, atMost: bytes.count, hasMore: false) {
      case .bytes(let count): sent += count
      case .wouldBlock: try wait(for: PollSet.writable)
      case .ended, .failed: throw Failure.broken
      }
    }
  }

  /// The end of this peer resets the connection, as that of a process that was killed may.
  func endWithReset() {
    var atOnce = linger(l_onoff: 1, l_linger: 0)
    _ = unsafe setsockopt(
      socket.number, SOL_SOCKET, SO_LINGER, &atOnce, socklen_t(MemoryLayout<linger>.size))
  }

  /// Asks for `path`, as a scraper does.
  func ask(_ path: String, method: String = "GET") throws {
    try send("\(method) \(path) HTTP/1.1\r\nHost: h\r\n\r\n")
  }

  /// The next response; nil at the connection's end. `hasBody` is false for one to HEAD.
  func answer(hasBody: Bool = true) throws -> Answer? {
    while true {
      if let answer = takeAnswer(hasBody: hasBody) { return answer }
      switch scratch.receive(from: socket, limit: 65_536) {
      case .bytes(let count): scratch.append(0..<count, to: &held)
      case .wouldBlock: try wait(for: PollSet.readable)
      case .ended:
        if held.isEmpty { return nil }
        throw Failure.broken
      case .failed: throw Failure.broken
      }
    }
  }

  /// Whether the connection comes to its end, in good order or not, with nothing more received.
  func isEnded() throws -> Bool {
    do { return try answer() == nil } catch Failure.broken { return true }
  }

  private func takeAnswer(hasBody: Bool) -> Answer? {
    let end = Array("\r\n\r\n".utf8)
    let starts = held.indices.dropLast(end.count - 1)
    guard let place = starts.first(where: { Array(held[$0..<$0 + end.count]) == end }) else {
      return nil
    }
    var lines = String(decoding: held[..<place], as: UTF8.self).split(separator: "\r\n")
    let status = lines.removeFirst().split(separator: " ").dropFirst().first.flatMap { Int($0) }
    var headers: [String: String] = [:]
    for line in lines {
      let parts = line.split(separator: ":", maxSplits: 1)
      headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
    }
    let start = place + end.count
    let length = hasBody ? headers["content-length"].flatMap { Int($0) } ?? 0 : 0
    guard held.count >= start + length else { return nil }
    let body = String(decoding: held[start..<start + length], as: UTF8.self)
    held.removeFirst(start + length)
    return Answer(status: status ?? 0, headers: headers, body: body)
  }
}

/// Says back what it was asked; keeps what it is told to keep. `/late` is answered by the test,
/// `/never` is let go, `/refused` waits a minute, `/refused-soon` a moment, `/long` is more than a socket takes at once.
final class EchoSite: HTTPSite {
  struct Answered: Equatable {
    var path: String?
    var status: HTTPStatus
  }

  private let kept = Locked<[HTTPReply]>([])
  private let log = Locked<[Answered]>([])
  private let refusedCount = Atomic<Int>(0)
  private let long = HTTPBody([UInt8](repeating: UInt8(ascii: "l"), count: longBytes))

  static let longBytes = 8 << 20

  /// The responses that began to go out.
  var answered: [Answered] { log.withLock { $0 } }
  /// Requests that were refused, for later.
  var refused: Int { refusedCount.load(ordering: .relaxed) }
  /// Requests to `/late` that wait.
  var waiting: Int { kept.withLock { $0.count } }

  func answer(_ request: HTTPRequest, _ reply: HTTPReply) {
    switch request.path {
    case "/late": kept.withLock { $0.append(reply) }
    case "/never": break
    case "/refused": refuse(reply, after: .seconds(60))
    case "/refused-soon": refuse(reply, after: .milliseconds(50))
    case "/long": reply.send(HTTPResponse(contentType: "text/plain", body: long))
    default: reply.send(.text("\(request.method) \(request.path) \(request.query)"))
    }
  }

  private func refuse(_ reply: HTTPReply, after delay: Duration) {
    reply.refuse(.text("no", status: .unauthorized), after: delay)
    refusedCount.add(1, ordering: .relaxed)
  }

  func answered(path: String?, status: HTTPStatus) {
    log.withLock { $0.append(Answered(path: path, status: status)) }
  }

  /// Answers the oldest request to `/late`.
  func answerLate(_ text: String) {
    let reply = kept.withLock { $0.removeFirst() }
    reply.send(.text(text))
    reply.send(.text("twice"))
  }

  /// Lets go of all requests to `/late`.
  func forgetLate() { kept.withLock { $0 = [] } }
}
