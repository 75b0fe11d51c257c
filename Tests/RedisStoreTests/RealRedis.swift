import Foundation
import Glibc
import RedisStore

/// A redis-server of its own in a new directory, ended with this object.
final class RealRedis {
  /// The path of its Unix socket.
  let socketPath: String
  /// Its port, where it was asked for one.
  let port: UInt16?
  private let process = Process()
  private let folder: URL

  struct StartFailure: Error {
    var output: String
  }

  /// Starts a server and waits until it says that it is ready.
  convenience init(_ arguments: String..., port: UInt16? = nil) throws {
    try self.init(arguments: arguments, port: port)
  }

  /// The same, with a list of arguments.
  init(arguments: [String], port: UInt16? = nil) throws {
    folder = URL(filePath: "/tmp").appending(path: "budgetd-redis-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    socketPath = folder.appending(path: "s").path
    self.port = port
    // As the process that has links does: a peer that is gone is an error code.
    signal(SIGPIPE, SIG_IGN)
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments =
      [
        "redis-server", "--port", "\(port ?? 0)", "--bind", "127.0.0.1", "--unixsocket", socketPath,
        "--dir", folder.path, "--save", "", "--appendonly", "no", "--enable-debug-command", "yes",
      ] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    var output = ""
    while !output.contains("Ready to accept connections")
      && !output.contains("ready to accept connections")
    {
      let data = pipe.fileHandleForReading.availableData
      guard !data.isEmpty else { throw StartFailure(output: output) }
      output += String(decoding: data, as: UTF8.self)
    }
    // Its later output is read, so that it never waits for a reader.
    pipe.fileHandleForReading.readabilityHandler = { handle in
      if handle.availableData.isEmpty { handle.readabilityHandler = nil }
    }
  }

  deinit {
    kill()
    process.waitUntilExit()
    // A directory that stays is in nobody's way.
    try? FileManager.default.removeItem(at: folder)
  }

  /// Ends the server at once, without a word to anybody.
  func kill() {
    guard process.isRunning else { return }
    _ = Glibc.kill(process.processIdentifier, SIGKILL)
    // Until it is gone its sockets still take connections.
    process.waitUntilExit()
  }

  /// Settings of a link to its Unix socket, with times that a busy machine keeps.
  var settings: RedisSettings {
    var settings = RedisSettings(address: .unix(path: socketPath))
    settings.connectTimeout = .seconds(20)
    settings.commandTimeout = .seconds(20)
    return settings
  }

  /// A port that was free a moment ago.
  static func freePort() throws -> UInt16 { try FakeRedis { _ in .close }.port }
}
