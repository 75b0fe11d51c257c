import CEpoll
import Glibc

/// A socket that listens already, opened by whoever started the process: the queue of those who want to
/// connect outlives the process (sd_listen_fds(3), "socket activation").
public struct InheritedSocket: Hashable, Sendable {
  /// The name that `LISTEN_FDNAMES` gives it; empty where it gives none.
  public let name: String
  /// The endpoint that it listens at.
  public let endpoint: Endpoint
  let number: Int32

  /// The first descriptor that is passed on, as the protocol has it.
  private static let first: Int32 = 3
  /// As many as a server takes.
  private static let bound: Int32 = 32

  /// The sockets that `LISTEN_FDS` says were passed to this process; none where `LISTEN_PID` is
  /// another's.
  ///
  /// Each is to be adopted by one `ListeningSocket`. Programs that this process may start do not get
  /// them from then on.
  /// - Throws: `SocketError` where one of them is not a stream socket that listens.
  public static func all(
    _ environment: [String: String], processID: Int32? = nil
  ) throws(SocketError) -> [InheritedSocket] {
    let mine = String(processID ?? getpid())
    guard environment["LISTEN_PID"] == mine, let text = environment["LISTEN_FDS"] else { return [] }
    guard let count = Int32(text), (0...bound).contains(count) else {
      throw .unusableInherited(
        name: "LISTEN_FDS", reason: "it is '\(text)': give a number from 0 to \(bound)")
    }
    let names = (environment["LISTEN_FDNAMES"] ?? "").split(
      separator: ":", omittingEmptySubsequences: false)
    var found: [InheritedSocket] = []
    for index in 0..<count {
      let name = names.indices.contains(Int(index)) ? String(names[Int(index)]) : ""
      found.append(try InheritedSocket(name: name, number: first + index))
    }
    return found
  }

  private init(name: String, number: Int32) throws(SocketError) {
    func refused(_ reason: String) -> SocketError {
      .unusableInherited(
        name: "descriptor \(number) '\(name)'", reason: "\(reason); pass one that listens")
    }
    let socket = Descriptor(adopting: number)
    let isListening = socket.option(SO_ACCEPTCONN)
    let type = socket.option(SO_TYPE)
    let endpoint = ResolvedAddress(localOf: socket)?.endpoint
    // Its number goes on to whoever adopts it.
    _ = socket.release()
    guard let isListening, let type else { throw refused("it is not a socket") }
    guard type == Int32(SOCK_STREAM.rawValue) else { throw refused("it is not a stream socket") }
    guard isListening != 0 else { throw refused("it does not listen") }
    guard let endpoint else { throw refused("it is neither of TCP nor a Unix socket") }
    self.name = name
    self.number = number
    self.endpoint = endpoint
  }

  /// The descriptor, for its one owner.
  consuming func adopt() -> Descriptor {
    let socket = Descriptor(adopting: number)
    socket.setNonblocking()
    return socket
  }
}
