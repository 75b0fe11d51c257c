/// Who somebody is, and what that lets them do.
public struct Principal: Hashable, Sendable {
  /// The client's name: for people, in the log.
  public var name: String
  /// Its leave.
  public var role: Role

  /// Makes a principal.
  public init(name: String, role: Role) {
    self.name = name
    self.role = role
  }
}

/// The thing that somebody is known by. Kept for as long as the connection: a new table is asked again.
public enum Credential: Hashable, Sendable {
  /// A token of this digest.
  case token(TokenDigest)
  /// A certificate that has this name, verified.
  case certificate(String)
  /// A process of this Unix user, as the kernel says.
  case user(UInt32)
  /// Nothing: there is no access file.
  case nothing
}

/// A principal, and what it is known by.
public struct Identity: Hashable, Sendable {
  /// Who it is.
  public var principal: Principal
  /// The thing it is known by.
  public var credential: Credential

  /// Makes an identity.
  public init(principal: Principal, credential: Credential) {
    self.principal = principal
    self.credential = credential
  }
}

/// Who may do what: the access file as it is in force. Immutable; a reload makes another.
///
/// Looking somebody up takes time that does not grow with the table.
public struct AccessTable: Sendable {
  /// One entry of the file.
  struct Client: Hashable, Sendable {
    var name: String
    var role: Role
    var tokens: [TokenDigest] = []
    var certificates: [String] = []
    var users: [UInt32] = []
  }

  /// How many clients there are.
  public let count: Int
  /// Whether there is no access file: everybody may do everything.
  public let isOpen: Bool
  private var tokens: [UInt128: [(digest: TokenDigest, principal: Principal)]] = [:]
  private var certificates: [String: Principal] = [:]
  private var users: [UInt32: Principal] = [:]
  private var clients: [String: Client] = [:]

  /// The table where there is no access file.
  public static let open = AccessTable()

  private init() {
    count = 0
    isOpen = true
  }

  init(_ clients: [Client]) {
    count = clients.count
    isOpen = false
    for client in clients {
      self.clients[client.name] = client
      let principal = Principal(name: client.name, role: client.role)
      for digest in client.tokens { tokens[digest.high, default: []].append((digest, principal)) }
      for name in client.certificates { certificates[name] = principal }
      for user in client.users { users[user] = principal }
    }
  }

  /// Who a peer is before it says anything: by the first of its certificate's names that is listed,
  /// else by its Unix user. Nil: nobody, yet.
  public func identity(certificateNames names: [String], user: UInt32?) -> Identity? {
    if isOpen {
      let name = names.first ?? user.map { "uid:\($0)" } ?? "anybody"
      return Identity(principal: Principal(name: name, role: .admin), credential: .nothing)
    }
    for name in names {
      if let principal = certificates[name] {
        return Identity(principal: principal, credential: .certificate(name))
      }
    }
    if let user, let principal = users[user] {
      return Identity(principal: principal, credential: .user(user))
    }
    return nil
  }

  /// Who shows `token`; nil: nobody who is listed.
  public func identity(token: [UInt8]) -> Identity? {
    if isOpen { return identity(certificateNames: [], user: nil) }
    let digest = TokenDigest(of: token)
    guard let principal = principal(digest) else { return nil }
    return Identity(principal: principal, credential: .token(digest))
  }

  /// Who is known by `credential` now; nil: nobody any more.
  public func principal(knownBy credential: Credential) -> Principal? {
    switch credential {
    case .token(let digest): principal(digest)
    case .certificate(let name): certificates[name]
    case .user(let user): users[user]
    case .nothing: nil
    }
  }

  /// The differences of another table, a sentence each, by the clients' names.
  public func changes(to after: AccessTable) -> [String] {
    Set(clients.keys).union(after.clients.keys).sorted().compactMap { name in
      switch (clients[name], after.clients[name]) {
      case (nil, _): "client \(name) is new"
      case (_, nil): "client \(name) is gone"
      case (let before?, let after?) where before.role != after.role:
        "client \(name) has the role \(after.role), it had \(before.role)"
      case (let before, let after):
        before == after ? nil : "client \(name) is known by other tokens, certificates or users"
      }
    }
  }

  private func principal(_ digest: TokenDigest) -> Principal? {
    var found: Principal?
    for entry in tokens[digest.high] ?? [] where entry.digest.isSame(as: digest) {
      found = entry.principal
    }
    return found
  }
}
