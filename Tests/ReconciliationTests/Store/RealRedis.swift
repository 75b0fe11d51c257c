import Foundation
import Glibc
import RedisStore

/// A redis-server of its own in a new directory, ended with this object.
final class RealRedis {
  private let process = Process()
  private let folder: URL
  private let socketPath: String

  struct StartFailure: Error {
    var output: String
  }

  /// Starts a server and waits until it says that it is ready.
  init() throws {
    folder = URL(filePath: "/tmp").appending(path: "budgetd-redis-\(UUID().uuidString.prefix(8))")
    socketPath = folder.appending(path: "s").path
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    // As the process that has links does: a peer that is gone is an error code.
    signal(SIGPIPE, SIG_IGN)
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [
      "redis-server", "--port", "0", "--unixsocket", socketPath, "--dir", folder.path, "--save", "",
      "--appendonly", "no",
    ]
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    var output = ""
    while !output.lowercased().contains("ready to accept connections") {
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
    if process.isRunning { _ = Glibc.kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
    // A directory that stays is in nobody's way.
    try? FileManager.default.removeItem(at: folder)
  }

  /// Settings of a link to it, with times that a busy machine keeps.
  var settings: RedisSettings {
    var settings = RedisSettings(address: .unix(path: socketPath))
    settings.connectTimeout = .seconds(20)
    settings.commandTimeout = .seconds(20)
    return settings
  }
}
