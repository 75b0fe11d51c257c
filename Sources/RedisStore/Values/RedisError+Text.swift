extension RedisError: CustomStringConvertible {
  /// One sentence that names the thing and the way out; never a password.
  public var description: String {
    switch self {
    case .lookup(let host, let reason):
      "no address is known for \(PrintableText.bounded(host)): \(reason)"
    case .connect(let address, let reason): "no connection to \(address): \(reason)"
    case .timedOut(let allowance): "no whole reply within \(allowance)"
    case .closed: "Redis closed the connection"
    case .io(let reason): "the connection broke: \(reason)"
    case .protocolViolation(let what): "what came is not a reply that belongs here: \(what)"
    case .requestTooLarge(let what): "the request is too large: \(what)"
    case .replyTooLarge(let what): "the reply is too large: \(what)"
    case .refused(let command, let refusal): "\(command) was refused: \(refusal)"
    }
  }
}

extension RedisRefusal: CustomStringConvertible {
  /// Redis' words, and what is needed where they do not say.
  public var description: String {
    switch kind {
    case .moved, .ask, .clusterDown, .crossSlot:
      "\(text) (this is a node of a cluster; budgetd needs one plain Redis)"
    case .readOnly: "\(text) (this is a replica; budgetd needs the one that takes writes)"
    case .masterDown: "\(text) (this is a replica without its master)"
    case .outOfMemory: "\(text) (give Redis more memory, or its keys an end)"
    case .noPermission: "\(text) (the user lacks a right)"
    case .noAuthentication: "\(text) (a password is needed)"
    default: text
    }
  }
}
