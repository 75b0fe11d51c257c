import Sockets

extension RedisLink {
  /// Looks the host up, connects, authenticates, selects the database and asks for the facts.
  ///
  /// Waits for at most `connectTimeout` for the lookup, as much for the connection, and
  /// `commandTimeout` for each of the first commands.
  public static func connect(_ settings: RedisSettings) throws(RedisError) -> RedisLink {
    let targets = try HostLookup.shared.targets(
      of: settings.address, within: settings.connectTimeout)
    return try RedisLink(settings, targets: targets)
  }

  /// A connection to the first target that takes it. Each has an equal part of the time, so that
  /// a first one that never answers leaves some for the others.
  static func connection(
    _ settings: RedisSettings, targets: [Endpoint]
  ) throws(RedisError) -> RedisConnection {
    var failure = RedisError.connect(settings.address, reason: "there is no address")
    for target in targets {
      if let complaint = target.complaint {
        throw .connect(settings.address, reason: complaint)
      }
      do throws(RedisError) {
        return try RedisConnection.connected(
          to: target, settings,
          deadline: Deadline(in: settings.connectTimeout / targets.count))
      } catch {
        // The one that cost the time: whoever tries again pays it again.
        if !failure.isSilence { failure = error }
      }
    }
    throw failure
  }

  /// The commands that every link begins with.
  mutating func greet() throws(RedisError) {
    try authenticate()
    if settings.database != 0 {
      try expectOK(command("SELECT", String(settings.database)), to: "SELECT")
    }
    // A name is for people; a user who may not set it still counts budgets.
    _ = try command("CLIENT", "SETNAME", settings.clientName)
    switch try command("INFO") {
    case .bytes(let text): facts = ServerFacts(info: text)
    case .error(let refusal)
    where refusal.kind == .noAuthentication:
      throw .refused(command: "INFO", refusal)
    // Facts are for messages; a user who may not ask for them still counts budgets.
    case .error: break
    default: throw .protocolViolation("INFO was answered with something else than text")
    }
  }

  private mutating func authenticate() throws(RedisError) {
    guard settings.password != nil || settings.username != nil else { return }
    var arguments = [Array("AUTH".utf8)]
    if let username = settings.username { arguments.append(Array(username.utf8)) }
    arguments.append(settings.password?.bytes ?? [])
    switch try command(arguments) {
    case .error(let refusal):
      // A server that does not know the command repeats its arguments: never pass them on.
      throw .refused(command: "AUTH", refusal.withoutText)
    case let reply: try expectOK(reply, to: "AUTH")
    }
  }

  private func expectOK(_ reply: RedisValue, to command: String) throws(RedisError) {
    switch reply {
    case .status(let text) where text == Array("OK".utf8): return
    case .error(let refusal): throw .refused(command: command, refusal)
    default: throw .protocolViolation("\(command) was answered with something else than OK")
    }
  }
}

extension RedisRefusal {
  /// The same, in words of our own.
  var withoutText: RedisRefusal {
    let text =
      switch kind {
      case .wrongPassword: "user or password is wrong, or the user is disabled"
      case .noPermission: "the user may not do this"
      case .loading: "Redis is reading its data"
      default: "Redis did not take it; does it ask for a password at all?"
      }
    return RedisRefusal(kind: kind, text: text)
  }
}
