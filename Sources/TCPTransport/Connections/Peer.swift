import Sockets

/// The other end of a connection, as far as the system and the handshake vouch for it.
public struct Peer: Hashable, Sendable {
  /// The user of a process at the other end of a Unix socket, as it was when it connected.
  public struct User: Hashable, Sendable {
    /// Its user.
    public var userID: UInt32
    /// Its group.
    public var groupID: UInt32
    /// The process.
    public var processID: Int32

    /// Makes a user.
    public init(userID: UInt32, groupID: UInt32, processID: Int32) {
      self.userID = userID
      self.groupID = groupID
      self.processID = processID
    }
  }

  /// Its address in numbers, without a port, IPv4 as such; nil: it came over a Unix socket.
  public var address: String?
  /// Its user; nil: it came over a network.
  public var user: User?
  /// The names of its certificate, verified: `uri:...`, `dns:...`, `cn:...`; empty: it has none.
  public var certificateNames: [String] = []

  /// A peer of which nothing is known.
  public init(address: String? = nil, user: User? = nil) {
    self.address = address
    self.user = user
  }

  /// The peer of a connected socket.
  init(of socket: borrowing Descriptor) {
    user = socket.peerCredentials().map {
      User(userID: $0.user, groupID: $0.group, processID: $0.process)
    }
    if user == nil { address = socket.peerHost }
  }
}
