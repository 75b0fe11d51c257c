public import Documents

/// Why a server cannot start. Each case has its exit code.
public enum ServerError: Error, Sendable {
  /// The command line asks for something that cannot be.
  case usage(String)
  /// The configuration is refused; all problems are in it.
  case config(DocumentError)
  /// A file that an option names is refused.
  case files(String)
  /// A port is not to be had.
  case unavailable(String)

  /// The exit code, after sysexits.h: 64 usage, 78 configuration, 69 unavailable.
  public var exitCode: Int32 {
    switch self {
    case .usage: 64
    case .config, .files: 78
    case .unavailable: 69
    }
  }
}

extension ServerError: CustomStringConvertible {
  /// The text for the operator: a line, or one for each problem.
  public var description: String {
    switch self {
    case .usage(let message), .files(let message), .unavailable(let message): message
    case .config(let error): error.problems.map(\.description).joined(separator: "\n")
    }
  }
}
