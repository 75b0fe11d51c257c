public import HTTPPort

/// Whether somebody may see a page.
public enum PageVerdict: Equatable, Sendable {
  /// They may.
  case allowed
  /// They have not said who they are, or not rightly: told so after a while.
  case unknown(after: Duration)
  /// They may not, and why.
  case denied(String)
}

/// Who may see pages, where not everybody may.
public struct PageAccess: Sendable {
  /// Whether metrics are everybody's.
  public var isMetricsOpen = false
  /// Whether the other pages are.
  public var arePagesOpen = false
  /// Whether somebody may, by what their request shows.
  public var judge: @Sendable (HTTPRequest) -> PageVerdict

  /// Makes an access in which `judge` decides.
  public init(judge: @escaping @Sendable (HTTPRequest) -> PageVerdict) { self.judge = judge }

  /// The answer that whoever asks may have.
  struct Leave: Equatable {
    var verdict: PageVerdict
    /// Whether the answer to a probe may say more than one word.
    var saysWhy = false
  }

  /// Whether the request for a page may go on; nil: there is no such page.
  ///
  /// Probes have no secrets: whoever asks gets their answer, in one word. But wherever a right token
  /// changes an answer, a wrong one is refused, as slowly as anywhere: else that is where tokens are
  /// tried.
  func leave(_ request: HTTPRequest, for path: PageSite.Path?) -> Leave {
    switch path {
    case .health: Leave(verdict: .allowed)
    case .readiness: arePagesOpen ? Leave(verdict: .allowed, saysWhy: true) : probe(request)
    case .metrics where isMetricsOpen: Leave(verdict: .allowed)
    case .status, .statusJSON, .historyJSON, .providerBudgets:
      Leave(verdict: arePagesOpen ? .allowed : judge(request))
    case .changesJSON where arePagesOpen:
      Leave(verdict: request.credential == nil ? .allowed : unlessUnknown(judge(request)))
    // Changes are never everybody's.
    case .metrics, .changesJSON, .change, nil: Leave(verdict: judge(request))
    }
  }

  private func probe(_ request: HTTPRequest) -> Leave {
    guard request.credential != nil || !request.certificateNames.isEmpty else {
      return Leave(verdict: .allowed)
    }
    let verdict = judge(request)
    return Leave(
      verdict: request.credential == nil ? .allowed : unlessUnknown(verdict),
      saysWhy: verdict == .allowed)
  }

  /// The verdict on a page that is everybody's, for one that shows a token.
  private func unlessUnknown(_ verdict: PageVerdict) -> PageVerdict {
    if case .unknown = verdict { verdict } else { .allowed }
  }
}

extension HTTPResponse {
  /// Who asks is to say who they are: browsers then ask for a name and a password.
  static let unknownClient = HTTPResponse.text(
    "say who you are: Authorization: Bearer TOKEN, or the client's name and its token as the password",
    status: .unauthorized,
    headers: [
      ("WWW-Authenticate", "Basic realm=\"budgetd\", charset=\"UTF-8\""),
      ("WWW-Authenticate", "Bearer realm=\"budgetd\""),
    ])
}
