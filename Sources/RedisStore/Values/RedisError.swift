import BudgetModel
public import TLS

/// Why a link to Redis is of no use any more, or a command was not sent.
///
/// After any of them but `tooLarge` of a request the link is closed, and what was under way has
/// an unknown outcome.
public enum RedisError: Error, Hashable, Sendable {
  /// The host's name could not be turned into an address.
  case lookup(host: String, reason: String)
  /// No connection.
  case connect(RedisAddress, reason: String)
  /// No connection in time: nobody took it, and nobody refused it.
  case connectTimedOut(RedisAddress, Duration)
  /// Redis did not answer in time.
  case timedOut(Duration)
  /// Redis closed the connection, or it was closed after an earlier error.
  case closed
  /// The connection broke.
  case io(String)
  /// The bytes are not a reply, or not the one expected here.
  case protocolViolation(String)
  /// The request is larger than the bounds; nothing was sent.
  case requestTooLarge(String)
  /// The replies are larger than the bounds.
  case replyTooLarge(String)
  /// The connection could not be encrypted.
  case encryption(RedisAddress, TLSFailure)
  /// Sentinels do not name a master that can be used.
  case sentinels(String)
  /// Redis refused what a connection begins with: the named command.
  case refused(command: String, RedisRefusal)
}

extension RedisError: CustomStringConvertible {
  /// One sentence that names the thing and the way out; never a password.
  public var description: String {
    switch self {
    case .lookup(let host, let reason):
      "no address is known for \(PrintableText.bounded(host)): \(reason)"
    case .connect(let address, let reason): "no connection to \(address): \(reason)"
    case .connectTimedOut(let address, let allowance):
      "no connection to \(address): no connection within \(allowance)"
    case .timedOut(let allowance): "no whole reply within \(allowance)"
    case .closed: "Redis closed the connection"
    case .sentinels(let reason): reason
    case .encryption(let address, let failure):
      "no encrypted connection to \(address): \(PrintableText.bounded(failure.sentence))"
    case .io(let reason): "the connection broke: \(reason)"
    case .protocolViolation(let what): "what came is not a reply that belongs here: \(what)"
    case .requestTooLarge(let what): "the request is too large: \(what)"
    case .replyTooLarge(let what): "the reply is too large: \(what)"
    case .refused(let command, let refusal): "\(command) was refused: \(refusal)"
    }
  }
}

extension RedisError {
  /// Whether the other side said nothing until the time was over: the next attempt may take as long.
  var isSilence: Bool {
    switch self {
    case .timedOut, .connectTimedOut: true
    case .encryption(_, let failure): failure.kind == .timeout
    default: false
    }
  }
}

extension RedisRefusal: CustomStringConvertible {
  /// Redis' words, and what is needed where they do not say.
  public var description: String {
    switch kind {
    case .moved, .ask, .tryAgain, .crossSlot:
      "\(text) (this is a node of a cluster: give --redis cluster://host:port, or startup_nodes)"
    case .clusterDown: "\(text) (not every slot of the cluster has a master)"
    case .readOnly: "\(text) (this is a replica; budgetd needs the one that takes writes)"
    case .masterDown: "\(text) (this is a replica without its master)"
    case .outOfMemory: "\(text) (give Redis more memory, or its keys an end)"
    case .noPermission: "\(text) (the user lacks a right)"
    case .noAuthentication: "\(text) (a password is needed)"
    default: text
    }
  }
}

/// Texts of others, made fit for logs and errors.
enum PrintableText {
  /// Longer ones are cut.
  static let maximumLength = 160

  /// The text, cut, with everything escaped that steers terminals or turns text around.
  static func bounded(_ text: String) -> String { text.printable(upTo: maximumLength) }

  /// The bytes as text: what is not UTF-8 becomes the replacement character.
  static func bounded(_ bytes: some Collection<UInt8>) -> String {
    // Four bytes a character at most, and one more character to see that there is more.
    bounded(String(decoding: bytes.prefix(4 * (maximumLength + 1)), as: UTF8.self))
  }
}
