import Glibc

/// The file of a Unix socket, as whoever listens there made it.
public struct UnixSocketFile: Hashable, Sendable {
  private let path: String
  private let device: UInt64
  private let inode: UInt64
  /// When its place in the file system was last changed: the number may be another file's by then.
  private let changedAt: Int64

  /// Nil where there is no socket at `path`.
  init?(path: String) {
    guard let found = Self.found(path), found.isSocket else { return nil }
    self.path = path
    device = found.device
    inode = found.inode
    changedAt = found.changedAt
  }

  /// Removes the file, unless another took its place.
  public func remove() {
    guard UnixSocketFile(path: path) == self else { return }
    // If it cannot be removed, the next one who listens there replaces it.
    _ = unsafe unlink(path)
  }

  /// Makes room for a socket at `path`: removes one that nobody answers.
  static func clear(_ path: String) throws(SocketError) {
    guard let found = found(path) else { return }
    guard found.isSocket else {
      throw .invalidPath(text: "unix:\(path)", reason: "there is another file, not a socket")
    }
    let probe = try Descriptor.streamSocket(family: AF_UNIX)
    let code = probe.connect(to: ResolvedAddress(path: path))
    // A listener whose queue is full is one all the same.
    guard code == ECONNREFUSED else {
      throw .system(
        call: "bind", errno: code == 0 || code == EAGAIN ? EADDRINUSE : code,
        address: "unix:\(path)")
    }
    guard unsafe unlink(path) == 0 || errno == ENOENT else {
      throw .system(call: "unlink", errno: errno, address: "unix:\(path)")
    }
  }

  private static func found(_ path: String) -> Found? {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { return nil }
    let changedAt = status.st_ctim
    return Found(
      device: UInt64(status.st_dev), inode: UInt64(status.st_ino),
      changedAt: Int64(changedAt.tv_sec) * 1_000_000_000 + Int64(changedAt.tv_nsec),
      isSocket: status.st_mode & S_IFMT == S_IFSOCK)
  }

  private struct Found {
    var device: UInt64
    var inode: UInt64
    var changedAt: Int64
    var isSocket: Bool
  }
}

extension Descriptor {
  /// A Unix socket that listens at `path`, where only whom `mode` names may connect.
  static func unixListener(
    at path: String, mode: UInt32, backlog: Int32
  ) throws(SocketError) -> Descriptor {
    try UnixSocketFile.clear(path)
    let socket = try streamSocket(family: AF_UNIX)
    // Before the file is there: nobody else gets in meanwhile.
    guard fchmod(socket.number, mode_t(mode)) == 0 else {
      throw .system(call: "fchmod", errno: errno, address: "unix:\(path)")
    }
    let address = ResolvedAddress(path: path)
    let bound = unsafe address.withAddress { unsafe bind(socket.number, $0, $1) }
    guard bound == 0 else {
      throw .system(call: "bind", errno: errno, address: "unix:\(path)")
    }
    // The process' mask may have taken bits away.
    guard unsafe chmod(path, mode_t(mode)) == 0, listen(socket.number, backlog) == 0 else {
      throw .system(call: "listen", errno: errno, address: "unix:\(path)")
    }
    return socket
  }
}
