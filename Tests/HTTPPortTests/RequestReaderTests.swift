import Testing

@testable import HTTPPort

@Suite struct RequestReaderTests {
  private func reader(_ text: String, bound: Int = 8_192) -> RequestReader {
    var reader = RequestReader(bound: bound)
    reader.append(text.utf8)
    return reader
  }

  private func step(_ text: String, bound: Int = 8_192) -> RequestReader.Step {
    var reader = reader(text, bound: bound)
    return reader.next()
  }

  @Test func aRequestIsReadInAnyPieces() {
    let text = "GET /metrics?a=b HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n"
    let wanted = RequestReader.Step.request(HTTPRequest(path: "/metrics", query: "a=b"))
    for size in 1...text.utf8.count {
      var reader = RequestReader(bound: 8_192)
      var rest = Array(text.utf8)[...]
      while rest.count > size {
        reader.append(rest.prefix(size))
        rest = rest.dropFirst(size)
        #expect(reader.next() == .incomplete)
        #expect(reader.isMidRequest)
      }
      reader.append(rest)
      #expect(reader.next() == wanted)
      #expect(!reader.isMidRequest)
      #expect(reader.next() == .incomplete)
    }
  }

  @Test func requestsThatCameTogetherAreReadOneByOne() {
    var reader = reader(
      "GET /a HTTP/1.1\r\nHost: x\r\n\r\n\r\nHEAD /b HTTP/1.1\nHost: x\n\nGET /c")
    #expect(reader.next() == .request(HTTPRequest(path: "/a")))
    #expect(reader.next() == .request(HTTPRequest(method: "HEAD", path: "/b")))
    #expect(reader.next() == .incomplete)
    #expect(String(decoding: reader.held, as: UTF8.self) == "GET /c")
  }

  @Test(arguments: [
    ("HTTP/1.1", "", true), ("HTTP/1.1", "Connection: close\r\n", false),
    ("HTTP/1.1", "Connection: foo, Close\r\n", false),
    ("HTTP/1.1", "Connection: keep-alive\r\n", true), ("HTTP/1.0", "", false),
    ("HTTP/1.0", "connection:Keep-Alive\r\n", true),
  ])
  func keepAliveIsHonoured(version: String, header: String, keepsAlive: Bool) {
    #expect(
      step("GET / \(version)\r\nHost: x\r\n\(header)\r\n")
        == .request(HTTPRequest(path: "/", keepsAlive: keepsAlive)))
  }

  private static let form = "Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"

  @Test func aFormIsReadWhereOneIsTaken() {
    let text =
      "POST /change HTTP/1.1\r\nHost: h:1\r\nOrigin: http://h:1\r\n\(Self.form)Content-Length: 12\r\n\r\n"
      + "a=b+c&d=%26&GET / HTTP/1.1\r\nHost: h:1\r\n\r\n"
    for size in 1...text.utf8.count {
      var reader = RequestReader(bound: 8_192, formPath: "/change")
      var steps: [HTTPRequest] = []
      var rest = Array(text.utf8)[...]
      while !rest.isEmpty {
        reader.append(rest.prefix(size))
        rest = rest.dropFirst(size)
        while case .request(let request) = reader.next() { steps.append(request) }
      }
      #expect(steps.map(\.path) == ["/change", "/"])
      let request = steps.first ?? HTTPRequest(path: "")
      #expect(request.form == "a=b+c&d=%26&" && request.host == "h:1")
      #expect(request.origin == "http://h:1")
      #expect(request.formValue(of: "a") == "b c" && request.formValue(of: "d") == "&")
      #expect(request.formValue(of: "e") == nil && request.value(of: "a") == nil)
    }
  }

  @Test(arguments: [
    ("POST /other", form, "12", true), ("PUT /change", form, "12", true),
    ("POST /change", "Content-Type: text/plain\r\n", "12", true), ("POST /change", "", "12", true),
    ("POST /change", form, "8192", true), ("POST /change", form, "99999999999999999999", true),
    ("POST /change", form, "0", false),
  ])
  func otherBodiesAreRefused(line: String, type: String, length: String, isRefused: Bool) {
    var reader = RequestReader(bound: 8_192, formPath: "/change")
    reader.append(
      "\(line) HTTP/1.1\r\nHost: x\r\n\(type)Content-Length: \(length)\r\n\r\nabcdefghijkl".utf8)
    #expect((reader.next() == .refused(.body)) == isRefused)
  }

  @Test func nobodySplitsAForm() {
    var reader = RequestReader(bound: 8_192, formPath: "/change")
    reader.append(
      ("POST /change HTTP/1.1\r\nHost: x\r\n\(Self.form)Transfer-Encoding: chunked\r\n\r\n"
        + "1\r\na").utf8)
    #expect(reader.next() == .refused(.body))
  }

  @Test(arguments: [
    ("http://host:1/a/b?c", "/a/b", "c"), ("http://host", "/", ""), ("HTTP://h?q", "/", "q"),
    ("/a?b?c=d", "/a", "b?c=d"), ("/%2e%2e/a", "/%2e%2e/a", ""), ("*", "*", ""),
  ])
  func targetsHaveAPathAndAQuery(target: String, path: String, query: String) {
    #expect(
      step("GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n")
        == .request(HTTPRequest(path: path, query: query)))
  }

  @Test(arguments: [
    "GET /", "GET / HTTP/1.1 x", "GET  / HTTP/1.1", " GET / HTTP/1.1", "G(T / HTTP/1.1",
    "GET /\u{7f} HTTP/1.1", "GET /é HTTP/1.1", "GET / http/1.1", "hello",
    "GET / HTTP/1.1\r\nHost: x\r\nHost: y", "GET / HTTP/1.1\r\nnothing: x",
    "GET / HTTP/1.1\r\nHost: x\r\n folded: x", "GET / HTTP/1.1\r\nHost : x",
    "GET / HTTP/1.1\r\nHost: x\r\nno colon", "GET / HTTP/1.1\r\nHost: x\r\na\u{0}: b",
    "GET / HTTP/1.1\r\nHost: x\ra", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1",
    "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 0",
    "GET / HTTP/1.1\r\nHost: x\r\nContent-Length:",
  ])
  func whatIsNoRequestIsRefused(head: String) {
    guard case .refused(.malformed) = step("\(head)\r\n\r\n") else {
      Issue.record("\(head) gave \(step("\(head)\r\n\r\n"))")
      return
    }
  }

  @Test func otherVersionsAndBodiesAreRefused() {
    #expect(step("GET / HTTP/2.0\r\n\r\n") == .refused(.version))
    #expect(step("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n") == .refused(.body))
    #expect(
      step("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n") == .refused(.body))
    #expect(
      step("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 00\r\n\r\n")
        == .request(HTTPRequest(path: "/")))
  }

  @Test func headsAreBounded() {
    let line = "GET / HTTP/1.1\r\nHost: x\r\n"
    let bound = 256
    let room = bound - line.utf8.count - 7
    let whole = line + "X: " + String(repeating: "a", count: room) + "\r\n\r\n"
    let longer = line + "X: " + String(repeating: "a", count: room + 1) + "\r\n\r\n"
    #expect(whole.utf8.count == bound)
    #expect(step(whole, bound: bound) == .request(HTTPRequest(path: "/")))
    #expect(step(longer, bound: bound) == .refused(.headersTooLarge))
    #expect(
      step(line + String(repeating: "a", count: bound), bound: bound)
        == .refused(.headersTooLarge))
    #expect(step(String(repeating: "a", count: bound), bound: bound) == .incomplete)
    #expect(
      step(String(repeating: "a", count: bound + 1), bound: bound) == .refused(.targetTooLong))
  }

  @Test func noMoreIsReadThanTheBound() {
    var reader = RequestReader(bound: 100)
    reader.append([UInt8](repeating: UInt8(ascii: "a"), count: 60))
    var taken = 60
    for _ in 0..<1_000 {
      let room = reader.room
      reader.append([UInt8](repeating: UInt8(ascii: "a"), count: room))
      taken += room
      if reader.next() != .incomplete { break }
    }
    #expect(taken == 101)
  }

  @Test func randomBytesNeverStopTheReader() {
    var random = SystemRandomNumberGenerator()
    let alphabet = Array("GET /a?b HTTP/1.1\r\n\r\nHost: x: \0é".utf8)
    for _ in 0..<5_000 {
      var reader = RequestReader(bound: 64)
      for _ in 0..<Int.random(in: 1...120, using: &random) {
        reader.append([alphabet.randomElement(using: &random) ?? 0])
        if case .refused = reader.next() { break }
        #expect(reader.held.count <= 65)
      }
    }
  }
}
