import BudgetModel
import Testing

@testable import HTTPPort

@Suite struct MessageTests {
  @Test(arguments: [
    ("q=a", "a"), ("x=1&q=a+b%2Fc%c3%A9", "a b/cé"), ("q", ""), ("q=", ""), ("%71=z", "z"),
    ("q=1&q=2", "1"), ("q=a=b", "a=b"),
  ])
  func queriesAreDecoded(query: String, value: String) {
    #expect(HTTPRequest(path: "/", query: query).value(of: "q") == value)
  }

  @Test(arguments: ["", "x=q", "q=%", "q=%4", "q=%zz", "q=%ff", "Q=1"])
  func whatIsNoTextIsAbsent(query: String) {
    #expect(HTTPRequest(path: "/", query: query).value(of: "q") == nil)
  }

  @Test(arguments: [
    (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777_000, "Sun, 06 Nov 1994 08:49:37 GMT"),
    (1_709_210_096_999, "Thu, 29 Feb 2024 12:34:56 GMT"), (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
  ])
  func datesAreHTTPs(milliseconds: Int64, text: String) {
    #expect(ResponseHead.date(Timestamp(unixMilliseconds: milliseconds)) == text)
  }

  @Test(arguments: [
    ("Bearer bd_x", HTTPCredential.bearer(token: "bd_x")), ("bearer  bd_x", .bearer(token: "bd_x")),
    ("Basic YTpiOmM=", .basic(name: "a", password: "b:c")),
    ("BASIC Og==", .basic(name: "", password: "")),
    ("Basic YQ==", .unknown), ("Basic !", .unknown), ("Basic", .unknown), ("Bearer", .unknown),
    ("Digest x", .unknown), ("", .unknown),
  ])
  func credentialsAreRead(value: String, credential: HTTPCredential) throws {
    let head = "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: \(value)\r\n\r\n"
    #expect(try RequestHead(Array(head.utf8)[...]).request.credential == credential)
  }

  @Test func aCredentialIsGivenOnce() throws {
    let one = "Authorization: Bearer a\r\n"
    let head = "GET / HTTP/1.1\r\nHost: a\r\n"
    #expect(try RequestHead(Array((head + "\r\n").utf8)[...]).request.credential == nil)
    #expect(throws: RequestRefusal.self) {
      try RequestHead(Array((head + one + one + "\r\n").utf8)[...])
    }
  }

  @Test func aHeadSaysWhatFollows() {
    let response = HTTPResponse.text("no", status: .methodNotAllowed, headers: [("Allow", "GET")])
    let head = ResponseHead.bytes(
      of: response, keepsAlive: false, at: Timestamp(unixMilliseconds: 0))
    #expect(
      String(decoding: head, as: UTF8.self)
        == [
          "HTTP/1.1 405 Method Not Allowed", "Content-Type: text/plain; charset=utf-8",
          "Content-Length: 3", "Connection: close", "Date: Thu, 01 Jan 1970 00:00:00 GMT",
          "Cache-Control: no-store", "X-Content-Type-Options: nosniff", "Allow: GET", "", "",
        ].joined(separator: "\r\n"))
  }
}
