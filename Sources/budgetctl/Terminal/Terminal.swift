import Foundation

/// Where output goes, and what can be shown there.
struct Terminal {
  /// Whether people look at standard output.
  var isInteractive: Bool
  /// Whether colours are welcome: on a terminal, without NO_COLOR.
  var isColoured: Bool
  /// Columns and rows, where they are known.
  var size: Size?

  struct Size: Equatable {
    var columns: Int
    var rows: Int
  }

  /// The terminal of standard output as it is now.
  static func current(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> Terminal {
    let isInteractive = isatty(STDOUT_FILENO) == 1
    let isPlain = environment["NO_COLOR", default: ""] != "" || environment["TERM"] == "dumb"
    return Terminal(
      isInteractive: isInteractive, isColoured: isInteractive && !isPlain,
      size: isInteractive ? currentSize() : nil)
  }

  /// Asks `stty`, since asking the kernel takes unsafe code, which this program is free of.
  private static func currentSize() -> Size? {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["stty", "size"]
    process.standardInput = FileHandle.standardInput
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    // Without a size the table is simply not fitted.
    guard (try? process.run()) != nil,
      let bytes = try? output.fileHandleForReading.readToEnd()
    else { return nil }
    process.waitUntilExit()
    return Size(stty: String(decoding: bytes, as: UTF8.self))
  }

  /// Writes to standard output at once.
  static func write(_ text: String) {
    // Where nobody reads any more, nobody is left to be told.
    try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
  }

  /// Writes lines to standard output.
  static func write(lines: [String]) {
    write(lines.map { $0 + "\n" }.joined())
  }

  /// Writes to standard error, each line headed by the program's name.
  static func complain(_ message: String) {
    let lines = message.split(separator: "\n", omittingEmptySubsequences: true)
    let text = lines.map { "budgetctl: \(String($0).escapedForTerminal)\n" }.joined()
    // As above.
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }
}

extension Terminal.Size {
  /// Reads what `stty size` prints: rows and columns. Nil where it has no sensible ones.
  init?(stty text: String) {
    let numbers = text.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
    guard numbers.count == 2, numbers[0] > 0, numbers[1] > 0 else { return nil }
    self.init(columns: numbers[1], rows: numbers[0])
  }
}
