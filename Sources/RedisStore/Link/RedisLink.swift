/// One connected, authenticated link to Redis in its database. Used on one thread.
///
/// A refusal by Redis is a value. Anything else that goes wrong closes the link for good: what was
/// under way has an unknown outcome, and further calls throw `closed`. A fresh link is the only
/// way on.
public struct RedisLink: ~Copyable {
  /// Redis' facts about itself when the link was made.
  public internal(set) var facts = ServerFacts()
  let settings: RedisSettings
  /// Nil after the first error.
  private var connection: RedisConnection?
  /// The SHA-1 of each script that was loaded through this link; empty: it may not be loaded.
  var digests: [RedisScript: [UInt8]] = [:]

  /// Connects to the first of `targets` that takes it, then authenticates.
  init(_ settings: RedisSettings, targets: [ConnectTarget]) throws(RedisError) {
    self.settings = settings
    connection = try Self.connection(settings, targets: targets)
    try greet()
  }

  /// Whether the link can still be used.
  public var isOpen: Bool { connection != nil }

  /// Closes the link.
  public mutating func close() { connection = nil }

  /// Sends one command and returns its reply.
  public mutating func command(_ arguments: [[UInt8]]) throws(RedisError) -> RedisValue {
    let replies = try pipeline([arguments])
    guard let reply = replies.first else { throw .closed }
    return reply
  }

  /// Sends one command of plain words and returns its reply.
  public mutating func command(_ words: String...) throws(RedisError) -> RedisValue {
    try command(words.map { Array($0.utf8) })
  }

  /// Sends all commands and returns their replies in the same order.
  ///
  /// The time: `commandTimeout` from one whole reply to the next, and as much for every thousand
  /// commands in all. A pipeline over the bounds is refused before anything is sent, and leaves the
  /// link open.
  public mutating func pipeline(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisValue] {
    guard isOpen else { throw .closed }
    try check(commands)
    guard !commands.isEmpty else { return [] }
    do throws(RedisError) {
      return try exchange(commands)
    } catch {
      close()
      throw error
    }
  }

  private func check(_ commands: [[[UInt8]]]) throws(RedisError) {
    let bounds = settings.bounds
    guard commands.count <= bounds.commands else {
      throw .requestTooLarge("\(commands.count) commands of \(bounds.commands)")
    }
    var bytes = 0
    for command in commands {
      guard !command.isEmpty else { throw .requestTooLarge("a command without a name") }
      for argument in command { bytes += argument.count }
    }
    guard bytes <= bounds.requestBytes else {
      throw .requestTooLarge("\(bytes) bytes of \(bounds.requestBytes)")
    }
  }

  private mutating func exchange(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisValue] {
    guard connection != nil else { throw .closed }
    connection?.begin()
    for command in commands { try connection?.append(command) }
    let allowance = settings.commandTimeout
    let whole = Deadline(in: allowance * (1 + (commands.count - 1) / 1_000))
    var next = Deadline(in: allowance)
    var replies: [RedisValue] = []
    replies.reserveCapacity(commands.count)
    var isWritten = false
    while replies.count < commands.count {
      if !isWritten { isWritten = try connection?.write() ?? false }
      let deadline = Deadline.earlier(whole, next)
      let events = isWritten ? PollEvents.input : PollEvents.inputAndOutput
      guard let found = try connection?.ready(events, until: deadline), found != 0 else {
        throw .timedOut(deadline.allowance)
      }
      if found & ~PollEvents.output != 0 {
        try connection?.read()
        while replies.count < commands.count, let reply = try connection?.nextReply() {
          replies.append(reply)
          next = Deadline(in: allowance)
        }
      }
      // Replies that come in drops never leave the socket without something to read.
      if replies.count < commands.count, deadline.hasPassed { throw .timedOut(deadline.allowance) }
    }
    guard isWritten, connection?.hasBytesLeft == false else {
      throw .protocolViolation("more replies than commands")
    }
    return replies
  }
}
