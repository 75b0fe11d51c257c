/// Asks sentinels where the master is. Used on one thread.
///
/// An address is used once and never remembered: after a planned failover the old master goes on taking
/// writes for ten seconds, and a master that was restarted takes itself for one until a sentinel tells
/// it otherwise.
public final class SentinelWatch {
  private let settings: RedisSettings
  private let sentinels: RedisSentinels
  /// The sentinel that has answered last.
  private var first = 0
  private var link: RedisLink?

  /// How long a sentinel may take for each step of an answer.
  static let allowance = Duration.milliseconds(300)

  /// `settings` are the master's: a sentinel is reached in the same way, but for user and password.
  public init(_ settings: RedisSettings, _ sentinels: RedisSentinels) {
    var settings = settings
    settings.topology = .single
    settings.username = sentinels.username
    settings.password = sentinels.password
    settings.database = 0
    settings.connectTimeout = Self.allowance
    settings.commandTimeout = Self.allowance
    self.settings = settings
    self.sentinels = sentinels
  }

  /// The master's address now, as the first sentinel tells it that answers.
  public func master() throws(RedisError) -> RedisAddress {
    var failure = RedisError.sentinels("no sentinel is given: name their hosts and ports")
    var isAnswered = false
    for offset in sentinels.nodes.indices {
      let place = (first + offset) % sentinels.nodes.count
      if offset > 0 { link = nil }
      do throws(RedisError) {
        let found = try ask(sentinels.nodes[place])
        first = place
        return found
      } catch {
        link = nil
        // One that answers, and not what is needed, says more than one that is away.
        let answers = if case .refused = error { true } else { error.isOfSentinels }
        if answers || !isAnswered { failure = error }
        isAnswered = isAnswered || answers
      }
    }
    if case .sentinels = failure { throw failure }
    throw .sentinels(
      "no sentinel says where \(PrintableText.bounded(sentinels.service)) is: \(failure)")
  }

  private func ask(_ sentinel: RedisAddress) throws(RedisError) -> RedisAddress {
    if link?.isOpen != true {
      var settings = settings
      settings.address = sentinel
      link = .some(try RedisLink.connect(settings))
    }
    let question = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinels.service]
    guard let reply = try link?.command(question.map { Array($0.utf8) }) else { throw .closed }
    if let refusal = reply.refusal {
      throw .refused(command: "SENTINEL at \(sentinel)", refusal)
    }
    if reply == .null {
      throw .sentinels(
        "the sentinel at \(sentinel) knows no service \(PrintableText.bounded(sentinels.service)): "
          + "give the name that its 'sentinel monitor' line has")
    }
    let texts = (reply.array ?? []).compactMap {
      $0.bytes.map { String(decoding: $0, as: UTF8.self) }
    }
    guard texts.count == 2, let port = UInt16(texts[1]), port > 0,
      let master = RedisAddress(host: texts[0], port: port, besides: sentinel)
    else { throw .protocolViolation("the sentinel at \(sentinel) names no host and port") }
    return master
  }
}

extension RedisError {
  fileprivate var isOfSentinels: Bool {
    if case .sentinels = self { true } else { false }
  }
}

extension RedisLink {
  /// Throws unless the server says that it is a master; one that may not be asked is believed.
  public mutating func expectMaster() throws(RedisError) {
    let reply = try command("ROLE")
    let role = reply.array?.first?.bytes.map { String(decoding: $0, as: UTF8.self) } ?? facts.role
    guard role == nil || role == "master" else {
      close()
      throw .sentinels(
        "the sentinels name \(settings.address) as the master, which says that it is a replica; "
          + "they agree within seconds")
    }
  }
}
