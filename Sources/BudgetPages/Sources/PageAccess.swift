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

  /// Whether somebody may see all of an answer a part of which is everybody's.
  public var seesMore: @Sendable (HTTPRequest) -> Bool

  /// Makes an access in which `judge` decides on pages, and `seesMore` on what is everybody's in part.
  public init(
    judge: @escaping @Sendable (HTTPRequest) -> PageVerdict,
    seesMore: @escaping @Sendable (HTTPRequest) -> Bool
  ) {
    self.judge = judge
    self.seesMore = seesMore
  }

  /// Whether the request for a page may go on; nil: there is no such page.
  ///
  /// Probes have no secrets: whoever asks gets their answer, in one word.
  func verdict(_ request: HTTPRequest, for path: PageSite.Path?) -> PageVerdict {
    switch path {
    case .health, .readiness: .allowed
    case .metrics where isMetricsOpen: .allowed
    case .status, .statusJSON, .historyJSON, .changesJSON, .providerBudgets:
      arePagesOpen ? .allowed : judge(request)
    // Changes are never everybody's.
    case .metrics, .change, nil: judge(request)
    }
  }

  /// Whether the answer to a probe may say more than one word.
  func maySayWhy(_ request: HTTPRequest) -> Bool {
    arePagesOpen || seesMore(request)
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
