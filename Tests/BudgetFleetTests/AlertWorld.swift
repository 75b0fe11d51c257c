import BudgetModel
import Locks
import LuaScripts
import Reconciliation
import RedisStore
import SeededRandom

@testable import BudgetAlerts
@testable import BudgetFleet

/// A hash as Redis keeps it, with scripts that run as one step.
final class VirtualHash {
  var fields: [[UInt8]: [UInt8]] = [:]
  /// How often each command came, those of scripts with them.
  private(set) var commands: [String: Int] = [:]
  private var scripts: [RedisScript: LuaScript] = [:]

  /// Commands so far.
  var count: Int { commands.values.reduce(0, +) }

  func answer(_ command: [[UInt8]]) -> RedisValue {
    let name = String(decoding: command[0], as: UTF8.self)
    commands[name, default: 0] += 1
    let arguments = Array(command.dropFirst(2))
    switch name {
    case "HGET": return value(arguments[0])
    case "HMGET": return .array(arguments.map(value))
    case "HGETALL": return .array(fields.flatMap { [.bytes($0.key), .bytes($0.value)] })
    case "HSETNX":
      guard fields[arguments[0]] == nil else { return .integer(0) }
      fields[arguments[0]] = arguments[1]
      return .integer(1)
    case "HSET":
      for place in stride(from: 0, to: arguments.count, by: 2) {
        fields[arguments[place]] = arguments[place + 1]
      }
      return .integer(Int64(arguments.count / 2))
    case "HDEL":
      for field in arguments { fields[field] = nil }
      return .integer(Int64(arguments.count))
    default: return .error(RedisRefusal(kind: .other, text: "ERR unknown command \(name)"))
    }
  }

  func evaluate(_ script: RedisScript, _ calls: [RedisScriptCall]) -> [RedisValue] {
    do {
      let lua = try scripts[script] ?? LuaScript(String(decoding: script.text, as: UTF8.self))
      scripts[script] = lua
      return calls.map { call in
        lua.run(keys: call.keys, arguments: call.arguments) { [unowned self] in answer($0) }
      }
    } catch {
      return calls.map { _ in .error(RedisRefusal(kind: .other, text: "ERR \(error)")) }
    }
  }

  private func value(_ field: [UInt8]) -> RedisValue { fields[field].map { .bytes($0) } ?? .null }

  /// The number of fields that are claims on alerts.
  var claims: Int { fields.keys.count { $0.contains(UInt8(ascii: " ")) } }
}

/// The way to the hash, which may fail before or behind it.
struct AlertLink: ExchangeStore {
  enum Fault { case none, before, behind, refused }

  let hash: VirtualHash
  var fault = Fault.none
  var linksMade = 1
  let lastRoundTrip = Duration.zero

  mutating func perform(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisValue] {
    try answers(commands.count) { commands.map(hash.answer) }
  }

  mutating func evaluate(_ calls: [RedisScriptCall]) throws(RedisError) -> [RedisValue] { [] }

  mutating func evaluate(
    _ script: RedisScript, _ calls: [RedisScriptCall]
  ) throws(RedisError) -> [RedisValue] {
    try answers(calls.count) { hash.evaluate(script, calls) }
  }

  private func answers(
    _ count: Int, _ work: () -> [RedisValue]
  ) throws(RedisError) -> [RedisValue] {
    switch fault {
    case .before: throw .closed
    case .refused:
      let refusal = RedisRefusal(kind: .noPermission, text: "NOPERM no")
      return Array(repeating: .error(refusal), count: count)
    case .none: return work()
    case .behind:
      _ = work()
      throw .timedOut(.seconds(3))
    }
  }
}

/// A node's alerts, without the node.
final class AlertNode: SharedAlerts {
  private struct State {
    var book: AlertBook
    var uptime: Duration
    var attempt: AlertBook.Attempt?
  }

  private let state: Locked<State>
  let name: String

  init(_ name: String, times: AlertTimes, kept: [AlertBook.Kept] = [], uptime: Duration = .zero) {
    self.name = name
    state = Locked(
      State(book: AlertBook(times, isShared: true, restoring: kept), uptime: uptime))
  }

  var uptime: Duration { state.withLock { $0.uptime } }

  func advance(_ duration: Duration) { state.withLock { $0.uptime += duration } }

  func withBook<Result: Sendable>(_ body: (inout AlertBook) -> Result) -> Result {
    state.withLock { body(&$0.book) }
  }

  func exchanged(won attempt: AlertBook.Attempt?) {
    guard let attempt else { return }
    state.withLock { $0.attempt = attempt }
  }

  func end(_ attempt: AlertBook.Attempt, _ outcome: AlertBook.Outcome) {
    state.withLock { $0.book.ended(attempt, outcome, at: $0.uptime) }
  }

  func takeAttempt() -> AlertBook.Attempt? {
    state.withLock { state in
      defer { state.attempt = nil }
      return state.attempt
    }
  }
}

/// Several nodes that are due to tell the same alerts, a store and a receiver that counts, in virtual
/// time. Everything that can go wrong does, until `faults` is false.
///
/// Each claim is looked at in its moment, so that an alert comes a second time only where that cannot be
/// helped: whoever knew of the first time was away then, and so was the store's memory of it.
final class AlertWorld {
  /// One life of a node, and what the world does with it.
  private final class Life {
    let node: AlertNode
    var exchange: AlertExchange
    /// The attempt that it has begun, and when it will be over.
    var sending: (attempt: AlertBook.Attempt, until: Duration, outcome: AlertBook.Outcome)?
    /// One that was won and is not begun yet.
    var won: AlertBook.Attempt?
    /// Not awake before then.
    var pausedUntil = Duration.zero
    var kept: [AlertBook.Kept]
    /// How often its link was made anew, beside the times that the store was another one.
    var links = 0
    var isAlive = true
    /// Alerts that it knows to be delivered, and when it last told the store all of them.
    var known: Set<String>
    var toldAt: [String: Duration] = [:]

    init(_ name: String, times: AlertTimes, kept: [AlertBook.Kept], uptime: Duration) {
      node = AlertNode(name, times: times, kept: kept, uptime: uptime)
      exchange = AlertExchange(
        RedisKeys(namespace: nil), node: name, makeWord: { "word of \(name) at \(uptime)" })
      self.kept = kept
      known = Set(kept.map(\.id))
    }
  }

  private var random: SeededRandom
  let hash = VirtualHash()
  let times = AlertTimes(timeout: .seconds(2))
  private var lives: [Life?]
  /// Every life that there was.
  private var all: [Life] = []
  /// The rows on the disks of nodes that are down.
  private var disks: [[AlertBook.Kept]]
  private var births = 0
  private var now = Duration.zero
  private let alerts: [BudgetAlert]
  /// Deliveries by id.
  private(set) var delivered: [String: Int] = [:]
  /// The last claim on each alert: by whom, and when.
  private var claims: [String: (by: String, at: Duration)] = [:]
  /// The store lost what was written after `from`, at `at`.
  private var losses: [(from: Duration, at: Duration)] = []
  /// A replica's state, when it was that.
  private var replica: (fields: [[UInt8]: [UInt8]], at: Duration)?
  /// Claims that must not be, in words.
  private(set) var faultsFound: [String] = []
  var faults = true
  private(set) var kills = 0

  init(seed: UInt64, nodes: Int, alerts count: Int) {
    random = SeededRandom(seed: seed)
    lives = []
    disks = Array(repeating: [], count: nodes)
    alerts = (0..<count).map { number in
      let reading = AlertReading(
        key: BudgetKey(scope: .provider, name: "p\(number)", windowText: "day"),
        window: Window(start: Self.start, end: Self.end), limit: PicoUSD(dollars: 100),
        spend: PicoUSD(dollars: 85))
      return BudgetAlert(.reached(percent: 80), of: reading, in: "test", seenAt: Self.start)
    }
    for index in 0..<nodes { lives.append(birth(index)) }
  }

  static let start = Timestamp(unixMilliseconds: 1_764_201_600_000)
  static let end = Timestamp(unixMilliseconds: 1_764_288_000_000 - 1)

  private func birth(_ index: Int) -> Life {
    births += 1
    let life = Life(
      "node\(index).\(births)", times: times, kept: disks[index],
      uptime: .milliseconds(random.below(1_000_000)))
    all.append(life)
    return life
  }

  /// Time passes, and each node that is awake does its next thing, in any order.
  func step() {
    let duration = Duration.milliseconds(50 + random.below(1_000))
    now += duration
    if faults { harm() }
    for index in lives.indices.shuffled(using: &random) {
      guard let life = lives[index] else {
        if !faults || random.chance(0.03) { lives[index] = birth(index) }
        continue
      }
      life.node.advance(duration)
      if life.pausedUntil > now { continue }
      work(life)
      if faults, random.chance(0.02) { kill(index) }
      // As a machine that stands still: for long it is as good as dead.
      if faults, random.chance(0.005) { life.pausedUntil = now + .seconds(random.below(60)) }
    }
  }

  /// The store is emptied, or a replica takes over that lacks the last writes.
  private func harm() {
    if random.chance(0.01) {
      hash.fields = [:]
      losses.append((.seconds(-1), now))
    }
    if random.chance(0.1) { replica = (hash.fields, now) }
    if random.chance(0.01), let replica {
      hash.fields = replica.fields
      losses.append((replica.at, now))
      for life in all { life.links += 1 }
    }
  }

  private func work(_ life: Life) {
    if random.chance(0.7) {
      let now = Self.start
      life.node.withBook { book in for alert in alerts { _ = book.take(alert) } }
      life.node.withBook { $0.expire(at: now) }
    }
    send(life)
    pass(life)
    if random.chance(0.8) { life.kept += life.node.withBook { $0.takeUnwritten().kept } }
  }

  private func pass(_ life: Life) {
    let fault: AlertLink.Fault =
      !faults ? .none : random.chance(0.02) ? .behind : random.chance(0.02) ? .before : .none
    var link = AlertLink(hash: hash, fault: fault, linksMade: life.links)
    let known = life.known
    life.node.withBook { $0.passEnded() }
    do throws(PassFailure) {
      let refusal = try life.exchange.pass(life.node, &link, at: Self.start)
      if refusal == nil { for id in known { life.toldAt[id] = now } }
    } catch {
      // As the loop does: the next pass tries again, on another link.
      life.links += 1
    }
    life.known.formUnion(life.node.withBook { $0.memory.kept.map(\.id) })
    if let attempt = life.node.takeAttempt() {
      judge(attempt.id, by: life)
      life.won = attempt
    }
  }

  /// Looks at a claim in the moment that it is made.
  private func judge(_ id: String, by life: Life) {
    let lease = times.lease
    if let last = claims[id], last.by != life.node.name, now - last.at < lease {
      faultsFound.append("\(life.node.name) claims \(id) \(now - last.at) after \(last.by)")
    }
    claims[id] = (life.node.name, now)
    for other in all {
      guard let told = other.toldAt[id] else { continue }
      if !losses.contains(where: { $0.from < told && told <= $0.at }) {
        faultsFound.append("\(life.node.name) claims \(id), which the store was told is done")
      }
      if other.isAlive, told > now - lease {
        faultsFound.append("\(life.node.name) claims \(id), and \(other.node.name) is in touch")
      }
    }
  }

  private func send(_ life: Life) {
    let uptime = life.node.uptime
    if let attempt = life.won, random.chance(0.7) {
      life.won = nil
      if attempt.mayBegin(at: uptime) {
        let outcome: AlertBook.Outcome = faults && random.chance(0.3) ? .failed : .delivered
        let took = Duration.milliseconds(random.below(2_000))
        life.sending = (attempt, uptime + took, outcome)
        if outcome == .delivered { delivered[attempt.id, default: 0] += 1 }
      } else {
        life.node.end(attempt, .notBegun)
      }
    }
    if let sending = life.sending, uptime >= sending.until {
      life.sending = nil
      life.node.end(sending.attempt, sending.outcome)
      if sending.outcome == .delivered { life.known.insert(sending.attempt.id) }
    }
  }

  private func kill(_ index: Int) {
    guard let life = lives[index] else { return }
    kills += 1
    life.isAlive = false
    disks[index] = life.kept
    lives[index] = nil
  }

  /// Whether every node knows of every alert that it was delivered, and has told the store.
  var isQuiet: Bool {
    lives.allSatisfy { life in
      guard let life, life.sending == nil else { return false }
      return alerts.allSatisfy { life.toldAt[$0.id] != nil }
    }
  }
}
