import Access
import BudgetPages
import HTTPPort
import Sockets
import TCPTransport

/// Who may see pages.
extension AccessDesk {
  /// The least role that sees pages.
  private static let leastRole = Role.read

  /// Whether the one who asks for a page may see it.
  func verdict(on request: HTTPRequest, at now: MonotonicInstant = .now()) -> PageVerdict {
    let identity: Identity
    if let credential = request.credential {
      guard let found = self.identity(showing: credential) else {
        return .unknown(after: wrongToken(from: request.place, at: now))
      }
      identity = found
    } else {
      guard let found = self.identity(of: request.certificateNames) else {
        note(.unauthenticated)
        return .unknown(after: .zero)
      }
      identity = found
    }
    let role = identity.principal.role
    guard role >= Self.leastRole else {
      note(.permission)
      return .denied("this client's role is \(role): pages need \(Self.leastRole)")
    }
    return .allowed
  }

  /// Who asks for a page, as far as their request shows; nobody is told off for a wrong token.
  func identity(behind request: HTTPRequest) -> Identity? {
    request.credential.map { identity(showing: $0) } ?? identity(of: request.certificateNames)
  }

  /// Whether the one who asks for what is everybody's may see all of it. A wrong token is counted, but
  /// nobody is told off for it: a probe with an old one gets its answer, at once. The tokens that
  /// come from its address next are not looked at for as long as a refusal would wait: they cannot be
  /// tried here faster than elsewhere.
  func seesMore(_ request: HTTPRequest, at now: MonotonicInstant = .now()) -> Bool {
    if request.credential != nil, passesOver(tokensFrom: request.place, at: now) { return false }
    guard let identity = identity(behind: request) else {
      if request.credential != nil { _ = wrongToken(from: request.place, at: now) }
      return false
    }
    return identity.principal.role >= Self.leastRole
  }

  private func identity(showing credential: HTTPCredential) -> Identity? {
    switch credential {
    case .bearer(let token): return identity(token: Array(token.utf8))
    case .basic(let name, let password):
      let identity = identity(token: Array(password.utf8))
      return identity?.principal.name == name ? identity : nil
    case .unknown: return nil
    }
  }
}

extension HTTPRequest {
  fileprivate var place: String { peer.isEmpty ? "the HTTP port" : peer }
}

extension AccessReading {
  init(_ desk: AccessDesk, _ audit: AuditLog) {
    self.init()
    clients = desk.clientCount
    refusals = AccessRefusal.allCases.map { ($0.rawValue, desk.count($0)) }
    audited = AuditLog.Action.allCases.map { ($0.rawValue, audit.count($0)) }
  }
}
