/// A cluster of Redis masters, each with its slots, as one store. Used on one thread.
///
/// A command goes to the node that has its key, all nodes at once. Where a node is away, the commands
/// for it are answered with a refusal of the kind `nodeAway` and the others as ever: whoever calls goes
/// on with a part. Only where no node at all can be reached does a call throw.
public struct RedisCluster<Transport: ClusterTransport> {
  private let seeds: [RedisAddress]
  /// The key whose owner tells the time.
  private let clockKey: [UInt8]
  private let byName: Bool
  /// The links to the nodes.
  public private(set) var transport: Transport
  private var map = SlotMap()
  /// The masters before the last disconnection.
  private var known: [RedisAddress] = []
  /// Nodes that have failed since the pass began, how often, why, and when last.
  private var failures: [RedisAddress: (count: Int, reason: RedisError, at: Duration)] = [:]
  private var digests: [RedisScript: [UInt8]] = [:]
  private var retryEnd: Duration
  private var mappedAt: Duration?
  private var cursor = 0
  /// How often commands were sent elsewhere, since the start.
  public private(set) var redirects = ClusterRedirects()
  /// The largest difference between two masters' clocks when they were asked last.
  public private(set) var clockDifference = Duration.zero
  /// How long the node took that told the time last.
  public private(set) var clockRoundTrip = Duration.zero

  /// The pauses between the rounds of one call.
  static var pauses: [Duration] { [.milliseconds(20), .milliseconds(40), .milliseconds(60)] }
  /// How long one pass, or one call between passes, tries again in all.
  static var passAllowance: Duration { .seconds(2) }
  /// How often the map is asked for at most.
  static var mapInterval: Duration { .milliseconds(200) }
  /// How long a node that did not answer in time is left alone: each attempt holds up all the others.
  static var restAllowance: Duration { .seconds(2) }
  /// Commands of one round at most; a node may get all of them.
  static var commandBound: Int { 8_192 }

  /// A cluster that any of `seeds` belongs to. `byName`: certificates are looked at, so nodes are known
  /// by the names that they announce.
  public init(
    seeds: [RedisAddress], clockKey: [UInt8], byName: Bool = false, _ transport: Transport
  ) {
    self.seeds = seeds
    self.clockKey = clockKey
    self.byName = byName
    self.transport = transport
    retryEnd = transport.uptime() + Self.passAllowance
  }

  /// Whether it is known who has which slots.
  public var isConnected: Bool { !map.nodes.isEmpty }

  /// How many masters there are, and how many of them have failed since the pass began.
  public var nodes: (known: Int, away: Int) {
    (map.nodes.count, map.nodes.count { isAway($0) })
  }

  /// A new pass begins: nodes that failed are tried again, those that hung a while later.
  public mutating func beginPass() {
    failures = failures.filter { $0.value.reason.isSilence }
    beginCall()
  }

  /// A call between two passes begins, which may be far apart: it has time of its own to try again, and
  /// nodes that failed are tried again a while later.
  public mutating func beginCall() {
    let now = transport.uptime()
    failures = failures.filter { now < $0.value.at + Self.restAllowance }
    retryEnd = now + Self.passAllowance
  }

  /// Finds out who has which slots.
  public mutating func connect() throws(RedisError) {
    failures = [:]
    beginPass()
    mappedAt = nil
    disconnect()
    if let failure = refreshMap() { throw failure }
  }

  /// Lets go of all links, and asks anew who has which slots when it connects again: the seeds first,
  /// then the nodes that were known.
  public mutating func disconnect() {
    transport.keep([])
    known = map.nodes.isEmpty ? known : map.nodes
    map = SlotMap()
  }

  // MARK: - Commands

  /// Sends all commands, each to the node that has its first argument as a key, and reads the keys'
  /// values; a command without arguments goes to the node that tells the time.
  public mutating func perform(
    _ commands: [[[UInt8]]], reading keys: [[UInt8]] = []
  ) throws(RedisError) -> (replies: [RedisValue], values: [RedisValue]) {
    if commands == [[Array("TIME".utf8)]], keys.isEmpty { return ([try time()], []) }
    var units: [ClusterUnit] = []
    var last: [UInt8]?
    for command in commands {
      let key = command.count > 1 ? command[1] : nil
      if let key, key == last, case .commands(let before)? = units.last?.request {
        units[units.count - 1].request = .commands(before + [command])
        continue
      }
      last = key
      units.append(ClusterUnit(slot: key.map(RedisSlot.of), request: .commands([command])))
    }
    for key in keys {
      units.append(
        ClusterUnit(slot: RedisSlot.of(key), request: .commands([[Array("GET".utf8), key]])))
    }
    let replies = try run(units, script: nil).flatMap { $0 }
    // MGET has nothing for keys of other types.
    let values = replies[commands.count...].map { value in
      value.refusal?.kind == .wrongType ? .null : value
    }
    return (Array(replies[..<commands.count]), values)
  }

  /// Runs a script for each call, whose keys are in one slot; replies in the order of the calls.
  public mutating func evaluate(
    _ script: RedisScript, _ calls: [RedisScriptCall]
  ) throws(RedisError) -> [RedisValue] {
    guard !calls.isEmpty else { return [] }
    let script = ClusterCall.Script(text: script.text, digest: try digest(of: script))
    let units = calls.map { call in
      ClusterUnit(slot: call.keys.first.map(RedisSlot.of), request: .script(call))
    }
    return try run(units, script: script).map { $0[0] }
  }

  /// The script's SHA-1, as the first node that answers tells it.
  private mutating func digest(of script: RedisScript) throws(RedisError) -> [UInt8] {
    if let known = digests[script] { return known }
    let load = [Array("SCRIPT".utf8), Array("LOAD".utf8), script.text]
    let replies = try run([ClusterUnit(slot: nil, request: .commands([load]))], script: nil)
    // A node that refuses for reasons of its own: each call bears the text, this time.
    if replies[0][0].refusal?.kind == .nodeAway { return [] }
    let digest = try RedisScript.digest(of: replies[0][0])
    digests[script] = digest
    return digest
  }

  private mutating func run(
    _ units: [ClusterUnit], script: ClusterCall.Script?
  ) throws(RedisError) -> [[RedisValue]] {
    var results: [[RedisValue]] = []
    results.reserveCapacity(units.count)
    var first = 0
    while first < units.count {
      var (end, commands) = (first, 0)
      while end < units.count, end == first || commands + units[end].count <= Self.commandBound {
        commands += units[end].count
        end += 1
      }
      results += try run(ClusterCall(Array(units[first..<end]), script: script))
      first = end
    }
    return results
  }

  private mutating func run(_ fresh: ClusterCall) throws(RedisError) -> [[RedisValue]] {
    var call = fresh
    for round in 0...Self.pauses.count {
      let portions = call.portions { route(to: $0) }
      let answers = transport.exchange(portions.map { ($0.node, $0.commands) })
      for (portion, answer) in zip(portions, answers) {
        switch answer.result {
        case .success(let replies): call.take(replies, to: portion, &map)
        case .failure(let error):
          note(error, at: portion.node)
          call.lose(portion, error)
        }
      }
      if call.isDone { break }
      if call.isMapOld { _ = refreshMap() }
      guard round < Self.pauses.count, transport.uptime() < retryEnd else { break }
      if call.needsPause { transport.pause(Self.pauses[round]) }
    }
    redirects.add(call.redirects)
    if let failure = failureOfAll { throw failure }
    return call.results
  }

  // MARK: - Nodes

  private func isAway(_ node: RedisAddress) -> Bool {
    guard let failure = failures[node] else { return false }
    // A link that broke may have been an old one: a fresh one is tried once.
    if failure.reason.isSilence { return true }
    return failure.count > 1
  }

  private mutating func note(_ error: RedisError, at node: RedisAddress) {
    failures[node] = ((failures[node]?.count ?? 0) + 1, error, transport.uptime())
  }

  private func route(to slot: Int?) -> ClusterRoute {
    let owner = map.owner(of: slot ?? RedisSlot.of(clockKey))
    if let owner, !isAway(owner) { return .node(owner) }
    if slot == nil, let other = map.nodes.first(where: { !isAway($0) }) { return .node(other) }
    guard let owner else { return .none("no node of the cluster has its slot") }
    return .none("\(owner): \(failures[owner].map { "\($0.reason)" } ?? "away")")
  }

  /// Why no node at all can be asked; nil: one can.
  private var failureOfAll: RedisError? {
    guard map.nodes.allSatisfy(isAway), let first = map.nodes.first else { return nil }
    return failures[first]?.reason
  }

  /// Asks nodes who has which slots until one tells. Returns why none does.
  private mutating func refreshMap() -> RedisError? {
    let now = transport.uptime()
    if let mappedAt, now < mappedAt + Self.mapInterval { return nil }
    mappedAt = now
    // Not always the same first: a node that is cut off from the others tells what was.
    cursor += 1
    let live = (map.nodes.isEmpty ? known : map.nodes).filter { !isAway($0) }
    let turned = live.isEmpty ? [] : live[(cursor % live.count)...] + live[..<(cursor % live.count)]
    var failure = RedisError.closed
    var tried: Set<RedisAddress> = []
    for node in (map.nodes.isEmpty ? seeds : []) + turned + seeds
    where !isAway(node) && tried.insert(node).inserted {
      guard map.nodes.isEmpty || transport.uptime() < retryEnd else { return failure }
      let question = [[Array("CLUSTER".utf8), Array("SLOTS".utf8)]]
      do throws(RedisError) {
        guard let answer = transport.exchange([(node, question)]).first else { continue }
        map = try SlotMap(
          try answer.result.get().first ?? .null, from: node, byName: byName)
        transport.keep(Set(map.nodes))
        return nil
      } catch {
        if case .refused = error {} else { note(error, at: node) }
        failure = error
      }
    }
    return failure
  }

  // MARK: - Time

  /// The time on the clock of the node that tells it, while the others' are held against it.
  private mutating func time() throws(RedisError) -> RedisValue {
    for round in 0...Self.pauses.count {
      guard case .node(let teller) = route(to: nil) else { break }
      let asked = [teller] + map.nodes.filter { $0 != teller && !isAway($0) }
      let answers = transport.exchange(asked.map { ($0, [[Array("TIME".utf8)]]) })
      var readings: [Duration] = []
      for (node, answer) in zip(asked, answers) {
        switch answer.result {
        case .success(let replies): readings += replies.compactMap(\.clockReading)
        case .failure(let error): note(error, at: node)
        }
      }
      if let low = readings.min(), let high = readings.max() { clockDifference = high - low }
      if case .success(let replies)? = answers.first?.result, let reply = replies.first {
        clockRoundTrip = answers[0].took
        return reply
      }
      _ = refreshMap()
      guard round < Self.pauses.count, transport.uptime() < retryEnd else { break }
      transport.pause(Self.pauses[round])
    }
    throw failureOfAll ?? .closed
  }
}

extension RedisValue {
  /// The reply to TIME, since 1970.
  fileprivate var clockReading: Duration? {
    let numbers = (array ?? []).compactMap {
      $0.bytes.flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
    }
    guard numbers.count == 2, (0...253_402_300_799).contains(numbers[0]),
      (0..<1_000_000).contains(numbers[1])
    else { return nil }
    return .seconds(numbers[0]) + .microseconds(numbers[1])
  }
}

extension ClusterRedirects {
  mutating func add(_ other: ClusterRedirects) {
    moved += other.moved
    ask += other.ask
    tryAgain += other.tryAgain
    clusterDown += other.clusterDown
    noScript += other.noScript
  }
}
