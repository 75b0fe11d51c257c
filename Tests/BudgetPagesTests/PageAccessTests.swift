import HTTPPort
import Testing

@testable import BudgetPages

/// Which pages need somebody who may see them.
@Suite struct PageAccessTests {
  /// Who shows nothing is nobody, `a` may see pages, anybody else may not.
  private func access(_ change: (inout PageAccess) -> Void = { _ in }) -> PageAccess {
    var access = PageAccess(
      judge: { request in
        switch request.credential {
        case nil: .unknown(after: .zero)
        case .bearer(let token): token == "a" ? .allowed : .denied("no")
        default: .unknown(after: .seconds(1))
        }
      },
      seesMore: { request in
        if case .bearer(let token) = request.credential { token == "a" } else { false }
      })
    change(&access)
    return access
  }

  private func request(_ credential: HTTPCredential? = nil) -> HTTPRequest {
    var request = HTTPRequest(path: "/")
    request.credential = credential
    return request
  }

  /// By path: whether it is everybody's, always, with open metrics, with open pages.
  private static let rules: [String: [Bool]] = [
    "/healthz": [true, true, true], "/readyz": [true, true, true],
    "/metrics": [false, true, false], "/": [false, false, true],
    "/status.json": [false, false, true], "/history.json": [false, false, true],
    "/provider/budgets": [false, false, true], "/changes.json": [false, false, true],
    "/change": [false, false, false],
  ]

  @Test(arguments: PageSite.Path.allCases)
  func eachPageHasItsRule(path: PageSite.Path) throws {
    let rule = try #require(Self.rules[path.rawValue], "\(path) has no rule in this test")
    let accesses = [
      access(), access { $0.isMetricsOpen = true }, access { $0.arePagesOpen = true },
    ]
    for (access, isOpen) in zip(accesses, rule) {
      let free = PageVerdict.allowed
      #expect(access.verdict(request(), for: path) == (isOpen ? free : .unknown(after: .zero)))
      let other = request(.bearer(token: "b"))
      #expect(access.verdict(other, for: path) == (isOpen ? free : .denied("no")))
      #expect(
        access.verdict(request(.unknown), for: path)
          == (isOpen ? free : .unknown(after: .seconds(1))))
      #expect(access.verdict(request(.bearer(token: "a")), for: path) == .allowed)
    }
  }

  @Test func aPageThatIsNotThereIsNotNamed() {
    #expect(access().verdict(request(), for: nil) == .unknown(after: .zero))
    #expect(access().verdict(request(.bearer(token: "a")), for: nil) == .allowed)
  }

  @Test func probesAreAnsweredInAWord() {
    #expect(!access().maySayWhy(request()))
    #expect(!access().maySayWhy(request(.bearer(token: "b"))))
    #expect(access().maySayWhy(request(.bearer(token: "a"))))
    #expect(access { $0.arePagesOpen = true }.maySayWhy(request()))
  }

  @Test func browsersAreAskedForAName() {
    let response = HTTPResponse.unknownClient
    #expect(response.status == .unauthorized)
    let asked = response.headers.filter { $0.name == "WWW-Authenticate" }.map(\.value)
    #expect(asked.contains { $0.hasPrefix("Basic realm=") })
    #expect(asked.contains { $0.hasPrefix("Bearer realm=") })
  }
}
