import BudgetModel
import Foundation

/// The output's terminal, and what it can show.
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

  /// How wide lines may be; nil: nobody looks, or it is not known.
  var columns: Int? { size?.columns }

  /// The terminal of standard output as it is now.
  static func current(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> Terminal {
    let isInteractive = isatty(STDOUT_FILENO) == 1
    let isPlain = environment["NO_COLOR", default: ""] != "" || environment["TERM"] == "dumb"
    return Terminal(
      isInteractive: isInteractive, isColoured: isInteractive && !isPlain,
      size: isInteractive ? Size(known: .ofStandardOutput(), environment: environment) : nil)
  }

  /// Writes to standard output at once. Ends the process where it cannot be written: with 74 on a
  /// full disk, and quietly where nobody reads any more.
  static func write(_ text: String) {
    do {
      try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    } catch {
      end(Failure(output: error))
    }
  }

  /// Writes lines to standard output; ends the process as `write` does.
  static func write(lines: [String]) {
    write(lines.map { $0 + "\n" }.joined())
  }

  /// Closes standard output: some file systems say only now that the disk is full.
  static func closeOutput() {
    do {
      try FileHandle.standardOutput.close()
    } catch {
      end(Failure(output: error))
    }
  }

  /// Says what went wrong and ends the process.
  static func end(_ failure: Failure) -> Never {
    complain(failure.message)
    exit(failure.code.rawValue)
  }

  /// Writes to standard error, each line headed by the program's name.
  static func complain(_ message: String) {
    let lines = message.split(separator: "\n", omittingEmptySubsequences: true)
    let text = lines.map { "budgetctl: \(String($0).printable)\n" }.joined()
    // If standard error cannot be written, nobody is left to be told.
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }
}

extension Terminal.Size {
  /// The size that the environment's COLUMNS and LINES ask for, else the one that is `known`.
  init?(known: Terminal.Size?, environment: [String: String]) {
    func asked(_ name: String) -> Int? {
      environment[name].flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
    }
    guard let columns = asked("COLUMNS") ?? known?.columns else { return nil }
    self.init(columns: columns, rows: asked("LINES") ?? known?.rows ?? .max)
  }
}

extension Failure {
  /// Standard output could not be written.
  init(output error: any Error) {
    let error = error as NSError
    let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError ?? error
    if cause.domain == NSPOSIXErrorDomain, cause.code == Int(EPIPE) {
      // Quiet, as whoever closed the pipe knows it.
      self.init("", .readerGone)
      return
    }
    let words = cause.localizedFailureReason ?? cause.localizedDescription
    self.init(
      "standard output cannot be written (\(words)): what was asked of the server was done, and its "
        + "answer is not shown", .outputFailed)
  }
}
