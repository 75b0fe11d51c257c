import Access
import TCPTransport

/// Who is at the other end of each of a lane's connections, by its slot. Looked at when a connection
/// comes, says who it is, asks for something that is written down, or goes.
struct LanePeers {
  /// One connection's peer.
  struct Entry {
    var peer: Peer
    /// Nil: it has not said who it is.
    var identity: Identity?

    /// Its place, for people.
    var address: String { peer.place }

    /// Who did something, for the log: `router-eu at 10.1.2.3`.
    var words: String { "\(identity?.principal.name ?? "nobody") at \(address)" }
  }

  private var entries: [Entry?] = []

  subscript(connection: ConnectionID) -> Entry? {
    get { connection.slot < entries.count ? entries[connection.slot] : nil }
    set {
      while entries.count <= connection.slot { entries.append(nil) }
      entries[connection.slot] = newValue
    }
  }

  /// Whose connection it is, for the bounds on clients: the principal's where there is one, else the
  /// address'.
  func client(of connection: ConnectionID) -> String {
    guard let entry = self[connection] else { return "" }
    // One that has not said who it is counts for nobody: others of its address may be somebody.
    guard let identity = entry.identity else { return "unnamed \(connection.word)" }
    if identity.credential == .nothing { return "at \(entry.address)" }
    return "named \(identity.principal.name)"
  }

  /// A connection came: its role; nil: its peer has not said who it is.
  mutating func open(_ connection: ConnectionID, _ peer: Peer, at desk: AccessDesk) -> Role? {
    let entry = Entry(peer: peer, identity: desk.identity(of: peer))
    self[connection] = entry
    if entry.identity == nil { desk.arrived(connection, from: entry.address) }
    return entry.identity?.principal.role
  }

  /// A connection has gone.
  mutating func forget(_ connection: ConnectionID, at desk: AccessDesk) {
    if let entry = self[connection], entry.identity == nil { desk.left(connection) }
    self[connection] = nil
  }

  /// A peer is nobody any more: it showed what nobody has.
  mutating func doubt(_ connection: ConnectionID, at desk: AccessDesk) {
    guard var entry = self[connection], entry.identity != nil else { return }
    entry.identity = nil
    self[connection] = entry
    desk.arrived(connection, from: entry.address)
  }

  /// The access file has changed: the role now; nil: the peer is known no more.
  mutating func review(_ connection: ConnectionID, at desk: AccessDesk) -> Role? {
    guard var entry = self[connection], let identity = entry.identity,
      let renewed = desk.renewed(identity)
    else { return nil }
    entry.identity = renewed
    self[connection] = entry
    return renewed.principal.role
  }

  /// The peer shows a token: its role from now on; nil: nobody has that token.
  mutating func introduce(
    _ connection: ConnectionID, _ token: [UInt8], at desk: AccessDesk
  ) -> Role? {
    guard let identity = desk.identity(token: token) else { return nil }
    var entry = self[connection] ?? Entry(peer: Peer(), identity: nil)
    if entry.identity == nil { desk.left(connection) }
    // Without an access file a certificate's name stays who it is.
    if entry.identity?.credential != .nothing { entry.identity = identity }
    self[connection] = entry
    return identity.principal.role
  }
}

extension Peer {
  /// Its place: its address, or the user of a Unix socket.
  var place: String { address ?? user.map { "uid \($0.userID)" } ?? "an unknown address" }
}
