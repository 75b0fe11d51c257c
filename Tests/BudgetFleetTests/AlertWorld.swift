import BudgetAlerts
import BudgetModel
import Locks
import Reconciliation
import RedisStore
import SeededRandom

@testable import BudgetFleet

/// The hash that nodes agree in, as Redis keeps it.
final class AlertHash {
  var fields: [[UInt8]: [UInt8]] = [:]
  /// Commands so far.
  var commands = 0

  func answer(_ command: [[UInt8]]) -> RedisValue {
    commands += 1
    let arguments = Array(command.dropFirst(2))
    switch String(decoding: command[0], as: UTF8.self) {
    case "HGET": return value(arguments[0])
    case "HMGET": return .array(arguments.map(value))
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
    default: return .error(RedisRefusal(kind: .other, text: "ERR unknown command"))
    }
  }

  private func value(_ field: [UInt8]) -> RedisValue { fields[field].map { .bytes($0) } ?? .null }

  /// The number of fields that are claims.
  var claims: Int { fields.keys.count { $0.contains(UInt8(ascii: " ")) } }
}

/// The way to the hash, which may fail before or behind it.
struct AlertLink: FleetStore {
  enum Fault { case none, before, behind, refused }

  let hash: AlertHash
  var fault = Fault.none
  let lastRoundTrip = Duration.zero

  mutating func perform(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisValue] {
    switch fault {
    case .before: throw .closed
    case .refused:
      return commands.map { _ in .error(RedisRefusal(kind: .noPermission, text: "NOPERM no")) }
    case .none, .behind:
      let replies = commands.map(hash.answer)
      if fault == .behind { throw .timedOut(.seconds(3)) }
      return replies
    }
  }

  mutating func evaluate(_ calls: [RedisScriptCall]) throws(RedisError) -> [RedisValue] { [] }
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
final class AlertWorld {
  /// One life of a node, and what the world does with it.
  private final class Life {
    let node: AlertNode
    var exchange: AlertExchange
    /// The attempt that it has begun, and when it will be over.
    var sending: (attempt: AlertBook.Attempt, until: Duration, outcome: AlertBook.Outcome)?
    /// One that was won and is not begun yet.
    var won: AlertBook.Attempt?
    /// Ids that it has delivered and not told the store.
    var unconfirmed: Set<String> = []
    /// Not awake before then.
    var pausedUntil = Duration.zero
    var kept: [AlertBook.Kept]

    init(_ name: String, times: AlertTimes, kept: [AlertBook.Kept], uptime: Duration) {
      node = AlertNode(name, times: times, kept: kept, uptime: uptime)
      exchange = AlertExchange(
        RedisKeys(namespace: nil), node: name, makeWord: { "word of \(name) at \(uptime)" })
      self.kept = kept
    }
  }

  private var random: SeededRandom
  let hash = AlertHash()
  let times = AlertTimes(timeout: .seconds(2))
  private var lives: [Life?]
  /// The rows on the disks of nodes that are down.
  private var disks: [[AlertBook.Kept]]
  private var births = 0
  private var now = Duration.zero
  private let alerts: [BudgetAlert]
  /// Deliveries by id.
  private(set) var delivered: [String: Int] = [:]
  /// Deliveries that may have been one too many: who made them died, or the store lost its memory.
  private(set) var excused: [String: Int] = [:]
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
    return Life(
      "node\(index).\(births)", times: times, kept: disks[index],
      uptime: .milliseconds(random.below(1_000_000)))
  }

  /// Time passes, and each node that is awake does its next thing, in any order.
  func step() {
    let duration = Duration.milliseconds(50 + random.below(1_000))
    now += duration
    if faults, random.chance(0.002) { empty() }
    for index in lives.indices.shuffled(using: &random) {
      guard let life = lives[index] else {
        if !faults || random.chance(0.03) { lives[index] = birth(index) }
        continue
      }
      life.node.advance(duration)
      if life.pausedUntil > now { continue }
      work(life)
      if faults, random.chance(0.02) { kill(index) }
      if faults, random.chance(0.005) { pause(life) }
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
      !faults ? .none : random.chance(0.05) ? .behind : random.chance(0.05) ? .before : .none
    var link = AlertLink(hash: hash, fault: fault)
    let told = life.node.withBook { $0.news.map(\.id) }
    life.node.withBook { $0.passEnded() }
    do throws(PassFailure) {
      _ = try life.exchange.pass(life.node, &link)
    } catch {
      // As the loop does: the next pass tries again.
    }
    if fault == .none || fault == .behind {
      // The store has heard of these, whatever the node knows of that: only the first pipeline went
      // through where replies are lost, and it may have been another one.
      let done = Set(told.filter { hash.fields[Array($0.utf8)] != nil })
      life.unconfirmed.subtract(done)
    }
    life.won = life.node.takeAttempt() ?? life.won
  }

  private func send(_ life: Life) {
    let uptime = life.node.uptime
    if let attempt = life.won, random.chance(0.7) {
      life.won = nil
      if attempt.mayBegin(at: uptime) {
        let outcome: AlertBook.Outcome = faults && random.chance(0.3) ? .failed : .delivered
        let took = Duration.milliseconds(random.below(2_000))
        life.sending = (attempt, uptime + took, outcome)
        if outcome == .delivered {
          delivered[attempt.id, default: 0] += 1
          life.unconfirmed.insert(attempt.id)
        }
      } else {
        life.node.end(attempt, .notBegun)
      }
    }
    if let sending = life.sending, uptime >= sending.until {
      life.sending = nil
      life.node.end(sending.attempt, sending.outcome)
    }
  }

  private func kill(_ index: Int) {
    guard let life = lives[index] else { return }
    kills += 1
    for id in life.unconfirmed { excused[id, default: 0] += 1 }
    disks[index] = life.kept
    lives[index] = nil
  }

  /// As a machine that stands still: for long it is as good as dead.
  private func pause(_ life: Life) {
    life.pausedUntil = now + .seconds(random.below(60))
    for id in life.unconfirmed { excused[id, default: 0] += 1 }
  }

  private func empty() {
    hash.fields = [:]
    // Claims are gone: whoever was at something may have company.
    for life in lives.compactMap(\.self) {
      let won: Set<String> = life.won.map { [$0.id] } ?? []
      for id in life.unconfirmed.union(won) { excused[id, default: 0] += 4 }
    }
  }

  /// Whether every alert was delivered and no node has anything to do.
  var isQuiet: Bool {
    alerts.allSatisfy { (delivered[$0.id] ?? 0) > 0 }
      && lives.allSatisfy { $0.map { life in life.node.withBook { $0.waiting == 0 } } ?? false }
      && lives.allSatisfy { $0.map { $0.sending == nil && $0.unconfirmed.isEmpty } ?? false }
  }

  /// Alerts that were delivered more often than anything excuses, or not at all.
  var faultsFound: [String] {
    alerts.compactMap { alert in
      let (count, excuse) = (delivered[alert.id] ?? 0, excused[alert.id] ?? 0)
      return count == 0 || count > 1 + excuse ? "\(count) deliveries, \(excuse) excused" : nil
    }
  }
}
