import HTTPPort
import Locks
import Testing

@testable import BudgetPages

/// Which pages need somebody who may see them.
@Suite struct PageAccessTests {
  /// Who shows nothing is nobody, `a` may see pages, anybody else may not.
  private func access(_ change: (inout PageAccess) -> Void = { _ in }) -> PageAccess {
    var access = PageAccess { request in
      switch request.credential {
      case nil: .unknown(after: .zero)
      case .bearer(let token): token == "a" ? .allowed : .denied("no")
      default: .unknown(after: .seconds(1))
      }
    }
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

  /// With closed and with open pages: whether a right token changes the answer.
  private static let answersByToken: [String: [Bool]] = [
    "/readyz": [true, true, false], "/changes.json": [false, false, true],
  ]

  @Test(arguments: PageSite.Path.allCases)
  func eachPageHasItsRule(path: PageSite.Path) throws {
    let rule = try #require(Self.rules[path.rawValue], "\(path) has no rule in this test")
    let accesses = [
      access(), access { $0.isMetricsOpen = true }, access { $0.arePagesOpen = true },
    ]
    let byToken = Self.answersByToken[path.rawValue] ?? [false, false, false]
    for (access, (isOpen, looksAtTokens)) in zip(accesses, zip(rule, byToken)) {
      let free = PageVerdict.allowed
      func verdict(_ request: HTTPRequest) -> PageVerdict {
        access.leave(request, for: path).verdict
      }
      #expect(verdict(request()) == (isOpen ? free : .unknown(after: .zero)))
      #expect(verdict(request(.bearer(token: "b"))) == (isOpen ? free : .denied("no")))
      #expect(
        verdict(request(.unknown))
          == (isOpen && !looksAtTokens ? free : .unknown(after: .seconds(1))))
      #expect(verdict(request(.bearer(token: "a"))) == .allowed)
    }
  }

  /// Each wrong token is judged, so counted, once; whoever shows none is not told off.
  @Test(arguments: [("/readyz", false), ("/changes.json", true)])
  func aTokenIsTriedNowhereForFree(path: String, areOpen: Bool) {
    let judged = Locked(0)
    var access = PageAccess { request in
      judged.withLock { $0 += 1 }
      return request.credential == nil ? .unknown(after: .zero) : .unknown(after: .seconds(2))
    }
    access.arePagesOpen = areOpen
    for _ in 0..<10 {
      #expect(
        access.leave(request(.bearer(token: "guess")), for: PageSite.Path(rawValue: path))
          == PageAccess.Leave(verdict: .unknown(after: .seconds(2))))
    }
    #expect(judged.withLock { $0 } == 10)
    let plain = access.leave(request(), for: PageSite.Path(rawValue: path))
    #expect(plain == PageAccess.Leave(verdict: .allowed))
    #expect(judged.withLock { $0 } == 10)
  }

  /// A router's certificate that is in no entry, shown by a probe, is not a guess.
  @Test func aProbeWithAStrangersCertificateIsAnswered() {
    let access = PageAccess { _ in .unknown(after: .zero) }
    var probe = request()
    probe.certificateNames = ["cn:x"]
    #expect(
      access.leave(probe, for: .readiness) == PageAccess.Leave(verdict: .allowed, saysWhy: false))
  }

  @Test func aPageThatIsNotThereIsNotNamed() {
    #expect(access().leave(request(), for: nil).verdict == .unknown(after: .zero))
    #expect(access().leave(request(.bearer(token: "a")), for: nil).verdict == .allowed)
  }

  @Test func probesAreAnsweredInAWord() {
    func saysWhy(_ access: PageAccess, _ credential: HTTPCredential? = nil) -> Bool {
      access.leave(request(credential), for: .readiness).saysWhy
    }
    #expect(!saysWhy(access()))
    #expect(!saysWhy(access(), .bearer(token: "b")))
    #expect(saysWhy(access(), .bearer(token: "a")))
    #expect(saysWhy(access { $0.arePagesOpen = true }))
  }

  @Test func browsersAreAskedForAName() {
    let response = HTTPResponse.unknownClient
    #expect(response.status == .unauthorized)
    let asked = response.headers.filter { $0.name == "WWW-Authenticate" }.map(\.value)
    #expect(asked.contains { $0.hasPrefix("Basic realm=") })
    #expect(asked.contains { $0.hasPrefix("Bearer realm=") })
  }
}
