import BudgetClient

/// Why a command did not do what it was asked: what standard error says, and the exit code.
struct Failure: Error, Equatable {
  /// The exit codes that scripts rely on; `Budgetctl`'s help explains them.
  enum Code: Int32 {
    case refused = 1
    case overBudget = 2
    case usage = 64
    case unreachable = 69
    case outcomeUnknown = 70
    case outputFailed = 74
    case badConfig = 78
    /// As the shell shows a process that SIGPIPE has ended: whoever read the output has gone.
    case readerGone = 141
  }

  /// One or more lines: the thing, its value, the bound, the way out.
  var message: String
  var code: Code

  init(_ message: String, _ code: Code) {
    self.message = message
    self.code = code
  }

  /// The meaning of a failed call of `server` to an operator.
  init(_ error: BudgetClientError, server: String) {
    if error.outcome == .unknown {
      self.init("\(server): \(error.description)", .outcomeUnknown)
      return
    }
    switch error.reason {
    case .unreachable(let server, let why):
      self.init(
        "no budgetd at \(server) (\(why)): start one with deploy/run or name it with --server",
        .unreachable)
    case .timedOut:
      self.init(
        "\(server): \(error.description): it may be overloaded; wait longer with --timeout",
        .unreachable)
    case .connectionLost:
      self.init(
        "\(server): \(error.description): it may be restarting, or it encrypts (--tls-ca): try again",
        .unreachable)
    case .unreadableAnswer:
      self.init("the server at \(server) is not a budgetd: \(error.description)", .unreachable)
    case .notSecure: self.init(error.description, .unreachable)
    case .unusableSecurity: self.init(error.description, .usage)
    case .invalidAddress: self.init("--server: \(error.description)", .usage)
    case .unusableToken: self.init(error.description, .usage)
    case .refused(let status) where status.code == .unauthenticated:
      self.init(
        "\(server): \(error.description): name the file of your token with --token-file", .refused)
    case .refused, .cancelled, .clientClosed, .tooManyCalls, .requestTooLong, .alreadySettled:
      self.init("\(server): \(error.description)", .refused)
    }
  }
}
