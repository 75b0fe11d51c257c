import BudgetModel
import Sockets
import Testing

@testable import HTTPPort

/// The port on real sockets of the loopback, one test at a time.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HTTPServingTests {
  private static let date = Timestamp(unixMilliseconds: 1_768_435_200_000)

  /// A port of 127.0.0.1 with its site.
  private struct Serving {
    let site = EchoSite()
    let http: HTTPPort
    let port: UInt16

    init(_ change: (inout HTTPBounds) -> Void = { _ in }) throws {
      var bounds = HTTPBounds.standard
      change(&bounds)
      let listener = try ListeningSocket(SocketAddress("127.0.0.1:0"))
      let endpoint = listener.localEndpoint
      port = try #require(endpoint.address).port
      http = try #require(
        HTTPPort(adopting: listener.release(), site: site, bounds: bounds) {
          HTTPServingTests.date
        })
    }

    func peer(receiveBuffer: Int32? = nil) throws -> WebPeer {
      try WebPeer(to: http, port: port, receiveBuffer: receiveBuffer)
    }

    func hits(_ bound: HTTPBound) -> Int { http.counters.hits(bound) }
  }

  private func eventually(
    _ what: String, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () -> Bool
  ) async throws {
    let until = SystemCalls.monotonicNanoseconds() + 10_000_000_000
    while !condition() {
      if SystemCalls.monotonicNanoseconds() > until {
        Issue.record("never: \(what)", sourceLocation: sourceLocation)
        return
      }
      try await Task.sleep(for: .milliseconds(1))
    }
  }

  @Test func aPageComesWithItsHeaders() throws {
    let serving = try Serving()
    let peer = try serving.peer()
    try peer.ask("/a?b=c")
    let answer = try #require(try peer.answer())
    #expect(answer.status == 200 && answer.body == "GET /a b=c\n")
    #expect(
      answer.headers == [
        "content-type": "text/plain; charset=utf-8", "content-length": "11",
        "connection": "keep-alive", "date": "Thu, 15 Jan 2026 00:00:00 GMT",
        "cache-control": "no-store", "x-content-type-options": "nosniff",
      ])
    try peer.ask("/a?b=c", method: "HEAD")
    let head = try #require(try peer.answer(hasBody: false))
    #expect(head.status == 200 && head.headers["content-length"] == "12" && head.body.isEmpty)
    // Nothing of a body stands before the next response.
    try peer.ask("/b")
    #expect(try peer.answer()?.body == "GET /b \n")
    #expect(serving.site.answered.map(\.path) == ["/a", "/a", "/b"])
  }

  @Test func requestsComeInPiecesAndTogether() throws {
    let peer = try Serving().peer()
    for character in "\r\nGET /slow HTTP/1.1\r\nHost: h\r\n\r\n" { try peer.send("\(character)") }
    #expect(try peer.answer()?.body == "GET /slow \n")
    try peer.send((0..<50).map { "GET /\($0) HTTP/1.1\r\nHost: h\r\n\r\n" }.joined())
    for number in 0..<50 { #expect(try peer.answer()?.body == "GET /\(number) \n") }
    try peer.send("GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    let last = try peer.answer()
    #expect(last?.body == "GET /last \n" && last?.headers["connection"] == "close")
    #expect(try peer.isEnded())
  }

  @Test(arguments: [
    ("HELLO\r\n\r\n", 400, HTTPBound?.none), ("GET / HTTP/2\r\nHost: h\r\n\r\n", 505, nil),
    ("GET / HTTP/1.1\r\n\r\n", 400, nil),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", 413, .requestBytes),
    ("GET /" + String(repeating: "x", count: 9_000), 414, .requestBytes),
    (
      "GET / HTTP/1.1\r\nHost: h\r\nX: " + String(repeating: "x", count: 9_000), 431,
      .requestBytes
    ),
  ])
  func aRefusalIsToldAndEndsTheConnection(text: String, status: Int, bound: HTTPBound?) throws {
    let serving = try Serving()
    let peer = try serving.peer()
    try peer.send(text)
    let answer = try #require(try peer.answer())
    #expect(answer.status == status && answer.headers["connection"] == "close")
    #expect(try peer.isEnded())
    let told = try #require(HTTPStatus(rawValue: status))
    #expect(serving.site.answered == [EchoSite.Answered(path: nil, status: told)])
    for any in HTTPBound.allCases { #expect(serving.hits(any) == (any == bound ? 1 : 0)) }
  }

  @Test func aLateAnswerHoldsUpNobody() async throws {
    let serving = try Serving()
    let (late, other) = (try serving.peer(), try serving.peer())
    try late.ask("/late")
    try late.ask("/behind")
    try await eventually("asked") { serving.site.waiting == 1 }
    try other.ask("/now")
    #expect(try other.answer()?.body == "GET /now \n")
    serving.site.answerLate("at last")
    #expect(try late.answer()?.body == "at last\n")
    // The second answer to the same request counts for nothing.
    #expect(try late.answer()?.body == "GET /behind \n")
  }

  @Test func whatNobodyAnswersIsSaidToBeAFault() async throws {
    let serving = try Serving()
    let peer = try serving.peer()
    try peer.ask("/never")
    #expect(try peer.answer()?.status == 500)
    try peer.ask("/late")
    try await eventually("asked") { serving.site.waiting == 1 }
    serving.site.forgetLate()
    #expect(try peer.answer()?.status == 500)
    try peer.ask("/now")
    #expect(try peer.answer()?.status == 200)
  }

  /// The place of a connection that went is another's by then: an answer must not reach it.
  @Test func anAnswerToOneThatWentReachesNobodyElse() async throws {
    let serving = try Serving()
    do {
      let gone = try serving.peer()
      try gone.ask("/late")
      try await eventually("asked") {
        serving.site.waiting == 1 && serving.http.counters.connections == 1
      }
      gone.endWithReset()
    }
    try await eventually("the place is free") { serving.http.counters.connections == 0 }
    let next = try serving.peer()
    try next.ask("/late")
    try await eventually("asked") { serving.site.waiting == 2 }
    serving.site.answerLate("for the one that went")
    serving.site.answerLate("for the next")
    #expect(try next.answer()?.body == "for the next\n")
  }

  @Test func whoWaitsLongestMakesRoom() throws {
    let serving = try Serving { $0.connections = 2 }
    let (first, second) = (try serving.peer(), try serving.peer())
    try first.ask("/1")
    #expect(try first.answer()?.status == 200)
    try second.ask("/2")
    #expect(try second.answer()?.status == 200)
    let third = try serving.peer()
    try third.ask("/3")
    #expect(try third.answer()?.body == "GET /3 \n")
    #expect(try first.isEnded())
    #expect(serving.hits(.connections) >= 1 && serving.http.counters.connections <= 2)
    try second.ask("/2")
    #expect(try second.answer()?.status == 200)
  }

  /// Wrong tokens on all connections that there may be keep no probe out.
  @Test func whatWaitsForItsRefusalMakesRoomAtOnce() async throws {
    let serving = try Serving { $0.connections = 4 }
    let guessers = try (0..<4).map { _ in try serving.peer() }
    for guesser in guessers { try guesser.ask("/refused") }
    try await eventually("all wait") { serving.site.refused == 4 }
    let began = SystemCalls.monotonicNanoseconds()
    for _ in 0..<20 {
      let probe = try serving.peer()
      try probe.ask("/probe")
      #expect(try probe.answer()?.body == "GET /probe \n")
    }
    // Were it not for the rule each that asked would have stayed for a second.
    let took = SystemCalls.monotonicNanoseconds() - began
    #expect(took < 900_000_000, "\(took) ns")
    #expect(try guessers[0].isEnded())
    #expect(!serving.site.answered.contains { $0.status == .unauthorized })
  }

  @Test func aRefusalComesWhenItIsDue() throws {
    let peer = try Serving().peer()
    let began = SystemCalls.monotonicNanoseconds()
    try peer.ask("/refused-soon")
    #expect(try peer.answer()?.status == 401)
    #expect(SystemCalls.monotonicNanoseconds() - began >= 50_000_000)
    try peer.ask("/next")
    #expect(try peer.answer()?.body == "GET /next \n")
  }

  @Test func aRequestThatDoesNotEndIsEnded() throws {
    let serving = try Serving { $0.requestDuration = .milliseconds(50) }
    let peer = try serving.peer()
    try peer.send("GET / HTTP/1.1\r\nHost:")
    #expect(try peer.answer()?.status == 408)
    #expect(try peer.isEnded())
    #expect(serving.hits(.requestTime) == 1)
  }

  @Test func anIdleConnectionIsClosedWithoutAWord() throws {
    let serving = try Serving { $0.idleDuration = .milliseconds(50) }
    let peer = try serving.peer()
    try peer.ask("/")
    #expect(try peer.answer()?.status == 200)
    #expect(try peer.answer() == nil)
    #expect(HTTPBound.allCases.allSatisfy { serving.hits($0) == 0 })
  }

  @Test func aReaderThatTakesNothingIsCutOff() async throws {
    let serving = try Serving { $0.stallDuration = .milliseconds(50) }
    let (stalled, other) = (try serving.peer(receiveBuffer: 4_096), try serving.peer())
    try stalled.ask("/long")
    try await eventually("cut off") { serving.hits(.stallTime) == 1 }
    #expect(throws: WebPeer.Failure.self) { try stalled.answer() }
    try other.ask("/long")
    #expect(try other.answer()?.body.utf8.count == EchoSite.longBytes)
  }

  @Test func whatWaitsToBeTakenIsBounded() async throws {
    let serving = try Serving {
      $0.unsentBytes = 1 << 20
      // They take their pages one after the other, on however busy a machine.
      $0.stallDuration = .seconds(100)
      $0.responseDuration = .seconds(100)
    }
    // One body counts once, however many take it; the site's own is always the same.
    let peers = try (0..<4).map { _ in try serving.peer(receiveBuffer: 4_096) }
    for peer in peers { try peer.ask("/long") }
    for peer in peers { #expect(try peer.answer()?.body.utf8.count == EchoSite.longBytes) }
    #expect(serving.hits(.responseBytes) == 0)
  }

  @Test func stoppingEndsWhatIsIdleAndLetsAResponseGoOut() async throws {
    let serving = try Serving { $0.stopDuration = .seconds(8) }
    let (idle, busy) = (try serving.peer(), try serving.peer())
    try idle.ask("/")
    #expect(try idle.answer()?.status == 200)
    try busy.ask("/late")
    try await eventually("asked") { serving.site.waiting == 1 }
    serving.http.stop()
    #expect(try idle.isEnded())
    serving.site.answerLate("the last")
    let last = try busy.answer()
    #expect(last?.body == "the last\n" && last?.headers["connection"] == "close")
    #expect(try busy.isEnded())
    try await eventually("nobody listens") {
      do { return try serving.peer().isEnded() } catch { return true }
    }
    #expect(serving.http.counters.connections == 0)
  }

  @Test func stoppingDoesNotWaitForASiteThatDoesNotAnswer() async throws {
    let serving = try Serving { $0.stopDuration = .milliseconds(50) }
    let peer = try serving.peer()
    try peer.ask("/late")
    try await eventually("asked") { serving.site.waiting == 1 }
    serving.http.stop()
    #expect(try peer.isEnded())
    // The answer comes when the port is gone.
    serving.site.answerLate("too late")
  }
}
