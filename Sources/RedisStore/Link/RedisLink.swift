import Sockets

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
  /// The commands that were started, and how many of them are on their way.
  private var underWay: (commands: [[[UInt8]]], sent: Int)?
  /// The SHA-1 of each script that was loaded through this link; empty: it may not be loaded.
  var digests: [RedisScript: [UInt8]] = [:]

  /// Connects to the first of `targets` that takes it, then authenticates.
  init(_ settings: RedisSettings, targets: [Endpoint]) throws(RedisError) {
    self.settings = settings
    connection = try Self.connection(settings, targets: targets)
    try greet()
  }

  /// Whether the link can still be used.
  public var isOpen: Bool { connection != nil }

  /// Closes the link.
  public mutating func close() {
    connection = nil
    underWay = nil
  }

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
    try start(commands)
    return try finish()
  }

  /// Sends the first of the commands as far as they go, without a wait; `finish` has the rest and the
  /// replies. So several links work at the same time.
  mutating func start(_ commands: [[[UInt8]]]) throws(RedisError) {
    guard isOpen else { throw .closed }
    try check(commands)
    do throws(RedisError) {
      connection?.begin()
      var sent = 0
      _ = try send(commands, &sent)
      underWay = (commands, sent)
    } catch {
      close()
      throw error
    }
  }

  /// The replies to the commands that were started. Their time begins here.
  mutating func finish() throws(RedisError) -> [RedisValue] {
    guard isOpen, let (commands, started) = underWay else { throw .closed }
    var sent = started
    underWay = nil
    guard !commands.isEmpty else { return [] }
    do throws(RedisError) {
      return try finish(commands, &sent)
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

  /// True: all commands have gone.
  private mutating func send(
    _ commands: [[[UInt8]]], _ sent: inout Int
  ) throws(RedisError) -> Bool {
    while sent < commands.count, connection?.hasRoom == true {
      try connection?.append(commands[sent])
      sent += 1
    }
    guard try connection?.write() == true else { return false }
    return sent == commands.count
  }

  private mutating func finish(
    _ commands: [[[UInt8]]], _ sent: inout Int
  ) throws(RedisError) -> [RedisValue] {
    let allowance = settings.commandTimeout
    let whole = Deadline(in: allowance * (1 + (commands.count - 1) / 1_000))
    var next = Deadline(in: allowance)
    var replies: [RedisValue] = []
    replies.reserveCapacity(commands.count)
    var isWritten = false
    while replies.count < commands.count {
      if !isWritten { isWritten = try send(commands, &sent) }
      let deadline = Deadline.earlier(whole, next)
      let events = PollSet.readable | (isWritten ? 0 : PollSet.writable)
      guard let found = try connection?.ready(events, until: deadline), found != 0 else {
        throw .timedOut(deadline.allowance)
      }
      if found & ~PollSet.writable != 0 {
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
